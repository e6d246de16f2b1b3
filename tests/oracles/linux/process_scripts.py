"""Random scripts of memory calls by several processes for processes_oracle, which share and lock their memory.

    shared    shared and private mappings, forks, PSS and dirty figures, POPULATE and FREE, REMOVE
    locked    mlock, mlock2 and mlockall among forks and moves
    moved     mremap of all kinds, DONTUNMAP and an old length of 0 among them, beside mappings of parents and children
    guards    guards, WIPEONFORK, DONTDUMP, DONTNEED_LOCKED
    huge      MADV_HUGEPAGE and COLLAPSE of what a fork shares
    files     a file of FILE_PAGES pages mapped shared and private by all of them, written, locked, synced

The recorded answers (processes.jsonl.gz: a kind, a seed and answers a line, Linux 6.18, THP "madvise") are what three runs
agreed on, null elsewhere.
"""

import random

PAGE, HUGE = 4096, 2 << 20
SHARED, PRIVATE, ANONYMOUS, NORESERVE, POPULATE = 0x01, 0x02, 0x20, 0x4000, 0x8000
RW, R, NONE = 3, 1, 0
DONTNEED, FREE, REMOVE, DONTFORK, DOFORK, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP, WIPEONFORK, KEEPONFORK = (
    4,
    8,
    9,
    10,
    11,
    14,
    15,
    16,
    17,
    18,
    19,
)
POPULATE_READ, POPULATE_WRITE, DONTNEED_LOCKED, COLLAPSE, GUARD_INSTALL, GUARD_REMOVE = 22, 23, 24, 25, 102, 103
MAYMOVE, FIXED, DONTUNMAP = 1, 2, 4
PROCESSES, FILE_PAGES = 4, 48
ADVICE = {
    "shared": (DONTNEED, FREE, POPULATE_READ, POPULATE_WRITE, POPULATE_WRITE, REMOVE),
    "locked": (DONTNEED_LOCKED, POPULATE_READ, DONTNEED),
    "moved": (DONTNEED, DONTFORK, DOFORK),
    "huge": (HUGEPAGE, HUGEPAGE, NOHUGEPAGE, COLLAPSE, COLLAPSE, DONTNEED),
    "files": (DONTNEED, DONTNEED, POPULATE_READ, POPULATE_WRITE),
    "guards": (GUARD_INSTALL, GUARD_INSTALL, GUARD_REMOVE, WIPEONFORK, KEEPONFORK, DONTDUMP, DODUMP, DONTNEED, POPULATE_WRITE),
}
WEIGHTS = {
    "map": 8,
    "unmap": 4,
    "protect": 6,
    "advise": 10,
    "read": 10,
    "write": 14,
    "fork": 4,
    "exit": 2,
    "lock": 0,
    "unlock": 0,
    "lockall": 0,
    "unlockall": 0,
    "move": 2,
    "refs": 1,
}
MORE = {
    "shared": {"map": 12},
    "locked": {"lock": 14, "unlock": 8, "lockall": 2, "unlockall": 1},
    "moved": {"move": 20},
    "guards": {"advise": 20, "lock": 2, "unlock": 1},
    "files": {"map": 4, "file": 16, "sync": 4, "lock": 4, "unlock": 3, "lockall": 1, "unlockall": 1, "move": 3},
    "huge": {"move": 4, "fork": 6},
}
KINDS = tuple(ADVICE)


def script(seed, steps, kind):
    """Yield script lines; the same seed gives the same script."""
    rng = random.Random(f"{kind}-{seed}")
    unit = HUGE if kind == "huge" else PAGE
    alive, weights = {0}, WEIGHTS | MORE[kind]
    yield f"0 map 0 {unit * (4 if kind == 'huge' else 32)} {RW} {PRIVATE | ANONYMOUS}"
    for _ in range(steps):
        p = rng.choice(sorted(alive))
        op = rng.choices(list(weights), list(weights.values()))[0]
        if op == "fork":
            if len(alive) < PROCESSES:
                q = min(set(range(PROCESSES)) - alive)
                alive.add(q)
                yield f"{p} fork {q}"
        elif op == "exit":
            if len(alive) > 1:
                alive.remove(p)
                yield f"{p} exit"
        else:
            yield f"{p} {op} {arguments(rng, kind, op, unit)}".rstrip()


def arguments(rng, kind, op, unit):
    off, length = place(rng, kind, unit)
    if op == "map":
        flags = rng.choice((SHARED, SHARED, PRIVATE) if kind in ("shared", "locked") else (SHARED, PRIVATE, PRIVATE, PRIVATE)) | ANONYMOUS
        return f"{off} {length} {rng.choice((RW, RW, RW, R, NONE))} {flags | rng.choice((0, 0, 0, POPULATE, NORESERVE))}"
    if op == "file":
        first = rng.randrange(FILE_PAGES - length // PAGE + 1)
        return (
            f"{off} {length} {rng.choice((RW, RW, R, NONE))} {rng.choice((SHARED, SHARED, PRIVATE)) | rng.choice((0, 0, POPULATE))} {first}"
        )
    if op == "protect":
        return f"{off} {length} {rng.choice((RW, RW, R, NONE))}"
    if op == "advise":
        return f"{off} {length} {rng.choice(ADVICE[kind])}"
    if op == "lock":
        return f"{off} {length} {rng.choice((0, 0, 1))}"
    if op == "lockall":
        return str(rng.choice((2, 2, 6)))
    if op == "unlockall":
        return ""
    if op == "refs":
        return "1"
    if op == "move":
        return move(rng, kind, unit, off, length)
    return f"{off} {length}"


def move(rng, kind, unit, off, length):
    to, _ = place(rng, kind, unit)
    roll = rng.random()
    if roll < 0.2:
        return f"{off} {length} {length} {MAYMOVE | FIXED | DONTUNMAP} {to}"
    if roll < 0.3:
        return f"{off} 0 {length} {MAYMOVE | FIXED} {to}"
    if roll < 0.4:
        return f"{off} {length} {length + unit} 0 0"
    return f"{off} {length} {max(unit, length + unit * rng.choice((0, 0, 0, -1, 2)))} {MAYMOVE | FIXED} {to}"


def place(rng, kind, unit):
    if kind == "huge":
        off, length = unit * rng.randrange(6), unit * rng.choice((1, 1, 2))
        if rng.random() < 0.4:
            off, length = off + PAGE * rng.randrange(512), PAGE * rng.choice((1, 8, 300, 511))
        return off, length
    return unit * rng.randrange(48), unit * rng.choice((1, 1, 2, 3, 5, 8, 16))
