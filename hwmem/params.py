"""Constants of the machine, one line each. Anything a configuration can change is in config.py instead."""

# Capacities of the record (layout.py). The geometry in use is in fields, so one compiled version serves all.
MAX_CORES = 64
MAX_SOCKETS = 4
MAX_THREADS = 1024
MAX_PROCESSES = 256
MAX_LINES = 26 << 20            # tags of all caches and TLBs together
MAX_SETS = 4 << 20              # sets of all caches and TLBs together
MAX_CHANNELS = 16               # DRAM channels, all sockets
MAX_BANKS = 64                  # banks a channel
BUSY_SLOTS = 4096               # lines whose transaction in flight is remembered (a power of two)
HOT_LINES = 64                  # entries of the hit filter (access.py)
HOT_PAGES = 16

# Sizes
LINE = 64
LINE_SHIFT = 6
PAGE = 4096
PAGE_SHIFT = 12
HUGE_PAGE = 2 << 20
HUGE_SHIFT = 21

# A tag word. For caches key << TAG_SHIFT is the line's physical address.
#
#    | 0 | owner 6 (LLC: the core that owns an OWNED line) | key 51 | occupied 1 | flags 5 |
#     63  62                                             57 56      6      5       4     0
TAG_SHIFT = 6
OWNER_SHIFT = 57
KEY_MASK = (1 << OWNER_SHIFT) - (1 << 5)        # the key and the occupied bit
OCCUPIED = 1 << 5
STATE_MASK = 7                  # private caches: the MESI state. LLC: the directory state
DIRTY = 1 << 3                  # LLC: differs from memory
REMOTE = 1 << 4                 # LLC: another socket may hold the line
FLAGS_MASK = OCCUPIED - 1

# Stable states of a line in a private cache: from E on a store needs nobody's leave. O and M are dirty.
I, S, F, O, E, M = range(6)
STATE_NAMES = "ISFOEM"

# Directory states of an LLC line (gem5 MESI_Two_Level: M, SS, MT). GONE: another socket took it; the way is kept.
PRESENT, SHARED, OWNED, GONE = range(4)

# Replacement policies
LRU, WIDE_LRU, TREE_PLRU, RANDOM, NRU = range(5)
NIBBLE_WAYS = 16                # what LRU can hold in a word; above that WIDE_LRU
REPLACEMENTS = {"lru": LRU, "tree-plru": TREE_PLRU, "random": RANDOM, "nru": NRU}

# Kinds of access
# ("phantom": an access without data, which a replayed trace makes)
# PHYSICAL_*: a core's accesses by physical address, line after line (the kernel's own). DRAIN_*: its store buffer.
LOAD, STORE, ATOMIC, STREAM_STORE, PHANTOM_LOAD, PHANTOM_STORE, PHYSICAL_LOAD, PHYSICAL_STORE, DRAIN_DUE, DRAIN_ALL, DRAIN_ENTRY = range(11)
COPY_LOST, COPY_RECALLED = 11, 12   # no accesses: what else the observers' door is told (observe/hooks.py)
THREAD_EDGE, RELEASE, ACQUIRE = 13, 14, 15     # ... and what else the race detector's
ORDERED = 16                    # with a kind: an atomic, an acquire or a release (observe/races.py)
WRITES = 1 << STORE | 1 << ATOMIC | 1 << STREAM_STORE      # kinds of threads' accesses that write
KIND_SHIFT = 16                 # the memory door's third argument is size | kind << KIND_SHIFT
SIZE_MASK = (1 << KIND_SHIFT) - 1

# Memory ordering
SC, TSO, RELAXED = range(3)
ORDERINGS = {"sc": SC, "tso": TSO, "relaxed": RELAXED}
COMBINE_CYCLES = 64             # how long a non-temporal store waits for others to its line (core/store_buffer.py)

# Inclusion of the LLC over the private caches
INCLUSIVE, NINE = range(2)
INCLUSIONS = {"inclusive": INCLUSIVE, "nine": NINE}

# x86-64 page-table entries (SDM vol. 3A, 4.5)
PTE_P = 1 << 0                  # present
PTE_RW = 1 << 1
PTE_US = 1 << 2
PTE_A = 1 << 5                  # accessed
PTE_D = 1 << 6                  # dirty
PTE_PS = 1 << 7                 # maps a large page
PTE_FRAME = 0x000F_FFFF_FFFF_F000

# Page-fault error code (SDM vol. 3A, 4.7)
PF_PRESENT = 1 << 0
PF_WRITE = 1 << 1
PF_USER = 1 << 2

# Doors (_jit.py): number of each cold kernel
DOOR_MEMORY, DOOR_PAGE_FAULT, DOOR_SCHEDULE, DOOR_SYSCALL, DOOR_OBSERVE, DOOR_RACES = range(6)

# Where an access was served from (core.source)
FROM_L1, FROM_L2, FROM_LLC, FROM_CLEAN, FROM_HITM, FROM_REMOTE_LLC, FROM_REMOTE_CLEAN, FROM_REMOTE_HITM, FROM_DRAM, FROM_REMOTE_DRAM, FROM_UPGRADE = range(11)
SOURCES = 11

# Thread states
FREE, RUNNABLE, BLOCKED, SLEEPING, DONE, KILLED = range(6)
NEVER = 1 << 62                 # a clock value later than all others

# siginfo codes of the signal that killed a thread (asm-generic/siginfo.h); NO_MEMORY: the OOM killer
SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, NO_MEMORY = 1, 2, 3, 4

# mmap (asm-generic/mman-common.h)
PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS = 0x01, 0x02, 0x10, 0x20
MAP_NORESERVE = 0x4000
ENOMEM, EINVAL, EAGAIN, ENOSYS = 12, 22, 11, 38

# System calls, by x86-64 number where Linux has one (arch/x86/entry/syscalls/syscall_64.tbl)
SYS_MMAP, SYS_MUNMAP, SYS_FUTEX, SYS_EXIT = 9, 11, 202, 60
SYS_SPAWN = 1000                # what a boot loader and execve do together: a process with an empty address space
FUTEX_WAIT, FUTEX_WAKE = 0, 1

# A process's layout
LINUX_X86_64, LINUX_I386 = range(2)
LAYOUTS = {"linux-x86_64": LINUX_X86_64, "linux-i386": LINUX_I386}
TASK_END = (0x7FFF_FFFF_F000, 0xC000_0000)      # first address that is not the user's (TASK_SIZE)
MMAP_BASE = (0x7FFF_F7FF_F000, 0xB7FF_F000)     # top of the mmap area without randomisation
FLUSH_CEILING = 33              # pages above which an invalidation flushes the whole TLB (arch/x86/mm/tlb.c)
