"""The library's door: every call that the thread's cache does not answer (malloc.py).

It is compiled when the first heap is created (api.py), so a run without one never compiles it.
Source: glibc 2.36 malloc/malloc.c "Public wrappers".
"""

from hwmem import params as P
from hwmem._jit import DOORS, cold, kernel
from hwmem.core.access import load32, load64, store64
from hwmem.libc import layout as L
from hwmem.libc.aligned import aligned_chunk
from hwmem.libc.arena import arena_of, get_arena, try_another
from hwmem.libc.chunk import ALIGNMENT, FLAGS, HEADER, IS_MMAPPED, LARGEST_REQUEST, chunksize, head, heap_of, prev_inuse, request2size
from hwmem.libc.copy import clear
from hwmem.libc.heap import MPROTECT_SIZE
from hwmem.libc.layout import main_arena, mp, tls
from hwmem.libc.lock import is_single, unlock
from hwmem.libc.malloc import CALLOC, FREE, LOAD, MALLOC, MEMALIGN, OPTION, REALLOC, TRIM, USABLE_SIZE
from hwmem.libc.mapped import unmap_chunk
from hwmem.libc.options import set_option
from hwmem.libc.release import int_free
from hwmem.libc.resize import move_elsewhere, realloc_chunk
from hwmem.libc.search import int_malloc
from hwmem.libc.statistics import trim_all
from hwmem.libc.tcache import cache_get, cache_index, cached
from hwmem.libc.thread import allocate, begin, end_thread, load_library, need_cache


@DOORS.door(P.DOOR_LIBC)
def libc_door(m, t, operation, a, b):
    if operation == LOAD:
        load_library(m, t, a, b)
        return 0
    begin(m, t)
    if operation == MALLOC:
        return max(slow_malloc(m, t, a), 0)
    if operation == FREE:
        return slow_free(m, t, a)
    if operation == CALLOC:
        return max(slow_calloc(m, t, a, b), 0)
    if operation == REALLOC:
        return max(slow_realloc(m, t, a, b), 0)
    if operation == MEMALIGN:
        return max(aligned_chunk(m, t, a, b) if a < 0 or a > ALIGNMENT else slow_malloc(m, t, b), 0)
    if operation == TRIM:
        return trim_all(m, t, a)
    if operation == USABLE_SIZE:
        return usable(m, t, a)
    if operation == OPTION:
        return set_option(m, t, a, b)
    return end_thread(m, t)


@cold
def slow_malloc(m, t, n):
    """From the thread's cache, which may be new, or from its arena."""
    size = request2size(n)
    if size == 0:
        return 0
    need_cache(m, t)
    i = cache_index(size)
    cache = load64(m, t, tls(m, t) + L.TCACHE)
    if cache and i < load64(m, t, mp(m, t) + L.TCACHE_BINS) and cached(m, t, cache, i):
        return cache_get(m, t, cache, i)
    return allocate(m, t, n)


@cold
def slow_free(m, t, mem):
    p = mem - HEADER
    size = head(m, t, p)
    if not size & IS_MMAPPED:
        need_cache(m, t)
        return int_free(m, t, arena_of(m, t, p), p, False)
    par = mp(m, t)
    if load64(m, t, par + L.MMAP_THRESHOLD) < size <= L.MMAP_THRESHOLD_MAX and load32(m, t, par + L.NO_DYN_THRESHOLD) == 0:
        store64(m, t, par + L.MMAP_THRESHOLD, size & ~FLAGS)
        store64(m, t, par + L.TRIM_THRESHOLD, 2 * (size & ~FLAGS))
    return unmap_chunk(m, t, p)


@cold
def slow_calloc(m, t, n, each):
    """Not from the thread's cache. What is known to be zero is not cleared: a mapping, and top beyond what it ever was."""
    if n < 0 or each < 0 or n > 0 and each > LARGEST_REQUEST // n:
        return 0
    need_cache(m, t)
    av = get_arena(m, t, n * each)
    top, used = 0, 0
    if av:
        top = load64(m, t, av + L.TOP)
        used = max(chunksize(m, t, top), ever_top(m, t, av) - top)
    mem = int_malloc(m, t, av, n * each)
    if not is_single(m, t):
        if mem == 0 and av:
            av = try_another(m, t, av, n * each)
            mem = int_malloc(m, t, av, n * each)
        if av:
            unlock(m, t, av)
    if mem <= 0 or head(m, t, mem - HEADER) & IS_MMAPPED:
        return mem
    size = chunksize(m, t, mem - HEADER)
    clear(m, t, mem, (min(size, used) if mem - HEADER == top else size) - 8)
    return mem


@kernel
def ever_top(m, t, av):
    """The highest end that top has ever had: nothing has been written above it."""
    if av == main_arena(m, t):
        return load64(m, t, mp(m, t) + L.SBRK_BASE) + load64(m, t, av + L.MAX_SYSTEM_MEM)
    heap = heap_of(load64(m, t, av + L.TOP))
    return heap + load64(m, t, heap + MPROTECT_SIZE)


@cold
def slow_realloc(m, t, mem, n):
    if mem == 0:
        return slow_malloc(m, t, n)
    if n == 0:
        slow_free(m, t, mem)
        return 0
    p = mem - HEADER
    new = realloc_chunk(m, t, p, n)
    if new or request2size(n) == 0 or is_single(m, t) and not head(m, t, p) & IS_MMAPPED:
        return new
    new = slow_malloc(m, t, n)
    return new if new <= 0 or move_elsewhere(m, t, p, new) == 0 else -1


@cold
def usable(m, t, mem):
    if mem == 0:
        return 0
    p = mem - HEADER
    size = head(m, t, p)
    if size & IS_MMAPPED:
        return (size & ~FLAGS) - HEADER
    return (size & ~FLAGS) - 8 if prev_inuse(m, t, p + (size & ~FLAGS)) else 0
