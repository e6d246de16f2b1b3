"""Other cores' copies of a line: who holds it, and what another's request does to them.

The directory calls `meet` for every core that a request concerns; the protocol's table (protocol.py, copied
into the machine) says what becomes of the copy. A core's state is the stronger of its L1 and L2 copies. A
copy that weakens also leaves the core's hit filter.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, cold, hot, kernel
from hwmem.bits import bit, test_bit
from hwmem.cache.hit_filter import cool
from hwmem.cache.sets import index_of, invalidate
from hwmem.cache.invalidations import hold_for_a_while
from hwmem.observers.hooks import line_lost

NOBODY = np.uint64(0)


@hot
def copies(m, d, line):
    """Core `d`'s entries of `line` in its L1 and L2 (-1: none), and the states of both."""
    core = m.core[d]
    i, j = index_of(m, core.l1d, line), index_of(m, core.l2, line)  # an L2 that is not there has no ways
    return i, j, m.tag[i] & P.STATE_MASK if i >= 0 else P.I, m.tag[j] & P.STATE_MASK if j >= 0 else P.I


@kernel
def core_state(m, d, line):
    """State in which core `d` holds `line`."""
    _, _, in_l1, in_l2 = copies(m, d, line)
    return max(in_l1, in_l2)


@cold
def cores_holding(m, line):
    """Mask of the cores with a valid copy, by looking at every core's tags (duplicate tags)."""
    mask = NOBODY
    for d in range(m.cores):
        if core_state(m, d, line) > P.I:
            mask |= bit(d)
    return mask


@cold
def supplier(m, line, mask):
    """The core of `mask` whose copy answers a request (F and above), or -1."""
    for d in range(m.cores):
        if test_bit(mask, d) and core_state(m, d, line) >= P.F:
            return d
    return -1


@hot
def weaken(m, s, i, state, most):
    """Entry `i` of array `s`, which is in `state`, is from now on in at most `most`."""
    if state > most:
        if most == P.I:
            invalidate(m, s, i)
        else:
            m.tag[i] = m.tag[i] & ~P.STATE_MASK | most


@apart
def meet(m, d, line, event):
    """Core `d`'s copy meets another's request (an event of the protocol's table). Returns its state before."""
    i, j, in_l1, in_l2 = copies(m, d, line)
    before = max(in_l1, in_l2)
    after = m.protocol.next_state[before, event]
    cool(m.core[d], line)
    if before == P.I:
        return before
    rest = P.I if after == P.I else P.S  # of the weaker copy
    weaken(m, m.core[d].l1d, i, in_l1, after if in_l1 == before else rest)
    weaken(m, m.core[d].l2, j, in_l2, rest if in_l1 == before else after)
    if after == P.I and m.observe.watching:
        line_lost(m, d, line)
    return before


@kernel
def take_away(m, c, d, line, event):
    """meet, where core `c` will write the line: what core `d` had may wait in its invalidation queue. Its state before."""
    before = meet(m, d, line, event)
    if before != P.I and m.cost.early > 0:
        hold_for_a_while(m, d, line, m.core[c].cycles)
    return before
