"""A memory group's files: memory.stat, .events, .current, as cgroup v2 has them (linux/group.py).

    memory.current    all that is charged to it: anon + file (with shmem) + kernel (page tables)
    working set       memory.current without inactive_file: what container managers show, and what a limit has to hold

Figures come from one scan of the frames' records. What this machine lacks (slab, sockets, zswap) is left out.
Source: mm/memcontrol.c (memory_stat_format), Documentation/admin-guide/cgroup-v2.rst.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.pages import head_of

STAT = ("anon", "file", "kernel", "pagetables", "shmem", "file_mapped", "file_dirty", "anon_thp")
LISTS = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable")
COUNTS = ("pgscan", "pgsteal")  # of memory.stat, that are not bytes
ANON, FILE, KERNEL, PAGETABLES, SHMEM, MAPPED, DIRTY, THP = range(len(STAT))


@kernel
def count_group(m, g, counts):
    """Frames of group `g` by what they are, in the order of STAT."""
    for frame in range(1, m.frames.fresh):
        if m.frame_group[frame] != g:
            continue
        f = m.frame[frame]
        head = head_of(m, frame)
        table = f.state & P.FRAME_TABLE != 0
        counts[ANON] += f.state & P.FRAME_ANON != 0
        counts[THP] += f.state & P.FRAME_ANON != 0 and m.frame[head].huge_maps > 0
        counts[KERNEL] += table
        counts[PAGETABLES] += table
        if f.state & P.FRAME_CACHED:
            shared = m.file[f.file - 1].shared != 0
            counts[FILE] += 1
            counts[SHMEM] += shared
            counts[MAPPED] += f.maps > 0
            counts[DIRTY] += not shared and f.state & P.FRAME_DIRTY != 0


def stat(machine, g):
    """memory.stat: the kernel's names -> bytes; pgscan and pgsteal are counts."""
    m, counts = machine.state, np.zeros(len(STAT), np.int64)
    count_group(m, g, counts)
    record = m.group[g]
    pages = dict(zip(STAT, counts.tolist())) | dict(zip(LISTS, record.pages[P.LRU_INACTIVE_ANON :].tolist()))
    return {name: n * P.PAGE for name, n in pages.items()} | {name: int(record[name]) for name in COUNTS}


def stat_text(machine, g):
    return "".join(f"{name} {n}\n" for name, n in stat(machine, g).items())


def events(machine, g):
    """memory.events: how often the group met each limit."""
    return dict(zip(P.GROUP_EVENTS, machine.state.group[g].event.tolist()))
