"""What a process owns: jobs, caches, the model pool, thumbnails, the machine."""
