"""A run: a workload's job from its name to its result, comparisons of runs, and results kept in files."""
