"""The machine as one nested record. Every kernel takes it first, as `m`.

    machine ── doors[]            addresses of the cold kernels (_jit.py)
            ├─ core[c]            clock, hit filter, counters; l1d, l2, dtlb, ... are `sets` records
            ├─ llc[socket]        a `sets` record; `holder` tells the directory state, `word` the sharers
            ├─ directory, dram    counters and the state of channels and banks
            ├─ thread[t], process[p]
            └─ tag[], word[], order[], stamp[], holder[]    the pools in which all set-associative arrays lie

A `sets` record (cache/sets.py) says where in the pools its array lies and how it is shaped. So every cache and
TLB has the same type, is compiled once, and a small machine touches little host memory. Shapes here are
capacities; zero means empty, so a new machine is zeroed memory. Addresses, sizes and cycles are int64. No field has
the name of an attribute of numpy's records (base, flags, size, ...): that would hide it from unjitted code.
"""
import numpy as np

from hwmem import params as P


def record(*fields):
    """An aligned dtype from (name, type[, shape]) with int64 for a bare name. It must need no padding: numpy would spell
    that out, a character for each byte of it in a whole array, whenever Python hands the machine to a kernel."""
    made = np.dtype([(f, "i8") if isinstance(f, str) else f for f in fields], align=True)
    assert made.itemsize == sum(of.itemsize for of, *_ in made.fields.values()), (made.names, "needs padding")
    return made


SETS = record(
    "first",                        # first entry in the pools `tag` and `word`
    "order_base",                   # first entry in the pool `order`, one word a set
    "sets", "mask",                 # mask = sets - 1 where sets is a power of two, else -1
    "ways", "way_mask", "row_shift",    # a bit a way; entries a set takes in the pools, as a power of two
    "policy", "latency", "stack_top", ("stack_mask", "u8"),     # LRU: bit place of the oldest nibble; nibbles in use
    "clock",                        # touches so far (WIDE_LRU)
    "random",                       # state of the random policy
    "hits", "misses",               # demand look-ups
    "write_back_misses",            # victims of the level above that were not here
    "replacements", "dirty_evictions")

HOT = record("line", "store", "host", "unused")

FORESEEN = record("key", "table")       # the key plus one

PAGE_SLOT = record("page", "frame")     # frame: physical address | 1 where stores may go ahead

CORE = record(
    # hit filter (access.py): what the next access may skip
    ("hot", HOT, P.HOT_LINES), ("hot_page", PAGE_SLOT, P.HOT_PAGES), "hot_mask", "page_mask", "page_last", "hit_cycles",
    # clock and counters of the hit path
    "cycles", "loads", "stores", "atomics",
    # the rest of the core's counters
    "slow_accesses",                # accesses that left the hit filter
    "split_accesses", "split_double_misses",
    "llc_hits", "llc_misses", "upgrades", "invalidations_received", "interventions_hit_modified",
    "interventions_remote", "writebacks", "walks", "walk_accesses", "kernel_accesses", "line_waits", "line_wait_cycles",
    "lock_waits", "lock_wait_cycles",       # for locks that are held only within a step (libc/lock.py)
    "faults_minor", "faults_major", "fences", "store_buffer_stalls", "store_buffer_forwards", "store_buffer_drains", "store_buffer_stores",
    "store_buffer_fetches", "store_buffer_streams", "invalidations_queued", "invalidations_processed", "early_loads",
    "idle_cycles", "context_switches", "shootdowns_sent", "shootdowns_received",
    "refused_accesses",             # that ended in a signal
    ("miss", "i8", 4),              # by cause, when classification is on
    # identity and address space
    "source",                       # where the last access was served from (params.FROM_*)
    "llc_entry",                    # index of the LLC entry of the last request, or -1
    "overwrites",                   # the access writes a whole line: its old data is not needed
    "plain",                        # no store waits and nobody watches: the memory door may take its short way
    ("foreseen", FORESEEN, P.FORESEEN),     # leaf tables met by a look ahead (mmu/walk.py, foresee)
    "last_pde", "last_table",       # the pde cache's most recent entry: its key, plus one; the table
    "leaf", "last_huge",            # page-table entry of the last translation; the last 2 MiB page met, plus one
    "id", "socket", "process", "asid", "root", "levels",
    # store buffer: a ring (core/store_buffer.py)
    "sb_head", "sb_count", "sb_free_at", "sb_next", "sb_group", "sb_streams",
    ("sb_pa", "i8", 64), ("sb_size", "i8", 64), ("sb_value", "i8", 64),
    ("sb_due", "i8", 64), ("sb_thread", "i8", 64), ("sb_va", "i8", 64), ("sb_after", "i8", 64), ("sb_kind", "i8", 64),
    # scheduler: run queue as a linked list of threads (number + 1; 0 ends it)
    "current", "queue_head", "queue_tail", "slice_end",
    ("l1d", SETS), ("l2", SETS), ("dtlb", SETS), ("dtlb_2m", SETS), ("stlb", SETS),
    ("pml4e", SETS), ("pdpte", SETS), ("pde", SETS),
    # invalidation queue (cache/invalidations.py), oldest first: lines, until when they wait, their words
    "iq_count", "iq_random", ("iq_line", "i8", 64), ("iq_due", "i8", 64), ("iq_word", "i8", 512),
    ("pad", "i8", 7))               # keeps the row off a multiple of 4096

THREAD = record(
    "state", "core", "process", "next",     # next thread (number + 1) in its core's run queue
    "wake_at", "wait_address", "steps", "waits",
    "fault_address", "fault_code", "fault_access",
    ("local", "i8", 16),            # the workload's own: a thread's registers
    ("guest", "i8", 16))            # a language runtime's: what it keeps in registers between calls

PROCESS = record(                   # a task and its mm
    "alive", "killed", "asid", "root", "levels", "layout", "cores", "parent",       # killed: by the OOM killer, its memory is gone
    "tree", "first_vma", "vma_count", "recent_vma",     # VMAs: root of the tree, the lowest, how many, the last found (number + 1)
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
    ("guest", "i8", 32))                # a language runtime's: counts of what no emulated memory holds

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
DISK = record("host", "free_at", "latency", "page_cycles", "reads", "writes", "wait_cycles", "file_pages")
LRU = record(("head", "i4", P.LRU_LISTS), ("tail", "i4", P.LRU_LISTS), ("pages", "i8", P.LRU_LISTS),
             ("cost", "i8", 2), "age", "activated")             # of reclaiming anonymous and file pages; linux/workingset.py
RECLAIM = record("kswapd", "priority", "failures", "forced", "skipped", "activated",    # linux/balance.py, reclaim.py
                 ("target", "i8", P.LRU_LISTS), ("deactivate", "i8", 2))
MM = record("thp", "max_ptes_none", "swappiness", "overcommit", "overcommit_ratio", "committed", "anon_vmas", "page_cluster",
            "reclaiming", "kswapd_cycles", "oom_process", "oom_pages", "dying", "khugepaged_process", "khugepaged_va", "khugepaged_at", "khugepaged_sleep",
            "full",     # a table of the emulator's that was full in this system call (params.FULL_*)
            "untold")   # 1: what the kernel does now was done before: no access of it is made (core/service.py)
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

DIRECTORY = record("gets", "getx", "upgrades", "fwd_gets", "fwd_getx", "inv", "putx", "memory_fills", "make_unique", "hits", "misses",
                   "back_invalidations", "remote_requests")

DRAM = record("reads", "writes", "row_hits", "row_misses", "row_conflicts", "queue_cycles",
              ("open_row", "i8", (P.MAX_CHANNELS, P.MAX_BANKS)),    # row + 1; 0: precharged
              ("free_at", "i8", P.MAX_CHANNELS),
              "channels", "banks", "row_lines", "channel_mask", "bank_mask",
              "bank_shift", "row_shift",                        # where a line's bank and row lie, or -1
              "transfer_cycles", "row_hit_cycles", "row_miss_cycles", "row_conflict_cycles")

COST = record("forward", "forward_clean", "invalidate", "upgrade", "remote_forward", "remote_llc", "remote_dram",
              "mfence", "atomic", "store_drain", "early", "page_fault", "syscall", "context_switch", "time_slice",
              "shootdown", "shootdown_remote", "futex", "reclaim", "walker")

PROTOCOL = record(("next_state", "i1", (6, 6)), ("next_shared", "i1", (6, 6)), ("request", "i1", (6, 6)), ("action", "u1", (6, 6)))

BUSY = record("line", "until")      # a line whose last transaction between cores ends at `until`

# Observers (observe/): their tables, then the switches
WATCHED_SLOTS = 1 << 20             # lines that can be followed (a power of two)
SHARED_ROWS = 1 << 16               # of them, those that more than one core has touched
CELLS = 1 << 17                     # (line, offset, thread) triples of contended lines
CELL_SLOTS = 2 * CELLS
EVENT_SLOTS = 1 << 20

WATCHED = record("line", "va", ("held", "u8"), ("lost", "u8"), ("pending", "u8"),     # masks of cores (observe/sharing.py)
                 ("wrote", "u8"),   # bytes written by thread `writer` - 1 before anybody contended (observe/contended.py)
                 ("epoch", "i4"), ("row", "i4"), ("use", "i4"), ("writer", "i2"), ("contended", "i2"))

CELL = record("line", "va", ("cores", "u8"), ("read", "u8"), ("wrote", "u8"),         # masks of cores, of bytes, of bytes
              ("slot", "i4"), ("use", "i4"), ("thread", "i4"), ("process", "i2"), ("offset", "i2"),
              ("cycles", "i8", 3), "atomics", ("served", "i8", (2, P.SOURCES)))                  # observe/contended.py

EVENT = record("cycle", "line", "latency", ("thread", "i2"), ("core", "i2"), ("responder", "i2"),
               ("request", "i1"), ("before", "i1"), ("after", "i1"),
               ("unused", "i1", 7))

# Race detector (observe/races.py)
RACE_CELLS = 1 << 20                # stretches of up to 8 bytes with a history of their own
RACE_SLOTS = 2 * RACE_CELLS
RACE_ROWS = 1 << 15                 # vector clocks
RACE_LOG = 256                      # races kept

ACCESS = record("va", "cycle", ("clock", "i4"), ("thread", "i2"), ("core", "i2"), ("width", "i2"), ("kind", "i2"),
                ("unused", "i4"))
RACE_CELL = record("key", ("next", "i4"), ("mask", "i4"), ("reported", "i4"), ("unused", "i4"), ("write", ACCESS), ("read", ACCESS),
                   ("read_row", "i4"), ("ordered_row", "i4"))
SYNC = record("key", "row")
RACE = record(("now", ACCESS), ("before", ACCESS))

OBSERVE = record("watching", "classify", "c2c", "events", "races",  # switches
                 "ordered",                     # the access is an acquire or a release (core/ordered.py); or params.COMPARES, FAILS
                 "epoch", "core", "va", "cycles",                   # of the access that hooks.py hands over
                 "race_cells", "race_rows", "race_count", "races_dropped",
                 "rows", "sharing_dropped", ("pending", "i8", P.MAX_CORES), "cells", "c2c_dropped", "event_limit", "event_count")

def machine(align):
    return record(
        ("doors", "i8", P.DOORS), "ram_base", "ram_size",
        "cores", "sockets", "cores_per_socket", "mmu", "ordering", "inclusion", "has_l2", "has_llc", "sharers_supply",
        "direct",                       # misses of both private levels go straight to one inclusive LLC, and nobody logs requests
        "store_buffer_entries", "store_buffer_always", "invalidation_entries", "current_core", "threads", "deadlocked", ("sys", "i8", 6),
        ("cost", COST), ("protocol", PROTOCOL), ("directory", DIRECTORY), ("dram", DRAM, P.MAX_SOCKETS), ("observe", OBSERVE),
        ("core", CORE, P.MAX_CORES), ("llc", SETS, P.MAX_SOCKETS), ("key", "i8", P.MAX_CORES),
        ("thread", THREAD, P.MAX_THREADS), ("process", PROCESS, P.MAX_PROCESSES),
        ("frames", FRAMES), ("lru", LRU), ("reclaim", RECLAIM), ("swap", SWAP), ("disk", DISK), ("mm", MM), ("cursor", CURSOR),
        ("vmstat", VMSTAT), ("files", FILES), ("file", FILE, P.MAX_FILES),
        "vma_fresh", "vma_free", "rmap_fresh", "rmap_free",
        ("busy", BUSY, P.BUSY_SLOTS), ("align", "u1", align),
        ("tag", "i8", P.MAX_LINES), ("word", "i8", P.MAX_LINES), ("order", "u8", P.MAX_SETS), ("stamp", "i8", P.MAX_LINES),
        ("holder", "u1", P.MAX_LINES), ("vma", VMA, P.MAX_VMAS), ("vma_node", VMA_NODE, P.MAX_VMAS),
        ("watched", WATCHED, WATCHED_SLOTS), ("others_wrote", "u8", (SHARED_ROWS, P.MAX_CORES)),
        ("cell_index", "i4", CELL_SLOTS), ("cell", CELL, CELLS), ("event", EVENT, EVENT_SLOTS),
        ("race_index", "i4", RACE_SLOTS), ("race_cell", RACE_CELL, RACE_CELLS), ("race_row", "i4", (RACE_ROWS, P.MAX_THREADS)),
        ("race_sync", SYNC, RACE_ROWS), ("race_clock", "i4", (P.MAX_THREADS, P.MAX_THREADS)), ("race", RACE, RACE_LOG),
        ("rmap", RMAP, P.MAX_RMAPS), ("frame", FRAME, P.MAX_FRAMES),
        ("swap_map", "i4", P.MAX_SLOTS), ("swap_cache", "i4", P.MAX_SLOTS), ("page_cache", "i4", P.CACHE_SLOTS),
        ("swap_owner", SWAP_OWNER, P.MAX_SLOTS))


_unaligned = machine(P.LINE).fields["tag"][1]
MACHINE = machine(P.LINE + -_unaligned % P.LINE)        # a set's row of eight tags is one line of the host's cache
assert MACHINE.fields["tag"][1] % P.LINE == MACHINE.fields["vma"][1] % P.LINE == VMA.itemsize % P.LINE == 0
assert 0 < MACHINE.itemsize < 1 << 31                     # numpy's limit, which it does not tell
