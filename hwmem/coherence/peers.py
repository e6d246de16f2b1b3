"""Other cores' copies of a line: who holds it, and what another's request does to them.

The directory calls `meet` for every core that a request concerns; the protocol's table (protocol.py, copied
into the machine) says what becomes of the copy. A core's state is the stronger of its L1 and L2 copies. A
copy that weakens also leaves the core's hit filter.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import apart, cold, kernel
from hwmem.bits import bit, test_bit
from hwmem.cache.sets import cool, index_of
from hwmem.coherence.invalidations import hold_for_a_while
from hwmem.observe.hooks import line_lost

NOBODY = np.uint64(0)


@kernel
def state_at(m, s, line):
    i = index_of(m, s, line)
    return m.tag[i] & P.STATE_MASK if i >= 0 else 0


@kernel
def core_state(m, d, line):
    """State in which core `d` holds `line`."""
    core = m.core[d]
    state = state_at(m, core.l1d, line)
    if m.has_l2:
        state = max(state, state_at(m, core.l2, line))
    return state


@cold
def cores_holding(m, line):
    """Mask of the cores with a valid copy, by asking every core (duplicate tags)."""
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


@kernel
def set_state(m, s, line, state):
    """The copy in `s`, if valid, is from now on in at most `state`."""
    i = index_of(m, s, line)
    if i >= 0 and m.tag[i] & P.STATE_MASK > state:
        m.tag[i] = m.tag[i] & ~P.STATE_MASK | state


@apart
def meet(m, d, line, event):
    """Core `d`'s copy meets another's request (an event of the protocol's table). Returns its state before."""
    core = m.core[d]
    before = core_state(m, d, line)
    after = m.protocol.next_state[before, event]
    cool(core, line)
    if before == P.I:
        return before
    if after == P.I:
        set_state(m, core.l1d, line, P.I)
        if m.has_l2:
            set_state(m, core.l2, line, P.I)
        if m.observe.watching:
            line_lost(m, d, line)
        return before
    in_l1 = state_at(m, core.l1d, line) == before
    set_state(m, core.l1d, line, after if in_l1 else P.S)
    if m.has_l2:
        set_state(m, core.l2, line, P.S if in_l1 else after)
    return before


@kernel
def take_away(m, c, d, line, event):
    """meet, where core `c` will write the line: what core `d` had may wait in its invalidation queue. Its state before."""
    before = meet(m, d, line, event)
    if before != P.I and m.cost.early > 0:
        hold_for_a_while(m, d, line, m.core[c].cycles)
    return before
