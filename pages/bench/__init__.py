"""Bench rows that need Streamlit: a page's rerun, a browser, visitors. ``core.bench`` finds them by name."""
