"""Compile all doors, hwmem's and goalloc's, that are not in the cache: what nearly every test needs.

python -m tests.doors
"""

import goalloc.params  # noqa: F401    the table of its doors
from hwmem import params as P
from hwmem._jit import JIT_DISABLED
from hwmem.cli.warmup import bind

if __name__ == "__main__" and not JIT_DISABLED:
    bind(range(P.DOORS))
