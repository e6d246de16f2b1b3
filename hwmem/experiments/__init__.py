"""Claims from the literature about memory, as experiments (claims.py), and the MESI lesson step by step (classroom.py)."""
