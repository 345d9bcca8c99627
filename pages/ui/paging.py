"""Long lists in pages whose number stands in the address."""

from __future__ import annotations

import streamlit as st

from pages.ui import address


def page_of(count: int, each: int, *, of: object, key: str) -> slice:
    """The places of the page that is shown, with the control to turn pages where there are several.

    Args:
        of: what is listed; another list begins with its first page.
        key: its name in the address, another on each page of the dashboard: Back drops what two pages share.
    """
    pages = max(1, -(-count // each))
    listed = f"_listed_{key}"
    if st.session_state.get(key, 1) != 1 and not address.restored() and st.session_state.get(listed, of) != of:
        st.session_state[key] = 1
    st.session_state[listed] = of
    if pages == 1:
        return slice(0, each)
    if int(st.session_state.get(key) or 1) > pages:
        st.session_state[key] = 1
    page = st.pagination(pages, key=key, bind="query-params")
    return slice(each * (page - 1), each * page)
