"""Fresh random programs of objects, pointers, finalizers and collections on the real heap and on ours, from the same beginning:

    python -m tests.goalloc.swept [--count N] [--seed S]

Equal are: where every object lies, also after collections; which objects a collection frees; which finalizers it runs, in their order; MemStats
after it; what SetGCPercent returns. live/swept/main.go is the real side, goalloc.answers' GCProgram ours (a program of gc_programs.json.gz's form).
GOMAXPROCS=1, GOGC=off.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from goalloc.answers_collecting import GCProgram, runs_of  # noqa: E402

FIRST, PAGE, NOTHING = 0xC000000000, 8192, (1 << 64) - 1
OPERATIONS = ("new", "tiny", "link", "root", "stack", "finalizer", "gc", "percent", "memstats")
STATS = ("Mallocs", "Frees", "HeapObjects", "HeapAlloc", "TotalAlloc", "HeapSys", "HeapInuse", "NumGC")
ROOTS, SLOTS = 128, 32  # variables that a program sets; finalizers have as many again
SIZES = (8, 16, 16, 24, 32, 32, 48, 64, 80, 128, 200, 512, 1024, 1032, 3000, 9000, 20_000, 33_000, 100_000)
RUNS = 3
ENVIRONMENT = {"GOMAXPROCS": "1", "GODEBUG": "gcshrinkstackoff=1"}


def make(rng):
    """A program: types, and operations that name no object that a collection may have freed. What finalizers store is not read."""
    types = [random_type(rng) for _ in range(rng.randrange(2, 12))]
    heavy = rng.random()
    ops, fields, kinds, roots, stacks = [], {}, {}, {}, {}

    def reachable():
        seen, todo = set(), [*roots.values(), *stacks.values()]
        while todo:
            x = todo.pop()
            if x not in seen:
                seen.add(x)
                todo += fields[x].values()
        return sorted(seen)

    live = []
    for i in range(rng.randrange(100, 2500)):
        choice = rng.random()
        if choice < 0.6 or not live:
            kinds[i], fields[i] = (None if rng.random() < 0.1 else rng.randrange(len(types))), {}
            ops.append(["tiny", i, rng.randrange(1, 16)] if kinds[i] is None else ["new", i, kinds[i]])
            if rng.random() < 0.1 * heavy:
                ops.append(["finalizer", i, i, ROOTS + rng.randrange(ROOTS) if rng.random() < 0.1 else None])
            if rng.random() < 0.8:
                keep(rng, ops, roots, stacks, i)
                live.append(i)
        elif choice < 0.8:
            owners = [x for x in live if kinds[x] is not None and types[kinds[x]][1]]
            if owners:
                x, to = rng.choice(owners), rng.choice([*live, None])
                offset = rng.choice(types[kinds[x]][1])
                fields[x].pop(offset, None)
                if to is not None:
                    fields[x][offset] = to
                ops.append(["link", x, offset, to])
        elif choice < 0.96:
            places, name = (roots, "root") if rng.random() < 0.9 else (stacks, "stack")
            if places:
                k = rng.choice(sorted(places))
                del places[k]
                ops.append([name, k, None])
        elif choice < 0.98:
            ops.append(["gc"])
            live = reachable()
        elif choice < 0.99:
            ops.append(["percent", rng.choice((-1, 0, 50, 100, 400))])
        else:
            ops.append(["memstats"])
    return {"types": types, "ops": [*ops, ["gc"], ["gc"]]}


def random_type(rng):
    size = rng.choice(SIZES)
    words = range(0, min(size, 2048) // 8 * 8, 8)
    pointers = sorted(rng.sample(words, min(len(words), rng.randrange(1, 6)))) if rng.random() < 0.6 else []
    return [size // 8 * 8 if pointers else size, pointers]


def keep(rng, ops, roots, stacks, i):
    if rng.random() < 0.9:
        k = rng.randrange(ROOTS)
        roots[k] = i
        ops.append(["root", k, i])
    else:
        k = rng.randrange(SLOTS)
        stacks[k] = i
        ops.append(["stack", k, i])


def as_numbers(program):
    """What live/swept/main.go reads."""
    numbers = [len(program["types"])]
    for size, pointers in program["types"]:
        numbers += [size, len(pointers), *pointers]
    numbers.append(len(program["ops"]))
    for name, *arguments in program["ops"]:
        if name == "finalizer":
            arguments = [arguments[0], arguments[2]]
        elif name == "new":
            arguments = [arguments[0], arguments[1] + 1]
        numbers += [OPERATIONS.index(name), *(-1 if x is None else x for x in arguments)]
    return " ".join(map(str, numbers))


def theirs(recorder, program):
    """(the heap as it began, addresses, what was told after each operation that tells something)."""
    run = subprocess.run([recorder], input=as_numbers(program), capture_output=True, text=True, env=ENVIRONMENT, check=True)
    real = json.loads(run.stdout)
    at, free, scavenged = real["cache"]
    bits = lambda pages: "".join("1" if page else "0" for page in pages)  # noqa: E731
    start = {
        "spans": real["spans"],
        "full": real["full"],
        "page_cache": [(int(at) - FIRST) // PAGE if int(at) else None, free, scavenged],
        "curArena": real["arena"],
        "searchAddr": real["search"] - FIRST if FIRST <= real["search"] <= FIRST + (1 << 40) else None,
        "scavenge_goal": None if int(real["goal"]) == NOTHING else int(real["goal"]),
        "free_pages": runs_of(bits(real["free"])),
        "free_scavenged_pages": runs_of(bits(real["gone"])),
        "stats": real["stats"],
    }
    return start, *told(program, real["told"])


def told(program, numbers):
    addresses, collections, words = [], [], iter(numbers)
    several = lambda: [next(words) for _ in range(next(words))]  # noqa: E731
    for i, (name, *_) in enumerate(program["ops"]):
        if name in ("new", "tiny"):
            addresses.append(next(words))
        elif name == "percent":
            collections.append({"op": i, "percent": [next(words), next(words)]})
        elif name in ("gc", "memstats"):
            row = {"op": i}
            if name == "gc":
                row |= {"schedtick": next(words), "freed": several(), "finalized": several()}
            collections.append(row | {"stats": {field: next(words) for field in STATS}})
    return addresses, collections


class Ours(GCProgram):
    """The program of gc_programs' form, with SetGCPercent."""

    def percent(self, value):
        return {"percent": [self.rt.set_gc_percent(value), self.rt.set_gc_percent(-1)]}


def differences(recorder, program):
    """What differs between the two, as lines; none if they are equal."""
    start, addresses, collections = theirs(recorder, program)
    answered = Ours(program | {"addresses": addresses, "collections": collections}, start).answer()
    if answered["addresses"] != addresses:
        i = next(i for i, (a, b) in enumerate(zip(answered["addresses"], addresses)) if a != b)
        yield f"object {i} lies at {answered['addresses'][i]:#x}, the real one at {addresses[i]:#x}"
    for ours, real in zip(answered["collections"], collections, strict=True):
        ours = ours | {"stats": {field: ours["stats"][field] for field in STATS}} if "stats" in real else ours
        for field, value in real.items():
            if ours[field] != value:
                yield f"operation {real['op']}: {field} is {ours[field]}, of the real one {value}"


def differences_that_stay(recorder, program):
    """`differences`, if they are there in each of three runs: of a process that waits for its processor, sysmon moves goroutines."""
    for _ in range(RUNS):
        lines = list(differences(recorder, program))
        if not lines:
            break
    return lines


def build(folder):
    """The real Go's side, built in a folder."""
    environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "-trimpath"}
    environment.setdefault("GOCACHE", f"{folder}/cache")
    subprocess.run([shutil.which("go"), "build", "-o", f"{folder}/", "./swept"], cwd=HERE / "live", env=environment, check=True)
    return pathlib.Path(folder) / "swept"


def main(words=None):
    from tqdm import tqdm

    parser = argparse.ArgumentParser(
        prog="python -m tests.goalloc.swept", description="Random programs with collections: the real heap and ours."
    )
    parser.add_argument("--count", type=int, default=300, metavar="N", help="programs (default 300)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first one's; the next has the next (default 0)")
    arguments = parser.parse_args(words)
    if not shutil.which("go"):
        parser.error("needs Go 1.21.13 on the PATH (pip install '.[go]')")
    counts, differ = dict.fromkeys(("operations", "objects", "collections"), 0), 0
    with tempfile.TemporaryDirectory() as folder:
        recorder = build(folder)
        for seed in tqdm(range(arguments.seed, arguments.seed + arguments.count), unit=" programs", file=sys.stderr, mininterval=2.0):
            program = make(random.Random(seed))
            lines = differences_that_stay(recorder, program)
            for line in lines[:3]:
                print(f"seed {seed}: {line:.200}")
            differ += bool(lines)
            counts["operations"] += len(program["ops"])
            counts["objects"] += sum(op[0] in ("new", "tiny") for op in program["ops"])
            counts["collections"] += sum(op[0] == "gc" for op in program["ops"])
    print(
        f"{arguments.count} programs from seed {arguments.seed}: {counts['operations']:,} operations, {counts['objects']:,} objects, {counts['collections']:,} collections; {differ} differ"
    )
    return differ != 0


if __name__ == "__main__":
    sys.exit(main())
