"""Where the C library keeps what it knows: the data of its own that all of a process's threads share, and each thread's.

A program finds these by addresses fixed at link time and by its thread register; here m.process[p].libc is the start of
a mapping that stands for them. Offsets within page 0 to 2 are those of Debian 12's libc.so.6 (2.36-9+deb12u14), so that
what shares a line there shares it here:

    page 0, 1   .data: malloc_par (mp_) at 0x340, main_arena at 0xC60 to 0x14F8
    page 2      .bss: the break as the library knows it, the key of the thread caches, the list of arenas
    page 3 ..   a page for each thread: its thread-local variables (in a real process, above its stack)

An arena is 2200 bytes, in main_arena's place or at the start of a heap of its own (heap.py):

    0 lock | 8 have_fastchunks | 12 flags | 16 fastbins[10] | 96 top | 104 last_remainder | 112 bins[254] | 2144 binmap[4]
    | 2160 next | 2168 next_free | 2176 attached_threads | 2184 system_mem | 2192 max_system_mem

The lock takes eight bytes (arena.py), so `flags` stands in the hole behind have_fastchunks.
Source: glibc 2.36 malloc/malloc.c struct malloc_state, struct malloc_par; malloc/arena.c.
"""

from hwmem import params as P
from hwmem._jit import kernel

MP, MAIN_ARENA = 0x340, 0xC60
BSS = 2 * P.PAGE
CURBRK = BSS + 0x338  # __curbrk: 0, unknown
SINGLE_THREAD = BSS + 0x5D8  # a byte: 1 until a second thread calls the library
KNOWN_THREADS = BSS + 0x5E0  # threads that have called it
INITIALIZED = BSS + 0x600  # __malloc_initialized, a byte
TCACHE_KEY = BSS + 0x608
FREE_LIST = BSS + 0x610  # arenas without a thread
NEXT_TO_USE = BSS + 0x618  # the arena that is shared next when there may be no more
ARENAS, ARENA_LIMIT = BSS + 0x620, BSS + 0x628
HEAP_AREA = BSS + 0x630  # an aligned place for the next heap, 0: none
TLS = 3 * P.PAGE + 0x6C0  # in its page where glibc's variables lie below the thread's pointer (fs), as a process has it
TLS_BYTES = P.PAGE
BYTES = TLS + P.MAX_THREADS * TLS_BYTES

# A thread's variables
TCACHE, THREAD_ARENA, KNOWN, SHUTTING_DOWN = 0, 8, 16, 24

# struct malloc_par
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_TEST, ARENA_MAX = 0, 8, 16, 24, 32
N_MMAPS, N_MMAPS_MAX, MAX_N_MMAPS, NO_DYN_THRESHOLD = 60, 64, 68, 72
MMAPPED_MEM, MAX_MMAPPED_MEM, SBRK_BASE = 80, 88, 96
TCACHE_BINS, TCACHE_MAX_BYTES, TCACHE_COUNT, TCACHE_UNSORTED_LIMIT = 104, 112, 120, 128
PAR_BYTES = 136

# struct malloc_state
LOCK, HAVE_FASTCHUNKS, ARENA_FLAGS, FASTBINS, TOP, LAST_REMAINDER, BINS, BINMAP = 0, 8, 12, 16, 96, 104, 112, 2144
NEXT, NEXT_FREE, ATTACHED_THREADS, SYSTEM_MEM, MAX_SYSTEM_MEM = 2160, 2168, 2176, 2184, 2192
STATE_BYTES = 2200
NONCONTIGUOUS = 2  # in ARENA_FLAGS

DEFAULT_THRESHOLD = 128 << 10  # mmap, trim; top_pad
MMAP_THRESHOLD_MAX = 32 << 20
MMAPS_MAX = 65536
MAX_FAST = 128  # largest chunk that a fastbin takes, unless M_MXFAST says otherwise
NO_FAST = 16  # ... when none is to
MXFAST = -1  # the option that is no field of malloc_par: global_max_fast, a variable of its own
NBINS, NSMALLBINS, NFASTBINS = 128, 64, 10
CACHE_BINS, CACHE_COUNT = 64, 7
ARENAS_PER_CORE = 8


@kernel
def library(m, t):
    """The library's data of the process of thread `t`."""
    return m.process[m.thread[t].process].libc


@kernel
def mp(m, t):
    return library(m, t) + MP


@kernel
def main_arena(m, t):
    return library(m, t) + MAIN_ARENA


@kernel
def tls(m, t):
    """The thread's variables."""
    return library(m, t) + TLS + t * TLS_BYTES


@kernel
def max_fast(m, t):
    """The largest chunk that a fastbin takes."""
    said = m.process[m.thread[t].process].max_fast
    return said - 1 if said else MAX_FAST


@kernel
def dead(m, t):
    """The thread got a signal: what it reads is 0, and its loops end."""
    return m.thread[t].state == P.KILLED
