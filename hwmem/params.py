"""Constants of the machine, one line each. Anything a configuration can change is in config/machine.py instead."""

# Capacities of the record (layout). The geometry in use is in fields, so one compiled version serves all.
MAX_CORES = 64
MAX_SOCKETS = 4
MAX_THREADS = 1024
MAX_PROCESSES = 4095           # a TLB entry has 12 bits for them (mmu/tlb.py)
MAX_LINES = 26 << 20            # tags of all caches and TLBs together
MAX_SETS = 4 << 20              # sets of all caches and TLBs together
MAX_CHANNELS = 16               # DRAM channels, all sockets
MAX_BANKS = 64                  # banks a channel
BUSY_SLOTS = 4096               # lines whose transaction in flight is remembered (a power of two)
LOCK_SLOTS = 1024               # locks whose holder is remembered (a power of two)
HOT_LINES = 64                  # entries of the hit filter (cache/hit_filter.py)
HOT_PAGES = 16
SEEN, SEEN_PAGES = 1024, 256    # lines and pages of which a core remembers where they were (powers of two; cache/seen.py)
FORESEEN = 64                   # leaf tables that a look ahead remembers (a power of two; mmu/walk.py)

# Sizes
LINE = 64
LINE_SHIFT = 6
PAGE = 4096
PAGE_SHIFT = 12
LINES_PER_PAGE = PAGE // LINE
HUGE_PAGE = 2 << 20
HUGE_SHIFT = 21

# A tag word. For caches key << TAG_SHIFT is the line's physical address.
#
#    | 0 | key 57 | occupied 1 | flags 5 |
#     63  62     6      5       4     0
TAG_SHIFT = 6
OCCUPIED = 1 << 5
KEY_MASK = -OCCUPIED            # the key and the occupied bit
STATE_MASK = 7                  # private caches: the MESI state
DIRTY = 1 << 3                  # LLC: differs from memory
REMOTE = 1 << 4                 # LLC: another socket may hold the line

# Stable states of a line in a private cache: from E on a store needs nobody's leave. O and M are dirty.
I, S, F, O, E, M = range(6)
STATE_NAMES = "ISFOEM"

# m.holder: directory states of LLC lines (gem5 MESI_Two_Level: M, SS, MT). GONE: another socket took it; the way is kept (recency gem5).
PRESENT, GONE, SHARED, OWNED = range(4)         # OWNED + c: core c owns the line

# Replacement policies
LRU, WIDE_LRU, TREE_PLRU, RANDOM, NRU, FIFO = range(6)
NIBBLE_WAYS = 16                # what LRU can hold in a word; above that WIDE_LRU
REPLACEMENTS = {"lru": LRU, "tree-plru": TREE_PLRU, "random": RANDOM, "nru": NRU, "fifo": FIFO}
WORD_WAYS = 64                  # what TREE_PLRU and NRU can hold in a word

# What an invalidation leaves of a way, and what counts as a use of a line (cache/sets.py)
PROCESSOR, GEM5 = range(2)
RECENCIES = {"processor": PROCESSOR, "gem5": GEM5}

# Kinds of access
# ("phantom": an access without data, which a replayed trace makes)
# PHYSICAL_*: a core's accesses by physical address, line after line (the kernel's own); TABLE_*: those to uncached page
# tables. DRAIN_*: its store buffer.
# COMPARE: an ATOMIC that may fail; with it goes the value that it expects.
(LOAD, STORE, ATOMIC, STREAM_STORE, PHANTOM_LOAD, PHANTOM_STORE, PHYSICAL_LOAD, PHYSICAL_STORE, DRAIN_DUE, DRAIN_ALL, DRAIN_ENTRY,
 COMPARE, TABLE_LOAD, TABLE_STORE) = range(14)
COPY_LOST, COPY_RECALLED = 14, 15   # no accesses: what else the observers' door is told (observe/hooks.py)
THREAD_EDGE, RELEASE, ACQUIRE, MEMORY_GONE = 16, 17, 18, 19     # ... and what else the race detector's
COMPARES, FAILS = 2, 3          # what m.observe.ordered says of a COMPARE
ORDERED = 16                    # with a kind: an atomic, an acquire or a release (observe/races.py)
WRITES = 1 << STORE | 1 << ATOMIC | 1 << STREAM_STORE      # kinds of threads' accesses that write
KIND_SHIFT = 16                 # the memory door's third argument is size | kind << KIND_SHIFT
SIZE_MASK = (1 << KIND_SHIFT) - 1

# Memory ordering
SC, TSO, RELAXED = range(3)
ORDERINGS = {"sc": SC, "tso": TSO, "relaxed": RELAXED}
PLAIN, ASKED, STREAM = range(3)  # stores in the buffer; ASKED: plain, and its line has been asked for
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

# Doors (_jit): DOOR_NAME = door(number, the file that has the kernel, CPU seconds that compiling it takes, roughly).
# Those below GUEST_DOORS are the machine's, the rest a language runtime's.
DOORS, GUEST_DOORS = 128, 32
GUEST_CLASSES = 68              # size classes of a language runtime's allocator (Go's)
DOOR_FILES = {}


def door(number, file, seconds=1):
    """`number`, entered in the table: it is free, and below DOORS."""
    assert number not in DOOR_FILES and 0 <= number < DOORS, number
    DOOR_FILES[number] = file, seconds
    return number


DOOR_MEMORY = door(0, "hwmem.core.memory_door", 8)
DOOR_PAGE_FAULT = door(1, "hwmem.linux.fault", 1)
DOOR_SCHEDULE = door(2, "hwmem.sched.scheduler")
DOOR_SYSCALL = door(3, "hwmem.linux.syscall")
DOOR_OBSERVE = door(4, "hwmem.observers.door", 2)
DOOR_RECLAIM = door(5, "hwmem.linux.reclaim", 5)
DOOR_LIBC = door(6, "hwmem.libc.door", 4)
DOOR_RACES = door(7, "hwmem.observers.races", 2)
# ... what page faults and system calls go on to (linux/fault.py, linux/syscall.py)
DOOR_HANDLE_FAULT = door(8, "hwmem.linux.fault", 3)
DOOR_MAPPING = door(9, "hwmem.linux.mapping", 3)
DOOR_PROTECT = door(10, "hwmem.linux.protect", 2)
DOOR_MREMAP = door(11, "hwmem.linux.mremap", 3)
DOOR_MADVISE = door(12, "hwmem.linux.madvise", 4)
DOOR_FILE = door(13, "hwmem.linux.files", 3)
DOOR_TASK = door(14, "hwmem.linux.tasks", 5)
DOOR_MLOCK = door(15, "hwmem.linux.mlock", 3)
DOOR_ADVICE = door(16, "hwmem.linux.advice", 4)
DOOR_CLEAR_REFS = door(17, "hwmem.linux.clear_refs", 2)
DOOR_KHUGEPAGED = door(18, "hwmem.linux.huge", 3)
DOOR_SERIES = door(19, "hwmem.linux.series", 1)
DOOR_SPAWN = door(20, "hwmem.linux.exec", 2)
# ... and these in turn, where a program does more than map memory and touch it
DOOR_BACKED_FAULT = door(21, "hwmem.linux.backed", 4)
DOOR_HUGE_FAULT = door(22, "hwmem.linux.huge", 3)
DOOR_UNMAP = door(23, "hwmem.linux.unmap", 4)
DOOR_POPULATE = door(24, "hwmem.linux.populate", 1)

# Where an access was served from (core.source)
(FROM_L1, FROM_L2, FROM_LLC, FROM_CLEAN, FROM_HITM, FROM_REMOTE_LLC, FROM_REMOTE_CLEAN, FROM_REMOTE_HITM, FROM_DRAM, FROM_REMOTE_DRAM,
 FROM_UPGRADE) = range(11)
SOURCES = 11

# Thread states
FREE, RUNNABLE, BLOCKED, SLEEPING, DONE, KILLED = range(6)
NEVER = 1 << 62                 # a clock value later than all others

# siginfo codes of the signal that killed a thread (asm-generic/siginfo.h; the BUS_ codes and NO_MEMORY, the OOM killer, moved
# out of SEGV's way)
SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, NO_MEMORY, BUS_ADRERR = 1, 2, 3, 4, 5
ABORTED = 6                     # SIGABRT; the address is the number of the C library's message (libc/abort.py)
GENERAL_PROTECTION, STACK_FAULT = 7, 8      # SIGSEGV and SIGBUS with SI_KERNEL and address 0 (core/segment.py)
BAD_SIZE, BAD_THREAD = 9, 10    # no signals: a kernel's mistake, an access of a width that there is not, a thread that there is not
TABLE_FULL = 11                 # nor this: a table of the emulator's is full; the address is one of these, as m.mm.full is
FULL_FILES, FULL_PROCESSES, FULL_VMAS = 1, 2, 3

# mmap, mremap (asm-generic/mman-common.h, asm-generic/mman.h, linux/mman.h)
PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC, PROT_SEM, PROT_GROWSDOWN, PROT_GROWSUP = 0, 1, 2, 4, 8, 0x100_0000, 0x200_0000
MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_DROPPABLE, MAP_FIXED, MAP_ANONYMOUS = 0x01, 0x02, 0x03, 0x08, 0x10, 0x20
MAP_32BIT, MAP_ABOVE4G, MAP_GROWSDOWN, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_LOCKED = 0x40, 0x80, 0x100, 0x800, 0x1000, 0x2000
MAP_NORESERVE, MAP_POPULATE, MAP_NONBLOCK, MAP_STACK, MAP_HUGETLB, MAP_SYNC = 0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000
MAP_FIXED_NOREPLACE, MAP_UNINITIALIZED = 0x10_0000, 0x400_0000
MAP_HUGE_SHIFT, MAP_HUGE_MASK = 26, 63              # log2 of MAP_HUGETLB's page size, 0: 2 MiB
MAP_HUGE_2MB, MAP_HUGE_1GB = 21 << 26, 30 << 26
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT = 1, 2, 4, 1
MS_ASYNC, MS_INVALIDATE, MS_SYNC = 1, 2, 4
MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE = 0, 1, 2, 3, 4, 8
MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE = 9, 10, 11, 14, 15
MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK = 16, 17, 18, 19
MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_DONTNEED_LOCKED, MADV_COLLAPSE = 20, 21, 22, 23, 24, 25
MADV_GUARD_INSTALL, MADV_GUARD_REMOVE = 102, 103
(PAGE_IS_WPALLOWED, PAGE_IS_WRITTEN, PAGE_IS_FILE, PAGE_IS_PRESENT, PAGE_IS_SWAPPED, PAGE_IS_PFNZERO, PAGE_IS_HUGE,
 PAGE_IS_SOFT_DIRTY, PAGE_IS_GUARD) = (1 << k for k in range(9))       # PAGEMAP_SCAN (uapi/linux/fs.h)
PAGE_IS_ANY = (1 << 9) - 1
CLEAR_REFS_ALL, CLEAR_REFS_ANON, CLEAR_REFS_MAPPED, CLEAR_REFS_SOFT_DIRTY, CLEAR_REFS_MM_HIWATER_RSS = 1, 2, 3, 4, 5

UINT_MASK = (1 << 32) - 1       # of an argument of 64 bits, what the kernel takes as an unsigned int

# errno (asm-generic/errno-base.h, errno.h)
(EPERM, EINTR, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, EINVAL, EFBIG, ENOSPC,
 ENOSYS) = 1, 4, 9, 11, 12, 13, 14, 16, 17, 22, 27, 28, 38
EOVERFLOW, EOPNOTSUPP = 75, 95
MOST_ERRNO = 4095

# System calls: rows of the table in linux/syscall.py. By which numbers programs know them is in linux/call_numbers.py.
(SYS_FUTEX, SYS_MMAP, SYS_MUNMAP, SYS_BRK, SYS_MPROTECT, SYS_MLOCK, SYS_MUNLOCK, SYS_MREMAP, SYS_MADVISE, SYS_MINCORE, SYS_MSYNC,
 SYS_FSYNC, SYS_FTRUNCATE, SYS_PREAD, SYS_FORK, SYS_EXIT, SYS_SPAWN, SYS_MLOCK2, SYS_MLOCKALL, SYS_MUNLOCKALL,
 SYS_CLEAR_REFS) = range(21)    # CLEAR_REFS: a write to /proc/PID/clear_refs
SYSTEM_CALLS = 21               # SYS_SPAWN: what a boot loader and execve do together: a process with a program's address space
FUTEX_WAIT, FUTEX_WAKE = 0, 1

# vm_flags of a VMA (include/linux/mm.h). The rights are PROT_*'s bits.
VM_READ, VM_WRITE, VM_EXEC, VM_SHARED = 1, 2, 4, 8
VM_ACCESS = VM_READ | VM_WRITE | VM_EXEC
VM_GROWSDOWN, VM_LOCKED, VM_SEQUENTIAL, VM_RANDOM, VM_DONTCOPY, VM_LOCKONFAULT = 0x100, 0x2000, 0x8000, 0x1_0000, 0x2_0000, 0x8_0000
VM_ACCOUNT, VM_NORESERVE, VM_SPECIAL = 0x10_0000, 0x20_0000, 0x400      # SPECIAL: the kernel's own pages (vdso), VM_PFNMAP there
VM_MAYBE_GUARD, VM_WIPEONFORK, VM_DONTDUMP, VM_HUGEPAGE, VM_NOHUGEPAGE = 0x800, 0x200_0000, 0x400_0000, 0x2000_0000, 0x4000_0000
VM_SYNC = 0x80_0000             # MAP_SYNC of memory that is no file's
VM_HUGETLB = 0x40_0000          # of huge pages of the pool, which has none: no touch succeeds (MAP_HUGETLB with MAP_NORESERVE)
VM_DROPPABLE = 1 << 41          # MAP_DROPPABLE: the kernel may drop its pages when memory is short, whatever they hold; bit 40 there
VM_CLEARED = 0x800_0000         # soft-dirty bits were cleared since it was mapped; VM_SOFTDIRTY there, the other way round
VM_MERGED = VM_MAYBE_GUARD | VM_CLEARED     # no hindrance to a merge: of two that merge either's guards stay, and what either knows as dirty
VM_EXISTED = 1 << 40            # not Linux's: what a trace touches, which was there before its first reference (machine/replay.py)

# Page-table entries of Linux's: with P clear, what is instead; with P set, the zero page
PTE_PROTNONE = 1 << 8           # P clear: the page is there, nobody may touch it (PROT_NONE)
PTE_SWAP = 1 << 9               # P clear: the page is in a swap slot, whose number stands in the frame's place
PTE_EXCLUSIVE = 1 << 10         # with PTE_SWAP: no other process has it
PTE_GUARD = 1 << 6              # P clear, alone: a guard, which no access passes (MADV_GUARD_INSTALL)
PTE_CLEARED = 1 << 11           # not written to since clear_refs cleared its soft-dirty bit, and so read-only; a swap entry's too
PTE_ZERO = 1 << 9               # P set: the zero page; it belongs to nobody and is never written

# Flags of a frame (layout.FRAME)
FRAME_FREE, FRAME_CLEAN = 1, 2  # head of a free block of the buddy allocator; the host's bytes there are zero
FRAME_ANON, FRAME_EXCLUSIVE, FRAME_SWAPBACKED, FRAME_DIRTY = 4, 8, 16, 32   # not SWAPBACKED: lazily freed (MADV_FREE)
FRAME_REFERENCED, FRAME_UPTODATE, FRAME_HEAD, FRAME_TAIL = 64, 128, 256, 512    # HEAD, TAIL: of a huge page
FRAME_TABLE, FRAME_RESERVED, FRAME_MLOCKED, FRAME_CACHED = 1024, 2048, 4096, 8192   # CACHED: in a file's page cache
FRAME_LISTED = 1 << 14          # in a core's list of free frames
FRAME_READAHEAD = 1 << 15       # read into the swap cache before anybody asked; page cache: read-ahead goes on from here
FRAME_WORKINGSET = 1 << 17      # was on an active list
FRAME_LOCKED = 1 << 16          # the kernel is at work on it: reclaim leaves it alone

# LRU lists (include/linux/mmzone.h)
LRU_NONE, LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE, LRU_UNEVICTABLE = range(6)
LRU_LISTS = 6

# Transparent huge pages
THP_NEVER, THP_MADVISE, THP_ALWAYS = range(3)
THP_POLICIES = {"never": THP_NEVER, "madvise": THP_MADVISE, "always": THP_ALWAYS}

KHUGEPAGED_SECONDS, KHUGEPAGED_PAGES = 10, 4096         # scan_sleep_millisecs, pages_to_scan
MAX_PTES_SHARED, MAX_PTES_SWAP = 256, 64        # of khugepaged; max_ptes_none can be set

# Frames
MAX_FRAMES = 1 << 23            # 32 GiB; a numpy record must stay below 2 GiB
MAX_ORDER = 10                  # the largest block of the buddy allocator: 4 MiB
HUGE_ORDER = 9
HUGE_FRAMES = 1 << HUGE_ORDER
PCP_BATCH, PCP_HIGH = 63, 378   # a core's list of free frames: taken at once; above that, given back (mm/page_alloc.c)
RELEASE_ABOVE = 8192            # free frames with contents above which the host gets memory back
RELEASE_ORDER = 6               # ... in blocks of this order and above: 256 KiB
MAX_VMAS = 1 << 19
MAX_MAP_COUNT = 65530           # VMAs of a process (vm.max_map_count)
MAX_RMAPS = 1 << 23
MAX_SLOTS = 1 << 23            # 32 GiB
MAX_FILES = 1 << 17             # files of the disk and shared anonymous mappings
SHMEM_PAGES = 1 << 31           # of one shared anonymous mapping: what a page's number in the page cache can tell (Linux: no limit)
FILE_PAGES = 1 << 24            # of the disk, behind the swap slots: 64 GiB of files
MAX_GROUPS = 64                 # memory groups, the root's among them
GROUP_EVENTS = ("high", "max", "oom", "oom_kill", "oom_group_kill")     # of a group, as memory.events names them
NO_LIMIT_PAGES = 1 << 51        # pages: "max"
CACHE_SLOTS = 1 << 23           # of the page cache's hash table (a power of two)

# A process's layout
LINUX_X86_64, LINUX_I386 = range(2)
LAYOUTS = {"linux-x86_64": LINUX_X86_64, "linux-i386": LINUX_I386}
TASK_END = (0x7FFF_FFFF_F000, 0xC000_0000)      # first address that is not the user's (TASK_SIZE)
STACK_TOP = (0x7FFF_FFFF_F000, 0xC000_0000)
MMAP_GAP = 128 << 20            # least room kept for the stack (arch/x86/mm/mmap.c)
STACK_GUARD = 256 * PAGE        # free room below a growing stack (stack_guard_gap)
STACK_LIMIT = 8 << 20           # RLIMIT_STACK as distributions set it
LOCKED_LIMIT = 8 << 20          # RLIMIT_MEMLOCK (include/uapi/linux/resource.h, MLOCK_LIMIT)
UNLIMITED = (1 << 63) - 1
PROGRAM_START = (0x40_0000, 0x804_8000)         # where a static program is linked to
MMAP_MIN = 16 * PAGE            # vm.mmap_min_addr
FLUSH_CEILING = 33              # pages above which an invalidation flushes the whole TLB (arch/x86/mm/tlb.c)
