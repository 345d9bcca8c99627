"""Data to Plotly figures; knows nothing of Streamlit, files or models."""

from core.charts.answers import top_bars
from core.charts.frequency import Series, frequency_figure
from core.charts.palette import PLOT_CONFIG, SERIES, compact, standalone_html
from core.charts.scatter import ModelPoint, tail_scatter

__all__ = [
    "PLOT_CONFIG",
    "SERIES",
    "ModelPoint",
    "Series",
    "compact",
    "frequency_figure",
    "standalone_html",
    "tail_scatter",
    "top_bars",
]
