"""The thread cache: a few freed chunks of each small size, private to their thread and unlocked.

    cache + 0      counts[64]    two bytes each
    cache + 128    entries[64]   mem of the first, which holds the next's, mangled, and at mem + 8 the process's key

It is a chunk of the heap itself (640 bytes, so 0x290 with its header), taken at the thread's first call (thread.py). A bin
takes 7 chunks of one size, 32 to 1040 bytes, last in, first out. The key says "in a thread cache": a freed chunk that
has it is looked for there. Source: glibc 2.36 malloc/malloc.c tcache_put, tcache_get, and in _int_free.
"""

from hwmem._jit import kernel
from hwmem.core.access import load, load64, store, store64
from hwmem.libc import abort as A
from hwmem.libc import layout as L
from hwmem.libc.abort import abort
from hwmem.libc.chunk import ALIGN_MASK, HEADER, MINSIZE, protect
from hwmem.libc.layout import library, mp, tls

ENTRIES = 2 * L.CACHE_BINS
CACHE_BYTES = ENTRIES + 8 * L.CACHE_BINS


@kernel
def cache_index(size):
    """The cache's bin for chunks of `size` bytes."""
    return (size - MINSIZE + ALIGN_MASK) >> 4


@kernel
def cache_for(m, t, i):
    """The thread's cache if it has one and that has a bin `i`, else 0."""
    cache = load64(m, t, tls(m, t) + L.TCACHE)
    return cache if cache and i < load64(m, t, mp(m, t) + L.TCACHE_BINS) else 0


@kernel
def cached(m, t, cache, i):
    """How many chunks bin `i` holds."""
    return load(m, t, cache + 2 * i, 2)


@kernel
def has_room(m, t, cache, i):
    return cached(m, t, cache, i) < load64(m, t, mp(m, t) + L.TCACHE_COUNT)


@kernel
def cache_put(m, t, cache, i, p):
    """A chunk goes to bin `i`, which has room."""
    key, count = load64(m, t, library(m, t) + L.TCACHE_KEY), cached(m, t, cache, i)
    store64(m, t, p + HEADER + 8, key)
    push(m, t, cache, i, p + HEADER, count)


@kernel
def cache_freed(m, t, cache, i, mem):
    """Whether what is freed goes to bin `i`: there is room, and it has no key, so it is in no cache yet."""
    key, count = load64(m, t, library(m, t) + L.TCACHE_KEY), cached(m, t, cache, i)
    if load64(m, t, mem + 8) == key or count >= load64(m, t, mp(m, t) + L.TCACHE_COUNT):
        return False
    store64(m, t, mem + 8, key)
    push(m, t, cache, i, mem, count)
    return True


@kernel
def push(m, t, cache, i, mem, count):
    """The same, where the key is there and it is known how many the bin holds."""
    entry = cache + ENTRIES + 8 * i
    store64(m, t, mem, protect(mem, load64(m, t, entry)))
    store64(m, t, entry, mem)
    store(m, t, cache + 2 * i, 2, count + 1)


@kernel
def cache_get(m, t, cache, i):
    """The mem last put into bin `i`, which is not empty; -1 if it is corrupt."""
    return pop(m, t, cache, i, cached(m, t, cache, i))


@kernel
def pop(m, t, cache, i, count):
    """The same, where it is known how many the bin holds."""
    entry = cache + ENTRIES + 8 * i
    mem = load64(m, t, entry)
    if mem & ALIGN_MASK:
        return abort(m, t, A.TCACHE_UNALIGNED)
    store64(m, t, entry, protect(mem, load64(m, t, mem)))
    store(m, t, cache + 2 * i, 2, count - 1)
    store64(m, t, mem + 8, 0)
    return mem


@kernel
def check_not_cached(m, t, cache, i, mem):
    """A chunk about to be freed has the key: -1 if it is in bin `i` already, 0 if the user's bytes happen to look so."""
    other, seen = load64(m, t, cache + ENTRIES + 8 * i), 0
    while other:
        if seen >= load64(m, t, mp(m, t) + L.TCACHE_COUNT):
            return abort(m, t, A.FREE_TCACHE_MANY)
        if other & ALIGN_MASK:
            return abort(m, t, A.FREE_TCACHE_UNALIGNED)
        if other == mem:
            return abort(m, t, A.FREE_TCACHE_TWICE)
        other = protect(other, load64(m, t, other))
        seen += 1
    return 0
