"""Slices that grow: how much capacity append asks for, and the copy. Go: slice.go growslice, msize.go roundupsize."""

from hwmem._jit import cold, kernel
from hwmem.core.access import load, load8
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import slice_, variables as V
from goalloc.heap.malloc import mallocgc
from goalloc.base.memclr import memclr, put_pointer, typedmemmove
from goalloc.words import get64, put64

DOUBLING_ENDS = 256


@kernel
def roundupsize(m, t, size):
    """Bytes that mallocgc will set aside for `size`."""
    if size >= P.maxSmallSize:
        return (size + P.pageSize - 1) & -P.pageSize
    if size <= P.smallSizeMax - 8:
        sizeclass = load8(m, t, V.size_to_class8 + (size + 7) // 8)
    else:
        sizeclass = load8(m, t, V.size_to_class128 + (size - P.smallSizeMax + 127) // 128)
    return load(m, t, V.class_to_size + 2 * sizeclass, 2)


@kernel
def next_capacity(length, capacity):
    """Twice as much up to 256, then by a fourth and 192 more."""
    if length > 2 * capacity:
        return length
    if capacity < DOUBLING_ENDS:
        return 2 * capacity
    while capacity < length:
        capacity += (capacity + 3 * DOUBLING_ENDS) // 4
    return capacity


@cold
def growslice(m, t, old, needed, element, typ):
    """(address, capacity) of the slice `old`, (address, length, capacity), with room for `needed` elements of `element` bytes.

    `typ`: the elements' type, 0 for no pointers. (0, 0) after a fatal error."""
    array, length, capacity = old
    if element == 0:
        return V.zerobase, needed
    wanted = next_capacity(needed, capacity)
    if needed < 0 or wanted > P.maxAlloc // element:
        throw(m, t, E.GROWSLICE_LEN, 0, 0)
        return 0, 0
    capacity = roundupsize(m, t, wanted * element) // element
    size = capacity * element
    x = mallocgc(m, t, size, typ, typ != 0)
    if x and typ == 0:
        memclr(m, t, x + needed * element, size - needed * element)
    if x:
        typedmemmove(m, t, typ, x, array, length * element)
    return x, capacity


@cold
def append_word(m, t, s, word, typ):
    """*s = append(*s, word), `s`: address of a slice's header, `typ`: of the words. False after a fatal error."""
    array, n, capacity = get64(m, t, s + slice_.array), get64(m, t, s + slice_.len), get64(m, t, s + slice_.cap)
    if n == capacity:
        array, capacity = growslice(m, t, (array, n, n), n + 1, 8, typ)
        put_pointer(m, t, s + slice_.array, array)
        put64(m, t, s + slice_.cap, capacity)
    if array:
        if typ:
            put_pointer(m, t, array + 8 * n, word)
        else:
            put64(m, t, array + 8 * n, word)
        put64(m, t, s + slice_.len, n + 1)
    return array != 0
