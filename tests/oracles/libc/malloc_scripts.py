"""Random scripts for malloc_oracle.c, and what the host's C library answers.

A script's profile decides sizes, the order in which blocks are freed, and how often each call is made. To record answers:

    python malloc_scripts.py OUT.jsonl.gz FIRST_SEED COUNT STEPS THREADS        (needs gcc)

A row: {"seed", "steps", "threads", "profile", "version", "start" (the break at the start), "cores", "end" (of a first mapping),
"answers"}.
"""

import gzip
import json
import pathlib
import random
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).with_name("malloc_oracle.c")

STACKS_KEPT = 3  # of ended threads; a few more, and the library frees what pthread_create took for one
HUGE = 1 << 47  # more than an address space has


def log_uniform(rng, low, high):
    """Between the two, each power of two as likely as the others."""
    return min(high, max(low, int(low * (high / low) ** rng.random())))


SIZES = {
    "tiny": lambda rng: rng.randint(0, 128),
    "small": lambda rng: rng.randint(0, 1100),
    "few": lambda rng: rng.choice((24, 40, 120, 136, 500, 1000, 1040, 2000)),
    "medium": lambda rng: log_uniform(rng, 16, 20_000),
    "large": lambda rng: log_uniform(rng, 1000, 120_000),
    "sorted": lambda rng: 1008 + 64 * rng.randint(0, 60) + 16 * rng.randint(0, 2),
    "threshold": lambda rng: rng.randint(100_000, 170_000),
    "mapped": lambda rng: log_uniform(rng, 60_000, 3_000_000),
    "wide": lambda rng: log_uniform(rng, 1, 40_000_000) if rng.random() < 0.05 else log_uniform(rng, 1, 400_000),
}
ORDERS = ("lifo", "fifo", "random", "batches")
CALLS = {  # weights of m c r a f t s i
    "plain": (10, 0, 0, 0, 9, 0, 0, 1),
    "growing": (3, 1, 9, 0, 4, 0, 0, 1),
    "clearing": (3, 6, 1, 0, 8, 0.1, 0, 1),
    "aligned": (4, 1, 1, 4, 8, 0, 0, 1),
    "all": (8, 2, 3, 1, 11, 0.3, 0, 1),
    "trimming": (8, 2, 2, 1, 12, 1.5, 0, 1),
    "foreign": (8, 2, 2, 1, 11, 0.3, 0.5, 1),
}


OPTIONS = {  # of mallopt: malloc.h's number, values
    1: (0, 7, 24, 64, 160, 161, -1),  # M_MXFAST
    -1: (-1, 0, 5000, 60_000, 128 << 10, 1 << 20, 1 << 30),  # M_TRIM_THRESHOLD
    -2: (0, 1, 4096, 100_000, 1 << 20, 8 << 20),  # M_TOP_PAD
    -3: (100_000, 128 << 10, 1 << 20, 30 << 20, (1 << 31) - 1),  # M_MMAP_THRESHOLD; small mappings find holes between libraries
    -4: (0, 1, 5, 65536),  # M_MMAP_MAX
    -7: (0, 1, 2),
    -8: (0, 1, 2, 3),  # M_ARENA_TEST, M_ARENA_MAX
}
METHODS = {"m": "give", "c": "give", "a": "align", "r": "resize", "f": "free", "t": "trim", "s": "sbrk", "i": "info"}


class Script:
    def __init__(self, seed, steps):
        self.rng = random.Random(seed)
        self.profile = tuple(self.rng.choice(tuple(table)) for table in (SIZES, ORDERS, CALLS))
        self.limit = self.rng.choice((4, 20, 100, 400))  # blocks alive at once
        self.steps, self.alive, self.free_slots, self.draining = steps, [], list(range(2 * self.limit, -1, -1)), False

    def lines(self):
        sizes, _, calls = self.profile
        for _ in range(self.steps):
            call = self.rng.choices("mcraftsi", CALLS[calls])[0]
            if call in "mca" and (len(self.alive) >= self.limit or self.draining):
                call = "f"
            if call in "rf" and not self.alive:
                call, self.draining = "m", False
            yield getattr(self, METHODS[call])(call, SIZES[sizes](self.rng))

    def take(self):
        slot = self.free_slots.pop()
        self.alive.append(slot)
        return slot

    def give(self, call, n):
        if self.rng.random() < 0.002:
            slot = self.free_slots[0]  # fails: the slot stays empty
            return f"{call} {slot} {HUGE + n}"
        return f"{call} {self.take()} {n}"

    def align(self, call, n):
        alignment = 1 << self.rng.randint(3, 12 if n > 32_000 else 16)
        return f"a {self.take()} {alignment} {n}"

    def resize(self, call, n):
        slot = self.rng.choice(self.alive[-3:] if self.rng.random() < 0.6 else self.alive)
        return f"r {slot} {max(n, 1)}"

    def free(self, call, n):
        order = self.profile[1]
        if order == "batches":  # everything goes before anything is taken again
            self.draining = len(self.alive) > 1
        place = {"lifo": -1, "fifo": 0}.get(order)
        if place is None or self.rng.random() < 0.1:
            place = self.rng.randrange(len(self.alive))
        slot = self.alive.pop(place)
        self.free_slots.append(slot)
        return f"f {slot}"

    def trim(self, call, n):
        return f"t {self.rng.choice((0, 0, 4096, 100_000, n))}"

    def sbrk(self, call, n):
        return f"s {self.rng.choice((0, 16, 100, 4096, 200_000, n))}"

    def info(self, call, n):
        return "i"


def script(seed, steps, threads=1):
    """Lines of the script of `seed`, the calls made by `threads` threads in turns of random length."""
    lines = list(Script(seed, steps).lines())
    return lines if threads == 1 else list(by_threads(lines, random.Random(f"threads {seed}"), threads))


def with_options(lines, rng):
    """The script with mallopt at its beginning and, now and then, between its lines."""
    for i, line in enumerate(lines):
        if i == 0 or rng.random() < 0.02:
            option = rng.choice(tuple(OPTIONS))
            yield f"o {option} {rng.choice(OPTIONS[option])}"
        yield line


def by_threads(lines, rng, threads):
    current, begun, ended = 0, set(), set()
    for line in lines:
        others = sorted(begun - {current})
        if rng.random() < 0.15:
            current = rng.randrange(threads)
            begun |= {current} - {0}
            ended -= {current}
            yield f"k {current}"
        elif others and len(ended) < STACKS_KEPT and rng.random() < 0.01:
            gone = rng.choice(others)
            begun.remove(gone)
            ended.add(gone)
            yield f"x {gone}"
        yield line


def build(folder):
    """Compile the oracle into `folder`; its path."""
    program = pathlib.Path(folder) / "malloc_oracle"
    subprocess.run(["gcc", "-O1", "-pthread", "-o", program, SOURCE], check=True)
    return program


def ask(program, lines):
    """[version, start, cores, end] and the answers to a script."""
    done = subprocess.run(["setarch", "-R", program], input="\n".join(lines) + "\n", capture_output=True, text=True, env={})
    head, *answers = map(json.loads, done.stdout.splitlines())
    assert len(answers) == len(lines), done.stderr
    return head, answers


def last_words(program, lines):
    """What the library says before it aborts."""
    done = subprocess.run(["setarch", "-R", program], input="\n".join(lines) + "\n", capture_output=True, text=True, env={})
    assert done.returncode < 0, "it did not abort"
    return done.stderr.strip()


if __name__ == "__main__":
    out, first, count, steps, threads = sys.argv[1], *map(int, sys.argv[2:6])
    with tempfile.TemporaryDirectory() as folder, gzip.open(out, "wt", compresslevel=9) as f:
        program = build(folder)
        for seed in range(first, first + count):
            (version, start, cores, end), answers = ask(program, script(seed, steps, threads))
            f.write(
                json.dumps(
                    {
                        "seed": seed,
                        "steps": steps,
                        "threads": threads,
                        "profile": Script(seed, steps).profile,
                        "version": version,
                        "start": start,
                        "cores": cores,
                        "end": end,
                        "answers": answers,
                    }
                )
                + "\n"
            )
