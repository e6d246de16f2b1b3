"""memalign: a chunk large enough to have an aligned place in it; what lies before that place and behind is freed.

Source: glibc 2.36 malloc/malloc.c _mid_memalign, _int_memalign, with the overflow check of the 2.36 branch.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import store64
from hwmem.libc.arena import get_arena, try_another
from hwmem.libc.chunk import (
    HEADER,
    IS_MMAPPED,
    MINSIZE,
    PREV_INUSE,
    align_up,
    chunksize,
    head,
    prev_size,
    request2size,
    set_head,
    set_head_size,
    set_inuse,
)
from hwmem.libc.lock import is_single, unlock
from hwmem.libc.more import arena_flag
from hwmem.libc.release import int_free
from hwmem.libc.search import int_malloc

LARGEST_ALIGNMENT = 1 << 61


@cold
def aligned_chunk(m, t, alignment, n):
    """mem, a multiple of `alignment` (above 16; the next power of two), or 0, or -1."""
    power = MINSIZE
    while power < alignment and power < LARGEST_ALIGNMENT:
        power *= 2
    av = get_arena(m, t, n + power + MINSIZE)
    mem = int_memalign(m, t, av, power, n)
    if is_single(m, t):
        return mem
    if mem == 0 and av:
        av = try_another(m, t, av, n)
        mem = int_memalign(m, t, av, power, n)
    if av:
        unlock(m, t, av)
    return mem


@kernel
def int_memalign(m, t, av, alignment, n):
    size = request2size(n)
    if size == 0:
        return 0
    mem = int_malloc(m, t, av, size + alignment + MINSIZE)
    if mem <= 0:
        return mem
    p = mem - HEADER
    if mem & alignment - 1:
        p = give_back_lead(m, t, av, p, alignment)
        if p < 0:
            return -1
    if head(m, t, p) & IS_MMAPPED:
        return p + HEADER
    left = chunksize(m, t, p) - size
    if left > MINSIZE:
        set_head(m, t, p + size, left | PREV_INUSE | arena_flag(m, t, av))
        set_head_size(m, t, p, size)
        if int_free(m, t, av, p + size, True) < 0:
            return -1
    return p + HEADER


@kernel
def give_back_lead(m, t, av, p, alignment):
    """The aligned chunk within `p`, at least MINSIZE above it; a mapping's stays with it, another's is freed. -1: corrupt."""
    place = align_up(p + HEADER, alignment) - HEADER
    if place - p < MINSIZE:
        place += alignment
    lead, size = place - p, chunksize(m, t, p) - (place - p)
    if head(m, t, p) & IS_MMAPPED:
        store64(m, t, place, prev_size(m, t, p) + lead)
        set_head(m, t, place, size | IS_MMAPPED)
        return place
    set_head(m, t, place, size | PREV_INUSE | arena_flag(m, t, av))
    set_inuse(m, t, place, size)
    set_head_size(m, t, p, lead | arena_flag(m, t, av))
    return place if int_free(m, t, av, p, True) == 0 else -1
