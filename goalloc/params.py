"""Constants of Go 1.21 on linux/amd64, in Go's spelling; the door numbers and other numbers that are this project's own.

Sources: malloc.go, mheap.go, mpagealloc.go, mpagealloc_64bit.go, mpagecache.go, mspanset.go, mgcscavenge.go, stack.go.
"""
from hwmem.params import door

# Pages, arenas (malloc.go)
pageShift = 13
pageSize = 1 << pageShift               # a "go page"
physPageSize = 4096
physHugePageSize = 2 << 20
maxTinySize, tinySpanClass = 16, 5
maxSmallSize = 32768
smallSizeMax, smallSizeDiv, largeSizeDiv = 1024, 8, 128
size_to_class8Entries, size_to_class128Entries = smallSizeMax // smallSizeDiv + 1, (maxSmallSize - smallSizeMax) // largeSizeDiv + 1
numSizeClasses, numSpanClasses = 68, 136
heapAddrBits = 48
arenaBaseOffset = -(1 << 47)            # 0xffff800000000000: addresses less this are a linear 48-bit space
logHeapArenaBytes = 26
heapArenaBytes = 1 << logHeapArenaBytes
pagesPerArena = heapArenaBytes // pageSize
heapArenaWords = heapArenaBytes // 8
heapArenaBitmapWords = heapArenaWords // 64
heapArenaNoMoreBytes, pageBitsBytes = heapArenaBitmapWords // 8, pagesPerArena // 8
arenaL1Bits = 0
arenaL2Bits = heapAddrBits - logHeapArenaBytes - arenaL1Bits
arenaL1Entries, arenaL2Entries = 1 << arenaL1Bits, 1 << arenaL2Bits             # of the arena map
maxAlloc = 1 << heapAddrBits
persistentChunkSize = 256 << 10
maxPersistentBlock = 64 << 10
FixAllocChunk = 16 << 10

# Page allocator (mpagealloc.go)
logPallocChunkPages = 9
pallocChunkPages = 1 << logPallocChunkPages
logPallocChunkBytes = logPallocChunkPages + pageShift
pallocChunkBytes = 1 << logPallocChunkBytes
pallocChunksL1Bits, pallocChunksL2Bits = 13, 13
pallocChunksL1Entries, pallocChunksL2Entries = 1 << pallocChunksL1Bits, 1 << pallocChunksL2Bits
summaryLevels = 5
levelBits = (14, 3, 3, 3, 3)
levelShift = (34, 31, 28, 25, 22)       # of the linear address
levelLogPages = (21, 18, 15, 12, 9)
logMaxPackedValue = 21
maxPackedValue = 1 << logMaxPackedValue
freeChunkSum = pallocChunkPages * (1 | 1 << logMaxPackedValue | 1 << 2 * logMaxPackedValue)
minOffAddr = arenaBaseOffset
maxOffAddr = (1 << 47) - 1              # also the search address of a page allocator that is exhausted
pageCachePages = 64
pagesPerHugePage = physHugePageSize // pageSize

# Scavenge index (mgcscavenge.go)
scavChunkHiOccPages = 496               # 96.875 % of a chunk
scavChunkHasFree, scavChunkNoHugePage = 1, 2
logScavChunkInUseMax = 10
scavChunkInUseMask = (1 << logScavChunkInUseMax) - 1
scavChunkFlagsMask = 63

# Spans (mheap.go, mspanset.go)
mSpanDead, mSpanInUse, mSpanManual = 0, 1, 2
spanAllocHeap, spanAllocStack, spanAllocWorkBuf = 0, 1, 3
spanSetBlockEntries, spanSetInitSpineCap = 512, 256
gcBitsChunkBytes, gcBitsHeaderBytes = 64 << 10, 16
mspanCacheEntries = 128
cacheLineSize = 64
gcBitsArenaBytes = gcBitsChunkBytes - gcBitsHeaderBytes
largeStackLists = heapAddrBits - pageShift

# Stacks (stack.go)
fixedStack, numStackOrders, stackCacheSize = 2048, 4, 32 << 10

# Goroutines and Ps (runtime2.go)
Gidle, Grunnable, Grunning, Gsyscall, Gwaiting, Gdead = 0, 1, 2, 3, 4, 6
Pidle, Prunning = 0, 1
waitReasonChanReceiveNilChan, waitReasonChanSendNilChan, waitReasonSelect, waitReasonSelectNoCases = 3, 4, 9, 10
waitReasonChanReceive, waitReasonChanSend, waitReasonSemacquire, waitReasonSleep, waitReasonSyncMutexLock = 14, 15, 18, 19, 21

maxInt64 = (1 << 63) - 1
UNIX_NS = 1_691_452_800 * 10 ** 9          # Unix time at which every machine's clocks begin: 8 August 2023, Go 1.21.0
FORCE_PERIOD_NS = 120 * 10 ** 9         # a collection is forced after as long without one (proc.go forcegcperiod)

# Doors of the runtime: number, the file that has the kernel (hwmem/params.py). Those below 32 are the machine's.
DOOR_PERSISTENTALLOC = door(32, "goalloc.base.malloc_persistent")
DOOR_PAGES = door(33, "goalloc.pages.mpagealloc")
DOOR_ALLOC_SPAN = door(34, "goalloc.heap.mheap")
DOOR_NEXT_FREE = door(35, "goalloc.heap.mcache")
DOOR_ALLOC_LARGE = door(36, "goalloc.heap.mcache")
DOOR_HEAP_BITS = door(37, "goalloc.heap.mbitmap")
DOOR_MEMORY_BLOCK = door(38, "goalloc.base.memclr")
DOOR_STACK = door(39, "goalloc.heap.stack")
DOOR_PROC = door(40, "goalloc.sched.proc")
DOOR_RUNTIME = door(41, "goalloc.heap.malloc_init")
DOOR_MAP = door(42, "goalloc.values.map")
DOOR_CHAN = door(43, "goalloc.sched.chan")
DOOR_SYNC = door(44, "goalloc.sched.sync")
DOOR_PROFILE = door(45, "goalloc.prof.malloc_profile")
DOOR_ARENA = door(46, "goalloc.values.arena")
DOOR_SELECT = door(47, "goalloc.sched.select")
DOOR_GC = door(48, "goalloc.gc.door")
DOOR_CYCLE = door(49, "goalloc.gc.door")
DOOR_MARK = door(50, "goalloc.gc.door")
DOOR_SWEEP = door(51, "goalloc.gc.door")
DOOR_FINALIZER = door(52, "goalloc.gc.door")
DOOR_BARRIER = door(53, "goalloc.gc.door")

# Doors of the other allocators (baselines)
DOOR_BUMP = door(56, "goalloc.baselines.bump")
DOOR_FREELIST = door(57, "goalloc.baselines.freelist")
DOOR_BUDDY = door(58, "goalloc.baselines.buddy")
DOOR_GLIBC = door(59, "goalloc.baselines.glibc", 2)
DOOR_TCMALLOC = door(60, "goalloc.baselines.tcmalloc", 6)
DOOR_JEMALLOC = door(61, "goalloc.baselines.jemalloc", 7)

# Doors of the other collectors (collectors/), each with the operations of collectors/model.py
DOOR_MARK_SWEEP = door(80, "goalloc.collectors.mark_sweep")
DOOR_LISP2 = door(81, "goalloc.collectors.lisp2")
DOOR_THREADED = door(82, "goalloc.collectors.threaded")
DOOR_SEMISPACE = door(83, "goalloc.collectors.semispace")
DOOR_COUNTS = door(84, "goalloc.collectors.counts")
DOOR_GENERATIONAL = door(85, "goalloc.collectors.generational")
DOOR_SHADING = door(86, "goalloc.collectors.shading")
DOOR_GO = door(87, "goalloc.collectors.go")

# Operations of DOOR_CYCLE (gc/door.py): runtime.GC(), or no further than marking's end; what happens before a step of a program, for Python
# and for a thread; a step of a goroutine of the collector's; the assist ratio anew; FreeOSMemory's second half; the end of marking is waited for;
# the sweeper and the scavenger are made
GC_CALL, TURN, TURN_OF_THREAD, RUN_SYSTEM, REVISE, SCAVENGE_ALL, WAIT_MARK, GC_ENABLE = range(8)

# What a thread keeps in registers between calls (m.thread[t].guest)
# the current g (R14 of Go's ABI); a call's second result; arguments beyond three; where in its program it is, for profiles;
# the finalizer that is to be called, its object in SECOND
G, SECOND, SIZE, SITE, CALLBACK = range(5)
CPU = 5                                 # of another allocator: the core whose cache the thread knows, plus one
HELD = 6                                # an object that only a call of the runtime's knows, while it allocates others
DRAINS = 8                              # of a thread that runs a mark worker: the cycle up to which it has looked for work, else 0 (gc/mgcwork.py)
LOOK_AT, LAST_LOOK = 7, 9               # when it looks again whether its goroutine has to leave the P, a cycle, and has looked, ns (gc/retake.py)

# What a process counts without emulated memory (m.process[p].guest); then whether main returned, and cycles in a millisecond
LOCKS, LOCK_WAITS, LOCK_WAIT_CYCLES, MALLOCS, MALLOC_CYCLES, SYS_CALLS, EXITED, MILLISECOND = range(8)
# the end of the program's globals; the write barrier of this run; what the collector is about, 0 before the first cycle: bits;
# whether an allocation has taken a new span; the cycle at which a collection is due, 0 for none
GLOBALS_END, BARRIER, COLLECTOR, HELP, FORCE_AT = range(8, 13)
WAKE_AT = 23                            # if READY: the cycle at which sysmon wakes the scavenger, 0: nobody has asked it to
GLOBALS_MASK, GLOBALS_MASKED = 20, 21   # the address of its globals' pointer masks, data's and bss's; how many bytes they are for
LIMITER_NS = 16                         # the CPU limiter's bucket for each P, 0 for the runtime's own second
# of a process with another allocator (baselines): its door, where its data lies, its policy
ALLOCATOR, DATA, POLICY = range(13, 16)
# may begin by itself; marks; may have spans to sweep; has goroutines that may have something to do; has been made ready;
# there is no sysmon: nobody is preempted after 10 ms, and the scavenger sleeps; mallocgc has no publication barrier
ENABLED, MARKING, SWEEPING, SYSTEM, READY, ALONE, UNPUBLISHED = (1 << bit for bit in range(7))
BEGINS = 1 << 7                         # main has not begun: no collection by itself yet, whatever the memory limit
# settings of a run: work.full and work.empty lie on one line, as before Go 1.21; memory goes back every few minutes, as before Go 1.13
TOGETHER, PERIODIC = 1 << 9, 1 << 10
# the collector's log (host address, rows so far); the heap's size when the cycle was triggered; objects marked, spans swept, finalizers run so far
LOG, LOG_ROWS, TRIGGERED, OBJECTS_MARKED, SPANS_SWEPT, FINALIZED, TURNS = range(24, 31)     # TURNS: rows of the log of turns so far
# ... and a process with one of collectors/, of which one is Go's: the address of its heap's variables; the collector's door; which stores need it, and its variant; the log
# of pauses (host address, rows); objects and bytes allocated, objects freed, marked or copied, collections; objects that are not young; cycles
# that were the collector's; stores that went through its door
HEAP, HEAP_DOOR, HEAP_BARRIERS, PAUSES, PAUSE_ROWS, OBJECTS, BYTES, FREED, TRACED, COLLECTIONS, NOT_YOUNG = range(32, 43)
COLLECTOR_CYCLES, BARRIERS = 43, 44
MOST_LIVE = 45           # bytes that a whole collection has left, at most

# What a thread of such a process keeps in registers: its shadow stack's lower end, its top, and how far it may grow
STACK_BASE, STACK_TOP, STACK_END = 8, 9, 10
