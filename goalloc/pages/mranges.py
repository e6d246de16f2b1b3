"""Address ranges [base, limit) in a sorted array that merges neighbours: which parts of the address space the heap has.

`a` is the address of an addrRanges. A range of the heap is added when it grows; nothing is taken out. Addresses are
compared signed, which is Go's comparison of offset addresses. Go: mranges.go.
"""

from hwmem._jit import kernel
from goalloc import params as P
from goalloc.layout import addrRange, addrRanges, slice_
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.words import get64, put64

FIRST_CAPACITY = 16


@kernel
def ranges_init(m, t, a, stat):
    put64(m, t, a + addrRanges.ranges + slice_.array, persistentalloc(m, t, FIRST_CAPACITY * addrRange.sizeof, 8, stat))
    put64(m, t, a + addrRanges.ranges + slice_.len, 0)
    put64(m, t, a + addrRanges.ranges + slice_.cap, FIRST_CAPACITY)
    put64(m, t, a + addrRanges.totalBytes, 0)
    put64(m, t, a + addrRanges.sysStat, stat)


@kernel
def find_succ(m, t, a, va):
    """Index of the first range that begins above `va`."""
    array, bottom, top = get64(m, t, a + slice_.array), 0, get64(m, t, a + slice_.len)
    while bottom < top:
        i = (bottom + top) // 2
        if va < get64(m, t, array + i * addrRange.sizeof):
            top = i
        else:
            bottom = i + 1
    return top


@kernel
def find_address_at_or_above(m, t, a, va):
    """The least address >= `va` that lies in a range, or maxOffAddr."""
    i, n, array = find_succ(m, t, a, va), get64(m, t, a + slice_.len), get64(m, t, a + slice_.array)
    if i > 0 and va < get64(m, t, array + (i - 1) * addrRange.sizeof + addrRange.limit):
        return va
    return get64(m, t, array + i * addrRange.sizeof) if i < n else P.maxOffAddr


@kernel
def ranges_add(m, t, a, base, limit):
    """Add a range that touches no other than at its ends."""
    i, n, array = find_succ(m, t, a, base), get64(m, t, a + slice_.len), get64(m, t, a + slice_.array)
    here = array + i * addrRange.sizeof
    before = here - addrRange.sizeof
    down = i > 0 and get64(m, t, before + addrRange.limit) == base
    up = i < n and get64(m, t, here + addrRange.base) == limit
    put64(m, t, a + addrRanges.totalBytes, get64(m, t, a + addrRanges.totalBytes) + limit - base)
    if up and down:
        put64(m, t, before + addrRange.limit, get64(m, t, here + addrRange.limit))
        move_words(m, t, here, here + addrRange.sizeof, (n - i - 1) * addrRange.sizeof)
        put64(m, t, a + slice_.len, n - 1)
    elif down:
        put64(m, t, before + addrRange.limit, limit)
    elif up:
        put64(m, t, here + addrRange.base, base)
    else:
        insert(m, t, a, i, base, limit)


@kernel
def insert(m, t, a, i, base, limit):
    """Make room at index `i` for a range of its own."""
    array, n, capacity = get64(m, t, a + slice_.array), get64(m, t, a + slice_.len), get64(m, t, a + slice_.cap)
    into = array
    if n == capacity:
        into = persistentalloc(m, t, 2 * capacity * addrRange.sizeof, 8, get64(m, t, a + addrRanges.sysStat))
        put64(m, t, a + slice_.array, into)
        put64(m, t, a + slice_.cap, 2 * capacity)
        move_words(m, t, into, array, i * addrRange.sizeof)
    move_words(m, t, into + (i + 1) * addrRange.sizeof, array + i * addrRange.sizeof, (n - i) * addrRange.sizeof)
    put64(m, t, into + i * addrRange.sizeof + addrRange.base, base)
    put64(m, t, into + i * addrRange.sizeof + addrRange.limit, limit)
    put64(m, t, a + slice_.len, n + 1)


@kernel
def move_words(m, t, to, source, n):
    """memmove of `n` bytes, a multiple of 8, that may overlap."""
    if to < source:
        for offset in range(0, n, 8):
            put64(m, t, to + offset, get64(m, t, source + offset))
    else:
        for offset in range(n - 8, -8, -8):
            put64(m, t, to + offset, get64(m, t, source + offset))
