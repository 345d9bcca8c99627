"""How large a file may be that comes from a browser: one limit, of the server and of everything that reads uploads."""

MOST_BYTES = 64 * 2**20
"""The same as ``maxUploadSize`` in ``.streamlit/config.toml``, which pages state and the server enforces."""
