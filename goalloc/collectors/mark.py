"""Marking: every object that the roots reach has MARK set in its header. A stack in emulated memory holds what is marked and not scanned.

An object is pushed once, when it is marked; so the stack never holds more references than the heap has objects, and is reserved for
that: half a heap of address space, of which pages are used as deep as the graph is. GC Handbook 2.2 (marking), 2.6 (mark stack).
"""

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.collectors.model import MARK, MARKS, WORD, end_of_roots, first_root, guest, refs_of, stretches
from goalloc.words import get64, put64


@kernel
def grey(m, t, x, top):
    """Mark x, if it is an object and white, and push it if it has references; where the stack's top is then."""
    if x == 0:
        return top
    header = get64(m, t, x)
    if header & MARK:
        return top
    put64(m, t, x, header | MARK)
    guest(m, t)[P.TRACED] += 1
    if refs_of(header) == 0:
        return top
    put64(m, t, top, x)
    return top + WORD


@cold
def mark(m, t, h):
    """All that is reachable."""
    bottom = get64(m, t, h + MARKS)
    top = bottom
    for k in range(stretches(m)):
        for slot in range(first_root(m, t, h, k), end_of_roots(m, t, h, k), WORD):
            top = scan(m, t, bottom, grey(m, t, get64(m, t, slot), top))


@cold
def scan(m, t, bottom, top):
    """Until nothing is grey; the empty stack's top."""
    while top > bottom:
        top -= WORD
        x = get64(m, t, top)
        for i in range(1, 1 + refs_of(get64(m, t, x))):
            top = grey(m, t, get64(m, t, x + WORD * i), top)
    return top
