"""What every allocation asks: whether the heap's profile is on. The rest is behind a door, which a program without a profile never loads.

DOOR_PROFILE: SAMPLE (object, its span; the type's address in the register SECOND), FREE (object, bytes), NEXT_CYCLE, FLUSH,
MEM_PROFILE, START (rate), POST_SWEEP. Go: malloc.go mallocgc.
"""

from hwmem._jit import call_door, kernel
from hwmem.core.access import load64
from goalloc import params as P
from goalloc.layout import variables as V

SAMPLE, FREE, NEXT_CYCLE, FLUSH, MEM_PROFILE, START, POST_SWEEP = range(7)


@kernel
def profile(m, t, x, s, typ):
    """Object `x` of the span `s` has been allocated, `typ`: address of its type, 0 for no pointers."""
    if load64(m, t, V.MemProfileRate) > 0:
        m.thread[t].guest[P.SECOND] = typ
        call_door(m, P.DOOR_PROFILE, t, SAMPLE, x, s)
