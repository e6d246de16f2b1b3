"""Locks of the runtime that are held within one step: words that hold the cycle at which they were released.

Taking one is an atomic operation on the word, so it costs what its line costs. A release later than the taker's clock is contention:
the taker waits until then, and the wait is counted. Releasing is an atomic exchange, as Go's unlock is (lock_futex.go).
"""

from hwmem._jit import cold
from goalloc import params as P
from goalloc.words import swap64


@cold
def lock(m, t, va):
    core = m.core[m.thread[t].core]
    before = core.cycles
    released = swap64(m, t, va, 1)  # which may itself wait for the line
    counts = m.process[m.thread[t].process].guest
    counts[P.LOCKS] += 1
    if released > before:
        core.cycles = max(core.cycles, released)
        counts[P.LOCK_WAITS] += 1
        counts[P.LOCK_WAIT_CYCLES] += core.cycles - before


@cold
def unlock(m, t, va):
    core = m.core[m.thread[t].core]
    swap64(m, t, va, core.cycles + core.hit_cycles + m.cost.atomic)
