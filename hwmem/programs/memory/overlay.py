"""overlay: a program larger than memory, its modules loaded by hand into one region, against demand paging.

    overlays         a call of a module that is not in the region reads all of it from the file (pread, O_DIRECT); before
                     virtual memory, that is how large programs ran, and their authors drew the boundaries
    demand paging    the file is mapped; what a call touches and is not there comes by faults, what was not used for
                     longest goes. "no read-ahead": MADV_RANDOM

A module is `module` bytes; a call loads `visits` words at random from its first half, for even a module of one's own
making is never used as a whole. Calls follow a seeded sequence in which module k is 1 / (k + 1) as frequent as the first.
Each way has a copy of the file, so that none finds another's pages in the page cache. All ways add up the same words.
"""

import numpy as np

from hwmem.machine import files
from hwmem import params as P
from hwmem.config.record import Rule
from hwmem.kernels import finish, is_over, kernel, load64, madvise, mmap, mmap_file, munmap, next_thread, pread
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

WAYS = ("overlays", "demand paging", "no read-ahead")
OVERLAYS, PAGING, SCATTERED = range(3)
USED = 2  # a call uses one part in so many
MOST_CALLS = 4096
LARGEST = 1 << 30  # bytes of a program
LOOK = 4096  # visits between two looks whether the run is to stop
RANK, ROW, CALL = range(3)  # a thread's registers
SEED = 7
PART = 1 << 18  # words of the program's text drawn at once


def place(w, space):
    machine = space.process.machine
    w.module = -(-w.module // (USED * P.PAGE)) * USED * P.PAGE
    text = program_text(space.random, w.modules * w.module)
    w.files = [files.create(machine, f"program {k}", text) for k in range(len(WAYS))]
    often = 1 / np.arange(1, w.modules + 1)
    w.sequence = np.zeros(MOST_CALLS, np.int64)
    w.sequence[: w.calls] = space.random.choice(w.modules, w.calls, p=often / often.sum())
    w.sums, w.loads = np.zeros(len(WAYS), np.int64), np.zeros(len(WAYS), np.int64)  # loads: of modules, by hand
    w.region = w.loaded = 0  # where a way's memory begins; overlays: the module there + 1
    w.x = SEED
    meter.place(w, len(WAYS))


def program_text(random, n):
    """`n` bytes, drawn in parts, so that Ctrl-C is heard between them."""
    text = bytearray(n)
    words = np.frombuffer(text, np.int64)
    for start in range(0, len(words), PART):
        part = words[start : start + PART]
        part[:] = random.integers(0, 1 << 30, len(part))
    return bytes(text)


def read(w, space):
    reads, cycles = w.cost[:, meter.DISK_READS], w.cost[:, meter.CYCLES]
    rows = [
        [int(n), f"{pages * P.PAGE / (1 << 20):.1f}M", *costs[[meter.MAJOR, meter.MINOR]].tolist(), c / w.calls]
        for n, pages, costs, c in zip(w.loads, reads, w.cost, cycles)
    ]
    return {
        "sums": w.sums,
        "loads": w.loads,
        "bytes": reads * P.PAGE,
        "major": w.cost[:, meter.MAJOR],
        "minor": w.cost[:, meter.MINOR],
        "cycles": cycles,
        "sequence": w.sequence[: w.calls],
        "operations": len(WAYS) * w.calls,
        "grid": grid(
            "a program larger than memory", "", WAYS, None, ["modules loaded", "from disk", "major faults", "minor", "cycles a call"], rows
        ),
    }


WITHIN = Rule(
    "module",
    lambda p: p.modules * p.module <= LARGEST,
    lambda p: f"at most {format_size(LARGEST // p.modules)} for {p.modules} modules, 1GiB in all",
)


@workload(
    "overlay",
    "a program larger than memory: modules loaded by hand into one region, against demand paging",
    setup=place,
    values=read,
    operation="call",
    needs_mmu=True,
    rules=(WITHIN,),
    machine={"memory": "4MiB"},
    modules=parameter(16, "modules of the program", 1, 1024),
    module=parameter("512KiB", "bytes of each", 16384, 1 << 28),
    calls=parameter(200, "calls of modules", 1, MOST_CALLS),
    visits=parameter(500, "words that a call loads"),
)
def overlay(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if r[CALL] == 0:
            begin_way(m, t, w, r[ROW])
        meter.begin(m, t, w)
        w.sums[r[ROW]] += run_module(m, t, w, module_at(m, t, w, r[ROW], w.sequence[r[CALL]]))
        meter.end(m, t, w, r[ROW])
        r[CALL] += 1
        if r[CALL] == w.calls:
            munmap(m, t, w.region, w.module if r[ROW] == OVERLAYS else w.modules * w.module)
            r[CALL] = 0
            r[ROW] += 1
        if r[ROW] == len(WAYS):
            finish(m, t)


@kernel
def begin_way(m, t, w, way):
    w.loaded, w.x = 0, SEED
    if way == OVERLAYS:
        w.region = mmap(m, t, 0, w.module, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
        return
    w.region = mmap_file(m, t, 0, w.modules * w.module, P.PROT_READ, P.MAP_PRIVATE, w.files[way])
    if way == SCATTERED:
        madvise(m, t, w.region, w.modules * w.module, P.MADV_RANDOM)


@kernel
def module_at(m, t, w, way, number):
    """Where module `number` is, or is now."""
    if way != OVERLAYS:
        return w.region + number * w.module
    if w.loaded != number + 1:
        pread(m, t, w.files[way], w.region, w.module, number * w.module)
        w.loaded = number + 1
        w.loads[way] += 1
    return w.region


@kernel
def run_module(m, t, w, va):
    """A call: the sum of the words it loads."""
    total = 0
    for i in range(w.visits):
        if i % LOOK == 0 and is_over(m, t):
            break
        w.x = meter.next_random(w.x)
        total += load64(m, t, va + (w.x >> 4) % (w.module // USED // 8) * 8)
    return total
