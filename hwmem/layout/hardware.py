"""Records of the hardware: set-associative arrays, cores, directory, DRAM; costs; the protocol's tables.

A `sets` record (cache/sets.py) says where in the machine's pools its array lies and how it is shaped. So every cache and
TLB has the same type, is compiled once, and a small machine touches little host memory.
"""
from hwmem import params as P
from hwmem.layout.rules import PERIOD, record

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

# What of a core's counts is somebody's: the fields of the same name, or of l1d and l2 (cache/shares.py)
SHARE = record("l1d_misses", "l1d_replacements", "l1d_dirty_evictions",
               "l1d_upgrades", "l2_misses", "l2_write_back_misses", "l2_replacements", "l2_dirty_evictions",
               "llc_hits", "llc_misses", "writebacks", "dram_writes",
               ("served", "i8", P.SOURCES),                     # misses of the L1, by what served them
               "uncached_reads", "uncached_writes")             # theirs alone: accesses to page tables past the caches

FORESEEN = record("key", "table")       # the key plus one

PAGE_SLOT = record("page", "frame")     # frame: physical address | 1 where stores may go ahead

CORE = record(
    # hit filter (cache/hit_filter.py): what the next access may skip
    ("hot", HOT, P.HOT_LINES), ("hot_page", PAGE_SLOT, P.HOT_PAGES), "hot_mask", "page_mask", "page_last", "hit_cycles",
    "hot_stores",                   # not 0: a store may be allowed to go ahead
    "store_cycles",                 # what a store costs that the L1 takes
    # clock and counters of the hit path
    "cycles", "loads", "stores", "atomics",
    # stores in flight (core/in_flight.py)
    ("recent", "i8", 8), ("recent_at", "i8", 8), "sb_free_at", "sb_passage", "sb_leaving", "forward_cycles", "forwards_in_flight",
    # the rest of the core's counters
    "slow_accesses",                # accesses that left the hit filter
    "split_accesses", "split_double_misses",
    "llc_hits", "llc_misses", "upgrades", "l1d_upgrades", "invalidations_received", "interventions_hit_modified",
    "interventions_remote", "writebacks", "dram_reads", "dram_writes", "walks", "walk_accesses", "kernel_accesses", "line_waits", "line_wait_cycles",
    "lock_waits", "lock_wait_cycles",       # for locks that are held only within a step (libc/lock.py)
    "faults_minor", "faults_major", "fences", "store_buffer_stalls", "store_buffer_forwards", "store_buffer_drains", "store_buffer_stores",
    "store_buffer_fetches", "store_buffer_streams", "store_buffer_blocked", "store_buffer_aliases", "invalidations_queued", "invalidations_processed", "early_loads",
    "idle_cycles", "context_switches", "shootdowns_sent", "shootdowns_received",
    "refused_accesses",             # that ended in a signal
    ("miss", "i8", 4),              # by cause, when classification is on
    ("walker", SHARE), ("kernel", SHARE),       # theirs of these counts; the rest is the program's
    ("before", SHARE),              # the counts when the share that is open was opened
    "walking",                      # what is evicted from the L1 now makes room for the walker's line
    # identity and address space
    "source",                       # where the last access was served from (params.FROM_*)
    "llc_entry",                    # index of the LLC entry of the last request, or -1
    ("seen", "i8", P.SEEN), ("seen_page", "i8", P.SEEN_PAGES),     # where lines and pages were (cache/seen.py)
    "overwrites",                   # the access writes a whole line: its old data is not needed
    "plain",                        # no store waits and nobody watches: the memory door may take its short way
    ("foreseen", FORESEEN, P.FORESEEN),     # leaf tables met by a look ahead (mmu/walk.py, foresee)
    "last_pde", "last_table",       # the pde cache's most recent entry: its key, plus one; the table
    "leaf", "last_huge",            # page-table entry of the last translation; the last 2 MiB page met, plus one
    "id", "socket", "process", "asid", "root", "levels",
    # store buffer: a ring (core/store_buffer.py)
    "sb_head", "sb_count", "sb_next", "sb_group", "sb_streams",
    ("sb_pa", "i8", 64), ("sb_size", "i8", 64), ("sb_value", "i8", 64),
    ("sb_due", "i8", 64), ("sb_thread", "i8", 64), ("sb_va", "i8", 64), ("sb_after", "i8", 64), ("sb_kind", "i8", 64),
    # scheduler: run queue as a linked list of threads (number + 1; 0 ends it)
    "current", "queue_head", "queue_tail", "slice_end",
    ("l1d", SETS), ("l2", SETS), ("dtlb", SETS), ("dtlb_2m", SETS), ("stlb", SETS),
    ("pml4e", SETS), ("pdpte", SETS), ("pde", SETS),
    # invalidation queue (cache/invalidations.py), oldest first: lines, until when they wait, their words
    "iq_count", "iq_random", ("iq_line", "i8", 64), ("iq_due", "i8", 64), ("iq_word", "i8", 512),
    ("recent_words", "u8"))         # of stores in flight (core/in_flight.py); here, for speed hangs on where the fields above lie

DIRECTORY = record("gets", "getx", "upgrades", "fwd_gets", "fwd_getx", "inv", "putx", "memory_fills", "make_unique", "hits", "misses",
                   "back_invalidations", "remote_requests")

DRAM = record("reads", "writes", "row_hits", "row_misses", "row_conflicts", "queue_cycles",
              ("open_row", "i8", (P.MAX_CHANNELS, P.MAX_BANKS)),    # row + 1; 0: precharged
              ("bus", PERIOD, P.MAX_CHANNELS),
              "channels", "banks", "row_lines", "channel_mask", "bank_mask",
              "bank_shift", "row_shift",                        # where a line's bank and row lie, or -1
              "transfer_cycles", "row_hit_cycles", "row_miss_cycles", "row_conflict_cycles")

COST = record("forward", "forward_clean", "invalidate", "upgrade", "remote_forward", "remote_llc", "remote_dram",
              "mfence", "atomic", "store_drain", "blocked", "alias", "early", "page_fault", "syscall", "context_switch", "time_slice",
              "shootdown", "shootdown_remote", "futex", "reclaim", "walker", "wake_call", "wake_idle")

PROTOCOL = record(("next_state", "i1", (6, 6)), ("next_shared", "i1", (6, 6)), ("request", "i1", (6, 6)), ("action", "u1", (6, 6)))

BUSY = record("line", ("transit", PERIOD))       # a line that has gone from core to core

LOCK = record("key", "began", ("held", PERIOD))     # a program's lock; since when its holder has it (sched/lock.py)
