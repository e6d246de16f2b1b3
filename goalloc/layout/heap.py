"""The heap's structures: spans, the caches of them, arenas and their metadata. Go: mheap.go, mcache.go, mcentral.go,
mspanset.go, mbitmap.go, arena.go."""
from goalloc.layout.rules import named, struct
from goalloc.layout import pages                        # noqa: F401  (declares what is used here)
from goalloc.params import cacheLineSize

named("uint8", "spanClass")
named("uintptr", "gclinkptr")
named("atomic.Uint8", "mSpanStateBox")

mspan = struct("mspan", """
    _ NotInHeap; next, prev *mspan; list *mSpanList
    startAddr, npages uintptr; manualFreeList gclinkptr; freeindex, nelems uintptr
    allocCache uint64; allocBits, gcmarkBits, pinnerBits *gcBits
    sweepgen, divMul uint32; allocCount uint16; spanclass spanClass; state mSpanStateBox; needzero uint8
    isUserArenaChunk bool; allocCountBeforeCache uint16; elemsize, limit uintptr
    speciallock mutex; specials *special; userArenaChunkFree addrRange; freeIndexForScan uintptr""")
mSpanList = struct("mSpanList", "_ NotInHeap; first, last *mspan")

stackfreelist = struct("stackfreelist", "list gclinkptr; size uintptr")
stackpoolItem = struct("stackpoolItem", "_ NotInHeap; mu mutex; span mSpanList")
STACKPOOL_STRIDE = -(-stackpoolItem.sizeof // cacheLineSize) * cacheLineSize            # each on lines of its own
struct("stackpool", f"_ [{STACKPOOL_STRIDE}]byte")
struct("stackLarge", "lock mutex; free [largeStackLists]mSpanList")

mcache = struct("mcache", """
    _ NotInHeap; nextSample, scanAlloc, tiny, tinyoffset, tinyAllocs uintptr
    alloc [numSpanClasses]*mspan; stackcache [numStackOrders]stackfreelist; flushGen atomic.Uint32""")

atomicSpanSetSpinePointer = struct("atomicSpanSetSpinePointer", "a atomic.UnsafePointer")
named("atomic.Uint64", "atomicHeadTailIndex")
spanSet = struct("spanSet", """
    spineLock mutex; spine atomicSpanSetSpinePointer; spineLen atomic.Uintptr; spineCap uintptr; index atomicHeadTailIndex""")
named("atomic.UnsafePointer", "atomicMSpanPointer")
spanSetBlock = struct("spanSetBlock", "lfnode; popped atomic.Uint32; spans [spanSetBlockEntries]atomicMSpanPointer")
spanSetBlockAlloc = struct("spanSetBlockAlloc", "stack lfstack")
mcentral = struct("mcentral", "_ NotInHeap; spanclass spanClass; partial, full [2]spanSet")
CENTRAL_STRIDE = -(-mcentral.sizeof // cacheLineSize) * cacheLineSize                   # each on lines of its own
struct("mheap.central", f"mcentral; pad [{CENTRAL_STRIDE - mcentral.sizeof}]byte")

gcBits = struct("gcBits", "_ NotInHeap; x uint8")
gcBitsArena = struct("gcBitsArena", "_ NotInHeap; free uintptr; next *gcBitsArena; bits [gcBitsArenaBytes]gcBits")
gcBitsArenas = struct("gcBitsArenas", "lock mutex; free, next, current, previous *gcBitsArena")
pinnerBits = struct("pinnerBits", "_ NotInHeap; x uint8")
markBits = struct("markBits", "bytep *uint8; mask uint8; index uintptr")
heapBits = struct("heapBits", "addr, size, mask, valid uintptr")
writeHeapBits = struct("writeHeapBits", "addr, mask, valid, low uintptr")

heapArena = struct("heapArena", """
    _ NotInHeap; bitmap [heapArenaBitmapWords]uintptr; noMorePtrs [heapArenaNoMoreBytes]uint8
    spans [pagesPerArena]*mspan; pageInUse, pageMarks, pageSpecials [pageBitsBytes]uint8
    checkmarks *checkmarksMap; zeroedBase uintptr""")
arenaHint = struct("arenaHint", "_ NotInHeap; addr uintptr; down bool; next *arenaHint")

struct("mheap.curArena", "base, end uintptr")
struct("mheap.userArena", "arenaHints *arenaHint; quarantineList, readyList mSpanList")
mheap = struct("mheap", """
    _ NotInHeap; lock mutex; pages pageAlloc; sweepgen uint32; allspans []*mspan
    pagesInUse atomic.Uintptr; pagesSwept, pagesSweptBasis atomic.Uint64; sweepHeapLiveBasis uint64; sweepPagesPerByte float64
    reclaimIndex atomic.Uint64; reclaimCredit atomic.Uintptr
    arenas [arenaL1Entries]*[arenaL2Entries]*heapArena; arenasHugePages bool; heapArenaAlloc linearAlloc
    arenaHints *arenaHint; arena linearAlloc; allArenas, sweepArenas, markArenas []arenaIdx; curArena mheap.curArena
    central [numSpanClasses]mheap.central; spanalloc, cachealloc, specialfinalizeralloc, specialprofilealloc fixalloc
    specialReachableAlloc, specialPinCounterAlloc fixalloc; speciallock mutex; arenaHintAlloc fixalloc
    userArena mheap.userArena; unused *specialfinalizer""")
userArenaState = struct("userArenaState", "lock mutex; reuse, fault []liveUserArenaChunk")
userArena = struct("userArena", "fullList, active *mspan; refs []unsafe.Pointer; defunct atomic.Bool")
liveUserArenaChunk = struct("liveUserArenaChunk", "mspan *mspan; x unsafe.Pointer")
