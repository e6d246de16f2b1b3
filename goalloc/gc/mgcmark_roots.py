"""Roots, in jobs that workers and assists take one by one (work.markrootNext).

    0  queued finalizers | 1  stacks of dead goroutines, which are freed | data | bss | spans, 512 pages a job | stacks | registers

data, bss: the program's globals, 256 KiB a job, the initialised ones first; the runtime's variables that point into the heap are bss.
Workers check after each job whether they have to leave: a fractional one that has scanned the data leaves the bss to an idle one.
spans: what objects with a finalizer point to lives, though they need not live themselves. Go: mgcmark.go gcMarkRootPrepare, markroot.
"""

from hwmem._jit import cold, kernel
from goalloc import constants as C, errors as E, params as P
from goalloc.base.lock import lock, unlock
from goalloc.errors import throw
from goalloc.gc.mgcmark_credit import gcFlushBgCredit
from goalloc.gc.mgcmark_scan import GROUP_BYTES, grey_pointer, is_noscan, scan_pointers, scanblock, scanobject
from goalloc.gc.mgcmark_stack import scan_registers, scanstack
from goalloc.heap.mheap_grow import H
from goalloc.heap.stack import HI, LO, STACKFREE, stack_door
from goalloc.layout import (
    GLOBALS,
    finalizer,
    finblock,
    g_,
    gcControllerState,
    heapArena,
    m_,
    mheap,
    mspan,
    p_,
    schedt,
    slice_,
    special,
    specialfinalizer,
    userArenaState,
    workType,
    variables as V,
)
from goalloc.words import add64, get8, get16, get32, get64, put32, put64

WORK = V.work
NEXT_JOB, JOBS = WORK + workType.markrootNext, WORK + workType.markrootJobs
GLOBALS_WORK, STACK_WORK = V.gcController + gcControllerState.globalsScanWork, V.gcController + gcControllerState.stackScanWork
FREE_LOCK, FREE_STACK, FREE_NOSTACK = (V.sched + schedt.gFree + at for at in (0, 8, 16))
JOBS_OF_ARENA = P.pagesPerArena // C.pagesPerSpanRoot
DATA_ROOTS = (
    V.allp,
    V.allgs,
    V.sched + schedt.sudogcache,
    V.userArenaState + userArenaState.reuse,
    V.userArenaState + userArenaState.fault,
)
DATA_ROOT_BYTES = 8 * len(DATA_ROOTS)
INITIALISED_BYTES = 16_400  # the data segment of a small program, as the linker prints it; bss has the rest of its 205 KB

DATA_MASK_BYTES = -(-INITIALISED_BYTES // GROUP_BYTES)


@kernel
def globals_bytes(m, t):
    """Bytes of the program's global variables."""
    return max(m.process[m.thread[t].process].guest[P.GLOBALS_END] - GLOBALS, 0)


@cold
def gcMarkRootPrepare(m, t):
    """Count the jobs; the world is stopped."""
    n = get64(m, t, H + mheap.allArenas + slice_.len)
    for at in (slice_.array, slice_.len, slice_.cap):
        put64(m, t, H + mheap.markArenas + at, get64(m, t, H + mheap.allArenas + at))
        put64(m, t, WORK + workType.stackRoots + at, get64(m, t, V.allgs + at))
    initialised = min(globals_bytes(m, t), INITIALISED_BYTES)
    end = jobs_of_kind(m, t, 0, C.fixedRootCount, 1 if initialised else 0)
    end = jobs_of_kind(m, t, 1, end, max(-(-(globals_bytes(m, t) - initialised) // C.rootBlockBytes), 1))
    end = jobs_of_kind(m, t, 2, end, n * JOBS_OF_ARENA)
    end = jobs_of_kind(m, t, 3, end, get64(m, t, V.allgs + slice_.len) + get32(m, t, V.gomaxprocs))
    put32(m, t, WORK + workType.baseEnd, end)
    put32(m, t, NEXT_JOB, 0)
    put32(m, t, JOBS, end)


@kernel
def jobs_of_kind(m, t, kind, first, n):
    """The `n` jobs of a kind (data, bss, spans, stacks) begin at number `first`; where they end."""
    put64(m, t, WORK + workType.nDataRoots + 8 * kind, n)
    put32(m, t, WORK + workType.baseData + 4 * kind, first)
    return first + n


@cold
def next_job(m, t):
    """The number of a job that is not taken, or -1."""
    if get32(m, t, NEXT_JOB) >= get32(m, t, JOBS):
        return -1
    word = add64(m, t, NEXT_JOB & ~7, 1 << 32 if NEXT_JOB & 4 else 1)
    return word >> 32 & 0xFFFF_FFFF if NEXT_JOB & 4 else word & 0xFFFF_FFFF


@cold
def markroot(m, t, w, i, flushBgCredit):
    """Do job `i`; the scan work that it was."""
    bss, spans = get32(m, t, WORK + workType.baseBSS), get32(m, t, WORK + workType.baseSpans)
    counter, done = GLOBALS_WORK, 0
    if i == C.fixedRootFinalizers:
        mark_finalizers(m, t, w)
    elif i == C.fixedRootFreeGStacks:
        markrootFreeGStacks(m, t)
    elif i < bss:
        done = mark_globals(m, t, w, 0, INITIALISED_BYTES)
    elif i < spans:
        done = mark_globals(m, t, w, INITIALISED_BYTES + (i - bss) * C.rootBlockBytes, C.rootBlockBytes)
        if i == spans - 1:
            done += mark_runtime(m, t, w)
    elif i < get32(m, t, WORK + workType.baseStacks):
        markrootSpans(m, t, w, i - spans)
    elif i < get32(m, t, WORK + workType.baseEnd):
        counter = STACK_WORK
        done = mark_stack(m, t, w, i - get32(m, t, WORK + workType.baseStacks))
    else:
        throw(m, t, E.MARKROOT_INDEX, 0, 0)
    if done:
        add64(m, t, counter, done)
        if flushBgCredit:
            gcFlushBgCredit(m, t, done)
    return done


@kernel
def mark_globals(m, t, w, first, n):
    """Of the program's globals `n` bytes from byte `first` on, or as many as there are: those with a mask by it, the others as pointers."""
    n, guest = min(max(globals_bytes(m, t) - first, 0), n), m.process[m.thread[t].process].guest
    masked = min(max(guest[P.GLOBALS_MASKED] - first, 0), n)
    if masked:
        section = (
            guest[P.GLOBALS_MASK]
            if first < INITIALISED_BYTES
            else guest[P.GLOBALS_MASK] + DATA_MASK_BYTES + (first - INITIALISED_BYTES) // GROUP_BYTES
        )
        scanblock(m, t, GLOBALS + first, masked, section, w)
    scan_pointers(m, t, GLOBALS + first + masked, n - masked, w)
    return n


@kernel
def mark_runtime(m, t, w):
    """The runtime's own objects: those that its variables refer to, and Ms, which Ps refer to only by number."""
    for i in range(len(DATA_ROOTS)):
        scan_pointers(m, t, DATA_ROOTS[i], 8, w)
    for i in range(get32(m, t, V.gomaxprocs)):
        mp = get64(m, t, get64(m, t, get64(m, t, V.allp) + 8 * i) + p_.m)
        if mp:
            grey_pointer(m, t, mp, 0, 0, w)
            grey_pointer(m, t, get64(m, t, mp + m_.g0), 0, 0, w)
    return DATA_ROOT_BYTES


@kernel
def mark_stack(m, t, w, i):
    n = get64(m, t, WORK + workType.stackRoots + slice_.len)
    if i >= n:
        scan_registers(m, t, i - n, w)
        return 0
    return scanstack(m, t, get64(m, t, get64(m, t, WORK + workType.stackRoots) + 8 * i), w)


@kernel
def mark_finalizers(m, t, w):
    """What queued finalizers need."""
    fb = get64(m, t, V.allfin)
    while fb:
        for i in range(get32(m, t, fb + finblock.cnt)):
            f = fb + finblock.fin + i * finalizer.sizeof
            for at in (finalizer.fn, finalizer.arg, finalizer.fint, finalizer.ot):
                scan_pointers(m, t, f + at, 8, w)
        fb = get64(m, t, fb + finblock.alllink)


@kernel
def markrootFreeGStacks(m, t):
    lock(m, t, FREE_LOCK)
    gp = get64(m, t, FREE_STACK)
    put64(m, t, FREE_STACK, 0)
    unlock(m, t, FREE_LOCK)
    while gp:
        following, lo = get64(m, t, gp + g_.schedlink), get64(m, t, gp + LO)
        stack_door(m, t, STACKFREE, lo, get64(m, t, gp + HI) - lo)
        put64(m, t, gp + LO, 0)
        put64(m, t, gp + HI, 0)
        lock(m, t, FREE_LOCK)
        put64(m, t, gp + g_.schedlink, get64(m, t, FREE_NOSTACK))
        put64(m, t, FREE_NOSTACK, gp)
        unlock(m, t, FREE_LOCK)
        gp = following


@cold
def markrootSpans(m, t, w, shard):
    """The finalizers of 512 pages' spans."""
    ai = get64(m, t, get64(m, t, H + mheap.markArenas) + 8 * (shard // JOBS_OF_ARENA))
    arena = get64(m, t, get64(m, t, H + mheap.arenas) + 8 * ai)
    first = shard * C.pagesPerSpanRoot % P.pagesPerArena
    for byte in range(first // 8, (first + C.pagesPerSpanRoot) // 8, 8):
        if get64(m, t, arena + heapArena.pageSpecials + byte) == 0:
            continue
        for page in range(byte * 8, byte * 8 + 64):
            if get8(m, t, arena + heapArena.pageSpecials + page // 8) >> page % 8 & 1:
                mark_specials(m, t, w, get64(m, t, arena + heapArena.spans + 8 * page))


@cold
def mark_specials(m, t, w, s):
    """What the objects of a span that have finalizers point to."""
    sweepgen, now = get32(m, t, s + mspan.sweepgen), get32(m, t, H + mheap.sweepgen)
    if get8(m, t, s + mspan.state) != P.mSpanInUse:
        throw(m, t, E.SPECIALS_UNUSED, 0, 0)
        return
    if sweepgen != now and sweepgen != now + 3:
        throw(m, t, E.UNSWEPT_SPAN, sweepgen, now)
        return
    base, size = get64(m, t, s + mspan.startAddr), get64(m, t, s + mspan.elemsize)
    lock(m, t, s + mspan.speciallock)
    sp = get64(m, t, s + mspan.specials)
    while sp:
        if get8(m, t, sp + special.kind) == C.KindSpecialFinalizer:
            if not is_noscan(m, t, s):
                scanobject(m, t, base + get16(m, t, sp + special.offset) // size * size, w)
            scan_pointers(m, t, sp + specialfinalizer.fn, 8, w)
        sp = get64(m, t, sp + special.next)
    unlock(m, t, s + mspan.speciallock)
