"""A Go program from Python: Runtime, its start, and its maps, slices, arenas and goroutines."""
