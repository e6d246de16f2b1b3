"""What Python reads of a Go program: spans, statistics, profiles, names, invariants."""
