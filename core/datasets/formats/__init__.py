"""One module per layout of an image set on disk."""
