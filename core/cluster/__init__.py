"""The same two jobs, embedding and counting, on many machines: Ray Data deals out the parts, workers store them.

The driver, the process that was started by a person, holds the lock and joins the parts; a worker computes one part at
a time and writes it where the local engine would have written it. Nothing else in Tailscope knows of Ray.
"""
