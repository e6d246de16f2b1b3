"""What a process and a thread do once: initialise on the first call, and end.

`load_library` is what the loader does: the values that .data starts with. `begin` is ptmalloc_init, and the making of the
thread's cache, whose 640 bytes are the thread's first allocation. `end_thread` frees all that the cache holds, then the
cache, and leaves the arena to others.
Source: glibc 2.36 malloc/arena.c ptmalloc_init; malloc/malloc.c tcache_init, tcache_thread_shutdown.
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.core.access import load8, load64, store8, store32, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.arena import arena_of, get_arena, init_arena, leave_arena, try_another
from hwmem.libc.chunk import ALIGN_MASK, HEADER, protect
from hwmem.libc.layout import library, main_arena, tls
from hwmem.libc.lock import is_single, know_thread, unlock
from hwmem.libc.release import int_free
from hwmem.libc.search import int_malloc
from hwmem.libc.tcache import CACHE_BYTES, ENTRIES


@cold
def load_library(m, t, lib, key):
    """The library's data as a program finds it, at `lib`; `key`: the process's for its thread caches."""
    m.process[m.thread[t].process].libc = lib
    par, main = lib + L.MP, lib + L.MAIN_ARENA
    store64(m, t, par + L.TRIM_THRESHOLD, L.DEFAULT_THRESHOLD)
    store64(m, t, par + L.TOP_PAD, L.DEFAULT_THRESHOLD)
    store64(m, t, par + L.MMAP_THRESHOLD, L.DEFAULT_THRESHOLD)
    store64(m, t, par + L.ARENA_TEST, L.ARENAS_PER_CORE)
    store32(m, t, par + L.N_MMAPS_MAX, L.MMAPS_MAX)
    store64(m, t, par + L.TCACHE_BINS, L.CACHE_BINS)
    store64(m, t, par + L.TCACHE_COUNT, L.CACHE_COUNT)
    store64(m, t, par + L.TCACHE_MAX_BYTES, 16 * L.CACHE_BINS + 8)
    store64(m, t, main + L.NEXT, main)
    store64(m, t, main + L.ATTACHED_THREADS, 1)
    store8(m, t, lib + L.SINGLE_THREAD, 1)
    store64(m, t, lib + L.ARENAS, 1)
    store64(m, t, lib + L.TCACHE_KEY, key)


@kernel
def begin(m, t):
    """What each call that may be a thread's first does before all else."""
    know_thread(m, t)
    if load8(m, t, library(m, t) + L.INITIALIZED) == 0:
        initialize(m, t)


@cold
def initialize(m, t):
    store8(m, t, library(m, t) + L.INITIALIZED, 1)
    store64(m, t, tls(m, t) + L.THREAD_ARENA, main_arena(m, t))
    init_arena(m, t, main_arena(m, t))


@kernel
def need_cache(m, t):
    """The thread has its cache, if there is memory for it."""
    if load64(m, t, tls(m, t) + L.TCACHE) == 0 and load8(m, t, tls(m, t) + L.SHUTTING_DOWN) == 0:
        make_cache(m, t)


@cold
def make_cache(m, t):
    cache = allocate(m, t, CACHE_BYTES)
    if cache > 0:
        for i in range(0, CACHE_BYTES, 8):
            store64(m, t, cache + i, 0)
        store64(m, t, tls(m, t) + L.TCACHE, cache)


@cold
def allocate(m, t, n):
    """Memory that the thread's cache has not got: from its arena or, if there is none left there, another. mem, 0, or -1."""
    av = get_arena(m, t, n)
    mem = int_malloc(m, t, av, n)
    if is_single(m, t):
        return mem
    if mem == 0 and av and m.thread[t].state != P.KILLED:
        av = try_another(m, t, av, n)
        mem = int_malloc(m, t, av, n)
    if av:
        unlock(m, t, av)
    return mem


@cold
def end_thread(m, t):
    """The thread makes no more calls. 0, or -1."""
    place = tls(m, t) + L.TCACHE
    cache = load64(m, t, place)
    store8(m, t, tls(m, t) + L.SHUTTING_DOWN, 1)
    store64(m, t, place, 0)
    if cache:
        for i in range(L.CACHE_BINS):
            if empty_bin(m, t, cache + ENTRIES + 8 * i) < 0:
                return -1
        if release(m, t, cache) < 0:
            return -1
    leave_arena(m, t)
    store8(m, t, tls(m, t) + L.SHUTTING_DOWN, 0)  # who comes after it under its number begins anew
    return 0


@kernel
def empty_bin(m, t, entry):
    mem = load64(m, t, entry)
    while mem:
        if mem & ALIGN_MASK:
            return abort(m, t, A.SHUTDOWN_UNALIGNED)
        store64(m, t, entry, protect(mem, load64(m, t, mem)))
        if release(m, t, mem) < 0:
            return -1
        mem = load64(m, t, entry)
    return 0


@kernel
def release(m, t, mem):
    """Free what is not mmapped."""
    p = mem - HEADER
    return int_free(m, t, arena_of(m, t, p), p, False)
