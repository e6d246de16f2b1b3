"""The runtime's other constants, Go 1.21 on linux/amd64, in Go's spelling without the leading underscore: collector, pacer,
profiles, stacks, scheduler, maps, channels, and the lengths of the arrays in its structures.

params.py has what an allocation needs. What Go computes from others is computed here. tests/goalloc/test_layout.py compares
every one that the recorded list has, and says which of that list are left out and why.
"""
from goalloc.params import (arenaL2Bits, heapAddrBits, heapArenaBytes, maxInt64, numSpanClasses, pageSize,
                            pallocChunkPages, pallocChunksL2Bits, physPageSize, tinySpanClass)

# Sizes and addresses (malloc.go, mgcscavenge.go, mpagealloc.go, tagptr_64bit.go)
ptrBits, maxUint64 = 64, (1 << 64) - 1
PageMask, TinySizeClass = pageSize - 1, tinySpanClass >> 1
tinySizeClass = TinySizeClass
arenaBits, arenaL1Shift = arenaL2Bits, arenaL2Bits
pallocChunksL1Shift, pallocSumBytes = pallocChunksL2Bits, 8
summaryL0Bits, summaryLevelBits = 14, 3
minPhysPageSize, maxPhysPageSize, maxPhysHugePageSize = physPageSize, 512 << 10, pallocChunkPages * pageSize
maxPagesPerPhysPage = maxPhysPageSize // pageSize
minLegalPointer = 4096
minHeapForMetadataHugePages = 1 << 30
physPageAlignedStacks = False           # only on OpenBSD
tagBits = taggedPointerBits = 64 - heapAddrBits + 3
addrBits, minTagBits = heapAddrBits, 10
maxObjsPerSpan = pageSize // 8          # of the smallest class
spanAllocPtrScalarBits = 2
madviseUnsupported = 0
maxAlign = 8                            # of an object in the heap that is not asked for otherwise (atomic's)

# User arenas (arena.go)
userArenaChunkBytesMax = 8 << 20
userArenaChunkBytes = min(userArenaChunkBytesMax, heapArenaBytes)
userArenaChunkPages = userArenaChunkBytes // pageSize
userArenaChunkMaxAllocBytes = userArenaChunkBytes // 4

# Collection (mgc.go, mgcwork.go, mgcmark.go, mgcsweep.go, mwbbuf.go)
GCoff, GCmark, GCmarktermination = range(3)
ConcurrentSweep = concurrentSweep = True
gcBackgroundMode, gcForceMode, gcForceBlockMode = range(3)
gcTriggerHeap, gcTriggerTime, gcTriggerCycle = range(3)
gcMarkWorkerNotWorker, gcMarkWorkerDedicatedMode, gcMarkWorkerFractionalMode, gcMarkWorkerIdleMode = range(4)
gcDrainUntilPreempt, gcDrainFlushBgCredit, gcDrainIdle, gcDrainFractional = (1 << k for k in range(4))
WorkbufSize, workbufAlloc = 2048, 32 << 10
workbufObjects, stackWorkBufObjects = (WorkbufSize - 24) // 8, (WorkbufSize - 32) // 8           # less their headers
wbBufEntries, wbMaxEntriesPerCall = 512, 8
fixedRootFinalizers, fixedRootFreeGStacks, fixedRootCount = range(3)
rootBlockBytes, maxObletBytes, drainCheckThreshold = 256 << 10, 128 << 10, 100_000
pagesPerSpanRoot = pagesPerReclaimerChunk = 512
gcCreditSlack, gcAssistTimeSlack, gcOverAssistWork = 2000, 5000, 64 << 10
numSweepClasses, sweepClassDone, sweepDrainedMask = 2 * numSpanClasses, (1 << 32) - 1, 1 << 31
sweepMinHeapDistance = 1 << 20
freeMStack, freeMRef, freeMWait = range(3)
clobberdeadPtr = 0xDEADDEADDEADDEAD

# The pacer, the CPU limiter, the scavenger (mgcpacer.go, mgclimit.go, mgcscavenge.go)
defaultHeapMinimum = 4 << 20
gcBackgroundUtilization = gcGoalUtilization = 0.25
minTriggerRatioNum, maxTriggerRatioNum, triggerRatioDen = 45, 61, 64                             # 0.7 and 0.95
memoryLimitHeapGoalHeadroomPercent, memoryLimitMinHeapGoalHeadroom = 3, 1 << 20
capacityPerProc, gcCPULimiterUpdatePeriod = 1e9, 10e6                                            # ns
limiterEventNone, limiterEventIdleMarkWork, limiterEventMarkAssist, limiterEventScavengeAssist, limiterEventIdle = range(5)
limiterEventBits, limiterEventStampNone = 3, 0
limiterEventTypeMask = ((1 << limiterEventBits) - 1) << 64 - limiterEventBits
scavengePercent, retainExtraPercent, reduceExtraPercent = 1, 10, 5
scavengeCostRatio, startingScavSleepRatio, minScavWorkTime = 0, 0.001, 1e6
scavChunkHiOccFrac, scavChunkMaxFlags = 0.96875, 6

# Specials, finalizers, pinning, the heap's profile, statistics (mheap.go, mfinal.go, pinner.go, mprof.go, mstats.go)
KindSpecialFinalizer, KindSpecialProfile, KindSpecialReachable, KindSpecialPinCounter = range(1, 5)
FinBlockSize = 4 << 10
finblockEntries = (FinBlockSize - 2 * 8 - 2 * 4) // 40
fingUninitialized, fingCreated, fingRunningFinalizer, fingWait, fingWake = 0, 1, 2, 4, 8
pinnerSize, pinnerRefStoreSize = 64, (64 - 24) // 8
memProfile, blockProfile, mutexProfile = range(1, 4)
buckHashSize, maxStack = 179_999, 32
profileCycles = 3                                       # of a memRecord, that are not published yet
mProfCycleWrap = profileCycles * (2 << 24)
fastlogNumBits = 5
heapStatsDep, cpuStatsDep, gcStatsDep, numStatsDeps = 0, 2, 3, 4
timeHistMinBucketBits, timeHistMaxBucketBits, timeHistSubBucketBits = 9, 48, 2
timeHistNumBuckets, timeHistNumSubBuckets = timeHistMaxBucketBits - timeHistMinBucketBits + 1, 1 << timeHistSubBucketBits
timeHistCounts = timeHistNumBuckets * timeHistNumSubBuckets
timeHistTotalBuckets = timeHistCounts + 2

# Stacks (stack.go, internal/abi)
stackSystem, stackMin, fixedStack0 = 0, 2048, 2048
stackNosplit, stackGuard = 800, 928
stackPreempt, stackFork, stackForceMove, stackPoisonMin = (maxUint64 + 1 - n for n in (1314, 1234, 275, 4096))
uintptrMask = maxUint64
maxStackScanSlack = 8 << 10

# Goroutines, Ms, Ps, locks (runtime2.go, proc.go, lock_futex.go, sema.go, select.go, time.go)
Gmoribund_unused, Genqueue_unused, Gcopystack, Gpreempted = 5, 7, 8, 9
Gscan = 0x1000
Gscanrunnable, Gscanrunning, Gscansyscall, Gscanwaiting, Gscanpreempted = (Gscan + state for state in (1, 2, 3, 4, Gpreempted))
Psyscall, Pgcstop, Pdead = 2, 3, 4
GoidCacheBatch, gTrackingPeriod = 16, 8
forcePreemptNS = 10_000_000
MaxGcproc = 32
tlsSlots = 6
tlsSize = tlsSlots * 8
throwTypeNone, throwTypeUser, throwTypeRuntime = range(3)
goroutineProfileAbsent, goroutineProfileInProgress, goroutineProfileSatisfied = range(3)
mutex_unlocked, mutex_locked, mutex_sleeping = range(3)
active_spin, active_spin_cnt, passive_spin = 4, 30, 1
rwmutexMaxReaders = 1 << 30
semTabSize, semaBlockProfile, semaMutexProfile = 251, 1, 2
selectSend, selectRecv, selectDefault = 1, 2, 3
hchanSize, maxElemSize, maxKeySize = 96, 128, 128
maxWhen = maxInt64
(timerNoStatus, timerWaiting, timerRunning, timerDeleted, timerRemoving, timerRemoved, timerModifying, timerModifiedEarlier,
 timerModifiedLater, timerMoving) = range(10)

# Maps, strings, interfaces (map.go, string.go, iface.go)
bucketCntBits = 3
bucketCnt = 1 << bucketCntBits
loadFactorDen = 2
loadFactorNum = bucketCnt * 13 // 16 * loadFactorDen
dataOffset = bucketCnt
emptyRest, emptyOne, evacuatedX, evacuatedY, evacuatedEmpty, minTopHash = range(6)
iterator, oldIterator, hashWriting, sameSizeGrow = 1, 2, 4, 8
noCheck = maxUint64
maxZero, hashLoad = 1024, 6
tmpStringBufSize, itabInitSize = 32, 512
typeCacheBuckets, typeCacheAssoc = 256, 4
