"""A core's private caches, the directory that keeps them coherent, and the protocols it keeps to."""
