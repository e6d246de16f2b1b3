"""Cards: which stretches of 512 bytes of the heap begin objects that may have been written to, and where the first object of each begins.

    TABLE   | 0 | 1 | 0 | ...     a byte a card, 1: dirty             MAP   | 0 | 1 + words from the card's start | ...     0: none begins there

GC Handbook 11.8 (card tables, crossing maps).
"""

from hwmem._jit import cold, kernel
from goalloc.collectors.model import MAP, OTHER, START, TABLE, WORD, words_of
from goalloc.words import get8, get64, put8, put64

CARD_SHIFT = 9
CARD = 1 << CARD_SHIFT


@kernel
def card_of(m, t, h, x):
    return (x - get64(m, t, h + START)) >> CARD_SHIFT


@kernel
def dirty(m, t, h, x):
    """The barrier: the card in which x begins."""
    put8(m, t, get64(m, t, h + TABLE) + card_of(m, t, h, x), 1)


@cold
def note(m, t, h, x):
    """An object begins at x, behind all others."""
    at = get64(m, t, h + MAP) + card_of(m, t, h, x)
    if get8(m, t, at) == 0:
        put8(m, t, at, 1 + (x - get64(m, t, h + START)) % CARD // WORD)


@kernel
def next_dirty(m, t, h, card, end):
    """The first dirty card from `card` on that begins below `end`, cleaned; -1 if there is none. Eight clean ones are passed at once."""
    table, cards = get64(m, t, h + TABLE), card_of(m, t, h, end - 1) + 1
    while card < cards:
        if card % 8 == 0 and get64(m, t, table + card) == 0:
            card += 8
            continue
        if get8(m, t, table + card):
            put8(m, t, table + card, 0)
            return card
        card += 1
    return -1


@kernel
def first_in(m, t, h, card):
    """The first object that begins in the card, 0: none."""
    at = get8(m, t, get64(m, t, h + MAP) + card)
    return get64(m, t, h + START) + card * CARD + WORD * (at - 1) if at else 0


@kernel
def end_of(m, t, h, card):
    return get64(m, t, h + START) + (card + 1) * CARD


@cold
def renew(m, t, h):
    """Objects have moved, and none is young: all cards are clean, and the map is made anew."""
    x, end = get64(m, t, h + START), get64(m, t, h + OTHER)
    table, places = get64(m, t, h + TABLE), get64(m, t, h + MAP)
    for at in range(0, places - table, WORD):
        put64(m, t, table + at, 0)
        put64(m, t, places + at, 0)
    while x < end:
        note(m, t, h, x)
        x += WORD * words_of(get64(m, t, x))
