"""memclr and memmove: memory is cleared and copied in words of 8 bytes, the rest in bytes; also pointers that the runtime stores.

A real processor would use wider stores; lines and pages touched are the same. Go: memclr_amd64.s, memmove_amd64.s.
"""

from hwmem._jit import DOORS, call_door, kernel
from hwmem.core.access import load, store
from goalloc import params as P
from goalloc.words import put64


@kernel
def memclr(m, t, va, n):
    """`n` zero bytes from `va` on."""
    call_door(m, P.DOOR_MEMORY_BLOCK, t, va, n, 0)


@kernel
def memmove(m, t, to, source, n):
    """Copy `n` bytes between stretches that do not overlap."""
    if n > 0:
        call_door(m, P.DOOR_MEMORY_BLOCK, t, to, n, source)


@kernel
def put_pointer(m, t, slot, value):
    """*slot = value, a pointer that the runtime itself stores in an object of the heap: with the write barrier while a collection marks."""
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING:
        call_door(m, P.DOOR_BARRIER, t, slot, value, 0)
    put64(m, t, slot, value)


@kernel
def typedmemmove(m, t, typ, to, source, n):
    """Copy values of the type at `typ` (0: without pointers), or clear them (source = 0). While a collection marks, the write barrier comes
    before it."""
    if n > 0:
        if typ and m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING:
            m.thread[t].guest[P.SIZE] = typ
            call_door(m, P.DOOR_BARRIER, t, to, source, n)
        call_door(m, P.DOOR_MEMORY_BLOCK, t, to, n, source)


@DOORS.door(P.DOOR_MEMORY_BLOCK)
def memory_block(m, t, to, n, source):
    """Clear, or copy from `source` if that is not 0."""
    done = 0
    while done < n:
        size = 8 if n - done >= 8 and to + done & 7 == 0 else 1
        store(m, t, to + done, size, load(m, t, source + done, size) if source else 0)
        done += size
    return 0
