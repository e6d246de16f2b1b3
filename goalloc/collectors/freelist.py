"""Free blocks by size, from which the collectors that do not move objects allocate. GC Handbook 7.4 (segregated fits).

    bin 2 ... 62    blocks of exactly so many words          bin 63    all that are longer, first fit
    HAVE            bit b: bin b is not empty

    a block   | FREE, words | next block of its bin | ...      two words at least

A block longer than the request is split; a remainder of one word would be no block, so such a block is passed over. Only the sweep joins
neighbours.
"""

from hwmem._jit import cold, kernel
from goalloc.collectors.model import BINS, FREE, HAVE, HEADER, LONG, WORD, WORDS_SHIFT, words_of
from goalloc.words import ALL, ONE, ctz64, get64, get_mask, put64, put_mask, shl, test_bit


@kernel
def bin_of(words):
    return min(words, LONG)


@cold
def add_block(m, t, h, x, words):
    """[x, x + words) is free."""
    b = bin_of(words)
    put64(m, t, x, HEADER | FREE | words << WORDS_SHIFT)
    put64(m, t, x + WORD, get64(m, t, h + BINS + WORD * b))
    put64(m, t, h + BINS + WORD * b, x)
    put_mask(m, t, h + HAVE, get_mask(m, t, h + HAVE) | shl(ONE, b))


@kernel
def no_blocks(m, t, h):
    """Every bin is empty: a sweep begins."""
    for b in range(LONG + 1):
        put64(m, t, h + BINS + WORD * b, 0)
    put64(m, t, h + HAVE, 0)


@cold
def take(m, t, h, words):
    """A block of so many words, 0 if there is none."""
    have = get_mask(m, t, h + HAVE)
    if words < LONG and test_bit(have, words):
        return first_of(m, t, h, words)
    longer = have & shl(ALL, words + 2)  # a rest of two words at least
    if words + 2 < LONG and longer & ~shl(ONE, LONG):
        return split(m, t, h, first_of(m, t, h, ctz64(longer)), words)
    return first_fit(m, t, h, words)


@kernel
def first_of(m, t, h, b):
    """The first block of bin b, which has one."""
    x = get64(m, t, h + BINS + WORD * b)
    unlink(m, t, h, b, h + BINS + WORD * b, x)
    return x


@kernel
def unlink(m, t, h, b, before, x):
    """Block x leaves bin b, in which the link at `before` points to it."""
    after = get64(m, t, x + WORD)
    put64(m, t, before, after)
    if after == 0 and before == h + BINS + WORD * b:
        put_mask(m, t, h + HAVE, get_mask(m, t, h + HAVE) & ~shl(ONE, b))


@kernel
def first_fit(m, t, h, words):
    before = h + BINS + WORD * LONG
    x = get64(m, t, before)
    while x:
        have = words_of(get64(m, t, x))
        if have == words or have >= words + 2:
            unlink(m, t, h, LONG, before, x)
            return split(m, t, h, x, words)
        before = x + WORD
        x = get64(m, t, before)
    return 0


@kernel
def split(m, t, h, x, words):
    """The first `words` of block x; the rest is a block."""
    rest = words_of(get64(m, t, x)) - words
    if rest > 0:
        add_block(m, t, h, x + WORD * words, rest)
    return x
