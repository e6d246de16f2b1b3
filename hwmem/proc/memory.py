"""/proc/meminfo, vmstat and buddyinfo: the machine's memory as a whole.

Each file is a table: its names in the kernel's order, and where ours come from. What this machine lacks (slab, vmalloc, NUMA, zswap,
hugetlb, the kernel's own page tables) is 0 in meminfo and absent from vmstat. Frames are counted by one scan of their records
(`count_frames`); RAM never used so far counts as free, though the allocator has not carved it out.

    unusable index of an order   the part of free memory that lies in smaller blocks: 0 none, 1 all of it
    fragmentation index          of an order no free block can serve: near 0 for want of memory, near 1 because of
                                 fragmentation; -1 where a block can serve it

Source: fs/proc/meminfo.c, mm/vmstat.c (vmstat_text, __fragmentation_index, unusable_free_index), mm/show_mem.c
(si_mem_available).
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.pages import head_of

MEMINFO = ("MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active", "Inactive", "Active(anon)",
           "Inactive(anon)", "Active(file)", "Inactive(file)", "Unevictable", "Mlocked", "SwapTotal", "SwapFree", "Zswap", "Zswapped",
           "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable", "Slab", "SReclaimable", "SUnreclaim", "KernelStack",
           "PageTables", "SecPageTables", "NFS_Unstable", "Bounce", "WritebackTmp", "CommitLimit", "Committed_AS", "VmallocTotal",
           "VmallocUsed", "VmallocChunk", "Percpu", "AnonHugePages", "ShmemHugePages", "ShmemPmdMapped", "FileHugePages",
           "FilePmdMapped", "Balloon", "HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp", "Hugepagesize", "Hugetlb",
           "DirectMap4k", "DirectMap2M", "DirectMap1G")
COUNTS = ("HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp")      # of meminfo, that are not kB
VMSTAT = ("nr_free_pages", "nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file", "nr_unevictable",
          "workingset_refault_anon", "workingset_refault_file", "nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_dirty",
          "nr_shmem", "nr_anon_transparent_hugepages", "nr_page_table_pages", "nr_swapcached", "pgpgin", "pgpgout",
          "pswpin", "pswpout", "pgalloc_normal", "allocstall_normal", "pgfree", "pgactivate", "pgdeactivate", "pglazyfree", "pgfault",
          "pgmajfault", "pglazyfreed", "pgrefill", "pgsteal_kswapd", "pgsteal_direct", "pgscan_kswapd", "pgscan_direct",
          "pageoutrun", "pgrotated", "drop_pagecache", "oom_kill", "compact_stall", "unevictable_pgs_mlocked",
          "unevictable_pgs_munlocked", "thp_fault_alloc", "thp_fault_fallback", "thp_collapse_alloc", "thp_collapse_alloc_failed",
          "thp_split_page", "thp_split_pmd", "thp_zero_page_alloc", "thp_swpout", "swap_ra", "swap_ra_hit")
ZONED = ("pgalloc", "allocstall")       # counted by zone there; here is one zone, "normal"
ZONE = "Normal"
MAPPED_ANON, MAPPED_FILE, SHARED, CACHED, DIRTY_FILE, SWAP_CACHE, MLOCKED, TABLES, HUGE_ANON = range(9)


@kernel
def count_frames(m, counts):
    """Frames by what they are, those on free lists left out."""
    for frame in range(1, m.frames.fresh):
        f = m.frame[frame]
        head = head_of(m, frame)
        maps = f.maps + m.frame[head].huge_maps
        anon = f.state & P.FRAME_ANON != 0
        counts[MAPPED_ANON] += anon and maps > 0
        counts[HUGE_ANON] += anon and m.frame[head].huge_maps > 0
        counts[MAPPED_FILE] += not anon and maps > 0
        counts[TABLES] += f.state & P.FRAME_TABLE != 0
        counts[MLOCKED] += f.state & P.FRAME_MLOCKED != 0
        counts[SWAP_CACHE] += f.slot != 0
        if f.state & P.FRAME_CACHED:
            shared = m.file[f.file - 1].shared != 0
            counts[CACHED] += 1
            counts[SHARED] += shared
            counts[DIRTY_FILE] += not shared and f.state & P.FRAME_DIRTY != 0


def counted(machine):
    counts = np.zeros(9, np.int64)
    count_frames(machine.state, counts)
    return counts.tolist()


def free_frames(m):
    return int(m.frames.free + m.frames.total - m.frames.fresh)


def lru_pages(m):
    """Pages of the lists: inactive anon, active anon, inactive file, active file, unevictable."""
    return [int(n) for n in m.lru.pages[P.LRU_INACTIVE_ANON:]]


def meminfo(machine):
    """The kernel's names -> bytes; HugePages_* are counts."""
    m, n = machine.state, counted(machine)
    inactive_anon, active_anon, inactive_file, active_file, unevictable = lru_pages(m)
    free, cache = free_frames(m), active_file + inactive_file
    available = max(free - int(m.frames.mark_high) + cache - min(cache // 2, int(m.frames.mark_low)), 0)
    limit = int(m.frames.total) * int(m.mm.overcommit_ratio) // 100 + int(m.swap.slots)
    pages = {"MemTotal": m.frames.total, "MemFree": free, "MemAvailable": available, "Cached": n[CACHED], "SwapCached": n[SWAP_CACHE],
             "Active": active_anon + active_file, "Inactive": inactive_anon + inactive_file, "Active(anon)": active_anon,
             "Inactive(anon)": inactive_anon, "Active(file)": active_file, "Inactive(file)": inactive_file, "Unevictable": unevictable,
             "Mlocked": n[MLOCKED], "SwapTotal": m.swap.slots, "SwapFree": m.swap.slots - m.swap.used, "Dirty": n[DIRTY_FILE],
             "AnonPages": n[MAPPED_ANON], "Mapped": n[MAPPED_FILE], "Shmem": n[SHARED], "PageTables": n[TABLES],
             "CommitLimit": limit, "Committed_AS": m.mm.committed, "AnonHugePages": n[HUGE_ANON], "Hugepagesize": P.HUGE_FRAMES}
    return {name: int(pages.get(name, 0)) * P.PAGE for name in MEMINFO}


def meminfo_text(machine):
    return "".join(f"{name + ':':<16}{n:8}\n" if name in COUNTS else f"{name + ':':<16}{n >> 10:8} kB\n"
                   for name, n in meminfo(machine).items())


def vmstat(machine):
    """The kernel's names -> counts; nr_ names are pages there are now, the others events since the machine was made."""
    m, n = machine.state, counted(machine)
    lists = dict(zip(("nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file", "nr_unevictable"), lru_pages(m)))
    now = {"nr_free_pages": free_frames(m), "nr_anon_pages": n[MAPPED_ANON], "nr_mapped": n[MAPPED_FILE],
           "nr_file_pages": n[CACHED] + n[SWAP_CACHE], "nr_dirty": n[DIRTY_FILE], "nr_shmem": n[SHARED],
           "nr_anon_transparent_hugepages": n[HUGE_ANON] // P.HUGE_FRAMES, "nr_page_table_pages": n[TABLES], "nr_swapcached": n[SWAP_CACHE]}
    events = {f"{name}_normal" if name in ZONED else name: m.vmstat[name] for name in m.vmstat.dtype.names}
    counts = lists | now | events
    return {name: int(counts[name]) for name in VMSTAT}


def vmstat_text(machine):
    return "".join(f"{name} {n}\n" for name, n in vmstat(machine).items())


def buddyinfo(machine):
    """Free blocks of each order, 0 to 10."""
    f = machine.state.frames
    counts = [int(n) for n in f.count]
    start, total = int(f.fresh), int(f.total)
    while start < total:                        # what has never been used, in the blocks it would be carved into
        order = min((start & -start).bit_length() - 1, P.MAX_ORDER)
        while start + (1 << order) > total:
            order -= 1
        counts[order] += 1
        start += 1 << order
    return counts


def buddyinfo_text(machine):
    return f"Node 0, zone {ZONE:>8} " + "".join(f"{n:6} " for n in buddyinfo(machine)) + "\n"


def free_in(counts, order=0):
    """Pages in free blocks of `order` and above."""
    return sum(n << k for k, n in enumerate(counts) if k >= order)


def unusable_index(machine):
    """The unusable-space index of each order, from 0 to 1, in thousandths as the kernel rounds."""
    counts = buddyinfo(machine)
    free = free_in(counts)
    return [(free - free_in(counts, order)) * 1000 // free / 1000 if free else 1.0 for order in range(len(counts))]


def fragmentation_index(machine):
    """The fragmentation index of each order."""
    counts = buddyinfo(machine)
    return [index_of(counts, order) for order in range(len(counts))]


def index_of(counts, order):
    if sum(counts) == 0:
        return 0.0
    if any(counts[order:]):
        return -1.0
    return (1000 - (1000 + free_in(counts) * 1000 // (1 << order)) // sum(counts)) / 1000
