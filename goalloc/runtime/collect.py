"""Collections as Python drives them: the collector started, runtime.GC(), finalizers, pinning, and what is alive.

Between two calls of a Runtime nothing runs. While a cycle marks or something is left to do after it, every call begins with the turns
that others have had by then (catch_up): the Ps whose cores are behind, then the caller's own. A call that waits for the
collector lets the Ps run, always the one furthest behind. A P that Python does not drive has nothing else to do. What only Python
knows of is garbage: global variables (Runtime.globals), goroutines' stacks (Goroutine.push) and objects keep objects, and the last 16
addresses that calls have given are in registers until a global variable has them; gc() does not regard those.
"""

from hwmem.machine.arguments import to_int64
from goalloc import constants as C, params as P
from goalloc.gc import door
from goalloc.gc.mgc_ready import WAITS
from goalloc.gc.mgcpacer_commit import set_gc_percent as pacer_set_gc_percent
from goalloc.gc.system import RAN
from goalloc.heap.mcentral import SWEEPGEN
from goalloc.layout import gcWork, p_, workType, variables as V, workbuf
from goalloc.observe.check import span_at
from goalloc.observe.inspect import Inspector
from goalloc.observe.memstats import read_span
from goalloc.sched.chan import DONE, YIELDED
from goalloc.sched.proc import SCHEDULE

MAY_BE_TINY = 1  # of a finalizer: its object may lie inside a block


def gc(rt, core=0):
    """runtime.GC(), called on a core; then the sweeper and the finalizers' goroutine have their turns, as if the caller slept."""
    collect(rt, core)
    if not rt.main:
        settle(rt)


def collect(rt, core):
    """runtime.GC() alone."""
    for i in range(rt.gomaxprocs):
        rt.machine.state.thread[rt.process.thread_on(i)].local[:] = 0  # what Python did not store is dead here
    wait_for(rt, core, P.GC_CALL)


def wait_for(rt, core, operation):
    """A call of the collector's that waits for it."""
    if rt.main:
        while rt.call(core, P.DOOR_CYCLE, operation, 1, 0) != DONE:
            run_others(rt, core, rt.main)
        return
    done = None
    while done != DONE:
        run_until(rt, lambda: may_go_on(rt, core))
        done = rt.call(core, P.DOOR_CYCLE, operation, 1, 0)
        if done == YIELDED:
            step(rt, core, True)  # the sweeper's, most likely


def set_gc_percent(rt, percent, core):
    """debug.SetGCPercent."""
    before = rt._run(core, pacer_set_gc_percent, percent)
    if percent < 0 and rt.collector & P.MARKING:
        wait_for(rt, core, P.WAIT_MARK)
    return before


def may_go_on(rt, core):
    """Whether the M of a core is not in the middle of a goroutine, and what Python does there need not wait."""
    return running(rt, core) == rt.gs[core] and not rt.process.load(rt.process.load(rt.ps[core] + p_.m) + WAITS, size=1)


def running(rt, core):
    """The goroutine that a core's M runs."""
    return int(rt.machine.state.thread[rt.process.thread_on(core)].guest[P.G])


def run_others(rt, core, main):
    """The scheduler says who runs, until that is the goroutine `main` again, which has parked or yielded."""
    while True:
        gp = rt.call(core, P.DOOR_PROC, SCHEDULE, 0, 0)
        if gp == main:
            return
        while gp and running(rt, core) == gp:
            rt.call(core, P.DOOR_CYCLE, P.RUN_SYSTEM, gp, 0)
            call_finalizer(rt, core)


def settle(rt):
    """The collector's goroutines run until none has anything to do."""
    run_until(rt, lambda: False)


def run_until(rt, done):
    """Let the Ps run, the one whose core is behind first, until `done()` or none has anything to do."""
    idle = set()
    while not done() and len(idle) < rt.gomaxprocs:
        core = min((i for i in range(rt.gomaxprocs) if i not in idle), key=rt.machine.cycles)
        if step(rt, core, True):
            idle.clear()
        else:
            idle.add(core)


def catch_up(rt, core):
    """Before a call on a core: the other Ps come as far as it is, and then it has its own turn."""
    for other in range(rt.gomaxprocs):
        while other != core and rt.machine.cycles(other) < rt.machine.cycles(core) and step(rt, other, True):
            pass
    while step(rt, core, False):
        pass


def step(rt, core, idle):
    """A turn of the collector's on a core, whether there was one. A finalizer is called."""
    ran = rt.call(core, P.DOOR_CYCLE, P.TURN, idle, 0) == RAN
    call_finalizer(rt, core)
    return ran


def call_finalizer(rt, core):
    """The callback of the finalizer that the last step has come to, if any."""
    registers = rt.machine.state.thread[rt.process.thread_on(core)].guest
    fn = int(registers[P.CALLBACK])
    if fn:
        registers[P.CALLBACK] = 0
        rt.finalizers.pop(fn)(int(registers[P.SECOND]))


def free_os_memory(rt, core=0):
    """debug.FreeOSMemory(): a collection, and at once every free page goes back to the kernel; then others have their turns."""
    collect(rt, core)
    rt.call(core, P.DOOR_CYCLE, P.SCAVENGE_ALL, 0, 0)
    if not rt.main:
        settle(rt)


def set_finalizer(rt, x, callback, core=0):
    """runtime.SetFinalizer."""
    x = to_int64("address", x)
    if callback is None:
        rt.call(core, P.DOOR_FINALIZER, door.REMOVE_FINALIZER, x, 0)
        return
    if not callable(callback):
        raise TypeError(f"callback: takes a function of an address, or None, not {type(callback).__name__}")
    s = span_at(Inspector(rt.process), x)
    tiny = s and read_span(Inspector(rt.process), s)["spanclass"] == P.tinySpanClass
    rt.machine.state.thread[rt.process.thread_on(core)].guest[P.SIZE] = MAY_BE_TINY if tiny else 0
    fn = max(rt.finalizers, default=0) + 1
    rt.finalizers[fn] = callback
    rt.call(core, P.DOOR_FINALIZER, door.SET_FINALIZER, x, fn)


def pin(rt, x, pinned, core=0):
    """Pinner.Pin, or Unpin: a variable of the program's keeps what is pinned, as a Pinner does."""
    x = to_int64("address", x)
    rt.call(core, P.DOOR_FINALIZER, door.PIN if pinned else door.UNPIN, x, 0)
    if pinned:
        rt.pins.setdefault(x, []).append(hold(rt, x, core))
    else:
        let_go(rt, rt.pins[x].pop(), core)


def hold(rt, x, core):
    """The address of a variable that points to the object from now on."""
    x = to_int64("address", x)
    slot = rt.free_pins.pop() if rt.free_pins else rt.globals(1)
    rt.write_pointer(slot, x, core)
    return slot


def let_go(rt, slot, core):
    """The variable points to nothing, and can be used again."""
    rt.free_pins.append(slot)
    rt.write_pointer(slot, 0, core)


# What is seen from outside


def object_at(look, x):
    """(fields of the span, index) of the object that an address points into; (None, 0): of none."""
    s = span_at(look, x) if x >= 0 else 0
    span = read_span(look, s) if s else None
    if span is None or span["state"] != P.mSpanInUse or not span["base"] <= x < span["limit"]:
        return None, 0
    return span, (x - span["base"]) // span["elemsize"]


def bit(look, bits, i):
    return look.word(bits + i // 8, 1) >> i % 8 & 1


def is_live(rt, x):
    """Whether an address points into an object that is allocated: not freed by a sweep, nor to be freed by the one that is due."""
    look = Inspector(rt.process)
    span, i = object_at(look, to_int64("address", x))
    if span is None:
        return False
    sweepgen = look.word(SWEEPGEN, 4)
    if span["sweepgen"] in (sweepgen - 2, sweepgen + 1):  # to be swept: what is marked stays
        return bool(bit(look, span["gcmarkBits"], i))
    return i < span["freeindex"] or bool(bit(look, span["allocBits"], i))


def color(rt, x):
    """ "white", "grey" or "black" while a collection marks: not marked; in a buffer of some P's or of all; scanned."""
    look = Inspector(rt.process)
    span, i = object_at(look, to_int64("address", x))
    if span is None:
        raise ValueError(f"address: {x:#x} points into no object")
    if not bit(look, span["gcmarkBits"], i):
        return "white"
    return "grey" if span["base"] + i * span["elemsize"] in grey_objects(rt, look) else "black"


def grey_objects(rt, look):
    """Addresses in the buffers of grey objects: each P's two, and the list of all."""
    buffers, head = [], look.word(V.work + workType.full)
    while head:
        node = head >> 19 << 3 if head < 1 << 63 else (head - (1 << 64)) >> 19 << 3
        buffers.append(node)
        head = look.word(node)
    for pp in rt.ps:
        buffers += look.words(pp + p_.gcw + gcWork.wbuf1, 2)
    first = workbuf.sizeof - 8 * C.workbufObjects
    return {x for b in buffers if b for x in look.words(b + first, look.word(b + first - 8))}
