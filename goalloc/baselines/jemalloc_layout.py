"""jemalloc 5.3: its size classes, and where its structures lie.

    the allocator's variables (system.data)       a thread's (system.local)             of its own memory (take_base)
        base: memory for metadata                     bytes allocated and freed             arenas, edata (an extent each),
        radix tree's root, arenas' addresses          its arena, caches of the tree         leaves of the tree,
        class of a size, size of a class              a bin of the tcache for each class    the tcache's stacks

Size classes are 8, 16, 32, 48, and four per power of two from 64 on (sc.h). Those below 16 KiB are small: a slab holds as many regions as
fill whole pages. Page-multiple classes (psz) sort extents.
"""

import numpy as np

PAGE_SHIFT, PAGE = 12, 4096
MUZZY = 1  # policy: muzzy pages decay, too (muzzy_decay_ms 10,000; its default is 0)


def classes():
    """Bytes of every class, up to 2^46."""
    sizes = [8, 16, 32, 48, 64]
    for base in range(6, 46):
        sizes += [(1 << base) + k * (1 << base - 2) for k in (1, 2, 3, 4)]
    return sizes


def slab_pages(size):
    """The fewest pages that regions of the size fill without a rest."""
    return next(n for n in range(1, 8) if n * PAGE % size == 0)


SIZES = classes()
SMALL = [size for size in SIZES if size < 4 * PAGE]
NUM_BINS, NUM_SIZES = len(SMALL), len(SIZES)
LOOKUP_MAX, TCACHE_MAX, LARGE_MIN, OVERSIZE = 4096, 32 << 10, 4 * PAGE, 8 << 20
CACHED_BINS = sum(size <= TCACHE_MAX for size in SIZES)
SIZE_OF = np.array(SIZES, np.int64)
SLAB_PAGES = np.array([slab_pages(size) for size in SMALL], np.int64)
REGIONS = SLAB_PAGES * PAGE // SIZE_OF[:NUM_BINS]
CACHED_MAX = np.array([min(max(2 * int(n) + 1 & ~1, 20), 200) for n in REGIONS] + [20] * (CACHED_BINS - NUM_BINS), np.int64)
STACKS = np.cumsum(CACHED_MAX + 1)  # words, up to and with each bin's
PSZ = np.array([size for size in SIZES if size % PAGE == 0], np.int64)
NUM_PSZ = 160

# The allocator's variables
BASE_LOCK, BASE, BASE_END, ROOT, NUM_ARENAS, ARENAS_LOCK = 0, 64, 72, 80, 88, 128
ARENAS, SIZE2INDEX, INDEX2SIZE = 4096, 8192, 9216
BASE_BLOCK = 2 << 20
ARENAS_PER_CORE = 4

# A thread's
ALLOCATED, ALLOCATED_NEXT, FREED, FREED_NEXT, ARENA, TICKS, RANDOM, NEXT_GC, READY = 0, 8, 16, 24, 32, 40, 48, 56, 60
TREE_CACHE, TREE_CACHED = 1664, 16  # (leaf's key, leaf)
BINS, BIN_BYTES = 320, 24
HEAD, REQUESTS, LOW, FULL, EMPTY = 0, 8, 16, 18, 20  # of a bin; the last three are the low 16 bits of addresses in its stack
FILL_DIV, REFILLED, SCRATCH = 1312, 1360, 2048
GC_BYTES, TICKS_A_DECAY = 65536, 1000

# The radix tree: two levels of 18 bits of a page's number; a leaf's word: class << 48 | edata | state << 2 | head << 1 | slab
TREE_BITS = 18
LEAF_SHIFT = PAGE_SHIFT + TREE_BITS
ACTIVE, DIRTY, MUZZY_PAGES, RETAINED = range(4)  # states
EDATA_MASK = (1 << 48) - 128

# edata: what is known of an extent. MAP: a slab's free regions; LRU: of one that is cached
E_ARENA, E_STATE, E_SLAB, E_CLASS, E_IS_HEAD, E_FREE, E_ADDRESS, E_SIZE, E_SERIAL = 0, 2, 3, 4, 5, 6, 8, 16, 24
E_PREVIOUS, E_NEXT, E_CHILD, E_MAP, E_LRU_NEXT, E_LRU_PREVIOUS, E_BYTES = 32, 40, 48, 56, 56, 64, 128
NO_CLASS = 255

# Arena
A_NUMBER, A_THREADS, A_SERIAL, A_GROW, A_EDATA = 0, 8, 16, 24, 32  # A_GROW: the next psz to map; A_EDATA: free edata
A_GROW_LOCK = 64
A_DECAY, DECAY_BYTES = 128, 2048  # of dirty and of muzzy pages
D_LOCK, D_EPOCH, D_DEADLINE, D_UNPURGED, D_LIMIT, D_BACKLOG, STEPS = 0, 8, 16, 24, 32, 64, 200
A_CACHE, CACHE_BYTES = 4224, 2048  # extents that are dirty, muzzy, retained
X_LOCK, X_PAGES, X_LRU, X_LRU_LAST, X_BITS, X_HEAPS = 0, 8, 16, 24, 64, 128
A_BINS, ABIN_BYTES = 10368, 128
B_LOCK, B_CURRENT, B_NONFULL, B_MALLOCS, B_REQUESTS, B_REGIONS, B_FILLS, B_FLUSHES = 0, 8, 16, 24, 32, 40, 48, 56
ARENA_BYTES = A_BINS + NUM_BINS * ABIN_BYTES

MAX_FIT = 6  # a dirty extent of more than 2^6 times the size is not split for it
DECAY_MS = 10_000
STEP = np.array(
    [(lambda x: (6 * x**5 - 15 * x**4 * 200 + 10 * x**3 * 200**2) * (1 << 24) // 200**5)(i) for i in range(1, STEPS + 1)], np.int64
)
GROW_FIRST = int(np.searchsorted(PSZ, 2 << 20))
LARGEST_CLASS, STACK_WORDS = SIZES[-1], int(STACKS[-1])
