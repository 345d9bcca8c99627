"""Models: the registry, weights on disk, loading, encoding."""
