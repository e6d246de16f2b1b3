"""Mark-compact, Lisp-2: what lives slides down, in its order, in three passes over the heap after marking.

    | fwd | header ... | fwd | header ... |     a word before each object, for where it will be

    1  for each live object: its new address into its word      2  roots and references: new addresses      3  objects: moved down

Each pass is plain; the price is a word an object. GC Handbook 3.2, algorithm 3.2 (computeLocations, updateReferences, relocate).
"""

from hwmem._jit import DOORS, cold, kernel
from goalloc import params as P
from goalloc.collectors.bump import move, new_object
from goalloc.collectors.mark import mark
from goalloc.collectors.model import (
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


@DOORS.door(P.DOOR_LISP2)
def lisp2(m, t, operation, a, b):
    return new_object(m, t, a, b) if operation == NEW else collect(m, t, guest(m, t)[P.HEAP])


@cold
def collect(m, t, h):
    start, before = begin_tracing(m, t)
    mark(m, t, h)
    compute_locations(m, t, h)
    update_roots(m, t, h)
    update_references(m, t, h)
    relocate(m, t, h)
    return end_tracing(m, t, start, before)


@kernel
def compute_locations(m, t, h):
    x, top = get64(m, t, h + START) + WORD, get64(m, t, h + TOP)
    free = x
    while x < top:
        header = get64(m, t, x)
        step = WORD * (1 + words_of(header))
        if header & MARK:
            put64(m, t, x - WORD, free)
            free += step
        x += step


@kernel
def update(m, t, slot):
    y = get64(m, t, slot)
    if y:
        put64(m, t, slot, get64(m, t, y - WORD))


@kernel
def update_roots(m, t, h):
    for k in range(stretches(m)):
        for slot in range(first_root(m, t, h, k), end_of_roots(m, t, h, k), WORD):
            update(m, t, slot)


@kernel
def update_references(m, t, h):
    x, top = get64(m, t, h + START) + WORD, get64(m, t, h + TOP)
    while x < top:
        header = get64(m, t, x)
        if header & MARK:
            for i in range(1, 1 + refs_of(header)):
                update(m, t, x + WORD * i)
        x += WORD * (1 + words_of(header))


@kernel
def relocate(m, t, h):
    x, top = get64(m, t, h + START) + WORD, get64(m, t, h + TOP)
    free = x
    while x < top:
        header = get64(m, t, x)
        words = words_of(header)
        if header & MARK:
            free = get64(m, t, x - WORD)
            put64(m, t, x, header & ~MARK)
            if free != x:
                move(m, t, x, free, words)
            free += WORD * (1 + words)
        x += WORD * (1 + words)
    put64(m, t, h + TOP, free - WORD)
