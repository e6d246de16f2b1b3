"""mallopt: a program's settings for when memory is taken from the kernel and given back, and for the number of arenas.

    M_MMAP_THRESHOLD, M_MMAP_MAX    which chunks are mappings, and how many may be
    M_TOP_PAD, M_TRIM_THRESHOLD     how much more than asked is taken; above how much free memory it goes back
    M_ARENA_TEST, M_ARENA_MAX       from how many arenas on their number is limited, and the limit; 0 changes nothing
    M_MXFAST                        the largest request that the fastbins take, 0: none

An option is the field of malloc_par that it sets (layout.py), MXFAST one of the process's record. A threshold is unsigned: -1
is above everything, so that M_TRIM_THRESHOLD of -1 switches trimming off. Once one of the first four is set, free does not raise the
thresholds any more. Source: glibc 2.36 malloc/malloc.c __libc_mallopt.
"""

from hwmem._jit import cold, kernel
from hwmem.core.access import store32, store64
from hwmem.libc import layout as L
from hwmem.libc.fastbin import malloc_consolidate
from hwmem.libc.layout import main_arena, mp
from hwmem.libc.lock import lock, unlock

OPTIONS = {
    "M_MMAP_THRESHOLD": L.MMAP_THRESHOLD,
    "M_MMAP_MAX": L.N_MMAPS_MAX,
    "M_TOP_PAD": L.TOP_PAD,
    "M_TRIM_THRESHOLD": L.TRIM_THRESHOLD,
    "M_ARENA_TEST": L.ARENA_TEST,
    "M_ARENA_MAX": L.ARENA_MAX,
    "M_MXFAST": L.MXFAST,
}
LARGEST_FAST = 160  # bytes that M_MXFAST may say: MAX_FAST_SIZE, 80 * SIZE_SZ / 4


@cold
def set_option(m, t, option, value):
    """Set the parameter `option` (of OPTIONS), an int of C. 1; 0: the value is refused; -1: the heap is corrupt."""
    av, par = main_arena(m, t), mp(m, t)
    lock(m, t, av)
    if malloc_consolidate(m, t, av) < 0:
        return -1
    done = set_field(m, t, par, option, value)
    unlock(m, t, av)
    return done


@kernel
def set_field(m, t, par, option, value):
    if option == L.MXFAST:
        if not 0 <= value <= LARGEST_FAST:
            return 0
        m.process[m.thread[t].process].max_fast = (value + 8 & ~15) + 1 if value > 7 else L.NO_FAST + 1
        return 1
    if option == L.ARENA_TEST or option == L.ARENA_MAX:
        if value > 0:
            store64(m, t, par + option, value)
        return 1
    if option == L.N_MMAPS_MAX:
        store32(m, t, par + option, value)
    else:
        store64(m, t, par + option, value)
    store32(m, t, par + L.NO_DYN_THRESHOLD, 1)
    return 1
