"""Records of Linux: threads and processes, VMAs, frames and free lists, LRU lists, swap, files, what /proc/vmstat counts."""
from hwmem import params as P
from hwmem.layout.rules import PERIOD, record

THREAD = record(
    "state", "core", "process", "next",     # next thread (number + 1) in its core's run queue
    "wake_at", "wait_address", "steps", "waits",
    "fault_address", "fault_code", "fault_access",
    ("local", "i8", 16),            # the workload's own: a thread's registers
    ("guest", "i8", 16))             # a language runtime's: what it keeps in registers between calls

PROCESS = record(                   # a task and its mm
    "alive", "killed", "asid", "root", "levels", "layout", "cores", "parent",       # killed: by the OOM killer, its memory is gone
    "tree", "first_vma", "vma_count",                   # VMAs: root of the tree, the lowest (number + 1), how many
    "found_vma", "found_low", "found_high",             # the last found (number + 1), and for which addresses it is the answer
    "total_vm", "locked_vm", "anon", "file", "shared", "swapped", "table_pages",      # pages
    "peak", "peak_vm",                                  # most of anon + file + shared; most of total_vm before it last fell
    "minflt", "majflt",
    "start_code", "end_code", "start_data", "end_data", "start_brk", "brk", "start_stack", "mmap_base", "vdso",
    "limit_stack", "limit_space", "limit_locked", "limit_data",     # RLIMIT_STACK, RLIMIT_AS, RLIMIT_MEMLOCK, RLIMIT_DATA, bytes
    "privileged",                       # root's, with all capabilities; else an ordinary user's
    "lock_future",                      # vm_flags of mappings to come: VM_LOCKED, VM_LOCKONFAULT (mlockall)
    "tracked",                          # its soft-dirty bits have been cleared once, and count from then on (clear_refs.py)
    "group", "oom_adj",                 # memory group (linux/group.py), 0: the root's; oom_score_adj
    "libc",                             # the C library's data (libc/layout.py), 0: the program does not use it
    "max_fast",                         # its global_max_fast, plus one; 0: as it begins
    ("obituary", "i8", 5),              # what the OOM killer took, in pages: total_vm, anon, file, shared, table_pages
    ("segment_base", "i8", 6), ("segment_limit", "i8", 6), ("segment_rights", "i8", 6),
    ("guest", "i8", 48),                # a language runtime's: counts of what no emulated memory holds
    ("asked", "i8", P.GUEST_CLASSES))   # and bytes asked of its allocator, by size class

VMA = record(
    "start", "end",
    ("up", "i4"), ("weight", "i4"),                     # tree (number + 1)
    "gap", "widest",                                    # free bytes below; most of any in this subtree
    ("prev", "i4"), ("next", "i4"),                     # list by address (number + 1)
    ("file", "i4"), ("process", "i4"),                  # file number + 1
    "vm_flags", "pgoff",                                # pgoff: page of the file, or of the address it was first mapped at
    "anon_vma",                                         # identity of the anonymous memory, 0: none yet
    ("inherited", "i4"),                                # it came by fork
    ("swap_window", "i4"), ("swap_hits", "i4"), ("unused", "i4"), "swap_va",    # swap read-ahead: last window, its hits, last fault
    ("pad", "i8", 3))
VMA_NODE = record("end", ("left", "i4"), ("right", "i4"))                   # what a look-up reads of a VMA; its tree (number + 1)

FRAME = record(
    ("next", "i4"), ("prev", "i4"),                     # neighbours in the list it is in; 0: none
    ("maps", "i4"), ("huge_maps", "i4"),                # page-table entries that lead here: of 4 KiB; of 2 MiB (head only)
    ("state", "i4"), ("chain", "i4"),                  # FRAME_* bits; the mappings after the first (number + 1 in m.rmap)
    ("process", "i2"), ("order", "i1"), ("lru", "i1"),  # the first mapping's process; block order; LRU list
    ("slot", "i4"), "va",                               # swap slot + 1 while in the swap cache; the first mapping's address
    ("file", "i4"), ("index", "i4"))                    # page cache: file number + 1 and page of it

RMAP = record("va", ("process", "i4"), ("next", "i4"))

# Free frames (linux/frames.py)
FRAMES = record("total", "fresh", "used", "free", "dirty", "released",
                ("head", "i8", P.MAX_ORDER + 1), ("count", "i8", P.MAX_ORDER + 1),
                ("core_head", "i8", P.MAX_CORES), ("core_count", "i8", P.MAX_CORES),
                "mark_min", "mark_low", "mark_high", "zero", "huge_zero")

# Reclaim, swap and the disk behind it and behind files
SWAP = record("slots", "fresh", "free_head", "used", "hand")
DISK = record("host", ("transfers", PERIOD), "last", "latency", "page_cycles", "reads", "writes", "wait_cycles", "file_pages",
              "pages")              # last: when the last transfer asked for is complete; pages: that the host has memory for
LRU = record(("head", "i4", P.LRU_LISTS), ("tail", "i4", P.LRU_LISTS), ("pages", "i8", P.LRU_LISTS),
             ("cost", "i8", 2), "age", "activated")             # of reclaiming anonymous and file pages; linux/workingset.py
RECLAIM = record("kswapd", "priority", "failures", "forced", "skipped", "activated",    # linux/balance.py, reclaim.py
                 "group",                                   # whose pages alone are looked at; 0: everybody's
                 ("target", "i8", P.LRU_LISTS), ("deactivate", "i8", 2))
MM = record("thp", "max_ptes_none", "swappiness", "overcommit", "overcommit_ratio", "committed", "anon_vmas", "page_cluster",
            "reclaiming", "kswapd_cycles", "oom_process", "oom_pages", "dying", "khugepaged_process", "khugepaged_va", "khugepaged_at", "khugepaged_sleep",
            "full",     # a table of the emulator's that was full in this system call (params.FULL_*)
            "untold")   # 1: what the kernel does now was done before: no access of it is made (core/service.py)
GROUP = record("high", "most", "swap_most", "usage", "peak", "swap", "together",     # pages (linux/group.py); its processes die together
               ("pages", "i8", P.LRU_LISTS),                # of it in each LRU list
               ("event", "i8", len(P.GROUP_EVENTS)), "pgscan", "pgsteal",
               "killed_usage", "killed_idle")               # when one of it was last killed for want of memory: usage, inactive file pages
CURSOR = record("process", "start", "end", "table", "place", "huge")                # linux/page_table.py, next_entry
VMSTAT_NAMES = (
    "pgfault", "pgmajfault", "pgalloc", "pgfree", "pgactivate", "pgdeactivate", "pglazyfree", "pglazyfreed", "pgrefill",
    "pgscan_kswapd", "pgscan_direct", "pgsteal_kswapd", "pgsteal_direct", "allocstall", "pageoutrun", "pgrotated", "pgpgin", "pgpgout",
    "pswpin", "pswpout", "swap_ra", "swap_ra_hit", "oom_kill", "workingset_refault_anon", "workingset_refault_file", "drop_pagecache",
    "thp_fault_alloc", "thp_fault_fallback", "thp_collapse_alloc", "thp_collapse_alloc_failed", "thp_split_page", "thp_split_pmd",
    "thp_zero_page_alloc", "thp_swpout", "unevictable_pgs_mlocked", "unevictable_pgs_munlocked", "compact_stall")
VMSTAT = record(*VMSTAT_NAMES)
FILE = record("length", "first", "pages", "alive", "shared", "users",                # length: bytes; first: page of the disk; users: VMAs
              "cached", "dirty", "hand",                    # pages in the page cache; where the flusher goes on
              "window", "window_pages", "window_ahead", "misses")   # read-ahead (linux/readahead.py)
FILES = record("fresh", "free",                         # numbers from `fresh` on were never a file's; the last that is none's again, plus one
               "cached", "dirty", "swapped", "hand", "flusher_cycles", "throttled_cycles")  # all files; swapped: of shared memory
SWAP_OWNER = record(("file", "i4"), ("index", "i4"))        # the page of shared memory in a slot: file number + 1, page
