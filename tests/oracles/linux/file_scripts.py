"""Random scripts of operations on mapped files for files_oracle, which says what Linux answers about the file it is given.

"file" scripts begin with nothing in the page cache, so that read-ahead shows; "warm" ones with all of it, and ask nothing
that a device's read-ahead decides, so that any host can answer them. The recorded answers (files.jsonl.gz: one script a
line, Linux 6.18, ext4 without large folios mounted with nodelalloc and data=writeback, read_ahead_kb 128) are what three
runs agreed on, null elsewhere.
"""

import random

PAGE, WINDOW, MOST = 4096, 1 << 20, 255
NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED = range(5)
SHARED, PRIVATE = 1, 2
RW, R, NONE = 3, 1, 0
WEIGHTS = {
    "map": 8,
    "anon": 2,
    "unmap": 4,
    "protect": 8,
    "advise": 10,
    "msync": 5,
    "read": 22,
    "write": 16,
    "fill": 5,
    "sum": 6,
    "fsync": 2,
    "truncate": 2,
    "fork": 2,
}


def script(seed, steps, kind="file"):
    """Yield script lines; the same seed gives the same script."""
    rng = random.Random(f"{kind}-{seed}")
    pages = solid = rng.choice([40, 100, 200, 250])
    yield f"{kind} {pages}"
    yield f"map 0 {WINDOW // 2} {rng.choice([RW, RW, R])} {rng.choice([SHARED, PRIVATE])} {rng.randrange(8)}"
    for _ in range(steps):
        op = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if op == "truncate":
            change = rng.choice([-60, -20, -3, -1, 1, 5, 40]) if kind == "file" else rng.choice([-20, -3, -1])
            pages = max(1, min(MOST, pages + change))
            cut = rng.choice([0, 0, 100, PAGE - 1]) if pages < solid else 0  # within a block that the file has, not in a hole
            solid = min(solid, pages)
            yield f"truncate {pages * PAGE - cut}"
        else:
            yield line(rng, op, pages)


def line(rng, op, pages):
    off = rng.randrange(0, WINDOW, PAGE)
    length = min(PAGE * rng.choice([1, 1, 2, 3, 8, 16, 40]), WINDOW - off)
    if op == "map":
        return f"map {off} {length * 4} {rng.choice([RW, RW, RW, R, NONE])} {rng.choice([SHARED, PRIVATE])} {rng.randrange(pages)}"
    if op == "protect":
        return f"protect {off} {length} {rng.choice([RW, RW, R, NONE])}"
    if op == "advise":
        return f"advise {off} {length * 4} {rng.choice([NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED, DONTNEED])}"
    if op == "msync":
        return f"msync {off + rng.choice([0] * 9 + [8])} {length} {rng.choice([4, 4, 4, 1, 2, 0, 5])}"
    if op == "fill":
        return f"fill {off} {length} {rng.randrange(256)}"
    if op == "fork":
        return f"fork {rng.randrange(256)}"
    return op if op == "fsync" else f"{op} {off} {length}"
