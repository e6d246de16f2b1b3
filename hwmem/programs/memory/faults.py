"""page-faults: what a page fault costs, by its kind.

For each kind memory is mapped and brought into the state it needs; then every page is accessed once, in order, and only
that is measured. Faults are the process's own counts. Where one fault serves several pages (2 MiB, the 64 KiB around a
page of a file, pages read ahead) the others cost next to nothing, so "a fault" carries the accesses it saves.

Needs swap for the kinds that swap; without it they are left out.
Source of the kinds: mm/memory.c, handle_pte_fault.
"""

from hwmem.machine import files
from hwmem import params as P
from hwmem.config.record import Rule
from hwmem.kernels import NOBODY, exit_process, finish, fork, kernel, madvise, mmap, mmap_file, munmap, next_thread
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload

ANON, HUGE, SCATTERED, AHEAD, CACHED, SHARED = range(6)  # what is mapped; the last four: a file
AS_MAPPED, READ, WRITTEN, FORKED, CHILD_GONE, PAGED_OUT, SWAPPED = range(7)  # what happened to it before
KINDS = (  # name, what is mapped, what happened, whether the access writes
    ("write: a zeroed page", ANON, AS_MAPPED, 1),
    ("write again: no fault", ANON, WRITTEN, 1),
    ("read: the zero page", ANON, AS_MAPPED, 0),
    ("write after that read", ANON, READ, 1),
    ("write: a 2 MiB page", HUGE, AS_MAPPED, 1),
    ("write after fork: a copy", ANON, FORKED, 1),
    ("write, the child gone", ANON, CHILD_GONE, 1),
    ("file: from the disk", SCATTERED, AS_MAPPED, 0),
    ("file: read ahead", AHEAD, AS_MAPPED, 0),
    ("file: page cache", CACHED, AS_MAPPED, 0),
    ("file: private write", CACHED, AS_MAPPED, 1),
    ("file: shared write", SHARED, AS_MAPPED, 1),
    ("read: in the swap cache", ANON, PAGED_OUT, 0),
    ("read: from the swap device", ANON, SWAPPED, 0),
)
SWAP_KINDS = 2  # the last of them
RANK, KIND = range(2)  # a thread's registers
RW = P.PROT_READ | P.PROT_WRITE


def place(w, space):
    machine = space.process.machine
    w.length = w.pages * P.PAGE
    w.kinds = len(KINDS) if machine.config.swap >= w.length else len(KINDS) - SWAP_KINDS
    w.mapped, w.before_access, w.writes = ([kind[k] for kind in KINDS] for k in (1, 2, 3))
    w.file, w.file_ahead = (files.create(machine, name, w.length) for name in ("scattered", "ahead"))
    w.spare = machine.new_thread(space.process.number, space.core)
    meter.place(w, len(KINDS))


def read(w, space):
    cost = w.cost[: w.kinds]
    faults, cycles = meter.faults(cost), cost[:, meter.CYCLES]
    rows = [
        [w.pages, minor, major, meter.ratio(c, w.pages), meter.ratio(c, f), meter.ratio(c / space.process.machine.config.frequency_ghz, f)]
        for minor, major, c, f in zip(cost[:, meter.MINOR], cost[:, meter.MAJOR], cycles, faults)
    ]
    return {
        "kinds": [kind[0] for kind in KINDS[: w.kinds]],
        "minor": cost[:, meter.MINOR],
        "major": cost[:, meter.MAJOR],
        "cycles": cycles,
        "operations": w.kinds * w.pages,
        "grid": grid(
            "page faults by kind, one access a page",
            "first access",
            [kind[0] for kind in KINDS[: w.kinds]],
            None,
            ["pages", "minor", "major", "cycles a page", "cycles a fault", "ns a fault"],
            rows,
        ),
    }


WHOLE = Rule("pages", lambda p: p.pages % P.HUGE_FRAMES == 0, lambda p: f"a multiple of {P.HUGE_FRAMES}")


@workload(
    "page-faults",
    "what a page fault costs: zeroed, huge, copied on write, of a file, swapped in",
    setup=place,
    values=read,
    operation="page",
    needs_mmu=True,
    rules=(WHOLE,),
    machine={"memory": "64MiB", "swap": "64MiB"},
    pages=parameter(1024, "pages of each kind, a multiple of 512", 512, 1 << 18),
)
def page_faults(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        va = prepare(m, t, w, w.mapped[r[KIND]], w.before_access[r[KIND]])
        meter.begin(m, t, w)
        meter.touch(m, t, va, w.length, w.writes[r[KIND]])
        meter.end(m, t, w, r[KIND])
        if w.before_access[r[KIND]] == FORKED:
            exit_process(m, w.spare, NOBODY)
        munmap(m, t, va, w.length)
        r[KIND] += 1
        if r[KIND] == w.kinds:
            finish(m, t)


@kernel
def prepare(m, t, w, mapped, before):
    """Memory of that kind, in that state; its address."""
    va = map_memory(m, t, w, mapped)
    if before != AS_MAPPED:
        meter.touch(m, t, va, w.length, before != READ)
    if before == FORKED or before == CHILD_GONE:
        m.thread[w.spare].process = fork(m, t)
    if before == CHILD_GONE:
        exit_process(m, w.spare, NOBODY)
    if before == PAGED_OUT or before == SWAPPED:
        madvise(m, t, va, w.length, P.MADV_PAGEOUT)
    if before == SWAPPED:  # the frames go when somebody needs them
        meter.press(m, t, w.length + meter.free_frames(m) * P.PAGE)
    return va


@kernel
def map_memory(m, t, w, mapped):
    if mapped <= HUGE:
        va = mmap(m, t, 0, w.length, RW, P.MAP_PRIVATE)
        madvise(m, t, va, w.length, P.MADV_HUGEPAGE if mapped == HUGE else P.MADV_NOHUGEPAGE)
        return va
    kind = P.MAP_SHARED if mapped == SHARED else P.MAP_PRIVATE
    va = mmap_file(m, t, 0, w.length, RW, kind, w.file_ahead if mapped == AHEAD else w.file)
    if mapped == SCATTERED:
        madvise(m, t, va, w.length, P.MADV_RANDOM)  # no read-ahead
    return va
