"""Mark-compact by threading: what lives slides down, in its order, in two passes and without a word of extra memory.

    before     a.0 ─> x     b.1 ─> x      x: header
    threaded   x: ─> b.1: ─> a.0: header          the slots that pointed to x are a chain from its header's place, which ends in the header

When the pass reaches x its new address is known: that is written into every slot of the chain, and the header is restored. The first pass
does so for references from lower addresses and roots, the second for those from higher ones, and moves the object.
An address is even and a header odd, which marks the chain's end. GC Handbook 3.3, algorithm 3.3; Jonkers 1979, Morris 1978.
"""

from hwmem._jit import DOORS, cold, kernel
from goalloc import params as P
from goalloc.collectors.bump import move, new_object
from goalloc.collectors.mark import mark
from goalloc.collectors.model import (
    HEADER,
    KEPT,
    MARK,
    NEW,
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


@DOORS.door(P.DOOR_THREADED)
def threaded(m, t, operation, a, b):
    return new_object(m, t, a, b) if operation == NEW else collect(m, t, guest(m, t)[P.HEAP])


@cold
def collect(m, t, h):
    start, before = begin_tracing(m, t)
    mark(m, t, h)
    thread_roots(m, t, h)
    first, top = get64(m, t, h + START), get64(m, t, h + TOP)
    update_forward(m, t, first, top, first)
    top = update_backward(m, t, first, top, first)
    put64(m, t, h + TOP, top)
    registers = guest(m, t)
    registers[P.MOST_LIVE] = max(registers[P.MOST_LIVE], top - first)
    return end_tracing(m, t, start, before)


@kernel
def thread(m, t, slot):
    """The slot becomes the head of the chain at the object to which it points."""
    x = get64(m, t, slot)
    if x:
        put64(m, t, slot, get64(m, t, x))
        put64(m, t, x, slot)


@kernel
def unthread(m, t, x, address):
    """Every slot of x's chain points to `address`; x has its header again, which is returned."""
    link = get64(m, t, x)
    while not link & HEADER:
        after = get64(m, t, link)
        put64(m, t, link, address)
        link = after
    put64(m, t, x, link)
    return link


@kernel
def thread_roots(m, t, h):
    for k in range(stretches(m)):
        for slot in range(first_root(m, t, h, k), end_of_roots(m, t, h, k), WORD):
            thread(m, t, slot)


@cold
def update_forward(m, t, x, top, free):
    """For the objects from x to `top`, which will lie from `free` on: references from below, and those of roots, point to where the object will
    be; the others are threaded. Where the last will end."""
    while x < top:
        header = get64(m, t, x)
        if not header & HEADER:
            header = unthread(m, t, x, free)
        words = words_of(header)
        if header & MARK:
            for i in range(1, 1 + refs_of(header)):
                thread(m, t, x + WORD * i)
            free += WORD * words
        x += WORD * words
    return free


@cold
def update_backward(m, t, x, top, free):
    """... references from above, too, and the objects are there. Where the last one ends."""
    while x < top:
        header = get64(m, t, x)
        if not header & HEADER:
            header = unthread(m, t, x, free)
        words = words_of(header)
        if header & MARK:
            put64(m, t, x, header & ~(MARK | KEPT))
            if free != x:
                move(m, t, x, free, words)
            free += WORD * words
        x += WORD * words
    return free
