"""What a collector does not prevent: programs that leak, each beside its mended twin, driven from Python.

    Leak ── begin(world)   makes the program's variables; gives what one unit of its work is       world.mended: the twin
    measure(leak, mended)  rounds of work, a collection after each, figures; then FreeOSMemory

A collector frees what cannot be reached. A leak is what is reachable but not needed: a root of the program or of the runtime still
leads to it. Every program does the same work in both forms. Each allocates in the heap's profile, a sample an object, so that paths
and sites have names; Measured.file is that profile, or the goroutines' or threads', for `go tool pprof`.

threads: nothing here calls C. What is there is the memory of an M for a thread that a call of C blocks: m, g0 and the signal stack from the
runtime, 8 MiB of address space for pthread_create's stack, of which two pages are used. Go: proc.go newm, allocm, os_linux.go mpreinit.
"""

from typing import NamedTuple
from collections.abc import Callable

from hwmem import params as H
from hwmem.config.machine import MachineConfig
from goalloc import params as P
from goalloc.heap.stack import HI, STACKALLOC
from goalloc.layout import g_, m_, p_, slice_, timer, variables as V
from goalloc.observe.inspect import Inspector
from goalloc.observe.pprof import count_profile, count_text, heap_profile
from goalloc.runtime.collect import run_others
from goalloc.runtime.runtime import G_TYPE, M_TYPE, Runtime
from goalloc.runtime.slice import Slice
from goalloc.sched.chan import CHANSEND, DONE, MAKECHAN
from goalloc.sched.proc import GOEXIT, NEWPROC, NEWTIMER, PC, STOPTIMER, VARIABLES_BYTES
from goalloc.sched.time_heap import Deleted
from goalloc.sched.time_timers import SEND_TIME
from goalloc.types import array, int64, pointer, slice_of, string, struct, uint8

ROUNDS = 6
FIGURES = ("HeapAlloc", "HeapObjects", "goroutines", "timers", "threads", "RSS")
FILE_BYTES, KEPT_BYTES, RECENT = 64 << 10, 16, 8
HANDLE = struct("handle", next=pointer, fd=int64)
SESSION = struct("session", body=pointer, user=int64)
NODE = struct("node", peer=pointer, handle=pointer, payload=array(int64, 62))
BODY_BYTES, SIGNAL_STACK, THREAD_STACK, USED_PAGES = 1024, 32 << 10, 8 << 20, 2
TEXT = bytes(range(256)) * (FILE_BYTES // 256)
LONG = 1 << 50  # cycles between two ticks: none comes while the program runs
PLACE = 1  # where goroutines begin in their program; they are driven from here


class World:
    """A program that runs: its runtime, and whether it is the mended one. `threads`: Ms; `object`: an address to ask about."""

    def __init__(self, mended, config=None):
        self.rt = Runtime(config or MachineConfig().replace(cores=1), gomaxprocs=1, gogc="off", godebug="memprofilerate=1")
        self.rt.places[PLACE] = "ask.func1"
        self.mended, self.threads, self.object = mended, 1, 0

    def figures(self):
        rt, look = self.rt, Inspector(self.rt.process)
        stats = rt.memstats()
        gs = look.words(look.word(V.allgs), look.word(V.allgs + slice_.len))
        alive = [gp for gp in gs if look.word(gp + g_.atomicstatus, 4) != P.Gdead and look.word(gp + PC) == PLACE]
        timers = look.words(look.word(rt.ps[0] + p_.timers), look.word(rt.ps[0] + p_.timers + slice_.len))
        waiting = sum(look.word(tm + timer.f) == SEND_TIME and look.word(tm + timer.status, 4) != Deleted for tm in timers)
        rss = int(rt.process.record.anon) * H.PAGE
        return dict(zip(FIGURES, (stats["HeapAlloc"], stats["HeapObjects"], 1 + len(alive), waiting, self.threads, rss)))


class Leak(NamedTuple):
    """`cause`, `shows` (the figure that grows, and who finds it) and `remedy` in words; `units`: of work a round; `per`: bytes of the heap that
    a unit leaves at least; `root`: the kind of root that keeps it; `once`: one unit alone leaves them."""

    cause: str
    shows: str
    remedy: str
    begin: Callable
    units: int
    per: int
    root: str
    once: bool = False

    def least(self, rounds):
        """Bytes that it leaves at least from the end of the first round to that of the last."""
        return self.per * (1 if self.once else self.units * (rounds - 1))


def global_reference(world):
    rt = world.rt
    root, sessions = rt.globals(1, "sessions"), rt.make_slice(pointer, 0)
    numbers = iter(range(1 << 30))
    if world.mended:
        sessions = rt.make_slice(pointer, RECENT)
        rt.write_pointer(root, sessions.array)

    def unit():
        nonlocal sessions
        with rt.call_site("login"):
            x = rt.new(SESSION)
            rt.write_pointer(x, rt.mallocgc(BODY_BYTES))
        if world.mended:
            rt.write_pointer(sessions.array + 8 * (next(numbers) % RECENT), x)
        else:
            with rt.call_site("append"):
                sessions = rt.append(sessions, x)
            rt.write_pointer(root, sessions.array)
        world.object = rt.read_pointer(x)

    return unit


def goroutine(world):
    rt = world.rt

    def unit():
        """ch := make(chan answer); go func() { ch <- ask() }(); the caller's time is out before it receives."""
        with rt.call_site("ask"):
            c = rt.call(0, P.DOOR_CHAN, MAKECHAN, rt.type_address(pointer), 1 if world.mended else 0)
            answer = rt.mallocgc(BODY_BYTES)
        gp = rt.call(0, P.DOOR_PROC, NEWPROC, PLACE, answer)
        run_others(rt, 0, gp)
        variable = Inspector(rt.process).word(gp + HI) - VARIABLES_BYTES
        if rt.call(0, P.DOOR_CHAN, CHANSEND, c, variable) == DONE:
            rt.call(0, P.DOOR_PROC, GOEXIT, gp, 0)
        world.object = answer

    return unit


def keep_all(world, name, of, make):
    """A global slice of `of`, to which each unit appends what `make()` gives, an encoded element and its address."""
    rt = world.rt
    root, kept = rt.globals(1, name), rt.make_slice(of, 0)

    def unit():
        nonlocal kept
        value, world.object = make()
        with rt.call_site("append"):
            kept = rt.append(kept, value)
        rt.write_pointer(root, kept.array)

    return unit


def small_slice(world):
    rt = world.rt

    def make():
        """data := read(file); header := data[:16]"""
        with rt.call_site("read"):
            data = rt.make_slice(uint8, FILE_BYTES)
        rt.process.write(data.array, TEXT)
        header = data.array
        if world.mended:
            with rt.call_site("bytes.Clone"):
                header = rt.append(rt.make_slice(uint8, 0), *rt.process.read(header, KEPT_BYTES)).array
        return (header, KEPT_BYTES, KEPT_BYTES if world.mended else FILE_BYTES), header

    return keep_all(world, "headers", slice_of, make)


def substring(world):
    rt = world.rt

    def make():
        """line := string(data); name := line[256 : 256+16]"""
        with rt.call_site("read"):
            data = rt.make_slice(uint8, FILE_BYTES)
            rt.process.write(data.array, TEXT)
            line = rt.to_string(data)
        name = line.str + 256
        if world.mended:
            with rt.call_site("strings.Clone"):
                name = rt.to_string(Slice(name, KEPT_BYTES, KEPT_BYTES, uint8)).str
        return (name, KEPT_BYTES), name

    return keep_all(world, "names", string, make)


def ticker(world):
    rt = world.rt

    def unit():
        """t := time.NewTicker(d); the loop that received from t.C returns"""
        with rt.call_site("time.NewTicker"):
            x = rt.call(0, P.DOOR_PROC, NEWTIMER, LONG, LONG)
        if world.mended:
            rt.call(0, P.DOOR_PROC, STOPTIMER, x, 0)
        world.object = x

    return unit


def map_never_shrinks(world):
    rt = world.rt
    root, few, many = rt.globals(1, "counts"), range(50), range(50, 2000)
    counts = rt.make_map()
    rt.write_pointer(root, counts.address)
    numbers = iter(range(1 << 30))

    def unit():
        """Fifty keys; in the second round, for a while, two thousand."""
        nonlocal counts
        round = next(numbers)
        with rt.call_site("count"):
            counts.assign(few, [round] * len(few))
        if round == 1:
            with rt.call_site("count"):
                counts.assign(many, many)
            for key in many:
                counts.discard(key)
            if world.mended:
                values = [counts[key] for key in few]
                counts = rt.make_map()
                rt.write_pointer(root, counts.address)
                counts.assign(few, values)
        world.object = rt.process.load(counts.address + 16)  # hmap.buckets

    return unit


def finalizer_cycle(world):
    rt = world.rt

    def unit():
        """a.peer, b.peer = b, a; SetFinalizer(a, close). Mended: the finalizer is a handle's, which points to neither."""
        with rt.call_site("open"):
            a, b = rt.new(NODE), rt.new(NODE)
            rt.write_pointer(a, b)
            rt.write_pointer(b, a)
            if world.mended:
                handle = rt.new(HANDLE)
                rt.write_pointer(a + NODE.offsets["handle"], handle)
        rt.set_finalizer(handle if world.mended else a, lambda address: None)
        world.object = a

    return unit


def threads(world):
    rt = world.rt
    root = rt.globals(1, "allm")
    most = 4 if world.mended else 1 << 30  # the mended program takes one of four tokens before it calls C

    def unit():
        """C.read(...) blocks: the M that calls it is not to be had for others, so that a new one is made. No M is ever freed."""
        if world.threads > most:
            return
        world.threads += 1
        with rt.call_site("runtime.allocm"):
            mp, g0 = rt.mallocgc(M_TYPE.size, type=M_TYPE), rt.mallocgc(G_TYPE.size, type=G_TYPE)
            rt.write_pointer(mp + m_.g0, g0)
            rt.write_pointer(mp + m_.alllink, rt.read_pointer(root))
            rt.write_pointer(root, mp)
            gsignal = rt.mallocgc(G_TYPE.size, type=G_TYPE)
            rt.write_pointer(mp + m_.gsignal, gsignal)
        rt.process.store(gsignal, rt.call(0, P.DOOR_STACK, STACKALLOC, SIGNAL_STACK, 0))
        stack = rt.process.mmap(0, THREAD_STACK, flags=H.MAP_PRIVATE | H.MAP_ANONYMOUS | H.MAP_NORESERVE)
        for page in range(USED_PAGES):
            rt.process.store(stack + THREAD_STACK - 8 - H.PAGE * page, 1)
        world.object = mp

    return unit


LEAKS = {
    "global": Leak(
        "a global variable refers to what is never needed again: a cache, a registry, a slice that is only appended to",
        "HeapAlloc after each collection; the heap's profile, inuse_space: the site that allocated it",
        "delete what is done with, or bound it: here a ring of the last 8",
        global_reference, 20, BODY_BYTES, "global",
    ),
    "goroutine": Leak(
        "a goroutine sends on a channel that nobody receives from any more: it waits forever, with its stack and what that refers to",
        "the number of goroutines; the goroutine profile: many at one line, in `chan send`",
        "room for one answer in the channel (make(chan T, 1)), or a select with ctx.Done()",
        goroutine, 20, BODY_BYTES, "stack",
    ),
    "slice": Leak(
        "a small slice of a large array is kept: it points into the array, so the whole array lives",
        "HeapAlloc grows by the file, though 16 bytes of each are kept; the heap's profile names who read the file",
        "keep a copy: append([]byte(nil), data[:16]...), bytes.Clone, slices.Clone",
        small_slice, 5, FILE_BYTES, "global",
    ),
    "substring": Leak(
        "a part of a large string is kept: it shares the string's bytes",
        "HeapAlloc grows by the text, though 16 bytes of each are kept; the heap's profile names who read the text",
        "strings.Clone(name)",
        substring, 5, FILE_BYTES, "global",
    ),
    "ticker": Leak(
        "a time.Ticker is not stopped: the P's heap of timers refers to it (before Go 1.23), and it ticks on",
        "HeapObjects, and the number of timers; the heap's profile: time.NewTicker",
        "defer ticker.Stop()",
        ticker, 20, 176, "runtime",
    ),
    "map": Leak(
        "a map was large once: deletion frees no buckets, and a map never shrinks",
        "HeapAlloc stays high after the deletion, though len(m) is as before; the heap's profile: the line that assigns",
        "make a new map and copy what is left into it",
        map_never_shrinks, 1, 48 << 10, "global", True,
    ),
    "finalizer": Leak(
        "an object with a finalizer is part of a cycle: what it points to lives and points back to it, so the finalizer never runs",
        "HeapAlloc; finalizers that never run",
        "put the finalizer on an object of its own that points to nothing of the cycle, or close explicitly",
        finalizer_cycle, 20, 2 * NODE.size, "special",
    ),
    "threads": Leak(
        "calls to C block, each on a thread of its own; the runtime keeps the threads when the calls have returned",
        "the number of threads (/proc/PID/status, the threadcreate profile); RSS, while HeapAlloc hardly grows",
        "bound the number of concurrent calls: a channel of tokens",
        threads, 5, M_TYPE.size, "global",
    ),
}  # fmt: skip


class Measured(NamedTuple):
    """`rounds`: FIGURES after a collection, a dict a round; `returned`: "HeapAlloc", "HeapReleased", "HeapIdle", "Sys", "RSS" after FreeOSMemory;
    `path`: what keeps the object of the last unit of work (retention.py Path, or None); `retained`: what retains most; `heap`: mem_profile's
    records; `goroutines`: goroutine_profile's; `threads`: Ms."""

    rounds: list
    returned: dict
    path: object
    retained: list
    heap: list
    goroutines: list
    threads: int

    @property
    def profile(self):
        """{site: bytes in use}"""
        found = {}
        for record in self.heap:
            if record["site"]:
                found[record["site"]] = found.get(record["site"], 0) + record["AllocBytes"] - record["FreeBytes"]
        return {site: n for site, n in found.items() if n}

    def file(self, kind, text=False):
        """The profile "heap", "goroutine" or "threadcreate" as a file for `go tool pprof`, bytes; of the last two as `text`, too. Threads have no
        stacks, as in Go: the runtime makes them on its own."""
        if kind == "heap":
            return heap_profile(self.heap, 1)
        records = self.goroutines if kind == "goroutine" else [{"count": self.threads, "frames": ()}]
        return count_text(kind, records).encode() if text else count_profile(kind, records)


def measure(name, mended, rounds=ROUNDS, config=None):
    """Run a leak's program, or its mended twin, on a machine of one core or of `config`."""
    leak, world = LEAKS[name], World(mended, config)
    unit, found = leak.begin(world), []
    for _ in range(rounds):
        for _ in range(leak.units):
            unit()
        world.rt.gc()
        found.append(world.figures())
    rt = world.rt
    rt.free_os_memory()
    stats = rt.memstats()
    returned = {key: stats[key] for key in ("HeapAlloc", "HeapReleased", "HeapIdle", "Sys")} | {"RSS": world.figures()["RSS"]}
    path = rt.why_live(world.object) if rt.is_live(world.object) else None
    heap = rt.mem_profile()
    return Measured(found, returned, path, rt.retained(5), heap, rt.goroutine_profile(), world.threads)
