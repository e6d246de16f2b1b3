"""Offsets of the runtime's structures, Go 1.21.13 on linux/amd64, and where its variables lie. Tables; data only.

Each structure is a namespace: `load64(m, t, s + mspan.freeindex)` reads the field freeindex of the span at s, and
`mspan.sizeof` is its size. Facts from the DWARF of a Go 1.21.13 binary; tests/goalloc/test_layout.py holds them to it.
`variables` are the runtime's globals, at fixed addresses, as the linker of a static binary would place them.
"""
from types import ModuleType


def struct(name, sizeof, **offsets):
    """A namespace of offsets, which kernels see as constants."""
    space = ModuleType(f"goalloc.layout.{name}")
    vars(space).update(offsets, sizeof=sizeof)
    return space


mspan = struct("mspan", 168, next=0, prev=8, list=16, startAddr=24, npages=32, manualFreeList=40, freeindex=48, nelems=56,
               allocCache=64, allocBits=72, gcmarkBits=80, pinnerBits=88, sweepgen=96, divMul=100, allocCount=104,
               spanclass=106, state=107, needzero=108, isUserArenaChunk=109, allocCountBeforeCache=110, elemsize=112,
               limit=120, speciallock=128, specials=136, userArenaChunkFree=144, freeIndexForScan=160)
mSpanList = struct("mSpanList", 16, first=0, last=8)

mcache = struct("mcache", 1200, nextSample=0, scanAlloc=8, tiny=16, tinyoffset=24, tinyAllocs=32, alloc=40, stackcache=1128,
                flushGen=1192)
stackfreelist = struct("stackfreelist", 16, list=0, size=8)
stackpoolItem = struct("stackpoolItem", 24, mu=0, span=8)
STACKPOOL_STRIDE = 64                   # a stackpoolItem, padded to a line

mcentral = struct("mcentral", 168, spanclass=0, partial=8, full=88)
CENTRAL_STRIDE = 192                    # an mcentral, padded to lines
spanSet = struct("spanSet", 40, spineLock=0, spine=8, spineLen=16, spineCap=24, index=32)
spanSetBlock = struct("spanSetBlock", 4120, lfnode=0, popped=16, spans=24)
lfnode = struct("lfnode", 16, next=0, pushcnt=8)

fixalloc = struct("fixalloc", 72, size=0, first=8, arg=16, list=24, chunk=32, nchunk=40, nalloc=44, inuse=48, stat=56, zero=64)
persistentAlloc = struct("persistentAlloc", 16, base=0, off=8)
linearAlloc = struct("linearAlloc", 32, next=0, mapped=8, end=16, mapMemory=24)

addrRange = struct("addrRange", 16, base=0, limit=8)
addrRanges = struct("addrRanges", 40, ranges=0, totalBytes=24, sysStat=32)
slice_ = struct("slice", 24, array=0, len=8, cap=16)

pageAlloc = struct("pageAlloc", 65848, summary=0, chunks=120, searchAddr=65656, start=65664, end=65672, inUse=65680, scav=65720,
                   mheapLock=65816, sysStat=65824, summaryMappedReady=65832, chunkHugePages=65840, test=65841)
scavengeIndex = struct("scavengeIndex", 80, chunks=0, min=24, max=32, minHeapIdx=40, searchAddrBg=48, searchAddrForce=56,
                       freeHWM=64, gen=72, test=76)
pallocData = struct("pallocData", 128, pallocBits=0, scavenged=64)
pageCache = struct("pageCache", 24, base=0, cache=8, scav=16)

mheap = struct("mheap", 92792, lock=0, pages=8, sweepgen=65856, allspans=65864, pagesInUse=65888, pagesSwept=65896,
               pagesSweptBasis=65904, sweepHeapLiveBasis=65912, sweepPagesPerByte=65920, reclaimIndex=65928, reclaimCredit=65936,
               arenas=65944, arenasHugePages=65952, heapArenaAlloc=65960, arenaHints=65992, arena=66000, allArenas=66032,
               sweepArenas=66056, markArenas=66080, curArena=66104, central=66120, spanalloc=92232, cachealloc=92304,
               specialfinalizeralloc=92376, specialprofilealloc=92448, specialReachableAlloc=92520, specialPinCounterAlloc=92592,
               speciallock=92664, arenaHintAlloc=92672, userArena=92744, unused=92784)
heapArena = struct("heapArena", 1133584, bitmap=0, noMorePtrs=1048576, spans=1064960, pageInUse=1130496, pageMarks=1131520,
                   pageSpecials=1132544, checkmarks=1133568, zeroedBase=1133576)
arenaHint = struct("arenaHint", 24, addr=0, down=8, next=16)
gcBitsArena = struct("gcBitsArena", 65536, free=0, next=8, bits=16)
gcBitsArenas = struct("gcBitsArenas", 40, lock=0, free=8, next=16, current=24, previous=32)

mstats = struct("mstats", 9040, heapStats=0, stacks_sys=3544, mspan_sys=3552, mcache_sys=3560, buckhash_sys=3568, gcMiscSys=3576,
                other_sys=3584)
consistentHeapStats = struct("consistentHeapStats", 3544, stats=0, gen=3528, noPLock=3536)
heapStatsDelta = struct("heapStatsDelta", 1176, committed=0, released=8, inHeap=16, inStacks=24, inWorkBufs=32, inPtrScalarBits=40,
                        tinyAllocCount=48, largeAlloc=56, largeAllocCount=64, smallAllocCount=72, largeFree=616,
                        largeFreeCount=624, smallFreeCount=632)
gcControllerState = struct("gcControllerState", 392, gcPercent=0, memoryLimit=8, heapMinimum=16, gcPercentHeapGoal=72,
                           sweepDistMinTrigger=80, triggered=88, heapLive=104, heapScan=112, heapMarked=152, heapInUse=272,
                           heapReleased=280, heapFree=288, totalAlloc=296, totalFree=304, mappedReady=312)

g_ = struct("g", 408, stack=0, stackguard0=16, m=48, sched=56, param=136, atomicstatus=144, goid=152, schedlink=160, waitsince=168,
            waitreason=176, trackingSeq=188, waiting=312, timer=352, selectDone=360,
            gcAssistBytes=400)
gobuf = struct("gobuf", 56, sp=0, pc=8, g=16, ctxt=24, ret=32, lr=40, bp=48)
m_ = struct("m", 1008, g0=0, procid=72, curg=192, p=208, id=232, mallocing=240, locks=264, spinning=276, fastrand=288, park=328)
p_ = struct("p", 8912, id=0, status=4, link=8, schedtick=16, m=56, mcache=64, pcache=72, goidcache=384, goidcacheend=392,
            runqhead=400, runqtail=404, runq=408, runnext=2456, gFree=2464, sudogcache=2480, sudogbuf=2504, mspancache=3528,
            palloc=4600, wbBuf=4712, runSafePointFn=8824, statsSeq=8828, timers=8840, numTimers=8864)
schedt = struct("schedt", 1632, goidgen=0, lock=24, pidle=80, npidle=88, nmspinning=92, runq=104, runqsize=120, gFree=160, sudoglock=192,
                sudogcache=200)
sudog = struct("sudog", 88, g=0, next=8, prev=16, elem=24, acquiretime=32, releasetime=40, ticket=48, isSelect=52, success=53, parent=56, waitlink=64, waittail=72,
               c=80)
hchan = struct("hchan", 96, qcount=0, dataqsiz=8, buf=16, elemsize=24, closed=28, elemtype=32, sendx=40, recvx=48, recvq=56, sendq=72,
               lock=88)
scase = struct("scase", 16, c=0, elem=8)
waitq = struct("waitq", 16, first=0, last=8)
timer = struct("timer", 72, pp=0, when=8, period=16, f=24, arg=32, seq=48, nextwhen=56, status=64)
semaRoot = struct("semaRoot", 24, lock=0, treap=8, nwait=16)
debug = struct("debug", 120, madvdontneed=0)        # what GODEBUG sets; of Go's, only what is asked for here
hmap = struct("hmap", 48, count=0, flags=8, B=9, noverflow=10, hash0=12, buckets=16, oldbuckets=24, nevacuate=32, extra=40)
mapextra = struct("mapextra", 24, overflow=0, oldoverflow=8, nextOverflow=16)
type_ = struct("_type", 48, Size_=0, PtrBytes=8, Hash=16, TFlag=20, Align_=21, FieldAlign_=22, Kind_=23, Equal=24, GCData=32,
               Str=40, PtrToThis=44)

STRUCTS = {"mspan": mspan, "mSpanList": mSpanList, "mcache": mcache, "stackfreelist": stackfreelist, "stackpoolItem": stackpoolItem,
           "mcentral": mcentral, "spanSet": spanSet, "spanSetBlock": spanSetBlock, "lfnode": lfnode, "fixalloc": fixalloc,
           "persistentAlloc": persistentAlloc, "linearAlloc": linearAlloc, "addrRange": addrRange, "addrRanges": addrRanges,
           "slice": slice_, "pageAlloc": pageAlloc, "scavengeIndex": scavengeIndex, "pallocData": pallocData,
           "pageCache": pageCache, "mheap": mheap, "heapArena": heapArena, "arenaHint": arenaHint, "gcBitsArena": gcBitsArena,
           "mstats": mstats, "consistentHeapStats": consistentHeapStats, "heapStatsDelta": heapStatsDelta,
           "gcControllerState": gcControllerState, "g": g_, "gobuf": gobuf, "m": m_, "p": p_, "schedt": schedt, "sudog": sudog,
           "hchan": hchan, "timer": timer, "hmap": hmap,
           "mapextra": mapextra}       # those that DWARF has

# The runtime's variables: (name, bytes), in the order in which they lie. Read-only tables first, on pages of their own.
RODATA = 0x4B_0000
RODATA_SYMBOLS = (("class_to_size", 136), ("class_to_allocnpages", 68), ("class_to_divmagic", 272), ("size_to_class8", 129),
                  ("size_to_class128", 249))
DATA = 0x54_0000
DATA_SYMBOLS = (("mheap_", 92792), ("memstats", 9040), ("gcController", 392), ("emptymspan", 168), ("zerobase", 8),
                ("gcBitsArenas", 40), ("spanSetBlockPool", 8), ("globalAlloc", 24), ("persistentChunks", 8), ("stackpool", 256),
                ("stackLarge", 568), ("startingStackSize", 4), ("allp", 24), ("gomaxprocs", 4), ("gcphase", 4),
                ("gcBlackenEnabled", 4), ("writeBarrier", 16), ("sweep", 40), ("work", 576), ("sched", 1632), ("m0", 1008),
                ("g0", 408), ("mcache0", 8), ("MemProfileRate", 8), ("debug", 120), ("staticuint64s", 2048),
                ("semtable", 16064), ("typelinks", 64), ("allgs", 24), ("allglen", 8), ("allglock", 8))
TYPES = 0x60_0000                       # type descriptors and pointer masks that programs define
GLOBALS = 0x80_0000                     # the program's own global variables


def place(start, symbols):
    """Addresses of symbols that follow one another, each on a multiple of 64 bytes so that none shares a line by chance."""
    addresses = {}
    for name, size in symbols:
        addresses[name] = start
        start += -(-size // 64) * 64
    return addresses, start


_rodata, RODATA_END = place(RODATA, RODATA_SYMBOLS)
_data, DATA_END = place(DATA, DATA_SYMBOLS)
variables = struct("variables", DATA_END - DATA, **_rodata, **_data)
SYMBOLS = [(name, vars(variables)[name], size) for name, size in RODATA_SYMBOLS + DATA_SYMBOLS]
