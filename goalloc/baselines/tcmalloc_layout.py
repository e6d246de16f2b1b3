"""tcmalloc: its size classes, and where its structures lie.

    the allocator's variables (system.data)             a thread's (system.local)       of its own memory (take_meta)
        lock of the page heap, its memory                   its CPU's slab, cached          spans, 64 bytes
        size map: class of a size; bytes, pages, batch      its lists, in per-thread mode   trackers, a hugepage each
        transfer caches, central free lists                 a batch of pointers             nodes and leaves of the page map
        page map's root, filler's lists, huge ranges                                        transfer caches' slots

A page here is 8 KiB, a hugepage 256 of them. Size classes are the table of google/tcmalloc for pages of 8 KiB and an alignment of 16
(size_classes.cc, second table, of 2026): (bytes, bytes of a span, objects of a batch). This is Google's tcmalloc, not gperftools', which
Debian ships under that name with other classes.
"""

import numpy as np

PAGE_SHIFT, PAGE = 13, 8192
HUGE, HUGE_SHIFT, HUGE_PAGES = 2 << 20, 21, 256
PER_CPU, PER_THREAD = range(2)  # policies

CLASSES = (
    (0, 0, 0), (8, 8192, 32), (16, 8192, 32), (32, 8192, 32), (64, 8192, 32), (80, 8192, 32), (96, 8192, 32), (112, 8192, 32),
    (128, 8192, 32), (160, 8192, 32), (176, 8192, 32), (208, 8192, 32), (256, 8192, 32), (304, 8192, 32), (368, 8192, 32),
    (448, 8192, 32), (512, 8192, 32), (576, 8192, 32), (704, 8192, 32), (896, 8192, 32), (1024, 8192, 32), (1152, 16384, 32),
    (1408, 16384, 32), (1792, 16384, 32), (2048, 8192, 32), (2304, 16384, 28), (2688, 16384, 24), (3456, 24576, 18), (4096, 8192, 16),
    (4736, 24576, 13), (6144, 24576, 10), (8192, 8192, 8), (9472, 40960, 6), (12288, 24576, 5), (16384, 16384, 4), (20480, 40960, 3),
    (28672, 57344, 2), (32768, 32768, 2), (40960, 40960, 2), (49152, 49152, 2), (65536, 65536, 2), (73728, 73728, 2), (81920, 81920, 2),
    (98304, 98304, 2), (131072, 131072, 2), (155648, 155648, 2), (204800, 204800, 2), (262144, 262144, 2),
)  # fmt: skip
TABLE = np.array(CLASSES, np.int64)
NUM_CLASSES = len(CLASSES)
MAX_SIZE, LARGE_SIZE = 256 << 10, 1024
MOST_MOVED = 128  # objects of a batch

# The allocator's variables
PAGE_LOCK, META, META_END, FREE_SPANS, FREE_TRACKERS = 0, 64, 72, 80, 88
GROWN, GROWN_END = 128, 136  # the gibibyte that hugepages are cut from
CACHED = 144  # hugepages that are free and still backed
SLABS = 192  # of the CPU caches
THREAD_LOCK, UNCLAIMED, THREADS, NEXT_STEAL = 256, 320, 328, 336
CLASS_ARRAY, CLASS_BYTES, CLASS_PAGES, CLASS_BATCH = 4224, 6400, 6592, 6656
TRANSFER, TRANSFER_BYTES = 8192, 64
CENTRAL, CENTRAL_BYTES = 12288, 128
ROOT = 20480
FILLER_MAP, FILLER = 36864, 37888  # a bit and a list for each (longest free range, how many allocations)
RANGES, RANGE, MOST_RANGES = 57344, 57352, 8000  # count; (start, hugepages, backed)
RESIZE, RESIZE_BYTES = 327_680, 512  # of a CPU: bytes that its cache may still grow by; a word for each class
THREAD_NUMBERS = 393_216

# Thread's variables
SLAB, READY, SIZE, MAX, LISTS, LIST_BYTES, BATCH = 0, 8, 16, 24, 64, 16, 2048
HEAD, STATE = 0, 8  # of a thread's list
LENGTH, LOW, MOST, OVER, WORDS = 0, 14, 28, 42, 46  # where the fields of STATE begin (tcmalloc_threads.py)
FIELD, OVERAGES = (1 << 14) - 1, (1 << 4) - 1  # their widths; WORDS has what is left

# Transfer cache: low: the fewest there were since the last tick
T_LOCK, T_USED, T_CAPACITY, T_SLOTS, T_MOST, T_LOW = 0, 8, 12, 16, 24, 32
FIRST_BATCHES, MOST_BATCHES = 16, 64

# Central free list: heads of lists of spans that have free objects, by how many are allocated
C_LOCK, C_LISTS, NUM_LISTS = 0, 8, 8

# Span. CACHE: four indexes, or, of objects of 128 bytes and more, BITMAP: which are free
NEXT, PREVIOUS, FIRST_PAGE, NUM_PAGES, CLASS, FREELIST, EMBEDDED, ALLOCATED, CACHED_INDEXES, LIST, CACHE, BITMAP = (
    0, 8, 16, 24, 32, 40, 42, 44, 46, 47, 48, 48,
)  # fmt: skip
SPAN_BYTES = 64
LIST_END, CACHE_SIZE, BITMAP_FROM = 0xFFFF, 4, 128

# Page map: three levels for 35 bits of a page's number
LEAF_BITS = MIDDLE_BITS = 12
L_CLASS, L_SPAN = 0, 1 << LEAF_BITS
L_HUGE = L_SPAN + 8 * (1 << LEAF_BITS)  # the tracker of each hugepage
LEAF_BYTES, NODE_BYTES = L_HUGE + 8 * (1 << LEAF_BITS >> 8), 8 * (1 << MIDDLE_BITS)

# Tracker of a hugepage, of which a part is free
K_NEXT, K_PREVIOUS, K_PLACE, K_LIST, K_ALLOCATIONS, K_USED, K_MAP, K_RELEASED, K_BYTES = 0, 8, 16, 24, 32, 40, 64, 96, 128
CHUNKS = 8

# CPU cache: a slab of 256 KiB, in it a header for each class: current | end << 16 | begin << 32, numbers of words
SLAB_SHIFT = 18
DEPTH, LARGE_DEPTH, SMALL_CLASSES = 2000, 144, 10
CPU_CACHE_BYTES = 3 << 19
DEPTHS = [0] + [DEPTH if c <= SMALL_CLASSES else LARGE_DEPTH for c in range(1, NUM_CLASSES)]
BEGINS = np.array([NUM_CLASSES + sum(d + 1 for d in DEPTHS[:c]) + 1 for c in range(NUM_CLASSES)], np.int64)
LIMITS = np.array(DEPTHS, np.int64)

# Thread caches
LEAST_THREAD_BYTES, THREADS_BYTES, STEAL, MOST_OVERAGES, MOST_LENGTH = 512 << 10, 32 << 20, 64 << 10, 3, 8192

# Page heap
RESERVED = 1 << 30  # address space is reserved by
META_GROWTH = 128 << 10
META_SET, SLAB_SET = 7, 8  # where its own memory and the slabs begin, as system.DATA_SET: pages of other TLB sets than the variables
CACHE_LIMIT = 10  # hugepages that are kept backed
