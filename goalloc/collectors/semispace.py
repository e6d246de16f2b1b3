"""Copying: the heap is two halves; what lives in the full one is copied into the other, breadth first, and nothing else is looked at.

      fromspace  | a b c d e f g ... |        tospace  | black      | grey       | free ... |
                                                                   scan         top
      a's header: where a's copy is

Cheney's queue is the copies themselves, between `scan` and the heap's top. The cost follows what lives; half of the memory waits.
GC Handbook 4.1 (semispace copying), algorithms 4.1 to 4.4; Cheney 1970.
"""

from hwmem._jit import DOORS, cold, kernel
from hwmem.core.access import load64, store64
from goalloc import params as P
from goalloc.collectors.bump import evacuate, new_object
from goalloc.collectors.model import (
    END,
    HEADER,
    LIMIT,
    NEW,
    OTHER,
    START,
    TOP,
    WORD,
    begin_tracing,
    end_of_roots,
    end_tracing,
    first_root,
    guest,
    refs_of,
    stretches,
    words_of,
)
from goalloc.words import get64, put64


@DOORS.door(P.DOOR_SEMISPACE)
def semispace(m, t, operation, a, b):
    return new_object(m, t, a, b) if operation == NEW else collect(m, t, guest(m, t)[P.HEAP])


@cold
def collect(m, t, h):
    start, before = begin_tracing(m, t)
    space = get64(m, t, h + OTHER)
    flip(m, t, h, space)
    top = copy_roots(m, t, h, space)
    scan = space
    while scan < top:
        header = load64(m, t, scan)
        for i in range(1, 1 + refs_of(header)):
            top = forward(m, t, scan + WORD * i, top)
        scan += WORD * words_of(header)
    put64(m, t, h + TOP, top)
    return end_tracing(m, t, start, before)


@kernel
def flip(m, t, h, space):
    """`space` is the half in use."""
    start, end = get64(m, t, h + START), get64(m, t, h + END)
    middle = start + end >> 1 & -WORD
    put64(m, t, h + OTHER, start if space == middle else middle)
    put64(m, t, h + LIMIT, end if space == middle else middle)


@kernel
def copy_roots(m, t, h, top):
    for k in range(stretches(m)):
        for slot in range(first_root(m, t, h, k), end_of_roots(m, t, h, k), WORD):
            top = forward(m, t, slot, top)
    return top


@kernel
def forward(m, t, slot, top):
    """*slot is to point to the copy, which is made at `top` if there is none yet; where the top is then."""
    x = load64(m, t, slot)
    if x == 0:
        return top
    header = load64(m, t, x)
    if not header & HEADER:
        store64(m, t, slot, header)
        return top
    evacuate(m, t, slot, x, header, top)
    guest(m, t)[P.TRACED] += 1
    return top + WORD * words_of(header)
