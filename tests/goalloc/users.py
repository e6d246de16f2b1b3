"""What users of Go's collector try, on ours: the scenarios of live/users/main.go, number by number, and the command that records the real ones:

    python -m tests.goalloc.users [--record]        ours beside the real Go's, or those written to tests/oracles/go/users.json.gz

Where a scenario comes from is in SOURCES: what was asked or reported of the real one.
"""

import argparse
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import users_memory  # noqa: E402
import users_objects  # noqa: E402
import users_pace  # noqa: E402

import goalloc  # noqa: E402
from goalloc.programs.process import OVERLAPPED  # noqa: E402
from hwmem import MachineConfig  # noqa: E402

ORACLE = HERE.parent / "oracles" / "go" / "users.json.gz"
MIB, KIB, PAGE = 1 << 20, 1 << 10, 4096
WORDS = ("panic: ", "fatal error: ", "runtime: goroutine stack exceeds")  # of a program that ends
BATCH = 512  # objects of a call, between which others have their turns
RUNS = 11  # of the real program; numbers of collections differ by one where marking runs beside the program
NODE = goalloc.struct("node", next=goalloc.pointer, other=goalloc.pointer, tag=goalloc.int64)
PAIRS = goalloc.array(goalloc.struct("pair", a=goalloc.int64, b=goalloc.int64), 4)
NEXT, FINALIZED_SIZE = NODE.offsets["next"], 24
NO_LIMIT = (1 << 63) - 1
SOURCES = (
    {  # of golang/go, unless it says so
        "resurrection": "go4org/intern#2: an object that its finalizer brings back",
        "freed-after-finalizer": "intern#2: the second collection frees",
        "finalizer-again": "62325 and others: a finalizer that sets itself again, to hear of each collection",
        "ring-of-two-finalizers": "16005, 73674: a ring with finalizers is never finalized",
        "ring-with-one-finalizer": "16005: nor with one",
        "ring-without-finalizers": "73674: without one it is freed",
        "pointer-to-itself": "mfinal.go: an object's pointer to itself does not count",
        "chain-of-finalizers": "runtime.SetFinalizer's text: one finalizer a collection, from the front",
        "tiny-finalizers": "46827, 13100: objects below 16 bytes go by blocks",
        "finalizer-taken-away": "runtime.SetFinalizer(p, nil)",
        "keep-alive": "21402, 30476: what runtime.KeepAlive is for",
        "gc-percent-values": "19076: SetGCPercent returns the old value and collects nothing",
        "gc-percent-moves-the-goal": "19076: the goal moves at once",
        "goal-at-zero-percent": "10681: GOGC=0",
        "memory-limit-values": "48409: SetMemoryLimit returns the old one, a negative one only asks",
        "off-with-a-limit": "48409, 56764: GOGC=off and a limit",
        "off-without-a-limit": "google/gops#200: GOGC=off, then runtime.GC()",
        "free-os-memory": "33376, 14521: HeapIdle is HeapReleased after FreeOSMemory",
        "gc-alone-returns-nothing": "14521, 22439: runtime.GC() alone gives nothing back",
        "counts-of-allocations": "32284: Mallocs, Frees, HeapObjects, HeapAlloc, BySize",
        "part-of-a-large-object": "a slice of one byte keeps its array",
        "map-that-was-emptied": "20135: a map does not shrink",
        "address-in-an-integer": "unsafe.Pointer's rules: a uintptr keeps nothing",
        "goroutine-that-waits": "19702: what a goroutine that waits for ever keeps",
        "pinner": "46787: runtime.Pinner, from a pinner of its own and from its P's",
        "pinner-forgotten": "46787: a Pinner that goes without Unpin",
        "ballast": "23044: 64 MiB that nobody writes make collections rare",
        "ring-of-pauses": "MemStats: PauseNs and PauseEnd are rings of 256",
        "forced-and-counted": "MemStats: NumForcedGC",
        "finalizer-already-set": "runtime.SetFinalizer's text",
        "finalizer-inside-an-object": "50814",
        "finalizer-not-allocated": "ethereum/go-ethereum#3772",
    }
    | users_pace.SOURCES
    | users_memory.SOURCES
    | users_objects.SOURCES
)


class User:
    """A program of one P, GOGC off; `notes`: what it has noted."""

    node, next = NODE, NEXT

    def __init__(self):
        self.rt = rt = goalloc.Runtime(
            config=MachineConfig().replace(cores=1, memory="4GiB", **OVERLAPPED), gomaxprocs=1, gogc="off", collects=True
        )
        self.root, self.saved, self.many = rt.globals(1), rt.globals(1), rt.globals(1 << 12)
        self.notes, self.ran, self.last_gc = [], [], 0
        self.finalized(0, self.note_ran)
        for _ in range(4):  # what the runtime makes once
            rt.gc()
            self.before = rt.memstats()
        self.ran.clear()

    def note_ran(self, x):
        self.ran.append(self.rt.process.load(x + NODE.offsets["tag"]))

    def fresh(self, tag):
        x = self.rt.new(NODE)
        self.rt.process.store(x + NODE.offsets["tag"], tag)
        return x

    def finalized(self, tag, callback):
        x = self.fresh(tag)
        self.rt.set_finalizer(x, callback)
        return x

    def hold(self, x, size):
        """Pages of a large object that are written."""
        for va in range(x, x + size, PAGE):
            self.rt.process.store(va, 1)

    def garbage(self, n, size):
        for done in range(0, n, BATCH):
            self.rt.malloc_many([size] * min(BATCH, n - done))

    def now(self, *names):
        stats = self.rt.memstats()
        return [stats[name] - self.before[name] for name in names]

    def read(self):
        self.notes += self.now("Mallocs", "Frees", "HeapObjects", "HeapAlloc")

    def note(self, *numbers):
        self.notes += map(int, numbers)

    def ring(self, *finalized):
        a, b = self.fresh(1), self.fresh(2)
        self.rt.write_pointer(a + NEXT, b), self.rt.write_pointer(b + NEXT, a)
        for x, wanted in zip((a, b), finalized):
            if wanted:
                self.rt.set_finalizer(x, self.note_ran)
        self.rt.gc()
        if any(finalized):
            self.rt.gc()
            self.note(len(self.ran))
        self.read()


def resurrection(u):
    def save(x):
        u.note_ran(x)
        u.rt.write_pointer(u.saved, x)

    u.finalized(7, save)
    u.rt.gc()
    u.note(len(u.ran)), u.read()
    u.rt.write_pointer(u.saved, 0)
    u.rt.gc()
    u.note(len(u.ran)), u.read()


def freed_after_finalizer(u):
    u.finalized(7, u.note_ran)
    u.rt.gc()
    u.note(len(u.ran)), u.read()
    u.rt.gc()
    u.read()


def finalizer_again(u):
    def again(x):
        u.note_ran(x)
        u.rt.set_finalizer(x, again)

    u.finalized(7, again)
    for _ in range(3):
        u.rt.gc()
        u.note(len(u.ran))
    u.read()


def pointer_to_itself(u):
    x = u.finalized(1, u.note_ran)
    u.rt.write_pointer(x + NEXT, x)
    u.rt.gc(), u.rt.gc()
    u.note(len(u.ran)), u.read()


def chain_of_finalizers(u):
    a, b, c = (u.finalized(i, u.note_ran) for i in (1, 2, 3))
    u.rt.write_pointer(a + NEXT, b), u.rt.write_pointer(b + NEXT, c)
    for _ in range(4):
        u.rt.gc()
        u.note(len(u.ran)), u.read()
    u.note(*u.ran)


def tiny_finalizers(u):
    for i in range(40):
        x = u.rt.new(goalloc.uint8)
        u.rt.set_finalizer(x, u.ran.append)
        if i == 5:
            u.rt.write_pointer(u.root, x)
    u.rt.gc()
    u.note(len(u.ran))
    u.rt.write_pointer(u.root, 0)
    u.garbage(4, 9)
    u.rt.gc(), u.rt.gc()
    u.note(len(u.ran))


def finalizer_taken_away(u):
    u.rt.set_finalizer(u.finalized(7, u.note_ran), None)
    u.rt.gc()
    u.note(len(u.ran)), u.read()


def keep_alive(u):
    x = u.finalized(7, u.note_ran)
    with u.rt.keep_alive(x):
        u.rt.gc()
        u.note(len(u.ran))
    u.rt.gc()
    u.note(len(u.ran))


def gc_percent_values(u):
    u.note(*(u.rt.set_gc_percent(percent) for percent in (-1, 50, 0, 200, -7, 100)))
    u.note(*u.now("NumGC"))


def large(u, size):
    x = u.rt.mallocgc(size)
    u.rt.write_pointer(u.root, x)
    return x


def gc_percent_moves_the_goal(u):
    large(u, 32 * MIB)
    u.rt.gc()
    for percent in (100, 50, 200, 25):
        u.rt.set_gc_percent(percent)
        u.note(u.rt.memstats()["NextGC"] >> 20, *u.now("NumGC"))


def goal_at_zero_percent(u):
    large(u, 8 * MIB)
    u.rt.set_gc_percent(0)
    u.rt.gc()
    u.note(u.rt.memstats()["NextGC"] >> 20)


def memory_limit_values(u):
    u.note(*(u.rt.set_memory_limit(limit) for limit in (-1, "64MiB", -1, "1GiB", "off", -5)))
    u.note(*u.now("NumGC"))


def off_with_a_limit(u):
    u.rt.set_memory_limit("48MiB")
    u.garbage(4096, 64 * KIB)
    stats = u.rt.memstats()
    u.note(stats["Sys"] - stats["HeapReleased"] <= 48 * MIB, stats["NumGC"] > u.before["NumGC"])


def off_without_a_limit(u):
    u.garbage(1024, 64 * KIB)
    collections, held = u.now("NumGC", "HeapAlloc")
    u.note(collections, held >> 20)
    u.rt.gc()
    collections, forced, held = u.now("NumGC", "NumForcedGC", "HeapAlloc")
    u.note(collections, forced, held >> 20)


def spike(u):
    u.hold(large(u, 64 * MIB), 64 * MIB)


def free_os_memory(u):
    spike(u)
    u.rt.write_pointer(u.root, 0)
    u.rt.free_os_memory()
    stats = u.rt.memstats()
    u.note(stats["HeapIdle"] - stats["HeapReleased"], stats["HeapIdle"] >> 20, *u.now("NumForcedGC"))


def gc_alone_returns_nothing(u):
    spike(u)
    released = u.rt.memstats()["HeapReleased"]
    u.rt.write_pointer(u.root, 0)
    u.rt.gc()
    stats = u.rt.memstats()
    u.note(stats["HeapIdle"] - stats["HeapReleased"] >> 20, released - stats["HeapReleased"] < MIB)


def counts_of_allocations(u):
    def drop(slots):
        for i in slots:
            u.rt.write_pointer(u.many + 8 * i, 0)
        u.rt.gc()

    for i in range(1 << 12):
        u.rt.write_pointer(u.many + 8 * i, u.rt.new(NODE))
    u.read()
    drop(range(0, 1 << 12, 2))
    u.read()
    of24, was = (stats["BySize"][3] for stats in (u.rt.memstats(), u.before))
    u.note(of24["Mallocs"] - was["Mallocs"], of24["Frees"] - was["Frees"])
    drop(range(1, 1 << 12, 2))
    u.read()


def part_of_a_large_object(u):
    u.rt.write_pointer(u.root, u.rt.mallocgc(MIB) + MIB - 1)
    u.rt.gc()
    u.read()
    u.rt.write_pointer(u.root, 0)
    u.rt.gc()
    u.read()


def map_that_was_emptied(u):
    m = u.rt.make_map()
    u.rt.write_pointer(u.root, m.address)
    m.assign(range(10_000), range(10_000))
    u.rt.gc()
    (full,) = u.now("HeapAlloc")
    for i in range(10_000):
        m.discard(i)
    u.rt.gc()
    u.note(u.now("HeapAlloc")[0] * 100 // full, full >> 16)
    u.rt.write_pointer(u.root, 0)
    u.rt.gc()
    u.note(u.now("HeapAlloc")[0] * 100 // full)


def address_in_an_integer(u):
    u.rt.process.store(u.rt.process.mmap(0, PAGE), u.fresh(1))
    u.rt.gc()
    u.read()


def goroutine_that_waits(u):
    u.read()
    g = u.rt.go()
    g.push(u.finalized(7, u.note_ran))
    u.rt.gc()
    u.note(len(u.ran))
    g.exit()
    u.rt.gc()
    u.note(len(u.ran))


def pin(u, pinner, n):
    for i in range(n):
        pinner.pin(u.fresh(i))


def pinner(u):
    p = u.rt.pinner()
    for n in (100, 5):
        pin(u, p, n), u.read()
        u.rt.gc(), u.read()
        p.unpin()
        u.rt.gc(), u.read()


def pinner_forgotten(u):
    p = u.rt.pinner()
    pin(u, p, 1), p.drop()
    u.rt.gc(), u.rt.gc()


def ballast(u):
    large(u, 64 * MIB)
    u.rt.set_gc_percent(100)
    u.rt.gc()
    before = u.rt.memstats()
    u.note(before["NextGC"] >> 20)
    u.garbage(500, 64 * KIB)
    u.note(u.rt.memstats()["NumGC"] - before["NumGC"])


def ring_of_pauses(u):
    for _ in range(260):
        u.rt.gc()
    stats = u.rt.memstats()
    u.note(*u.now("NumGC"), sum(ns > 0 and end > 0 for ns, end in zip(stats["PauseNs"], stats["PauseEnd"])))
    u.note(stats["PauseEnd"][(stats["NumGC"] + 255) % 256] == stats["LastGC"] and sum(stats["PauseNs"]) < stats["PauseTotalNs"])


def forced_and_counted(u):
    u.rt.gc(), u.rt.free_os_memory()
    u.note(*u.now("NumGC", "NumForcedGC"))


def finalizer_inside_an_object(u):
    u.rt.set_finalizer(u.rt.new(PAIRS) + 16, u.ran.append)


SCENARIOS = {
    function.__name__.replace("_", "-"): function
    for function in (
        resurrection, freed_after_finalizer, finalizer_again, pointer_to_itself, chain_of_finalizers, tiny_finalizers, finalizer_taken_away,
        keep_alive, gc_percent_values, gc_percent_moves_the_goal, goal_at_zero_percent, memory_limit_values, off_with_a_limit,
        off_without_a_limit, free_os_memory, gc_alone_returns_nothing, counts_of_allocations, part_of_a_large_object, map_that_was_emptied,
        address_in_an_integer, goroutine_that_waits, pinner, pinner_forgotten, ballast, ring_of_pauses, forced_and_counted, finalizer_inside_an_object,
    )
} | {
    "ring-of-two-finalizers": lambda u: u.ring(True, True),
    "ring-with-one-finalizer": lambda u: u.ring(True),
    "ring-without-finalizers": lambda u: u.ring(),
    "finalizer-already-set": lambda u: u.rt.set_finalizer(u.finalized(1, u.note_ran), u.note_ran),
    "finalizer-not-allocated": lambda u: u.rt.set_finalizer(0x7000, u.note_ran),
} | users_pace.SCENARIOS | users_memory.SCENARIOS | users_objects.SCENARIOS  # fmt: skip


def ours(name):
    """What the scenario notes, or the words with which the program ends."""
    user = User()
    try:
        SCENARIOS[name](user)
    except goalloc.FatalError as error:
        return str(error)
    user.rt.check()
    user.rt.process.exit()
    return user.notes


def recorded():
    """{scenario: what the real one said}."""
    with gzip.open(ORACLE, "rt") as file:
        return json.load(file)["scenarios"]


def theirs(program, name):
    run = subprocess.run([program, name], capture_output=True, text=True, env={"GOMAXPROCS": "1"})
    words = [line for line in run.stderr.splitlines() if line.startswith(WORDS)]
    assert run.returncode in (0, goalloc.FatalError.exit_status), run.stderr
    return "\n".join(words) if run.returncode else list(map(int, run.stdout.split()))


def span_of(runs):
    """What the real one said: the words or numbers, and of numbers that differ from run to run [least, most]."""
    if any(isinstance(run, str) for run in runs):
        (words,) = set(runs)
        return words
    return [min(column) if min(column) == max(column) else [min(column), max(column)] for column in zip(*runs, strict=True)]


def is_within(name, got, expected):
    """Whether ours are the real ones, or between its least and most; numbers of collections with one more or less, or a part (users_pace.py)."""
    if isinstance(got, str) or isinstance(expected, str):
        return got == expected
    part = users_pace.PARTS.get(name)
    for n, real in zip(got, expected):
        low, high = real if isinstance(real, list) else (real, real)
        more = max(1, part * high) if part else 0
        if not low - more <= n <= high + more:
            return False
    return len(got) == len(expected)


def build(folder):
    """The real Go's program, built in a folder."""
    go = shutil.which("go")
    environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "-trimpath"}
    environment.setdefault("GOCACHE", f"{folder}/cache")
    subprocess.run([go, "build", "-o", f"{folder}/", "./users"], cwd=HERE / "live", env=environment, check=True)
    return pathlib.Path(folder) / "users"


def main(words=None):
    parser = argparse.ArgumentParser(prog="python -m tests.goalloc.users", description="What users try: the real Go's numbers beside ours.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these alone")
    parser.add_argument("--record", action="store_true", help="write the real ones to tests/oracles/go/users.json.gz")
    arguments = parser.parse_args(words)
    if not shutil.which("go"):
        parser.error("needs Go 1.21.13 on the PATH (pip install '.[go]')")
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        real = {name: span_of([theirs(program, name) for _ in range(RUNS)]) for name in arguments.names or SCENARIOS}
    if arguments.record:
        with gzip.GzipFile(ORACLE, "wb", mtime=0) as file:
            file.write(json.dumps({"go": "go1.21.13 linux/amd64", "runs": RUNS, "scenarios": real}).encode())
        return 0
    differ = 0
    for name, expected in real.items():
        got = ours(name)
        differ += not is_within(name, got, expected)
        print(f"{name:36} {'equal' if is_within(name, got, expected) else f'ours {got} real {expected}'}", flush=True)
    return differ != 0


if __name__ == "__main__":
    sys.exit(main())
