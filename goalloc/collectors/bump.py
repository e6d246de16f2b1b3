"""Sequential allocation: the next object lies right after the last one. The collectors that move objects allocate this way. GC Handbook 7.1.

x = new_object(m, t, refs, data)    when memory is used up, after a collection; the thread ends if that did not help
"""

from hwmem._jit import call_door, cold, kernel
from hwmem.core.access import load64, store64
from goalloc import params as P
from goalloc.collectors.model import COLLECT, LIMIT, PREFIX, TOP, WORD, clear, exhausted, guest, is_object, words_of
from goalloc.words import get64, put64


@kernel
def bump(m, t, h, words):
    """Room for an object, taken from the free memory's lower end, its prefix before it; 0 if it does not fit."""
    x = get64(m, t, h + TOP)
    prefix = WORD * get64(m, t, h + PREFIX)
    end = x + prefix + WORD * words
    if end > get64(m, t, h + LIMIT):
        return 0
    put64(m, t, h + TOP, end)
    return x + prefix


@cold
def new_object(m, t, refs, data):
    if not is_object(m, t, refs, data):
        return 0
    registers, words = guest(m, t), 1 + refs + data
    h = registers[P.HEAP]
    x = bump(m, t, h, words)
    if x == 0:
        call_door(m, registers[P.HEAP_DOOR], t, COLLECT, 0, 0)
        x = bump(m, t, h, words)
    if x == 0:
        return exhausted(m, t, h, words)
    clear(m, t, x, refs, words)
    return x


@kernel
def move(m, t, source, target, words):
    """Copy an object; downwards it may overlap. A collection's innermost loop, so its accesses are inlined."""
    for at in range(0, WORD * words, WORD):
        store64(m, t, target + at, load64(m, t, source + at))


@kernel
def evacuate(m, t, slot, x, header, to):
    """Copy object x, whose header that is, to `to`: *slot and x's header say so then. Its first four words, all of most objects, are read before
    any is written, as a memcpy with registers does: a store that waits would hold up what is read of its line."""
    words = words_of(header)
    second = load64(m, t, x + WORD)
    third = load64(m, t, x + 2 * WORD) if words > 2 else 0
    fourth = load64(m, t, x + 3 * WORD) if words > 3 else 0
    store64(m, t, x, to)
    store64(m, t, slot, to)
    store64(m, t, to, header)
    store64(m, t, to + WORD, second)
    if words > 2:
        store64(m, t, to + 2 * WORD, third)
    if words > 3:
        store64(m, t, to + 3 * WORD, fourth)
        move(m, t, x + 4 * WORD, to + 4 * WORD, words - 4)
