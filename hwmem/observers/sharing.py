"""Why a core missed: cold, capacity or conflict, true sharing, false sharing (Dubois et al., ISCA 1993).

door.py calls `classify` with every access and `lifetime_ends` when a core's copy is taken away. Seen from one core,
a line's copy lives from a miss until it is taken away or replaced; "the core's caches" are its L1 and L2 together.

    the miss that begins the lifetime                              counted in core.miss
      the core never had the line                                  [0] cold
      it had it, and nobody took it away: it was replaced          [1] capacity or conflict
      it was taken away, and in the lifetime the core touches      [2] true sharing
        a byte that another core wrote since its last essential miss
      ... touches no such byte                                     [3] false sharing

All but the last kind are essential: the data had to come. Whether a miss is of the last two kinds is known when a touch shows it, or when
the lifetime ends; until then it is `pending`, and counts as false sharing when the counters are read (counters.py) or the observation stops
(switches.py). The grain is the byte, so that two flags in one word do not pass for true sharing; a touch is a load or a store. A store that
has the data but not the right to write it is an upgrade, not a miss. The kernel's and the walker's accesses are accesses like any other.

    watched[i].held         cores that ever had the line          others_wrote[row, d]   bytes that other cores wrote
              .lost         ... and had it taken away                  since core d's last essential miss
              .pending      ... and whose miss is undecided       (a row only for lines of two cores or more)

Identity, for each core: miss.cold + capacity + true + false (pending ones included) + upgrades = l1d.misses,
less what found no room (m.observe.sharing_dropped), from the moment the switch is on.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.bits import bit, ctz64
from hwmem.layout import SHARED_ROWS

COLD, CAPACITY, TRUE_SHARING, FALSE_SHARING = range(4)
NOBODY = np.uint64(0)
NO_ROW = -1


@kernel
def classify(m, i, c, touched, write):
    """Core `c` touched the bytes `touched` of line record `i` (-1: no room); `write`: it wrote them."""
    core = m.core[c]
    missed = core.source != P.FROM_L1 and core.source != P.FROM_UPGRADE
    if i < 0:
        m.observe.sharing_dropped += missed
        return
    w = m.watched[i]
    if missed:
        begin_lifetime(m, i, c)
    elif w.held & bit(c) == NOBODY:
        join(m, w, c)
    if w.pending & bit(c) != NOBODY and m.others_wrote[w.row, c] & touched != NOBODY:
        decide(m, w, c, TRUE_SHARING)
        m.others_wrote[w.row, c] = NOBODY
    if write and w.row > 0:
        note_write(m, w, c, touched)


@cold
def begin_lifetime(m, i, c):
    """A miss of core `c`. A lifetime whose miss is still undecided has ended by replacement."""
    w, me, miss = m.watched[i], bit(c), m.core[c].miss
    if w.pending & me != NOBODY:
        decide(m, w, c, FALSE_SHARING)
    if w.held & me == NOBODY:
        miss[COLD] += 1
        join(m, w, c)
    elif w.lost & me == NOBODY:
        miss[CAPACITY] += 1
        if w.row > 0:
            m.others_wrote[w.row, c] = NOBODY
    elif w.row == NO_ROW:
        m.observe.sharing_dropped += 1
    else:
        w.pending |= me
        m.observe.pending[c] += 1
    w.lost &= ~me


@kernel
def decide(m, w, c, cause):
    m.core[c].miss[cause] += 1
    m.observe.pending[c] -= 1
    w.pending &= ~bit(c)


@kernel
def join(m, w, c):
    """Core `c` has the line for the first time; the second core to have it makes it a shared line."""
    if w.held != NOBODY and w.row == 0:
        if m.observe.rows + 1 < SHARED_ROWS:
            m.observe.rows += 1
            w.row = m.observe.rows
        else:
            w.row = NO_ROW
    w.held |= bit(c)


@kernel
def note_write(m, w, c, touched):
    """The others do not know these bytes."""
    others = w.held & ~bit(c)
    while others != NOBODY:
        d = ctz64(others)
        m.others_wrote[w.row, d] |= touched
        others &= ~bit(d)


@kernel
def lifetime_ends(m, i, d):
    """Core `d`'s copy was taken away."""
    w = m.watched[i]
    if w.pending & bit(d) != NOBODY:
        decide(m, w, d, FALSE_SHARING)
    if w.held & bit(d) == NOBODY:
        join(m, w, d)
    w.lost |= bit(d)


@kernel
def recalled(m, i, d):
    """... only for lack of room: what the core then misses is capacity."""
    w = m.watched[i]
    w.lost &= ~bit(d)
    if w.contended == 1:  # nobody has asked for it (contended.py)
        w.contended = 0
