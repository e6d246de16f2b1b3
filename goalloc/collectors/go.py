"""Go's collector behind this package's mutator: its calls, made of Go's own. The same programs, with the same allocations in the same order.

    new         mallocgc, with a type of its shape: which words are references      a store    Go's write barrier, then the store
    collect     nothing: cycles begin as Go's pacer says, and run beside the program, step by step (programs/start.py next_m)

An object has its header word here, too, though Go has no use for it. Roots lie in .bss, so that they are Go's. A shape's type is looked up in a table of
emulated memory, where a compiler would have had its address.
"""

from hwmem._jit import DOORS, cold
from goalloc import params as P
from goalloc.collectors.model import (
    COLLECT,
    NEW,
    OPERATION_SHIFT,
    ROOT,
    TABLE,
    TABLE_TOP,
    WORD,
    guest,
    header_of,
    is_object,
)
from goalloc.kernels import mallocgc, write_pointer
from goalloc.words import get64, put64

SHAPE = 16  # bytes of a row: the header of such an object, the address of its type


@DOORS.door(P.DOOR_GO)
def go(m, t, operation, a, b):
    if operation == NEW:
        return new_object(m, t, guest(m, t)[P.HEAP], a, b)
    if operation == COLLECT:
        return 1
    write_pointer(m, t, a if operation == ROOT else a + WORD * (1 + (operation >> OPERATION_SHIFT)), b)
    guest(m, t)[P.BARRIERS] += 1
    return 0


@cold
def new_object(m, t, h, refs, data):
    if not is_object(m, t, refs, data):
        return 0
    words = 1 + refs + data
    x = mallocgc(m, t, WORD * words, type_of(m, t, h, header_of(refs, words)) if refs else 0)
    if x:
        put64(m, t, x, header_of(refs, words))
        guest(m, t)[P.OBJECTS] += 1
        guest(m, t)[P.BYTES] += WORD * words
    return x


@cold
def type_of(m, t, h, header):
    """The type of objects with this header, which the program has declared."""
    for row in range(get64(m, t, h + TABLE), get64(m, t, h + TABLE_TOP), SHAPE):
        if get64(m, t, row) == header:
            return get64(m, t, row + WORD)
    return 0
