"""What can be seen of a run: counters, sharing, contended lines, events, invariants, results."""
