"""Everything Tailscope computes; nothing here imports Streamlit."""
