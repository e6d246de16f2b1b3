"""Part "malloc": host nanoseconds of one emulated mallocgc, beside the real Go's, where Go 1.21.13 is installed.

ours      everything modelled: TLBs, caches, coherence, store buffers; allocations of one P in one jitted loop
real      the same allocations by malloc.go, collector off
growth    16 bytes again, with ever more live heap: the cost must not grow faster than the real one's
compile   CPU seconds to compile the allocator, the empty cache of the machine's own parts filled before
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.floors import UNDER, Floor
from benchmarks.measure import cpu_seconds, run_child
from hwmem.report.table import table

CASES = {
    "16 B": (16, True, 1_000_000),
    "24 B, pointers": (24, False, 200_000),
    "8 B, tiny": (8, True, 1_000_000),
    "1 KiB": (1024, True, 50_000),
    "64 KiB": (65536, True, 1_000),
}
GROWTH_MIB = (16, 64, 256)
MOST_TIMES_GO, COMPILE_SECONDS = 20, 90
MACHINE, ALLOCATOR = (
    [sys.executable, "-c", code]
    for code in ("import hwmem; hwmem.Machine().spawn()", "from goalloc import Runtime; Runtime(gomaxprocs=1).malloc_many([16])")
)


def go_program(folder, name="malloc"):
    """malloc.go, or another of these, built into `folder`; None where there is no Go 1.21.13."""
    go = shutil.which("go")
    if not go or "go1.21.13" not in subprocess.run([go, "version"], capture_output=True, text=True).stdout:
        return None
    shutil.copy(Path(__file__).with_name(f"{name}.go"), folder)
    Path(folder, "linkname.s").touch()  # lets a Go file declare the runtime's functions
    Path(folder, "go.mod").write_text(f"module {name}\n\ngo 1.21\n")
    cache = os.environ.get("GOCACHE") or str(Path(folder, "cache"))
    run_child([go, "build", "-o", name, "."], {"GOCACHE": cache, "GOPROXY": "off"}, folder)
    return str(Path(folder, name))


def real(program, size, noscan, count, rounds):
    """The real Go's nanoseconds, a list by round; None without Go."""
    if program is None:
        return None
    return [float(word) for word in run_child([program, str(size), str(int(not noscan)), str(count), str(rounds)]).output.split()]


def ours(machine, size, noscan, count, rounds):
    """Nanoseconds of each round on a runtime of its own."""
    from goalloc import Runtime

    rt, sizes = Runtime(machine=machine, gomaxprocs=1), np.full(count, size)
    times = [cpu_seconds(lambda: rt.malloc_many(sizes, noscan=noscan)) / count * 1e9 for _ in range(rounds)]
    rt.process.exit()
    return times


def least(runs):
    """Of each round the least that any of the runs took."""
    return np.min(list(runs), axis=0)


def measure(repeats):
    import goalloc.runtime.runtime  # noqa: F401  (the doors, before there is a machine)
    from hwmem import Machine

    machine = Machine()
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(CASES) + 2, desc="malloc", unit="case", disable=None) as bar:
        program, cases = go_program(folder), {}
        for name, (size, noscan, count) in CASES.items():
            ours(machine, size, noscan, count, 1)
            went = real(program, size, noscan, count, repeats)
            cases[name] = {"ours": min(ours(machine, size, noscan, count, repeats)), "go": went and min(went)}
            bar.update()
        rounds = GROWTH_MIB[-1]
        mine = least(ours(machine, 16, True, 1 << 16, rounds) for _ in range(repeats))  # a MiB a round
        went = least(real(program, 16, True, 1 << 16, rounds) for _ in range(repeats)) if program else None
        growth = {
            mib: {"ours": float(np.median(mine[mib // 2 : mib])), "go": float(np.median(went[mib // 2 : mib])) if program else None}
            for mib in GROWTH_MIB
        }
        bar.update()
        with tempfile.TemporaryDirectory() as cache:
            before = run_child(MACHINE, {"NUMBA_CACHE_DIR": cache})
            compiling = run_child(ALLOCATOR, {"NUMBA_CACHE_DIR": cache})
            warm = run_child(ALLOCATOR, {"NUMBA_CACHE_DIR": cache})
        bar.update()
    return {
        "go": program is not None,
        "cases": cases,
        "growth": growth,
        "compile": {"machine": before.cpu, "allocator": compiling.cpu - warm.cpu},
    }


def ratio(pair):
    return pair["ours"] / pair["go"] if pair["go"] else None


def text(result):
    rows = [[name, pair["ours"], pair["go"] or "-", ratio(pair) or "-"] for name, pair in result["cases"].items()]
    rows += [[f"16 B, {mib} MiB live", pair["ours"], pair["go"] or "-", ratio(pair) or "-"] for mib, pair in result["growth"].items()]
    missing = "" if result["go"] else "\nnot installed: Go 1.21.13 (pip install 'hwmem[go]')"
    return (
        "mallocgc, nanoseconds of the host an allocation, everything modelled\n"
        + table(["", "emulated", "real Go", "times"], rows)
        + missing
        + f"\n\ncompiling the allocator: {result['compile']['allocator']:.0f} CPU seconds"
    )


def floors(result):
    pair = result["cases"]["16 B"]
    if pair["go"]:
        yield Floor("emulated / real mallocgc", "16 B", ratio(pair), MOST_TIMES_GO, UNDER)
        first, last = (result["growth"][mib] for mib in (GROWTH_MIB[0], GROWTH_MIB[-1]))
        yield Floor("growth with the heap / Go's", "16-256 MiB", last["ours"] / first["ours"] * first["go"] / last["go"], 1.25, UNDER)
    yield Floor("compiling the allocator", "CPU seconds", result["compile"]["allocator"], COMPILE_SECONDS, UNDER)
