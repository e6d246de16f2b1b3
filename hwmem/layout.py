"""The machine as one nested record. Every kernel takes it first, as `m`.

    machine ── doors[]            addresses of the cold kernels (_jit.py)
            ├─ core[c]            clock, hit filter, counters; l1d, l2, dtlb, ... are `sets` records
            ├─ llc[socket]        a `sets` record; tag flags hold the directory state, `word` the sharers
            ├─ directory, dram    counters and the state of channels and banks
            ├─ thread[t], process[p]
            └─ tag[], word[], order[], age[]      the pools in which all set-associative arrays lie

A `sets` record (cache/sets.py) says where in the pools its array lies and how it is shaped. So every cache and
TLB has the same type, is compiled once, and a small machine touches little host memory. Shapes here are
capacities; zero means empty, so a new machine is np.zeros. Addresses, sizes and cycles are int64.
"""
import numpy as np

from hwmem import params as P


def record(*fields):
    """An aligned dtype from (name, type[, shape]) with int64 for a bare name."""
    return np.dtype([(f, "i8") if isinstance(f, str) else f for f in fields], align=True)


SETS = record(
    "base",                         # first entry in the pools `tag` and `word`
    "order_base",                   # first entry in the pool `order` (one word a set) or `age` (one byte a way)
    "sets", "mask",                 # mask = sets - 1 where sets is a power of two, else -1
    "ways", "policy", "latency",
    "random",                       # state of the random policy
    "holes",                        # ways emptied since they were first used
    "hits", "misses",               # demand look-ups
    "write_back_misses",            # victims of the level above that were not here
    "replacements", "dirty_evictions")

CORE = record(
    # hit filter (access.py): what the next access may skip
    ("hot_line", "i8", P.HOT_LINES), ("hot_store", "i8", P.HOT_LINES), ("hot_host", "i8", P.HOT_LINES),
    ("hot_page", "i8", P.HOT_PAGES), "hot_mask", "page_mask", "hit_cycles",
    # clock and counters of the hit path
    "cycles", "loads", "stores", "atomics",
    # the rest of the core's counters
    "slow_accesses",                # accesses that left the hit filter
    "split_accesses", "split_double_misses",
    "llc_hits", "llc_misses", "upgrades", "invalidations_received", "interventions_hit_modified",
    "interventions_remote", "writebacks", "walks", "walk_accesses", "kernel_accesses", "line_waits", "line_wait_cycles",
    "faults_minor", "faults_major", "fences", "store_buffer_stalls", "store_buffer_forwards", "store_buffer_drains", "store_buffer_stores",
    "idle_cycles", "context_switches", "shootdowns_sent", "shootdowns_received",
    ("miss", "i8", 4),              # by cause, when classification is on
    # identity and address space
    "source",                       # where the last access was served from (params.FROM_*)
    "in_place",                     # the last access refilled an entry without making it the most recent
    "huge", "last_huge",            # whether the last translation was by a 2 MiB page; that page, plus one
    "id", "socket", "process", "asid", "root", "levels",
    # store buffer: a ring (core/store_buffer.py)
    "sb_head", "sb_count", "sb_free_at", ("sb_pa", "i8", 64), ("sb_size", "i8", 64), ("sb_value", "i8", 64), ("sb_due", "i8", 64),
    ("sb_thread", "i8", 64), ("sb_va", "i8", 64),
    # scheduler: run queue as a linked list of threads (number + 1; 0 ends it)
    "current", "queue_head", "queue_tail", "slice_end",
    ("l1d", SETS), ("l2", SETS), ("dtlb", SETS), ("dtlb_2m", SETS), ("stlb", SETS),
    ("pml4e", SETS), ("pdpte", SETS), ("pde", SETS),
    ("pad", "i8", 5))               # keeps the row off a multiple of 4096

THREAD = record(
    "state", "core", "process", "next",     # next thread (number + 1) in its core's run queue
    "wake_at", "wait_address", "steps", "waits",
    "fault_address", "fault_code", "fault_access",
    ("local", "i8", 16))            # the workload's own: a thread's registers

PROCESS = record("alive", "asid", "root", "levels", "layout", "cores", "first_vma", "vma_count", "pages", "table_pages", "minflt", "majflt")

VMA = record("start", "end", "prot", "flags", "next")

DIRECTORY = record("gets", "getx", "upgrades", "fwd_gets", "fwd_getx", "inv", "putx", "memory_fills", "hits", "misses",
                   "back_invalidations", "remote_requests")

DRAM = record("reads", "writes", "row_hits", "row_misses", "row_conflicts", "queue_cycles",
              ("open_row", "i8", (P.MAX_CHANNELS, P.MAX_BANKS)),    # row + 1; 0: precharged
              ("free_at", "i8", P.MAX_CHANNELS),
              "channels", "banks", "row_lines", "transfer_cycles", "row_hit_cycles", "row_miss_cycles", "row_conflict_cycles")

COST = record("forward", "forward_clean", "invalidate", "upgrade", "remote_forward", "remote_llc", "remote_dram",
              "mfence", "atomic", "store_drain", "page_fault", "syscall", "context_switch", "time_slice",
              "shootdown", "shootdown_remote", "futex", "walker")

PROTOCOL = record(("next_state", "i1", (6, 6)), ("next_shared", "i1", (6, 6)), ("request", "i1", (6, 6)), ("flags", "u1", (6, 6)))

BUSY = record("line", "until")      # a line whose last transaction between cores ends at `until`

# Linux's page frames: free ones are a stack of numbers, threaded through m.frame_next
FRAMES = record("total", "fresh", "free_head", "free", "used")

# Observers (observe/): switches, then their tables
MISS_KEY_SLOTS = 1 << 16            # lines that classification can follow at a time
C2C_SLOTS = 1 << 14                 # (line, offset, thread) triples
EVENT_SLOTS = 1 << 20

EVENT = record("cycle", "line", ("core", "i2"), ("responder", "i2"), ("request", "i2"), ("before", "i1"), ("after", "i1"), "thread", "latency")

SHARING = record("line", "held", ("written", "u1", P.MAX_CORES), ("pending", "u1", P.MAX_CORES), ("lost", "u1", P.MAX_CORES))

C2C = record("line", "offset", "thread", "core", "loads", "stores", "atomics", "l1_hits", "l1_misses", "l2_hits", "llc_hits",
             "lcl_hitm", "rmt_hitm", "dram", "load_cycles", "hitm_cycles", "store_l1_hits", "store_l1_misses")

OBSERVE = record("classify", "c2c", "events", "watching", "event_limit", "event_count", "c2c_dropped", "sharing_dropped",
                 "source", "thread", "va", "access_size", "kind")

MACHINE = record(
    ("doors", "i8", 16), "ram_base", "ram_size",
    "cores", "sockets", "cores_per_socket", "mmu", "ordering", "inclusion", "has_l2", "has_llc", "sharers_supply", "store_buffer_entries",
    "store_buffer_always", "current_core", "threads", "live_threads", "deadlocked", ("sys", "i8", 6),
    ("cost", COST), ("protocol", PROTOCOL), ("directory", DIRECTORY), ("dram", DRAM, P.MAX_SOCKETS), ("observe", OBSERVE),
    ("core", CORE, P.MAX_CORES), ("llc", SETS, P.MAX_SOCKETS), ("key", "i8", P.MAX_CORES),
    ("thread", THREAD, P.MAX_THREADS), ("process", PROCESS, P.MAX_PROCESSES),
    ("frames", FRAMES), ("vma", VMA, 1 << 16), "vma_fresh", "vma_free",
    ("busy", BUSY, P.BUSY_SLOTS),
    ("age", "u1", P.MAX_LINES), ("order", "u8", P.MAX_SETS), ("tag", "i8", P.MAX_LINES), ("word", "i8", P.MAX_LINES),
    ("sharing", SHARING, MISS_KEY_SLOTS), ("c2c", C2C, C2C_SLOTS), ("event", EVENT, EVENT_SLOTS))
