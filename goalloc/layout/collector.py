"""What the collector, the pacer, the profiles and the statistics keep. Go: mgc.go, mgcwork.go, mwbbuf.go, mgcpacer.go,
mgclimit.go, mgcsweep.go, mgcstack.go, mfinal.go, pinner.go, mprof.go, mstats.go."""
from goalloc.layout.rules import named, struct
from goalloc.layout import heap                         # noqa: F401  (declares what is used here)

named("uint32", "sweepClass")
named("int", "gcMode bucketType")

# Work
workbufhdr = struct("workbufhdr", "node lfnode; nobj int")
workbuf = struct("workbuf", "_ NotInHeap; workbufhdr; obj [workbufObjects]uintptr")
gcWork = struct("gcWork", "wbuf1, wbuf2 *workbuf; bytesMarked uint64; heapScanWork int64; flushedWork bool")
wbBuf = struct("wbBuf", "next, end uintptr; buf [wbBufEntries]uintptr")
activeSweep = struct("activeSweep", "state atomic.Uint32")
sweepdata = struct("sweepdata", """
    lock mutex; g *g; parked bool; nbgsweep, npausesweep uint32; active activeSweep; centralIndex sweepClass""")
gcBgMarkWorkerNode = struct("gcBgMarkWorkerNode", "node lfnode; gp guintptr; m muintptr")
struct("gQueue", "head, tail guintptr")
struct("gList", "head guintptr")
struct("work.wbufSpans", "lock mutex; free, busy mSpanList")
struct("work.assistQueue", "lock mutex; q gQueue")
struct("work.sweepWaiters", "lock mutex; list gList")
cpuStats = struct("cpuStats", """
    gcAssistTime, gcDedicatedTime, gcIdleTime, gcPauseTime, gcTotalTime int64
    scavengeAssistTime, scavengeBgTime, scavengeTotalTime, idleTime, userTime, totalTime int64""")
workType = struct("workType", """
    full lfstack; _ CacheLinePad; empty lfstack; _ CacheLinePad; wbufSpans work.wbufSpans; _ uint32
    bytesMarked uint64; markrootNext, markrootJobs, nproc uint32; tstart int64; nwait uint32
    nDataRoots, nBSSRoots, nSpanRoots, nStackRoots int; baseData, baseBSS, baseSpans, baseStacks, baseEnd uint32
    stackRoots []*g; startSema, markDoneSema uint32; bgMarkReady note; bgMarkDone uint32; mode gcMode; userForced bool
    initialHeapLive uint64; assistQueue work.assistQueue; sweepWaiters work.sweepWaiters; cycles atomic.Uint32
    stwprocs, maxprocs int32; tSweepTerm, tMark, tMarkTerm, tEnd, pauseNS, pauseStart int64
    heap0, heap1, heap2 uint64; cpuStats""")

# Scanning a stack
stack = struct("stack", "lo, hi uintptr")
stackObject = struct("stackObject", "_ NotInHeap; off, size uint32; r *stackObjectRecord; left, right *stackObject")
struct("stackWorkBufHdr", "_ NotInHeap; workbufhdr; next *stackWorkBuf")
stackWorkBuf = struct("stackWorkBuf", "_ NotInHeap; stackWorkBufHdr; obj [stackWorkBufObjects]uintptr")
struct("pcvalueCacheEnt", "targetpc uintptr; off uint32; val int32")
struct("pcvalueCache", "entries [2][8]pcvalueCacheEnt")
stackScanState = struct("stackScanState", """
    cache pcvalueCache; stack stack; conservative bool; buf, freeBuf, cbuf *stackWorkBuf
    head, tail *stackObjectBuf; nobjs int; root *stackObject""")

# The pacer, the CPU limiter, the scavenger
gcControllerState = struct("gcControllerState", """
    gcPercent atomic.Int32; memoryLimit atomic.Int64; heapMinimum uint64; runway atomic.Uint64
    consMark float64; lastConsMark [4]float64; gcPercentHeapGoal, sweepDistMinTrigger atomic.Uint64
    triggered, lastHeapGoal uint64; heapLive, heapScan atomic.Uint64; lastHeapScan uint64
    lastStackScan, maxStackScan, globalsScan atomic.Uint64; heapMarked uint64
    heapScanWork, stackScanWork, globalsScanWork, bgScanCredit, assistTime atomic.Int64
    dedicatedMarkTime, fractionalMarkTime, idleMarkTime atomic.Int64; markStartTime int64
    dedicatedMarkWorkersNeeded atomic.Int64; idleMarkWorkers atomic.Uint64
    assistWorkPerByte, assistBytesPerWork atomic.Float64; fractionalUtilizationGoal float64
    heapInUse, heapReleased, heapFree sysMemStat; totalAlloc, totalFree, mappedReady atomic.Uint64; test bool; _ CacheLinePad""")
struct("gcCPULimiter.bucket", "fill, capacity uint64")
gcCPULimiterState = struct("gcCPULimiterState", """
    lock atomic.Uint32; enabled atomic.Bool; bucket gcCPULimiter.bucket; overflow uint64; gcEnabled, transitioning bool
    assistTimePool, idleMarkTimePool, idleTimePool, lastUpdate atomic.Int64; lastEnabledCycle atomic.Uint32
    nprocs int32; test bool""")
piController = struct("piController", "kp, ti, tt, min, max, errIntegral float64; errOverflow, inputOverflow bool")
scavengerState = struct("scavengerState", """
    lock mutex; g *g; parked bool; timer *timer; sysmonWake atomic.Uint32; targetCPUFraction, sleepRatio float64
    sleepController piController; controllerCooldown int64; printControllerReset bool
    sleepStub, scavenge, shouldStop, gomaxprocs func""")
scavenge = struct("scavenge", "gcPercentGoal, memoryLimitGoal atomic.Uint64; assistTime, backgroundTime atomic.Int64")

# Specials: what is noted about single objects
special = struct("special", "_ NotInHeap; next *special; offset uint16; kind byte")
specialfinalizer = struct("specialfinalizer", "_ NotInHeap; special; fn *funcval; nret uintptr; fint *_type; ot *ptrtype")
specialprofile = struct("specialprofile", "_ NotInHeap; special; b *bucket")
specialReachable = struct("specialReachable", "special; done, reachable bool")
specialPinCounter = struct("specialPinCounter", "special; counter uintptr")
finalizer = struct("finalizer", "fn *funcval; arg unsafe.Pointer; nret uintptr; fint *_type; ot *ptrtype")
finblock = struct("finblock", "_ NotInHeap; alllink, next *finblock; cnt uint32; _ int32; fin [finblockEntries]finalizer")
pinner = struct("pinner", "refs []unsafe.Pointer; refStore [pinnerRefStoreSize]unsafe.Pointer")

# The heap's profile
bucket = struct("bucket", "_ NotInHeap; next, allnext *bucket; typ bucketType; hash, size, nstk uintptr")
memRecordCycle = struct("memRecordCycle", "allocs, frees, alloc_bytes, free_bytes uintptr")
memRecord = struct("memRecord", "active memRecordCycle; future [3]memRecordCycle")

# Statistics
heapStatsDelta = struct("heapStatsDelta", """
    committed, released, inHeap, inStacks, inWorkBufs, inPtrScalarBits int64
    tinyAllocCount, largeAlloc, largeAllocCount uint64; smallAllocCount [numSizeClasses]uint64
    largeFree, largeFreeCount uint64; smallFreeCount [numSizeClasses]uint64""")
consistentHeapStats = struct("consistentHeapStats", "stats [3]heapStatsDelta; gen atomic.Uint32; noPLock mutex")
struct("timeHistogram", "counts [timeHistCounts]atomic.Uint64; underflow, overflow atomic.Uint64")
mstats = struct("mstats", """
    heapStats consistentHeapStats; stacks_sys, mspan_sys, mcache_sys, buckhash_sys, gcMiscSys, other_sys sysMemStat
    last_gc_unix, pause_total_ns uint64; pause_ns, pause_end [256]uint64; numgc, numforcedgc uint32
    gc_cpu_fraction float64; last_gc_nanotime, lastHeapInUse uint64; enablegc bool; gcPauseDist timeHistogram""")
