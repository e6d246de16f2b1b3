"""malloc, free and the rest, as emulated programs call them.

    malloc(m, t, n) ── the thread's cache has a chunk of the size ──> mem          inlined
    free(m, t, mem) ── it has room ──> done
                    └── the library's door ──> all the rest                        door.py

The two access what glibc's do, in the same order: 6 loads and 3 stores, and 8 loads and 4 stores. A corrupt heap ends the thread with
SIGABRT; then, and without memory, the result is 0. Source: glibc 2.36 malloc/malloc.c "Public wrappers".
"""

from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.core.access import load8, load64
from hwmem.libc import layout as L
from hwmem.libc.chunk import ALIGN_MASK, FLAGS, HEADER, IS_MMAPPED, NON_MAIN_ARENA, head, heap_arena, request2size
from hwmem.libc.layout import library, mp, tls
from hwmem.libc.tcache import cache_freed, cache_index, cached, pop

MALLOC, FREE, CALLOC, REALLOC, MEMALIGN, TRIM, USABLE_SIZE, OPTION, END_THREAD, LOAD = range(10)


@kernel
def malloc(m, t, n):
    """The address of `n` bytes, a multiple of 16; 0: there is no memory."""
    size = request2size(n)
    if size and load8(m, t, library(m, t) + L.INITIALIZED):
        i = cache_index(size)
        cache = load64(m, t, tls(m, t) + L.TCACHE)
        if cache and i < load64(m, t, mp(m, t) + L.TCACHE_BINS):
            count = cached(m, t, cache, i)
            if count:
                return max(pop(m, t, cache, i, count), 0)
    return call_door(m, P.DOOR_LIBC, t, MALLOC, n, 0)


@kernel
def free(m, t, mem):
    """Free what malloc and the like returned. 0: nothing is done."""
    if mem == 0:
        return
    p = mem - HEADER
    size = head(m, t, p)
    cache = load64(m, t, tls(m, t) + L.TCACHE)
    if cache and not size & IS_MMAPPED and not (p | size & ~FLAGS) & ALIGN_MASK:
        if size & NON_MAIN_ARENA:
            heap_arena(m, t, p)
        i = cache_index(size & ~FLAGS)
        if 0 <= i < load64(m, t, mp(m, t) + L.TCACHE_BINS) and cache_freed(m, t, cache, i, mem):
            return
    call_door(m, P.DOOR_LIBC, t, FREE, mem, 0)


@kernel
def calloc(m, t, n, each):
    """`n` times `each` bytes, zero."""
    return call_door(m, P.DOOR_LIBC, t, CALLOC, n, each)


@kernel
def realloc(m, t, mem, n):
    """Resize `mem` to `n` bytes; its address, which may be new. 0: no memory, and `mem` stays (or `n` is 0 and it was freed)."""
    return call_door(m, P.DOOR_LIBC, t, REALLOC, mem, n)


@kernel
def memalign(m, t, alignment, n):
    """The address of `n` bytes, a multiple of `alignment` (a power of two); 0: there is no memory."""
    return call_door(m, P.DOOR_LIBC, t, MEMALIGN, alignment, n)


@kernel
def usable_size(m, t, mem):
    """How many bytes from `mem` on belong to its user."""
    return call_door(m, P.DOOR_LIBC, t, USABLE_SIZE, mem, 0)


@kernel
def malloc_trim(m, t, pad):
    """Give back what is free at the top of the heap, but for `pad` bytes, and whole free pages elsewhere. 1 if something went."""
    return call_door(m, P.DOOR_LIBC, t, TRIM, pad, 0)


@kernel
def mallopt(m, t, option, value):
    """Set a parameter: one of options.OPTIONS, an int of C. 1, or 0 for what is refused."""
    return call_door(m, P.DOOR_LIBC, t, OPTION, option, value)


@kernel
def end_of_thread(m, t):
    """The thread makes no more calls: its cache is freed, and its arena, if no other thread uses it, goes to the next new thread."""
    call_door(m, P.DOOR_LIBC, t, END_THREAD, 0, 0)
