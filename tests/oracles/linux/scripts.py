"""Random scripts of memory calls for linux_oracle, and the real kernel's answers to them.

`script` writes what hwmem.answer_script and the C program both read: "basic" scripts map, unmap, protect, advise and touch
pages of a megabyte, "thp" ones 2 MiB units with MADV_HUGEPAGE, "swap" ones with MADV_PAGEOUT. The recorded answers
(*.jsonl.gz: one script a line, Linux 6.18, THP "madvise", 64 MiB of swap) are what five runs agreed on, null elsewhere.
"""

import functools
import json
import pathlib
import random
import shutil
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parent
PAGE, HUGE, WINDOW = 4096, 2 << 20, 64 << 20
DONTNEED, WILLNEED, FREE, HUGEPAGE, NOHUGEPAGE, PAGEOUT = 4, 3, 8, 14, 15, 21
NO_ADVICE = 999
RIGHTS_RW, RIGHTS_R, RIGHTS_NONE = 3, 1, 0
RUNS = 3
ADVICE = {
    "basic": [DONTNEED, DONTNEED, FREE, FREE, WILLNEED, NO_ADVICE],
    "thp": [HUGEPAGE, HUGEPAGE, NOHUGEPAGE, DONTNEED, FREE],
    "swap": [PAGEOUT, PAGEOUT, DONTNEED, FREE, WILLNEED],
}
WEIGHTS = {
    "map": 10,
    "unmap": 8,
    "protect": 10,
    "advise": 16,
    "read": 14,
    "write": 18,
    "fill": 4,
    "sum": 6,
    "mincore": 4,
    "remap": 3,
    "any": 3,
    "brk": 3,
    "fork": 2,
}


def script(seed, steps, kind="basic"):
    """Yield script lines; the same seed gives the same script."""
    rng = random.Random(f"{kind}-{seed}")
    span = 16 * HUGE if kind == "thp" else 256 * PAGE
    yield f"map 0 {span // 2} {RIGHTS_RW}"
    for _ in range(steps):
        off, length = odd(rng, *place(rng, kind, span))
        op = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        yield line(rng, kind, op, off, length)


def place(rng, kind, span):
    """A range of the window's first part: pages, or for "thp" huge pages, some of them with ragged ends."""
    unit = HUGE if kind == "thp" else PAGE
    off = rng.randrange(0, span, unit)
    length = unit * rng.choice([1, 1, 2, 3] if kind == "thp" else [1, 1, 2, 3, 4, 8, 16, 32])
    if kind == "thp" and rng.random() < 0.4:
        off += PAGE * rng.randrange(512)
        length = max(PAGE, length - PAGE * rng.randrange(512))
    return off, min(length, span + HUGE - off)


def odd(rng, off, length):
    """Now and then what is not aligned, or empty."""
    roll = rng.random()
    if roll < 0.03:
        return off + rng.choice([1, 8, 100]), length
    if roll < 0.06:
        return off, length + rng.choice([1, 100, 4095])
    return off, 0 if roll < 0.07 else length


def line(rng, kind, op, off, length):
    start = off - off % PAGE
    if op == "map":
        return f"map {off} {length} {rng.choice([RIGHTS_RW] * 3 + [RIGHTS_R, RIGHTS_NONE])}"
    if op == "protect":
        return f"protect {off} {length} {rng.choice([RIGHTS_RW] * 2 + [RIGHTS_R, RIGHTS_NONE])}"
    if op == "advise":
        return f"advise {off} {length} {rng.choice(ADVICE[kind])}"
    if op == "remap":
        return f"remap {off} {length} {max(PAGE, length + PAGE * rng.randrange(-4, 8))}"
    if op == "any":
        return f"any {PAGE * rng.choice([1, 2, 5, 16, 600])} {rng.choice([RIGHTS_RW, RIGHTS_R])}"
    if op == "brk":
        return f"brk {rng.randrange(-2, 60) * 1000}"
    if op == "fork":
        return "fork"
    if op == "fill":
        return f"fill {start} {length} {rng.randrange(256)}"
    return f"{op} {start if op in ('read', 'write', 'sum') else off} {length}"


def build(folder, name="linux_oracle"):
    """Compile a C program of this folder into `folder`: its path. Raises OSError or CalledProcessError where there is no compiler."""
    program = pathlib.Path(folder) / name
    subprocess.run([shutil.which("gcc") or "gcc", "-O1", "-static", "-o", program, FOLDER / f"{name}.c"], check=True, capture_output=True)
    return program


def answers(program, lines, *arguments):
    """The host kernel's answers, address randomisation off."""
    done = subprocess.run(["setarch", "-R", program, *arguments], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return [json.loads(answer) for answer in done.stdout.splitlines()]


def settled(program, lines, *arguments):
    """What three runs on the host's kernel agree on, None elsewhere.

    One run may be disturbed: reclaim, DAMON and whoever writes to drop_caches take pages of a script's file out of the
    cache, which the script did not ask for."""
    return functools.reduce(agreed, (answers(program, lines, *arguments) for _ in range(RUNS)))


def agreed(first, second):
    """What two answers agree on, None elsewhere."""
    if first == second:
        return first
    if isinstance(first, dict):
        return {key: agreed(first[key], second[key]) for key in first}
    if isinstance(first, list) and len(first) == len(second):
        return [agreed(a, b) for a, b in zip(first, second)]
    return None
