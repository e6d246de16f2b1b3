"""The command line of goalloc, and its tables."""
