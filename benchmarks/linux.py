"""Part "linux": the operating system's part of the machine, on the host's clock and in the host's memory.

    faults      demand-zero faults a second: one store a page of 24 MiB, each page's 64 lines cleared through the caches;
                "fresh": of RAM that the host has never given memory for, so that each page is a fault on the host as well
    pairs       mmap and munmap of 64 KiB, from a kernel: pairs a second
    look-up     nanoseconds to find the VMA of a random address, among 10 to 65,530 (every second page protected), and
                the VMAs that are compared with on the way: these are what must not grow faster than the logarithm
    host        bytes of the host's memory: for a machine of 4 GiB of RAM that nobody touched; for 256 MiB touched, and
                after MADV_DONTNEED

`python -m benchmarks.linux` prints the last as JSON, measured in a process of its own.
"""

import json
import math

from benchmarks.floors import UNDER, Floor
from benchmarks.measure import MB, best_in_turn, last_json, python, run_child
from benchmarks.memory import resident
from hwmem import params as P
from hwmem.machine.accesses import touch_pages
from hwmem.config.machine import MachineConfig
from hwmem.kernels import kernel, mmap, mprotect, munmap
from hwmem.linux.vma_tree import find_vma
from hwmem.machine.machine import Machine
from hwmem.programs.memory.mappings import depth_at
from hwmem.programs.meter import next_random
from hwmem.machine.enter import place_thread
from hwmem.report.table import table

SPAN = 24 << 20  # less than what the machine keeps of freed RAM (params.RELEASE_ABOVE)
PAIRS, PIECE = 200_000, 64 << 10
LOOKUPS = 1_000_000
VMAS = (10, 100, 1_000, 10_000, P.MAX_MAP_COUNT)
TOUCHED = 256 << 20
FLOORS = {"faults": 400_000, "pairs": 300_000, "steps": 2.0, "untouched": 300.0, "kept": 0.3}
RW = P.PROT_READ | P.PROT_WRITE


def measure(repeats):
    """{"faults", "fresh", "pairs": a second, "lookups", "steps": {VMAs: ns, comparisons}, "host": {"untouched", "touched",
    "returned": bytes}}."""
    from tqdm import tqdm

    contenders = {"faults": prepare_faults, "fresh": prepare_fresh_faults, "pairs": prepare_pairs}
    contenders |= {n: lambda n=n: prepare_lookups(n) for n in VMAS}
    with tqdm(total=1 + repeats * len(contenders), desc="linux", unit="run", disable=None) as bar:
        best = best_in_turn(contenders, repeats, lambda name: bar.update())
        host = last_json(run_child(python("benchmarks.linux")).output)
        bar.update()
    return {
        "repeats": repeats,
        "faults": SPAN // P.PAGE / best["faults"],
        "fresh": SPAN // P.PAGE / best["fresh"],
        "pairs": PAIRS / best["pairs"],
        "lookups": {n: best[n] * 1e9 / LOOKUPS for n in VMAS},
        "steps": {n: mean_steps(n) for n in VMAS},
        "host": host,
    }


def new_process(memory="256MiB"):
    """A process on a machine of its own, and a thread of it on core 0."""
    process = Machine(MachineConfig().replace(memory=memory)).spawn()
    t = process.thread_on(0)
    place_thread(process.machine.state, t, 0)
    return process, process.machine.state, t


def prepare_fresh_faults():
    process, m, t = new_process()
    start = process.mmap(0, SPAN)
    touch_pages(m, t, start, P.PAGE, True)  # compiled
    return lambda: touch_pages(m, t, start, SPAN, True)


def prepare_faults():
    process, m, t = new_process()
    start = process.mmap(0, SPAN)
    touch_pages(m, t, start, SPAN, True)
    process.munmap(start, SPAN)
    start = process.mmap(0, SPAN)  # its pages get the frames that were just freed
    return lambda: touch_pages(m, t, start, SPAN, True)


def prepare_pairs():
    _, m, t = new_process()
    map_and_unmap(m, t, 1)
    return lambda: map_and_unmap(m, t, PAIRS)


@kernel
def map_and_unmap(m, t, n):
    for _ in range(n):
        munmap(m, t, mmap(m, t, 0, PIECE, RW, P.MAP_PRIVATE), PIECE)


def prepare_lookups(vmas):
    m, p, start = crowd(vmas)
    look_up_vmas(m, p, start, 2 * vmas, 1)
    return lambda: look_up_vmas(m, p, start, 2 * vmas, LOOKUPS)


def mean_steps(vmas):
    """VMAs compared with, on average, on the way to some of their pages."""
    m, p, start = crowd(vmas)
    pages = range(0, 2 * vmas, -(-vmas // 500) | 1)  # odd: both kinds of VMA
    return sum(depth_at(m, p, start + page * P.PAGE) for page in pages) / len(pages)


def crowd(vmas):
    """A process with this many VMAs, half of them single protected pages: the machine's record, its number, where they begin."""
    process, m, t = new_process()
    start = process.mmap(0, 2 * vmas * P.PAGE, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_NORESERVE)
    protect_until(m, t, start, vmas)
    return m, process.number, start


@kernel
def protect_until(m, t, start, vmas):
    """Protect every second page until the process has this many VMAs."""
    page = 1
    while m.process[m.thread[t].process].vma_count < vmas - 1:
        mprotect(m, t, start + page * P.PAGE, P.PAGE, P.PROT_READ)
        page += 2


@kernel
def look_up_vmas(m, p, start, pages, n):
    found, x = 0, 1
    for _ in range(n):
        x = next_random(x)
        found += find_vma(m, p, start + (x >> 8) % pages * P.PAGE)
    return found


def host_memory():
    """What the host gives for emulated memory; for a process that has done nothing else."""
    warm, _, _ = new_process("4GiB")
    warm.touch(warm.mmap(0, P.PAGE), P.PAGE)
    before = resident("VmRSS")
    process, _, _ = new_process("4GiB")
    untouched = resident("VmRSS") - before
    start = process.mmap(0, TOUCHED)
    before = resident("VmRSS")
    process.touch(start, TOUCHED)
    touched = resident("VmRSS") - before
    process.madvise(start, TOUCHED, P.MADV_DONTNEED)
    return {"untouched": untouched, "touched": touched, "returned": before + touched - resident("VmRSS")}


def text(result):
    host = {name: n / MB for name, n in result["host"].items()}
    rows = [
        ["demand-zero faults a second", result["faults"]],
        ["of fresh RAM", result["fresh"]],
        ["mmap and munmap, pairs a second", result["pairs"]],
        *([f"ns to find one of {n:,} VMAs ({result['steps'][n]:.1f} steps)", ns] for n, ns in result["lookups"].items()),
        ["MB for 4 GiB of RAM untouched", host["untouched"]],
        [f"MB for {TOUCHED >> 20} MiB touched", host["touched"]],
        ["MB back after MADV_DONTNEED", host["returned"]],
    ]
    return f"Linux's part, best of {result['repeats']}\n" + table(["", ""], rows)


def floors(result):
    host = result["host"]
    yield Floor("demand-zero faults a second", "24 MiB", result["faults"], FLOORS["faults"])
    yield Floor("mmap and munmap pairs a second", "64 KiB", result["pairs"], FLOORS["pairs"])
    for n, steps in result["steps"].items():
        yield Floor("VMA look-up, steps / log2(VMAs)", f"{n:,}", steps / math.log2(n), FLOORS["steps"], UNDER)
    yield Floor("4 GiB of RAM untouched, MB", "host", host["untouched"] / MB, FLOORS["untouched"], UNDER)
    yield Floor("kept after DONTNEED, part", "host", 1 - host["returned"] / host["touched"], FLOORS["kept"], UNDER)


if __name__ == "__main__":
    print(json.dumps(host_memory()))
