"""What a browser says of the points of a figure that were clicked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def custom(point: Mapping[str, Any]) -> list[Any]:
    """Custom data of a selected point, empty for none; its first entry is a class index for concepts.

    A browser sends typed arrays back as objects with the places as keys, others as lists.
    """
    data = point.get("customdata")
    if isinstance(data, Mapping):
        return [data[key] for key in sorted(data, key=int)]
    return list(data) if isinstance(data, list | tuple) else [] if data is None else [data]


def clicked(chart: str, *, length: int) -> list[list[Any]]:
    """Custom data of the selected points of a chart that have ``length`` entries."""
    found = [custom(point) for point in st.session_state[chart].selection.points]
    return [data for data in found if len(data) == length]
