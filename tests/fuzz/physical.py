"""Accesses and replays on machines without an MMU: addresses anywhere, data only in RAM."""

import numpy as np

import hwmem
from tests.fuzz.calls import REFUSALS, random_config
from tests.fuzz.edges import edge, small

CALLS = 60


def address(r, size):
    if r.random() < 0.5:
        return r.randrange(size)
    if r.random() < 0.3:
        return size + r.randrange(-100, 100)
    return edge(r)


def case(r, note):
    config = random_config(r, mmu=False)
    m = hwmem.Machine(config, r.randrange(1 << 30))
    processes, size = [m.spawn(), m.spawn()], config.memory
    for n in range(CALLS):
        p, core = r.choice(processes), r.randrange(config.cores)
        a = address(r, size)
        name = r.choice(
            ("replay", "replay", "load", "store", "fetch_add", "exchange", "read", "write", "touch", "load_many", "fence", "mmap")
        )
        note(f"{name} {a:#x} core {core} of {config.memory} {config.ordering}")
        try:
            if name == "replay":
                k = r.randrange(1, 40)
                addresses = np.array([(address(r, size) + (1 << 63)) % (1 << 64) - (1 << 63) for _ in range(k)], np.int64)
                cores = core if r.random() < 0.5 else np.array([r.randrange(config.cores) for _ in range(k)])
                sizes = np.array([r.choice((1, 4, 8, 16, 64, 65, 500)) for _ in range(k)])
                counted = m.replay(
                    (addresses, np.array([r.randrange(2) for _ in range(k)], bool), sizes), core=cores, process=r.choice((None, p))
                )
                assert sum(c["loads"] + c["stores"] for c in counted["cores"]) >= k
            elif name == "touch":
                p.touch(a, small(r), core=core)
            elif name == "read":
                p.read(a, small(r), core=core)
            elif name == "write":
                p.write(a, bytes(min(small(r), 1 << 14)), core=core)
            elif name == "load_many":
                p.load_many([address(r, size) for _ in range(6)], core=core)
            elif name == "fence":
                p.fence(core=core)
            elif name == "mmap":
                p.mmap(0, small(r))
            elif name == "load":
                p.load(a, size=r.choice((1, 2, 4, 8)), core=core)
            else:
                getattr(p, name)(a, edge(r), core=core)
        except REFUSALS as refusal:
            assert "\n" not in str(refusal), refusal
        if n % 20 == 19:
            m.check()
    for p in processes:  # RAM is what the machine has: all of it, and nothing else
        assert len(p.read(0, size)) == size


def prepare():
    import random

    for seed in range(4):
        case(random.Random(seed), lambda text: None)
