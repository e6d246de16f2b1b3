"""Set-associative arrays, replacement, and a core's private caches."""
