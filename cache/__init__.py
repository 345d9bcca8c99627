"""What is worth keeping between runs: content keys, memory-mapped matrices, small results.

Knows nothing of CLIP: it stores arrays and bytes under keys that others make. Losing all of it costs time, never truth.
"""


class CacheError(Exception):
    """The cache cannot do what was asked; ``str(error)`` says why in one sentence."""
