"""malloc, free and the rest, as emulated programs call them, whichever allocator their process has (api.py).

    malloc(m, t, n) ── the process's door ──> bump.py, freelist.py, buddy.py, glibc.py, tcmalloc.py, jemalloc.py

One call through an address, like a program's call into a shared library; what lies behind it is the allocator's own.
"""

from hwmem._jit import call_door, kernel
from goalloc import params as P
from goalloc.baselines.system import END_THREAD, FREE, MALLOC, REALLOC, TICK, USABLE_SIZE


@kernel
def door(m, t):
    return m.process[m.thread[t].process].guest[P.ALLOCATOR]


@kernel
def malloc(m, t, n):
    """The address of `n` bytes, a multiple of 16 (of 8 for less than 16 bytes); 0: there is no memory."""
    return call_door(m, door(m, t), t, MALLOC, n, 0)


@kernel
def free(m, t, block):
    """What malloc gave is not used any more. 0: nothing is done."""
    if block:
        call_door(m, door(m, t), t, FREE, block, 0)


@kernel
def realloc(m, t, block, n):
    """The bytes of `block` as `n`, wherever they are then; 0: no memory, and `block` stays."""
    return call_door(m, door(m, t), t, REALLOC, block, n)


@kernel
def usable_size(m, t, block):
    """How many bytes from `block` on belong to its user."""
    return call_door(m, door(m, t), t, USABLE_SIZE, block, 0)


@kernel
def tick(m, t, now):
    """What the allocator does by itself now and then: give back memory that has not been used for long. `now`: give back all it can."""
    return call_door(m, door(m, t), t, TICK, now, 0)


@kernel
def end_of_thread(m, t):
    """The thread makes no more calls: its private caches go to the others."""
    call_door(m, door(m, t), t, END_THREAD, 0, 0)
