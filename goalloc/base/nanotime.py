"""nanotime(): the clock of the thread's core in nanoseconds, the unit of the collector's times.

The process's MILLISECOND (runtime.py) says how many cycles of its machine a millisecond has.
"""

from hwmem._jit import kernel
from goalloc import params as P

MS = 1_000_000


@kernel
def nanotime(m, t):
    ms = m.process[m.thread[t].process].guest[P.MILLISECOND]
    cycles = m.core[m.thread[t].core].cycles
    return cycles // ms * MS + cycles % ms * MS // ms


@kernel
def cycles_of(m, t, ns):
    """How many cycles `ns` nanoseconds are."""
    ms = m.process[m.thread[t].process].guest[P.MILLISECOND]
    return ns // MS * ms + ns % MS * ms // MS
