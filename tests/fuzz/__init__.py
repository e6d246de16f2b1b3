"""Hostile input by the hundred thousand: what finds the crashes, hangs and tracebacks that nobody thought of.

    python -m tests.fuzz calls --count 100000 --seed 1      system calls and accesses with edge values, on random machines
    python -m tests.fuzz physical --count 100000            accesses and replays on machines without an MMU
    python -m tests.fuzz results --count 5000               kept results, damaged and made by hand
    python -m tests.fuzz kernels --count 100000             a user's kernel with random operations
    python -m tests.fuzz cache --count 5000                 damaged files of the compile cache

Each case is a seed, carried out in a forked child (harness.py); a failure prints the seed that repeats it. test_fuzz.py runs a
small part of each.
"""
