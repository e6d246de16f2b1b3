"""mallopt: what a program may say of when memory is taken from the kernel and given back, and of how many arenas there are.

    M_MMAP_THRESHOLD, M_MMAP_MAX    which chunks are mappings, and how many may be
    M_TOP_PAD, M_TRIM_THRESHOLD     how much more than asked is taken; above how much free memory it goes back
    M_ARENA_TEST, M_ARENA_MAX       from how many arenas on their number is limited, and the limit; 0 changes nothing

An option is the field of malloc_par that it sets (layout.py). Once one of the first four is set, free does not raise the
thresholds any more. Source: glibc 2.36 malloc/malloc.c __libc_mallopt.
"""
from hwmem._jit import cold
from hwmem.core.access import store32, store64
from hwmem.libc import layout as L
from hwmem.libc.fastbin import malloc_consolidate
from hwmem.libc.layout import main_arena, mp
from hwmem.libc.lock import lock, unlock

OPTIONS = {"M_MMAP_THRESHOLD": L.MMAP_THRESHOLD, "M_MMAP_MAX": L.N_MMAPS_MAX, "M_TOP_PAD": L.TOP_PAD,
           "M_TRIM_THRESHOLD": L.TRIM_THRESHOLD, "M_ARENA_TEST": L.ARENA_TEST, "M_ARENA_MAX": L.ARENA_MAX}


@cold
def set_option(m, t, option, value):
    """Set the field `option` of malloc_par. 1, or -1: the heap is corrupt."""
    av, par = main_arena(m, t), mp(m, t)
    lock(m, t, av)
    if malloc_consolidate(m, t, av) < 0:
        return -1
    if option == L.ARENA_TEST or option == L.ARENA_MAX:
        if value > 0:
            store64(m, t, par + option, value)
    else:
        if option == L.N_MMAPS_MAX:
            store32(m, t, par + option, value)
        else:
            store64(m, t, par + option, value)
        store32(m, t, par + L.NO_DYN_THRESHOLD, 1)
    unlock(m, t, av)
    return 1
