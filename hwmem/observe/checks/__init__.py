"""The machine's invariants as kernels, box by box. check.py runs them; faults.py says what each one found."""
