"""A short mixed run whose every number is returned: what is run here, in another process, unjitted and checked.

python mixture.py N SEED        prints the numbers of `mixtures` as JSON
"""

import json
import sys

import numpy as np

from hwmem.config.machine import CacheConfig, MachineConfig, TlbConfig
from hwmem.machine.machine import Machine
from kernels_under_test import (
    ADD,
    COMPARE_EXCHANGE,
    COMPUTE,
    EXCHANGE,
    FENCE,
    FINISH,
    INCREMENT,
    LOAD,
    SLEEP,
    STORE,
    WAIT,
    WAKE,
    run_programs,
    script_results,
)

MAKES = (
    {},
    {"sockets": 2, "protocol": "moesi", "inclusion": "nine"},
    {"protocol": "mesif", "l2": None, "ordering": "sc"},
    {"protocol": "msi", "mmu": False},
    {"cores": 64, "sockets": 4},
)


def cache(sets, ways, policy):
    return CacheConfig(sets * ways * 64, ways, 4, policy)


def mixture(n, seed, **settings):
    """Results, scheduler's log and counters of a random script, a replay and a few threads, all policies at work."""
    rng = np.random.default_rng(seed)
    machine = Machine(
        MachineConfig().replace(
            **{
                "cores": 4,
                "memory": "4MiB",
                "l1d": cache(4, 2, "random"),
                "l2": cache(8, 4, "nru"),
                "llc": cache(7, 18, "lru"),
                "dtlb": TlbConfig(4, 2, 0),
                "stlb": TlbConfig(12, 3, 7),
                "dtlb_2m": None,
                **settings,
            }
        ),
        seed=seed,
    )
    process = machine.spawn()
    pages = min(40, 6 + n // 30)
    base = process.mmap(0, pages * 4096)
    kinds = (LOAD, STORE, ADD, EXCHANGE, COMPARE_EXCHANGE, FENCE)
    cores = machine.config.cores
    rows = [
        (int(rng.integers(cores)), int(rng.choice(kinds)), base + int(rng.integers(pages * 512 - 1)) * 8, 8, int(rng.integers(1 << 40)), 0)
        for _ in range(n)
    ]
    rows += [(-1 - k % 4 + cores, (LOAD, STORE)[k % 2], base + 60 + 64 * k, 8, k, 0) for k in range(20)]  # across lines
    results = script_results(process, rows).tolist()
    process.munmap(base + 4096, 3 * 4096)
    machine.replay((rng.integers(0, 1 << 16, n // 4) * 8, True), core=rng.integers(0, cores, n // 4))
    wait = base + (pages - 1) * 4096
    process.store(wait, 0)
    programs = np.array(
        [
            [COMPUTE, 5, 0],
            [INCREMENT, base, 1],
            [SLEEP, 900, 0],
            [WAIT, wait, 0],
            [FINISH, 0, 0],
            [COMPUTE, 9999, 0],
            [WAKE, wait, 5],
            [FINISH, 0, 0],
        ],
        np.int64,
    )
    threads = np.array([machine.new_thread(process.number, cores - 1 - c % 4) for c in range(6)], np.int64)
    log = np.zeros((100, 5), np.int64)
    steps = run_programs(machine.state, threads, programs, np.array([0, 0, 5, 0, 0, 0]), log)
    machine.check()
    return [results, log[:steps].tolist(), machine.counters()]


def mixtures(n, seed):
    """As JSON would give them back."""
    return json.loads(json.dumps([mixture(n, seed, **make) for make in MAKES]))


if __name__ == "__main__":
    print(json.dumps(mixtures(*map(int, sys.argv[1:]))))
