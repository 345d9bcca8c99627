"""Opening one page of the dashboard under Streamlit's AppTest."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash


def switch(app: AppTest, page: str) -> None:
    """Have the next run show this page.

    ``AppTest.switch_page`` guesses a page's hash from its file name until the app has run once, and every page here
    is called ``page.py``; Streamlit's own hash is that of the address.
    """
    app._page_hash = calc_hash(page)
