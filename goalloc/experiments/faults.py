"""The common faults of C programs, and the same programs on Go's runtime: what is noticed, and what a collector prevents (programs/faults.py)."""

from goalloc.programs.faults import PIECE, PIECES, WILD, outcome
from hwmem.errors import SegmentationFault
from hwmem.experiments.experiment import Experiment, verdict
from hwmem.machine.machine import Machine
from hwmem.programs.registry import parameter

PREVENTED = ("leak", "dangling-pointer")
MANY, BLOCK, LARGE = 1000, 1000, 100_000  # as in the C programs
SMALL, MINE, THEIRS = 24, 7, 42


def leak(rt, collect):
    """Objects that nothing refers to: is the memory still in use?"""
    before = rt.memstats()["HeapAlloc"]
    rt.malloc_many([BLOCK] * MANY)
    collect()
    left = rt.memstats()["HeapAlloc"] - before
    return f"{left} bytes in use", left < MANY * BLOCK / 8


def dangling(rt, collect):
    """A variable has the address of an object, and others are allocated: does it still have its own value?"""
    root, x = rt.globals(1), rt.mallocgc(SMALL)
    rt.write_pointer(root, x)
    rt.process.store(x, MINE)
    for _ in range(3):
        collect()
        for y in rt.malloc_many([SMALL] * MANY).tolist():
            rt.process.store(y, THEIRS)
    found = rt.process.load(rt.read_pointer(root))
    return f"reads {found}", found == MINE


def wild(rt, collect):
    try:
        rt.process.store(WILD, 1, size=4)
    except SegmentationFault as error:
        return f"SIGSEGV, {error.code}", False
    return "nothing", True


def overflow(rt, collect):
    """A write behind an object, as of unsafe code: is the next one's value still there?"""
    blocks = rt.malloc_many([SMALL] * 8).tolist()
    a = next(x for x in blocks if x + SMALL in blocks)
    rt.process.store(a + SMALL, MINE)
    rt.process.store(a + SMALL, THEIRS)  # a[24], where a has 24 bytes
    found = rt.process.load(a + SMALL)
    return f"reads {found}", found == MINE


def external(rt, collect):
    """Every second of many objects is dropped: does a large one fit into what is free then?"""
    roots = rt.globals(PIECES)
    for i, x in enumerate(rt.malloc_many([PIECE] * PIECES).tolist()):
        rt.write_pointer(roots + 8 * i, x)
    collect()
    for i in range(0, PIECES, 2):
        rt.write_pointer(roots + 8 * i, 0)
    collect()
    before = rt.memstats()
    free = before["HeapInuse"] - before["HeapAlloc"]
    rt.mallocgc(LARGE)
    more = rt.memstats()["HeapInuse"] - before["HeapInuse"]
    return f"{free} bytes free, {more} more for {LARGE}", more < LARGE


IN_GO = {
    "leak": leak, "wild-pointer": wild, "dangling-pointer": dangling, "overflow-unseen": overflow, "external-fragmentation": external,
}  # fmt: skip


def measure_faults(lab):
    rows = []
    for name, program in IN_GO.items():
        who, words = outcome(name, Machine(lab.config(cores=1), lab.seed))
        rt = lab.runtime(gogc="off")
        found, prevented = program(rt, rt.gc if lab.option("collect") else lambda: None)
        rows.append([name, who, words, found, "prevented" if prevented else "not"])
        lab.commands.append(f"{lab.program} faults {name}")
        lab.tick()
    return rows


def judge_faults(table):
    rows = table.named()
    unseen = [row["fault"] for row in rows if row["noticed by"] == "nobody"]
    prevented = [row["fault"] for row in rows if row["by a collector"] == "prevented"]
    return verdict(
        (len(unseen) == len(IN_GO) - 1, f"{len(unseen)} of {len(rows)} go unnoticed when they happen"),
        (tuple(sorted(prevented)) == tuple(sorted(PREVENTED)), f"a collector prevents {', '.join(prevented) or 'none'}"),
    )


EXPERIMENTS = [
    Experiment(
        "common-faults",
        "Most of the common faults of C programs go unnoticed when they happen; a collector prevents leaks and dangling pointers, but not wild "
        "pointers, overflows or external fragmentation.",
        ("Linux系统内存", "内存管理中的一些常见问题"),
        ("fault", "noticed by", "in C", "in Go", "by a collector"),
        measure_faults,
        judge_faults,
        "an eighth of what leaks in C",
        options={"collect": parameter(True, "whether the collector runs")},
    )
]
