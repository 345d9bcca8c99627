"""Concept counts: exact, published or counted, as one type."""
