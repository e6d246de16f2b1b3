"""Two generations: objects are made in a nursery, whose survivors are copied to the end of the old ones; all is compacted when too little is left.

    START          OTHER                  NURSERY   TOP       END = LIMIT
      | old objects  |  free              | young   |         |         free is never less than the nursery, so a copy always finds room

A minor collection looks at roots, at old objects that may refer to young ones, and at the copies (Cheney, semispace.py). Which old objects:

    a remembered set   the barrier enters an old object once (KEPT) when a reference to a young one is stored into it
    CARDS              the barrier marks the 512 bytes in which the object begins, whatever is stored; a byte a card, and MAP has the first object of each

Then the nursery gets half of the free memory (Appel's), LARGEST at most. When that is less than half of what a full collection left, everything is
marked and slid to the heap's lower end (threaded.py), young objects too. A survivor is old at once. GC Handbook 9.4 (promotion en masse), 9.6 (Appel), 9.7 and
11.8 (remembered sets, cards, crossing maps); Appel 1989, Ungar 1984.
"""

from hwmem._jit import DOORS, cold, kernel
from goalloc import params as P
from goalloc.collectors import cards
from goalloc.collectors.bump import bump, evacuate
from goalloc.collectors.mark import mark
from goalloc.collectors.model import (
    CARDS,
    COLLECT,
    END,
    HAVE,
    HEADER,
    KEPT,
    LARGEST,
    LIMIT,
    NEW,
    NURSERY,
    OPERATION_SHIFT,
    OTHER,
    START,
    TABLE,
    TABLE_TOP,
    TOP,
    WORD,
    begin_pause,
    begin_tracing,
    clear,
    end_of_roots,
    end_pause,
    end_tracing,
    enter,
    exhausted,
    first_root,
    guest,
    is_object,
    leave,
    refs_of,
    stretches,
    words_of,
)
from goalloc.collectors.threaded import thread_roots, update_backward, update_forward
from goalloc.words import get64, put64


@DOORS.door(P.DOOR_GENERATIONAL)
def generational(m, t, operation, a, b):
    h = guest(m, t)[P.HEAP]
    if operation == NEW:
        return new_object(m, t, h, a, b)
    if operation == COLLECT:
        return collect_all(m, t, h)
    store(m, t, h, a, a + WORD * (1 + (operation >> OPERATION_SHIFT)), b)
    return 0


@cold
def store(m, t, h, x, slot, y):
    """*slot = y, a field of x's."""
    put64(m, t, slot, y)
    registers = guest(m, t)
    registers[P.BARRIERS] += 1
    if registers[P.HEAP_BARRIERS] & CARDS:
        cards.dirty(m, t, h, x)
        return
    nursery = get64(m, t, h + NURSERY)
    if x < nursery <= y:
        header = get64(m, t, x)
        if not header & KEPT:
            put64(m, t, x, header | KEPT)
            enter(m, t, h)
            top = get64(m, t, h + TABLE_TOP)
            put64(m, t, top, x)
            put64(m, t, h + TABLE_TOP, top + WORD)
            leave(m, t, h)


@cold
def new_object(m, t, h, refs, data):
    if not is_object(m, t, refs, data):
        return 0
    words = 1 + refs + data
    if 2 * WORD * words > get64(m, t, h + LIMIT) - get64(m, t, h + NURSERY):
        return new_old_object(m, t, h, refs, words)
    x = bump(m, t, h, words)
    if x == 0:
        collect_young(m, t, h)
        x = bump(m, t, h, words)
    if x == 0:
        return new_old_object(m, t, h, refs, words)
    clear(m, t, x, refs, words)
    return x


@cold
def new_old_object(m, t, h, refs, words):
    """One that the nursery is too small for is old from the beginning."""
    end = get64(m, t, h + OTHER) + WORD * words
    if get64(m, t, h + NURSERY) - end < get64(m, t, h + END) - get64(m, t, h + NURSERY):
        collect_all(m, t, h)
        end = get64(m, t, h + OTHER) + WORD * words
        if end > get64(m, t, h + END):
            return exhausted(m, t, h, words)
        put64(m, t, h + OTHER, end)
        place_nursery(m, t, h)
    put64(m, t, h + OTHER, end)
    clear(m, t, end - WORD * words, refs, words)
    guest(m, t)[P.NOT_YOUNG] += 1
    if guest(m, t)[P.HEAP_BARRIERS] & CARDS:
        cards.note(m, t, h, end - WORD * words)
    return end - WORD * words


@kernel
def place_nursery(m, t, h):
    """An empty one, of half of what is free; its bytes."""
    end = get64(m, t, h + END)
    nbytes = min(get64(m, t, h + LARGEST), (end - get64(m, t, h + OTHER)) // 2 & -WORD)
    put64(m, t, h + NURSERY, end - nbytes)
    put64(m, t, h + TOP, end - nbytes)
    return nbytes


@cold
def collect_young(m, t, h):
    """A minor collection; a whole one after it if the nursery has become too small."""
    start, registers = begin_pause(m, t), guest(m, t)
    before, young = registers[P.TRACED], registers[P.OBJECTS] - registers[P.NOT_YOUNG]
    first = get64(m, t, h + OTHER)
    for k in range(stretches(m)):
        for slot in range(first_root(m, t, h, k), end_of_roots(m, t, h, k), WORD):
            forward(m, t, h, slot)
    if registers[P.HEAP_BARRIERS] & CARDS:
        scan_cards(m, t, h, first)
    else:
        scan_remembered(m, t, h)
    while first < get64(m, t, h + OTHER):
        first = scan(m, t, h, first)
    registers[P.FREED] += young - (registers[P.TRACED] - before)
    registers[P.NOT_YOUNG] = registers[P.OBJECTS]
    small = 2 * place_nursery(m, t, h) < get64(m, t, h + HAVE)
    end_pause(m, t, start)
    if small:
        collect_all(m, t, h)


@cold
def forward(m, t, h, slot):
    """If *slot is young it is to be where its copy is, behind the old objects."""
    x = get64(m, t, slot)
    if x < get64(m, t, h + NURSERY):
        return
    header = get64(m, t, x)
    if header & HEADER:
        copy = get64(m, t, h + OTHER)
        evacuate(m, t, slot, x, header, copy)
        put64(m, t, h + OTHER, copy + WORD * words_of(header))
        if guest(m, t)[P.HEAP_BARRIERS] & CARDS:
            cards.note(m, t, h, copy)
        guest(m, t)[P.TRACED] += 1
    else:
        put64(m, t, slot, header)


@kernel
def scan(m, t, h, x):
    """Forward x's fields; where it ends."""
    header = get64(m, t, x)
    for i in range(1, 1 + refs_of(header)):
        forward(m, t, h, x + WORD * i)
    return x + WORD * words_of(header)


@kernel
def scan_remembered(m, t, h):
    """... the fields of who is in the set, which is empty then."""
    first, top = get64(m, t, h + TABLE), get64(m, t, h + TABLE_TOP)
    for at in range(first, top, WORD):
        x = get64(m, t, at)
        put64(m, t, x, get64(m, t, x) & ~KEPT)
        scan(m, t, h, x)
    put64(m, t, h + TABLE_TOP, first)


@kernel
def scan_cards(m, t, h, end):
    """... the fields of the objects that begin in a dirty card below `end`, which is clean then."""
    card = 0
    while True:
        card = cards.next_dirty(m, t, h, card, end)
        if card < 0:
            return
        x, after = cards.first_in(m, t, h, card), cards.end_of(m, t, h, card)
        while 0 < x < min(after, end):
            x = scan(m, t, h, x)
        card += 1


@cold
def collect_all(m, t, h):
    """Mark, and slide old and young to the lower end; then all are old."""
    start, before = begin_tracing(m, t)
    registers = guest(m, t)
    mark(m, t, h)
    thread_roots(m, t, h)
    first, old, nursery, top = get64(m, t, h + START), get64(m, t, h + OTHER), get64(m, t, h + NURSERY), get64(m, t, h + TOP)
    update_forward(m, t, nursery, top, update_forward(m, t, first, old, first))
    put64(m, t, h + OTHER, update_backward(m, t, nursery, top, update_backward(m, t, first, old, first)))
    put64(m, t, h + TABLE_TOP, get64(m, t, h + TABLE))
    if registers[P.HEAP_BARRIERS] & CARDS:
        cards.renew(m, t, h)
    registers[P.NOT_YOUNG] = registers[P.OBJECTS]
    put64(m, t, h + HAVE, place_nursery(m, t, h))
    return end_tracing(m, t, start, before)
