"""Fatal errors of the emulated Go program: numbered, so that kernels can raise them, and in the runtime's words.

A kernel calls `throw` and returns; the thread is dead (hwmem/core/signal.py), and the front end raises FatalError with the
text. The machine goes on. What the emulated kernel refuses or a bad access stays a SegmentationFault.
"""
from hwmem.core.signal import end_by_signal
from hwmem.errors import MachineError
from hwmem._jit import cold

FIRST = 1000                            # fault codes of a Go program begin here
# Texts take {0} and {2}, the two numbers of `throw`; {1} is the thread, as in the texts of signals (hwmem/machine.py)
(OUT_OF_MEMORY, CANNOT_ALLOCATE, BAD_SUMMARY, GREW_HEAP, INVALID_FREE, INVALID_STACK_FREE, INVALID_STATE, OVERLAPPING,
 NOT_RESERVED, NOT_MAPPED, CANNOT_MAP, UNALIGNED_UNUSED, MARKBITS, NO_FREE_OBJECTS, ALLOCCOUNT, UNCACHING, FIXALLOC,
 PERSISTENT_ALIGN, BAD_PRUNE, TOO_MANY_PAGES, BELOW_ZERO, ARENA_INITIALIZED, BAD_ADDRESS, STACK_OVERFLOW, STACK_POWER,
 NOT_STACK_SPAN, BAD_SWEEPGEN, GROWSLICE_LEN, SPAN_LIST, DEADLOCK, SEND_CLOSED, CLOSE_CLOSED, CLOSE_NIL, CHAN_SIZE,
 UNLOCKED, NEGATIVE_COUNTER, ADD_SPECIAL, REMOVE_SPECIAL, PROFILE_SET, CANNOT_ALLOCATE_MEMORY,
 NOT_ARENA_SPAN, NOT_ARENA_CHUNK, ARENA_WASTE, ARENA_ZERO, ARENA_REFS, ARENA_DOUBLE_FREE, MISROUNDED, MAP_MEMORY, ARENA_MAP,
 ARENA_METADATA, ALL_ARENAS, PAGES_MEMORY, INVALID_ARENA_FREE, REFILL_FREE, NO_FREE_SPACE,
 SUMMARY_RESERVE, MAKESLICE_LEN, MAKESLICE_CAP, STRING_TOO_LONG, ALLOCATION_SIZE) = range(FIRST, FIRST + 60)
# The pacer's and the CPU limiter's
(UNKNOWN_WORKER_MODE, NEGATIVE_IDLE_WORKERS, DOUBLE_UNLOCK, TRANSITION_LOCK, SAME_TRANSITION, NO_TRANSITION, UPDATE_IN_TRANSITION, RESET_LOCK,
 WRONG_LIMITER_EVENT) = range(FIRST + 200, FIRST + 209)
# The collector's
(FREE_WORKBUFS, BAD_POINTER, BAD_POINTER_UNALLOCATED, BAD_POINTER_UNUSED, GREY_UNALIGNED, SCAN_NOSCAN, SCAN_ZERO, MARKROOT_INDEX,
 SPECIALS_UNUSED, UNSWEPT_SPAN, BAD_SPAN_STATE, SWEEP_INCREASED, ARENA_LIST, ZOMBIES, SPECIAL_KIND, UNPINNED, PIN_COUNTER,
 UNSWEPT_NOT_IN_USE, MARK_QUEUE, CACHED_WORK, NOT_FLUSHED, FINALIZER_NOT_ALLOCATED, FINALIZER_ARENA, FINALIZER_NOT_BEGINNING,
 FINALIZER_SET, PIN_NOT_GO, PIN_ARENA, BAD_FLUSH_GEN, SPANSET_RESET) = range(FIRST + 300, FIRST + 329)
# Of the other collectors (collectors/)
HEAP_EXHAUSTED, STACK_EXHAUSTED, OBJECT_SIZE = range(FIRST + 400, FIRST + 403)

TEXTS = {
    OUT_OF_MEMORY: "fatal error: out of memory",
    CANNOT_ALLOCATE: "runtime: out of memory: cannot allocate {0}-byte block ({2} in use)\nfatal error: out of memory",
    BAD_SUMMARY: "fatal error: bad summary data",
    GREW_HEAP: "fatal error: grew heap, but no adequate free space found",
    INVALID_FREE: "fatal error: mheap.freeSpanLocked - invalid free",
    INVALID_STACK_FREE: "fatal error: mheap.freeSpanLocked - invalid stack free",
    INVALID_STATE: "fatal error: mheap.freeSpanLocked - invalid span state",
    OVERLAPPING: "fatal error: potentially overlapping in-use allocations detected",
    NOT_RESERVED: "fatal error: sysMap of memory that is not Reserved, at {0:#x}, {2} bytes",
    NOT_MAPPED: "fatal error: memory at {0:#x}, {2} bytes, is neither Prepared nor Ready",
    CANNOT_MAP: "fatal error: runtime: cannot map pages in arena address space",
    UNALIGNED_UNUSED: "fatal error: unaligned sysUnused",
    MARKBITS: "fatal error: markBits overflow",
    NO_FREE_OBJECTS: "fatal error: span has no free objects",
    ALLOCCOUNT: "runtime: s.allocCount= {0} s.nelems= {2}\nfatal error: s.allocCount != s.nelems && freeIndex == s.nelems",
    UNCACHING: "fatal error: uncaching span but s.allocCount == 0",
    FIXALLOC: "runtime: use of FixAlloc_Alloc before FixAlloc_Init\nfatal error: runtime: internal error",
    PERSISTENT_ALIGN: "fatal error: persistentalloc: align is not a power of 2",
    BAD_PRUNE: "fatal error: bad prune",
    TOO_MANY_PAGES: "fatal error: too many pages allocated in chunk?",
    BELOW_ZERO: "fatal error: allocated pages below zero?",
    ARENA_INITIALIZED: "fatal error: arena already initialized",
    BAD_ADDRESS: "runtime: memory allocated by OS [{0:#x}, {2:#x}) not in usable address space: end outside usable address space\n"
                 "fatal error: memory reservation exceeds address space limit",
    STACK_OVERFLOW: "runtime: goroutine stack exceeds {0}-byte limit\nfatal error: stack overflow",
    STACK_POWER: "fatal error: stack size not a power of 2",
    NOT_STACK_SPAN: "fatal error: freeing stack not in a stack span",
    BAD_SWEEPGEN: "fatal error: bad sweepgen in refill",
    GROWSLICE_LEN: "panic: runtime error: growslice: len out of range",
    SPAN_LIST: "fatal error: mSpanList.remove",
    DEADLOCK: "fatal error: all goroutines are asleep - deadlock!",
    SEND_CLOSED: "panic: send on closed channel",
    CLOSE_CLOSED: "panic: close of closed channel",
    CLOSE_NIL: "panic: close of nil channel",
    CHAN_SIZE: "panic: makechan: size out of range",
    UNLOCKED: "fatal error: sync: unlock of unlocked mutex",
    NEGATIVE_COUNTER: "panic: sync: negative WaitGroup counter",
    ADD_SPECIAL: "fatal error: addspecial on invalid pointer",
    REMOVE_SPECIAL: "fatal error: removespecial on invalid pointer",
    PROFILE_SET: "fatal error: setprofilebucket: profile already set",
    NOT_ARENA_SPAN: "fatal error: invalid span in heapArena for user arena",
    NOT_ARENA_CHUNK: "fatal error: span is not for a user arena",
    ARENA_WASTE: "fatal error: wasted too much memory in an arena chunk",
    ARENA_ZERO: "fatal error: arena chunk needs zeroing, but should already be zeroed",
    ARENA_REFS: "fatal error: full list doesn't match refs list in length",
    ARENA_DOUBLE_FREE: "panic: arena double free",
    MISROUNDED: "fatal error: misrounded allocation in sysAlloc",
    MAP_MEMORY: "fatal error: runtime: out of memory",
    ARENA_MAP: "fatal error: out of memory allocating heap arena map",
    ARENA_METADATA: "fatal error: out of memory allocating heap arena metadata",
    ALL_ARENAS: "fatal error: out of memory allocating allArenas",
    PAGES_MEMORY: "fatal error: pageAlloc: out of memory",
    INVALID_ARENA_FREE: "fatal error: mheap.freeSpanLocked - invalid free of user arena chunk",
    REFILL_FREE: "fatal error: refill of span with free space remaining",
    NO_FREE_SPACE: "fatal error: span has no free space",
    SUMMARY_RESERVE: "fatal error: failed to reserve page summary memory",
    MAKESLICE_LEN: "panic: runtime error: makeslice: len out of range",
    MAKESLICE_CAP: "panic: runtime error: makeslice: cap out of range",
    ALLOCATION_SIZE: "panic: runtime: allocation size out of range",
    UNKNOWN_WORKER_MODE: "fatal error: markWorkerStop: unknown mark worker mode",
    NEGATIVE_IDLE_WORKERS: "fatal error: negative idle mark workers",
    DOUBLE_UNLOCK: "fatal error: double unlock",
    TRANSITION_LOCK: "fatal error: failed to acquire lock to start a GC transition",
    SAME_TRANSITION: "fatal error: transitioning GC to the same state as before?",
    NO_TRANSITION: "fatal error: finishGCTransition called without starting one?",
    UPDATE_IN_TRANSITION: "fatal error: update during transition",
    RESET_LOCK: "fatal error: failed to acquire lock to reset capacity",
    WRONG_LIMITER_EVENT: "runtime: want= {0} got= {2}\nfatal error: limiterEvent.stop: found wrong event in p's limiter event slot",
    STRING_TOO_LONG: "fatal error: string concatenation too long",
    CANNOT_ALLOCATE_MEMORY: "fatal error: runtime: cannot allocate memory",
    FREE_WORKBUFS: "fatal error: cannot free workbufs when work.full != 0",
    BAD_POINTER: "runtime: pointer {0:#x}\nfatal error: found bad pointer in Go heap (incorrect use of unsafe or cgo?)",
    BAD_POINTER_UNALLOCATED: "runtime: pointer {0:#x} to unallocated span span.base()={2:#x}\n"
                             "fatal error: found bad pointer in Go heap (incorrect use of unsafe or cgo?)",
    BAD_POINTER_UNUSED: "runtime: pointer {0:#x} to unused region of span span.base()={2:#x}\n"
                        "fatal error: found bad pointer in Go heap (incorrect use of unsafe or cgo?)",
    GREY_UNALIGNED: "fatal error: greyobject: obj not pointer-aligned",
    SCAN_NOSCAN: "fatal error: scanobject of a noscan object",
    SCAN_ZERO: "fatal error: scanobject n == 0",
    MARKROOT_INDEX: "fatal error: markroot: bad index",
    SPECIALS_UNUSED: "fatal error: non in-use span found with specials bit set",
    UNSWEPT_SPAN: "sweep {0} {2}\nfatal error: gc: unswept span",
    BAD_SPAN_STATE: "mspan.sweep: state={0} sweepgen={2}\nfatal error: mspan.sweep: bad span state",
    SWEEP_INCREASED: "runtime: nalloc={0} previous allocCount={2}\nfatal error: sweep increased allocation count",
    ARENA_LIST: "fatal error: user arena span is on the wrong list",
    ZOMBIES: "runtime: marked free object in span {0:#x}, elemsize={2} (bad use of unsafe.Pointer? try -d=checkptr)\n"
             "fatal error: found pointer to free object",
    SPECIAL_KIND: "fatal error: bad special kind",
    UNPINNED: "fatal error: runtime.Pinner: object already unpinned",
    PIN_COUNTER: "fatal error: runtime.Pinner: decreased non-existing pin counter",
    UNSWEPT_NOT_IN_USE: "fatal error: non in-use span in unswept list",
    MARK_QUEUE: "panic: non-empty mark queue after concurrent mark",
    CACHED_WORK: "fatal error: P has cached GC work at end of mark termination",
    NOT_FLUSHED: "fatal error: p mcache not flushed",
    FINALIZER_NOT_ALLOCATED: "fatal error: runtime.SetFinalizer: pointer not in allocated block",
    FINALIZER_ARENA: "fatal error: runtime.SetFinalizer: first argument was allocated into an arena",
    FINALIZER_NOT_BEGINNING: "fatal error: runtime.SetFinalizer: pointer not at beginning of allocated block",
    FINALIZER_SET: "fatal error: runtime.SetFinalizer: finalizer already set",
    PIN_NOT_GO: "panic: runtime error: runtime.Pinner.Pin: argument is not a Go pointer",
    PIN_ARENA: "panic: runtime error: runtime.Pinner: object was allocated into an arena",
    BAD_FLUSH_GEN: "bad flushGen {0} in prepareForSweep; sweepgen {2}\nfatal error: bad flushGen",
    HEAP_EXHAUSTED: "fatal error: heap exhausted: no {0} bytes free in a heap of {2} after a collection",
    STACK_EXHAUSTED: "fatal error: shadow stack exhausted: it holds {0} references",
    OBJECT_SIZE: "fatal error: an object takes 0 to 4095 references and 1 to 65534 words in all, not {0} and {2}",
    SPANSET_RESET: "head = {0}, tail = {2}\nfatal error: attempt to clear non-empty span set",
}


class FatalError(MachineError):
    """The emulated Go program ended as Go ends it: `str` is what it printed. `.code`: which error; `.exit_status`: of the program, 2."""

    exit_status = 2

    def __init__(self, text, code=0):
        super().__init__(text)
        self.code = code


@cold
def throw(m, t, code, a, b):
    """The program of thread `t` ends with error `code`; `a` and `b` are numbers its text shows."""
    if m.thread[t].fault_code == 0:                     # the first error is the one that is told
        end_by_signal(m, t, a, b, code)


def raise_fatal(machine, t):
    """Raise FatalError if thread `t` ended by `throw`; the thread may go on."""
    thread = machine.state.thread[t]
    code = int(thread.fault_code)
    if code >= FIRST:
        a, b = (int(number) & (1 << 64) - 1 for number in (thread.fault_address, thread.fault_access))
        thread.fault_code = 0
        machine.raise_fault(t)                          # leaves the thread as after any fault
        thread.state = 0
        raise FatalError(TEXTS[code].format(a, t, b), code)
