"""Part "allocators": host nanoseconds of one emulated malloc and free, beside the same pair natively (pairs.c, freelist.c, buddy.c).

emulated    everything modelled; batches of eight blocks of 64 bytes, one thread, so that caches and lists answer
native      the same loop in C: glibc's, Debian's libjemalloc2 and libtcmalloc-minimal4 where they are installed (gperftools', a relation of
            Google's tcmalloc); bump, the free lists and buddies as they are written here, word by word
bump        gives out memory that was not there before, with its page faults, here and there
bump-alone  malloc without a write to the block or a free
"""

import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
from tqdm import tqdm

from benchmarks.floors import UNDER, Floor
from benchmarks.measure import cpu_seconds, run_child
from goalloc.baselines.malloc import free, malloc
from hwmem._jit import kernel
from hwmem.core.access import store64
from hwmem.report.table import table

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
ALONE = "bump-alone"
NATIVE = {  # allocator: (what is preloaded, the argument)
    "bump": (None, "bump"),
    ALONE: (None, "alone"),
    "first-fit": (None, "first_fit"),
    "next-fit": (None, "next_fit"),
    "best-fit": (None, "best_fit"),
    "segregated": (None, "segregated"),
    "buddy": (None, "buddy"),
    "glibc": (None, None),
    "tcmalloc": ("libtcmalloc_minimal.so.4", None),
    "tcmalloc-threads": ("libtcmalloc_minimal.so.4", None),
    "jemalloc": ("libjemalloc.so.2", None),
}
BYTES, BATCH, PAIRS = 64, 8, 200_000
MOST_TIMES_NATIVE, BUMP_MILLION = 15, 60


@kernel
def pairs(m, t, blocks, n):
    """`n` batches of blocks, each written to and freed."""
    for _ in range(n):
        for i in range(len(blocks)):
            blocks[i] = malloc(m, t, BYTES)
            store64(m, t, blocks[i], i)
        for i in range(len(blocks)):
            free(m, t, blocks[i])


@kernel
def allocations(m, t, n):
    for _ in range(n):
        malloc(m, t, BYTES)


def ours(name, repeats):
    """Nanoseconds of a pair, or of an allocation alone."""
    from goalloc.baselines import Allocator
    from hwmem import Machine
    from hwmem.config.machine import MachineConfig

    process, blocks = Machine(MachineConfig().replace(cores=1)).spawn(), np.zeros(BATCH, np.int64)
    Allocator(process, name.removesuffix("-alone"))

    def all_pairs():
        if name == ALONE:
            process._run(0, allocations, PAIRS)
        else:
            process._run(0, pairs, blocks, PAIRS // BATCH)

    all_pairs()
    return min(cpu_seconds(all_pairs) for _ in range(repeats)) / PAIRS * 1e9


def native(program, name):
    """The same; None where the library, or a compiler, is not there."""
    library, argument = NATIVE.get(name, ("", None))
    if program is None or name not in NATIVE or (library and not pathlib.Path(LIBRARIES, library).exists()):
        return None
    environment = {"LD_PRELOAD": f"{LIBRARIES}/{library}"} if library else {}
    return float(run_child([program, *([argument] if argument else [])], environment).output)


def measure(repeats):
    from goalloc.baselines import NAMES

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/pairs" if shutil.which("gcc") else None
        if program:
            sources = [pathlib.Path(__file__).with_name(name) for name in ("pairs.c", "freelist.c", "buddy.c")]
            subprocess.run(["gcc", "-O2", "-fno-builtin", "-o", program, *sources], check=True)
        names = [ALONE, *(name for name in NAMES if name != "jemalloc-muzzy")]
        for name in tqdm(names, desc="allocators", unit="allocator", disable=None):
            found[name] = {"pair": ours(name, repeats), "native": native(program, name)}
    return found


def times(one):
    return one["pair"] / one["native"] if one["native"] else None


def text(result):
    rows = [[name, one["pair"], one["native"] or "-", times(one) or "-"] for name, one in result.items()]
    return "malloc and free of 64 bytes, nanoseconds of the host, everything modelled\n" + table(["", "emulated", "native", "times"], rows)


def floors(result):
    yield Floor("bump, million allocations / s", "64 B", 1e3 / result[ALONE]["pair"], BUMP_MILLION)
    for name, one in result.items():
        if one["native"]:
            yield Floor("emulated / native malloc, free", name, times(one), MOST_TIMES_NATIVE, UNDER)
