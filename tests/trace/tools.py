"""The outside truths a replayed trace is held against, run live or as a reference program.

    program ──valgrind --tool=cachegrind──────────────> nine events        these two are equal,
       └─────valgrind --tool=lackey──> trace ──> cachegrind_ref.c ──┘      event by event
                                         └────> pycachesim               hits and misses of every level

Caches are given as (sets, ways) with lines of 64 bytes. `missing(...)` says which tools are not on this machine, so a
test can skip with that reason.

Why the two valgrind runs see the same references: Valgrind lays the client out itself (program, stack and heap at
addresses of its own), and neither cachegrind nor lackey brings a library or an allocator of its own into the client.
What is left to hold equal is the command, the folder, the environment and what stdin and stdout are, because strings
and buffers depend on them; `_run` does. A program that draws random numbers for itself (perl's hash seed) is told not
to, or differs. One difference stays and does not count: the loader's strcspn reads up to three bytes past the last
environment string, into the 16 random bytes of AT_RANDOM, and looks them up in a table of 256 bytes it has just
written: other addresses in each run, always hits.
"""

import importlib.util
import json
import pathlib
import shutil
import subprocess

import numpy as np

EVENTS = ("Ir", "I1mr", "ILmr", "Dr", "D1mr", "DLmr", "Dw", "D1mw", "DLmw")
LINE_BYTES = 64
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
REFERENCE_SOURCE = pathlib.Path(__file__).with_name("cachegrind_ref.c")


def missing(*names):
    """Why these tools ("valgrind", "cc", "pycachesim", a program) cannot be used here; "" if they all can."""
    gone = [name for name in names if shutil.which(name) is None]
    if "pycachesim" in gone and importlib.util.find_spec("cachesim") is not None:
        gone.remove("pycachesim")
    return f"not installed: {', '.join(gone)}" if gone else ""


def cachegrind(command, folder, i1, d1, ll):
    """Cachegrind's nine totals for a run of `command` in `folder`."""
    out = pathlib.Path(folder) / "cachegrind.out"
    caches = [f"--{name}={sets * ways * LINE_BYTES},{ways},{LINE_BYTES}" for name, (sets, ways) in zip(("I1", "D1", "LL"), (i1, d1, ll))]
    _run(
        ["valgrind", "--tool=cachegrind", "--cache-sim=yes", *caches, f"--cachegrind-out-file={out}", "--log-file=/dev/null", *command],
        folder,
    )
    totals = dict(line.split(": ", 1) for line in out.read_text().splitlines() if line.startswith(("events: ", "summary: ")))
    return dict(zip(totals["events"].split(), map(int, totals["summary"].split())))


def lackey(command, folder, path):
    """Record a run of `command` in `folder` as a lackey trace at `path`."""
    _run(["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={path}", *command], folder)


def compile_reference(folder):
    """Compile cachegrind_ref.c into `folder`; the program's path."""
    program = pathlib.Path(folder) / "cachegrind_ref"
    subprocess.run(["cc", "-O2", "-o", program, REFERENCE_SOURCE], check=True)
    return program


def cachegrind_reference(program, trace_text, i1, d1, ll):
    """The nine totals the reference counts for a lackey trace (bytes)."""
    geometry = [str(number) for cache in (i1, d1, ll) for number in cache]
    return json.loads(subprocess.run([program, *geometry], input=trace_text, stdout=subprocess.PIPE, check=True).stdout)


def pycachesim_counts(addresses, is_store, sizes, levels, stores):
    """Hits and misses of every level, by pycachesim: a list of {"hits", "misses", "dirty_evictions"}, first level first.

    In pycachesim a store that hits is not counted and does not refresh the line's recency, at any level, and a
    dirty victim that misses in the next level is fetched there. So there are two ways to ask:

    stores="load":       every reference is a load; all levels are exact LRU.
    stores="load first": a store is a load of the line and then a store. The FIRST level is exact, dirty evictions
                         included; the levels behind it see write-backs pycachesim's way.
    """
    from cachesim import Cache, CacheSimulator, MainMemory

    cache = None
    for number, (sets, ways) in reversed(list(enumerate(levels, 1))):
        cache = Cache(f"L{number}", sets, ways, LINE_BYTES, "LRU", store_to=cache, load_from=cache)
        if number == len(levels):
            memory = MainMemory()
            memory.load_to(cache)
            memory.store_from(cache)
    simulator = CacheSimulator(cache, memory)
    lines, line_is_store = by_line(addresses, is_store, sizes)
    touched = (lines * LINE_BYTES).tolist()
    if stores == "load":
        simulator.load(touched)
    else:
        simulator.loadstore([((address,), (address,) if store else None) for address, store in zip(touched, line_is_store.tolist())])
    return [
        {"hits": level.HIT_count, "misses": level.MISS_count, "dirty_evictions": level.EVICT_count}
        for level in simulator.levels(with_mem=False)
    ]


def by_line(addresses, is_store, sizes):
    """(line numbers, is_store), one a line touched, a reference's lines in ascending order."""
    addresses, sizes = np.asarray(addresses, np.int64), np.asarray(sizes, np.int64)
    first = addresses // LINE_BYTES
    count = (addresses + sizes - 1) // LINE_BYTES - first + 1
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + within, np.repeat(np.asarray(is_store, bool), count)


def _run(command, folder):
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
