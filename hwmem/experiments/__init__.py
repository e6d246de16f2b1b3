"""What documents claim about memory, as experiments (claims.py), and the MESI lesson step by step (classroom.py)."""
