"""How the built-in models were trained."""
