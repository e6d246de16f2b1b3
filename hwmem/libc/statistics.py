"""How much memory is free and in use, over all arenas (mallinfo2), and giving free memory back to the kernel (malloc_trim).

Both walk every bin of every arena. Source: glibc 2.36 malloc/malloc.c int_mallinfo, mtrim.
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.core.access import load32, load64
from hwmem.libc import layout as L
from hwmem.libc.bins import UNSORTED, bin_at, bin_index
from hwmem.libc.chunk import BK, CHUNK_BYTES, FD, align_up, chunksize, protect
from hwmem.libc.fastbin import malloc_consolidate
from hwmem.libc.layout import dead, main_arena, mp
from hwmem.libc.lock import lock, unlock
from hwmem.libc.morecore import systrim

FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
(ARENA, ORDBLKS, SMBLKS, HBLKS, HBLKHD, USMBLKS, FSMBLKS, UORDBLKS, FORDBLKS, KEEPCOST) = range(len(FIELDS))


@kernel
def mallinfo(m, t, info):
    """Fill the zeroed int64 array `info` with mallinfo2's FIELDS."""
    av = main_arena(m, t)
    info[HBLKS] = load32(m, t, mp(m, t) + L.N_MMAPS)
    info[HBLKHD] = load64(m, t, mp(m, t) + L.MMAPPED_MEM)
    info[KEEPCOST] = chunksize(m, t, load64(m, t, av + L.TOP))
    while not dead(m, t):
        lock(m, t, av)
        count_arena(m, t, av, info)
        unlock(m, t, av)
        av = load64(m, t, av + L.NEXT)
        if av == main_arena(m, t):
            break
    info[FORDBLKS] += info[FSMBLKS]
    info[UORDBLKS] = info[ARENA] - info[FORDBLKS]


@kernel
def count_arena(m, t, av, info):
    info[ARENA] += load64(m, t, av + L.SYSTEM_MEM)
    info[ORDBLKS] += 1
    info[FORDBLKS] += chunksize(m, t, load64(m, t, av + L.TOP))
    for i in range(L.NFASTBINS):
        p = load64(m, t, av + L.FASTBINS + 8 * i)
        while p and not dead(m, t):
            info[SMBLKS] += 1
            info[FSMBLKS] += chunksize(m, t, p)
            p = protect(p + FD, load64(m, t, p + FD))
    for i in range(UNSORTED, L.NBINS):
        p = load64(m, t, bin_at(av, i) + BK)
        while p != bin_at(av, i) and not dead(m, t):
            info[ORDBLKS] += 1
            info[FORDBLKS] += chunksize(m, t, p)
            p = load64(m, t, p + BK)


@cold
def trim_all(m, t, pad):
    """Whole pages within free chunks, and top but `pad` bytes, go back to the kernel; 1 if any did, 0, or -1."""
    av, given = main_arena(m, t), 0
    while not dead(m, t):
        lock(m, t, av)
        if malloc_consolidate(m, t, av) < 0:
            return -1
        given |= trim_bins(m, t, av)
        if av == main_arena(m, t):
            given |= systrim(m, t, av, pad)
        unlock(m, t, av)
        av = load64(m, t, av + L.NEXT)
        if av == main_arena(m, t):
            break
    return given


@kernel
def trim_bins(m, t, av):
    given = 0
    for i in range(UNSORTED, L.NBINS):
        if i > UNSORTED and i < bin_index(P.PAGE):
            continue
        p = load64(m, t, bin_at(av, i) + BK)
        while p != bin_at(av, i) and not dead(m, t):
            given |= trim_chunk(m, t, p)
            p = load64(m, t, p + BK)
    return given


@kernel
def trim_chunk(m, t, p):
    """A free chunk keeps its links; 1 if there is a whole page behind them."""
    start = align_up(p + CHUNK_BYTES, P.PAGE)
    length = p + chunksize(m, t, p) - start & -P.PAGE
    if length <= 0:
        return 0
    m.sys[0], m.sys[1], m.sys[2] = start, length, P.MADV_DONTNEED
    call_door(m, P.DOOR_SYSCALL, t, P.SYS_MADVISE, 0, 0)
    return 1
