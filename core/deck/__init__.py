"""A deck of pinned slides and its export."""
