"""A core: loads and stores as programs call them, the store buffer, what happens when the hit filter misses."""
