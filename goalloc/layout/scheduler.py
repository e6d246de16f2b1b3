"""Goroutines, Ms and Ps, and what they wait for. Go: runtime2.go, chan.go, sema.go, time.go, sync/mutex.go,
sync/waitgroup.go."""
from goalloc.layout.rules import named, struct
from goalloc.layout import collector                    # noqa: F401  (declares what is used here)
from goalloc.params import cacheLineSize

named("uint8", "waitReason traceBlockReason")
named("uint32", "throwType goroutineProfileStateHolder")
named("uint64", "traceTime")
named("uintptr", "traceBufPtr")
named("[2]uint32", "sigset")
named("atomic.Uint64", "limiterEvent")
named("int", "gcMarkWorkerMode lockRank")

gobuf = struct("gobuf", "sp, pc uintptr; g guintptr; ctxt unsafe.Pointer; ret, lr, bp uintptr")
struct("gTraceState", "sysExitTime traceTime; tracedSyscallEnter bool; seq uint64; lastP puintptr")
g_ = struct("g", """
    stack stack; stackguard0, stackguard1 uintptr; _panic *_panic; _defer *_defer; m *m; sched gobuf
    syscallsp, syscallpc, stktopsp uintptr; param unsafe.Pointer; atomicstatus atomic.Uint32; stackLock uint32
    goid uint64; schedlink guintptr; waitsince int64; waitreason waitReason
    preempt, preemptStop, preemptShrink, asyncSafePoint, paniconfault, gcscandone, throwsplit, activeStackChans bool
    parkingOnChan atomic.Bool; raceignore int8; tracking bool; trackingSeq uint8; trackingStamp, runnableTime int64
    lockedm muintptr; sig uint32; writebuf []byte; sigcode0, sigcode1, sigpc uintptr; parentGoid uint64; gopc uintptr
    ancestors *[]ancestorInfo; startpc, racectx uintptr; waiting *sudog; cgoCtxt []uintptr; labels unsafe.Pointer; timer *timer
    selectDone atomic.Uint32; goroutineProfiled goroutineProfileStateHolder; trace gTraceState; gcAssistBytes int64""")

struct("gsignalStack", "stack stack; stackguard0, stackguard1, stktopsp uintptr")
struct("libcall", "fn, n, args, r1, r2, err uintptr")
struct("mTraceState", "startingTrace, tracedSTWStart bool")
struct("heldLockInfo", "lockAddr uintptr; rank lockRank")
mOS = struct("mOS", "profileTimer int32; profileTimerValid atomic.Bool; needPerThreadSyscall atomic.Uint8")
m_ = struct("m", """
    g0 *g; morebuf gobuf; divmod, _ uint32; procid uint64; gsignal *g; goSigStack gsignalStack; sigmask sigset
    tls [tlsSlots]uintptr; mstartfn func(); curg *g; caughtsig guintptr; p, nextp, oldp puintptr; id int64
    mallocing int32; throwing throwType; preemptoff string; locks, dying, profilehz int32
    spinning, blocked, newSigstack bool; printlock int8; incgo, isextra, isExtraInC bool; freeWait atomic.Uint32
    fastrand uint64; needextram bool; traceback uint8; ncgocall uint64; ncgo int32; cgoCallersUse atomic.Uint32
    cgoCallers *cgoCallers; park note; alllink *m; schedlink muintptr; lockedg guintptr; createstack [maxStack]uintptr
    lockedExt, lockedInt uint32; nextwaitm muintptr; waitunlockf func; waitlock unsafe.Pointer
    waitTraceBlockReason traceBlockReason; waitTraceSkip int; syscalltick uint32; freelink *m; trace mTraceState
    libcall libcall; libcallpc, libcallsp uintptr; libcallg guintptr; syscall libcall; vdsoSP, vdsoPC uintptr
    preemptGen, signalPending atomic.Uint32; dlogPerM; mOS; locksHeldLen int; locksHeld [10]heldLockInfo""")

struct("sysmontick", "schedtick uint32; schedwhen int64; syscalltick uint32; syscallwhen int64")
struct("p.gFree", "gList; n int32")
struct("p.mspancache", "len int; buf [mspanCacheEntries]*mspan")
struct("pTraceState", "buf traceBufPtr; inSweep bool; swept, reclaimed uintptr")
p_ = struct("p", """
    id int32; status uint32; link puintptr; schedtick, syscalltick uint32; sysmontick sysmontick; m muintptr
    mcache *mcache; pcache pageCache; raceprocctx uintptr; deferpool []*_defer; deferpoolbuf [32]*_defer
    goidcache, goidcacheend uint64; runqhead, runqtail uint32; runq [256]guintptr; runnext guintptr; gFree p.gFree
    sudogcache []*sudog; sudogbuf [128]*sudog; mspancache p.mspancache; pinnerCache *pinner; trace pTraceState
    palloc persistentAlloc; timer0When, timerModifiedEarliest atomic.Int64; gcAssistTime, gcFractionalMarkTime int64
    limiterEvent limiterEvent; gcMarkWorkerMode gcMarkWorkerMode; gcMarkWorkerStartTime int64; gcw gcWork; wbBuf wbBuf
    runSafePointFn uint32; statsSeq atomic.Uint32; timersLock mutex; timers []*timer; numTimers, deletedTimers atomic.Uint32
    timerRaceCtx uintptr; maxStackScanDelta int64; scannedStackSize, scannedStacks uint64; preempt bool
    pageTraceBuf pageTraceBuf""")

struct("schedt.disable", "user bool; runnable gQueue; n int32")
struct("schedt.gFree", "lock mutex; stack, noStack gList; n int32")
schedt = struct("schedt", """
    goidgen atomic.Uint64; lastpoll, pollUntil atomic.Int64; lock mutex; midle muintptr; nmidle, nmidlelocked int32
    mnext int64; maxmcount, nmsys int32; nmfreed int64; ngsys atomic.Int32; pidle puintptr; npidle, nmspinning atomic.Int32
    needspinning atomic.Uint32; runq gQueue; runqsize int32; disable schedt.disable; gFree schedt.gFree
    sudoglock mutex; sudogcache *sudog; deferlock mutex; deferpool *_defer; freem *m; gcwaiting atomic.Bool; stopwait int32
    stopnote note; sysmonwait atomic.Bool; sysmonnote note; safePointFn func; safePointWait int32; safePointNote note
    profilehz int32; procresizetime, totaltime int64; sysmonlock mutex; timeToRun timeHistogram
    idleTime, totalMutexWaitTime atomic.Int64""")

sudog = struct("sudog", """
    g *g; next, prev *sudog; elem unsafe.Pointer; acquiretime, releasetime int64; ticket uint32; isSelect, success bool
    parent, waitlink, waittail *sudog; c *hchan""")
waitq = struct("waitq", "first, last *sudog")
hchan = struct("hchan", """
    qcount, dataqsiz uint; buf unsafe.Pointer; elemsize uint16; closed uint32; elemtype *_type; sendx, recvx uint
    recvq, sendq waitq; lock mutex""")
scase = struct("scase", "c *hchan; elem unsafe.Pointer")
timer = struct("timer", """
    pp puintptr; when, period int64; f func; arg interface{}; seq uintptr; nextwhen int64; status atomic.Uint32""")
semaRoot = struct("semaRoot", "lock mutex; treap *sudog; nwait atomic.Uint32")
struct("semtable", f"semaRoot; _ [{cacheLineSize - semaRoot.sizeof}]byte")               # each on a line of its own
struct("noCopy", "")
Mutex = struct("Mutex", "state int32; sema uint32")
WaitGroup = struct("WaitGroup", "noCopy noCopy; state atomic.Uint64; sema uint32")
