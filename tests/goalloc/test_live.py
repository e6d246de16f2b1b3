"""Fresh scenarios, with new seeds, on the real Go and on ours: equal. Skipped where Go 1.21.13 is not installed.

`pip install '.[go]'` installs it. HWMEM_LIVE: how many heap scenarios (20); ten times as many programs of goroutines.
"""

import json
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess

import graphs
import mapprograms
import numpy as np
import orders
import pytest
import swept
import users
from one_p import OneP
from pprof import traces
from recorded import scenarios
from test_goroutine_profile import WAITING

from goalloc import answers
from goalloc.sched.chan import CHANRECV
from goalloc.errors import HEAP_EXHAUSTED, NOT_MAPPED, NOT_RESERVED, TEXTS, FatalError
from goalloc.layout import fixalloc, mheap, pointer_words, variables as V
from goalloc.params import heapArenaBytes
from goalloc.sched.proc import GOSCHED
from goalloc.sizeclasses import class_to_size
from goalloc.runtime.slice import Slice
from goalloc.runtime.start import heap_map
from goalloc.types import array, int32, int64, pointer, struct, uint8

LIVE = pathlib.Path(__file__).resolve().parent / "live"
ROUNDS = 10  # in which main yields after a step of goroutines
ARENA_TYPES = (
    uint8,
    int32,
    int64,
    pointer,
    struct("node", left=pointer, right=pointer, key=int64),
    array(uint8, 5),
    array(pointer, 1000),
    struct("mixed", a=int32, b=pointer, c=uint8),
    array(int64, 100_000),
    array(pointer, 70_000),
)  # of live/arenas.go
MIB = 1 << 20
SCENARIOS = int(os.environ.get("HWMEM_LIVE", 20))


def go_version():
    go = shutil.which("go")
    return subprocess.run([go, "version"], capture_output=True, text=True).stdout if go else "no go on the PATH"


pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("go1.21.13" not in go_version(), reason=f"needs Go 1.21.13 (pip install '.[go]'): {go_version().strip()}"),
]


@pytest.fixture(scope="session")
def environment():
    return {**os.environ, "GOPROXY": "off", "GOFLAGS": "-trimpath", "GOEXPERIMENT": "arenas"}


@pytest.fixture(scope="session")
def programs(environment, tmp_path_factory):
    """A folder with the real side's programs, built: live (live/main.go), order, maps and thousand (live/*/main.go)."""
    folder = tmp_path_factory.mktemp("live")
    subprocess.run(
        ["go", "build", "-o", f"{folder}/", ".", "./order", "./maps", "./thousand", "./collect", "./swept", "./users", "./waiting"],
        cwd=LIVE,
        env=environment,
        check=True,
    )
    return folder


@pytest.fixture(scope="session")
def program(programs):
    return programs / "live"


def answer_of(program, text):
    run = subprocess.run([program], input=text, capture_output=True, text=True, env={"GOMAXPROCS": "1"}, check=True)
    return json.loads(run.stdout)


def random_steps(rng):
    """Rows (count, size, whether of pointers)."""
    steps = []
    for _ in range(rng.randrange(1, 300)):
        kind = rng.random()
        if kind < 0.5:
            size = rng.randrange(1, 129)
        elif kind < 0.7:
            size = rng.choice(class_to_size[1:]) + rng.choice((0, 0, 1, -1))
        elif kind < 0.9:
            size = rng.randrange(1, 33000)
        elif kind < 0.97:
            size = rng.randrange(32769, 400_000)
        else:
            size = rng.randrange(1 << 20, 40 << 20)
        scan = rng.random() < 0.5
        count = rng.choice((1, 1, 2, 5, 30, 300)) if size < 5000 else rng.choice((1, 2, 3))
        steps.append((count, max(8, size // 8 * 8) if scan else size, int(scan)))
    return steps


def with_goroutines(rng, steps):
    """The steps, and between some of them goroutines begin (size 0, 0) or those that wait longest end (size 0, 1)."""
    out, waiting = [], 0
    for step in steps:
        out.append(step)
        if rng.random() < 0.03:
            ending = rng.randrange(waiting + 1) if rng.random() < 0.4 else 0
            count = ending or rng.choice((1, 3, 20, 150, 300))
            waiting += -ending if ending else count
            out.append((count, 0, int(ending > 0)))
    return out


def addresses_of(one, steps, real):
    """What live/main.go notes, from ours: addresses of objects, and of goroutines' gs and stacks in the order in which they begin.
    The count of choices that it notes before those is taken over."""
    noted, seen = [], set()
    main, c = one.current(), one.memory + 2048  # a channel without room, whose elements have no bytes
    for count, size, scan in steps:
        if size:
            noted += one.rt.malloc_many([size] * count, noscan=not scan).tolist()
            continue
        noted.append(real[len(noted)])
        one.schedtick(noted[-1])
        for _ in range(count):
            if scan:
                one.send(c, 1)
            else:
                one.go(0)
                others_run(one, main, c, noted, seen)
        for _ in range(ROUNDS):
            others_run(one, main, c, noted, seen)
    return noted


def others_run(one, main, c, noted, seen):
    """main yields: who begins notes itself and waits, who has been sent something ends."""
    one.proc(GOSCHED)
    while one.next() is not None and (gp := one.current()) != main:
        if gp not in seen:
            seen.add(gp)
            noted += [gp, one.stack(gp)[0]]
            one.chan(CHANRECV, c)
        else:
            seen.discard(gp)
            one.chan(CHANRECV, c)
            one.end()


def test_fresh_programs_get_the_real_addresses_and_statistics(runtime, program, seed):
    for k in range(SCENARIOS):
        steps = with_goroutines(random.Random(seed + k), random_steps(random.Random(seed + k)))
        text = "\n".join("{} {} {}".format(*step) for step in steps)
        real = answer_of(program, text)
        rt = runtime(start=real)
        assert addresses_of(OneP(rt), steps, real["addresses"]) == real["addresses"], seed + k
        stats = rt.memstats()
        assert {name: stats[name] for name in real["memstats_after"]} == real["memstats_after"], seed + k
        rt.check()
        runtime.end(rt)


def test_the_recorded_thousand_goroutines_are_those_of_the_program_that_ours_imitates(programs):
    recorded = scenarios()["goroutines"]
    for _ in range(20):  # where the host was slow the runtime has made another M, and the heap differs
        run = subprocess.run([programs / "thousand", "goroutines"], capture_output=True, text=True, env={"GOMAXPROCS": "1"}, check=True)
        real = json.loads(run.stdout)
        if sorted(real["heap"]) == heap_map(recorded):
            break
    assert real["notes"] == recorded["extra"]
    for when in ("before", "after"):  # but for what the profile's first samples take
        assert {
            name: real[when][name] for name in ("HeapAlloc", "HeapObjects", "HeapSys", "Mallocs", "StackInuse", "MSpanInuse")
        }.items() <= recorded[f"memstats_{when}"].items()


def test_fresh_programs_on_maps_see_what_the_real_ones_see(runtime, programs, seed):
    rt = runtime(gomaxprocs=1)
    fresh = [mapprograms.random_program(random.Random(seed + k)) for k in range(SCENARIOS)]
    for k, (program, seen) in enumerate(zip(fresh, answer_of(programs / "maps", json.dumps(fresh)), strict=True)):
        assert mapprograms.Run(rt, program).go_through() == (seen or []), seed + k
    rt.check()


def test_fresh_programs_of_goroutines_go_on_in_the_real_order_and_with_the_real_outcomes(runtime, programs, seed):
    for k in range(SCENARIOS):
        fresh = [orders.random_program(random.Random(10 * (seed + k) + i)) for i in range(10)]
        answers_ = answer_of(programs / "order", json.dumps(fresh))
        ours = orders.run_all(OneP(runtime(gomaxprocs=1)), fresh, answers_)
        for i, (notes, real) in enumerate(zip(ours, answers_, strict=True)):
            assert notes == real["Notes"], 10 * (seed + k) + i


def random_arena_steps(rng):
    """Rows for live/arenas.go, with allocations in the heap between them."""
    steps, alive = [(0, 0, 2)], [0]
    for _ in range(rng.randrange(1, 200)):
        kind = rng.random()
        if kind < 0.05 and len(alive) < 5 and sum(step[2] == 2 for step in steps) < 60:
            number = 1 + max(step[0] for step in steps if step[2] == 2)
            alive.append(number)
            steps.append((number, 0, 2))
        elif kind < 0.08 and alive:
            steps.append((alive.pop(rng.randrange(len(alive))), 0, 5))
        elif kind < 0.2:
            steps.append((rng.choice((1, 5, 40)), rng.randrange(1, 3000), 0))
        elif alive:
            of = rng.randrange(len(ARENA_TYPES))
            most = 2 if ARENA_TYPES[of].size > 100_000 else 200
            number = rng.choice(alive)
            steps.append((number, of, 3) if rng.random() < 0.5 else (number, rng.randrange(most) * 16 + of, 4))
    return steps


def begin_finalizers(rt, left):
    """The real program has set finalizers before: `left` bytes are left of the chunk they come from."""
    chunk, allocator = rt.process.mmap(0, 16384), V.mheap_ + mheap.specialfinalizeralloc
    rt.process.store(allocator + fixalloc.chunk, chunk)
    rt.process.store(allocator + fixalloc.nchunk, left, size=4)


def do_step(rt, arenas, first, second, kind):
    """The addresses that a step of live/arenas.go notes."""
    if kind < 2:
        return rt.malloc_many([second] * first, noscan=kind == 0).tolist()
    if kind == 2:
        arenas[first] = rt.arena()
        rt.mallocgc(8, noscan=False)  # the program's arena.Arena
        return [arenas[first].address]
    if kind == 3:
        return [arenas[first].new(ARENA_TYPES[second])]
    if kind == 4:
        return [arenas[first].slice(ARENA_TYPES[second % 16], second // 16).array]
    arenas[first].free()
    return [0]


def test_fresh_programs_of_arenas_get_the_real_addresses_and_statistics(runtime, program, seed):
    for k in range(max(1, SCENARIOS // 4)):
        steps = random_arena_steps(random.Random(seed + k))
        text = "\n".join("{} {} {}".format(*step) for step in steps)
        real = answer_of(program, text)
        rt, arenas, ours = runtime(start=real), {}, []
        begin_finalizers(rt, real["before"]["finalizer_nchunk"])
        zerobase = {address for address in real["addresses"] if 0 < address < 0xC000000000}
        for step in steps:
            ours += do_step(rt, arenas, *step)
        ours = [max(zerobase, default=0) if 0 < address < 0xC000000000 else address for address in ours]
        assert len(zerobase) < 2 and ours == real["addresses"], (seed + k, text)
        stats = rt.memstats()
        assert {name: stats[name] for name in real["memstats_after"]} == real["memstats_after"], seed + k
        rt.check()
        runtime.end(rt)


def test_the_runtimes_objects_have_the_real_ones_pointers(program):
    """The heap's bitmap at a real p, g and m, against what the declarations say."""
    real = answer_of(program, "1 8 0")
    for name, words in real["pointers"].items():
        assert list(pointer_words(name)) == words, name


def test_conversions_take_the_real_ones_memory(runtime, program, seed):
    rng = random.Random(seed)
    steps = [
        (1, rng.randrange(1, 400), 0)
        if rng.random() < 0.2
        else (0, rng.choice((rng.randrange(0, 40), rng.randrange(0, 2000), rng.randrange(0, 40_000))), rng.randrange(6, 10))
        for _ in range(2000)
    ]
    text = "\n".join("{} {} {}".format(*step) for step in steps)
    real = answer_of(program, text)
    rt, ours = runtime(start=real), []
    source = rt.process.mmap(0, 40_960)
    convert = {
        6: lambda n: rt.to_bytes((source, n)).array,
        7: lambda n: rt.to_string(Slice(source, n, n, uint8)).str,
        8: lambda n: rt.box(n, 4),
        9: lambda n: rt.box((source, n)),
    }
    for _, n, kind in steps:
        ours.append(convert[kind](n) if kind else rt.mallocgc(n))
    heap = lambda addresses: [address if address >= 0xC000000000 else 0 for address in addresses]  # noqa: E731
    assert heap(ours) == heap(real["addresses"]), seed
    stats = rt.memstats()
    assert {name: stats[name] for name in real["memstats_after"]} == real["memstats_after"]


def test_without_address_space_the_real_program_says_the_same(runtime, program):
    """RLIMIT_AS: how many arenas fit beside a real binary is its own, and what of them its stacks take; the rest is said alike."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1900 << 20, 1900 << 20))  # noqa: E731
    run = subprocess.run([program], input=f"2000 {MIB} 0", capture_output=True, text=True, env={"GOMAXPROCS": "1"}, preexec_fn=limit)
    assert run.returncode == 2
    real = "\n".join(run.stderr.splitlines()[:2])
    in_use = int(re.search(r"\((\d+) in use\)", real)[1])
    arenas = -(-in_use // heapArenaBytes)
    assert arenas * heapArenaBytes - in_use < MIB
    rt = runtime(gomaxprocs=1)
    rt.process.setrlimit("as", int(rt.machine.state.process[rt.process.number].total_vm) * 4096 + (arenas - 1) * heapArenaBytes + 16 * MIB)
    with pytest.raises(FatalError) as error:
        rt.malloc_many(np.full(2000, MIB))
    assert str(error.value) == real.replace(str(in_use), str(arenas * heapArenaBytes))


def test_more_than_the_kernel_promises_ends_in_the_mapping_on_the_real_one_too(runtime, program):
    run = subprocess.run([program], input=f"1 {1 << 42} 0", capture_output=True, text=True, env={"GOMAXPROCS": "1"})
    assert run.returncode == 2
    rt = runtime(gomaxprocs=1)
    with pytest.raises(FatalError) as error:
        rt.mallocgc(2 * (rt.machine.config.memory + rt.machine.config.swap))
    assert str(error.value) == run.stderr.splitlines()[0] == "fatal error: runtime: out of memory"


def test_every_fatal_error_is_worded_as_in_the_source(environment):
    """The last line as it is thrown; of lines printed before it, the words between the numbers."""
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, env=environment, check=True).stdout.strip()
    source = "".join(path.read_text() for folder in ("runtime", "sync") for path in pathlib.Path(root, "src", folder).glob("*.go"))
    for code, text in TEXTS.items():
        for line in (
            text.split("\n") if code not in (NOT_RESERVED, NOT_MAPPED) and code < HEAP_EXHAUSTED else ()
        ):  # those are this project's
            thrown = re.fullmatch("(?:fatal error|panic): (.*)", line)
            words = ['"' + thrown[1].removeprefix("runtime error: ") + '"'] if thrown else re.split(r"\{\d[^}]*\}|: | (?=span\.base)", line)
            assert all(part.strip() in source for part in words), line


def test_fresh_histories_of_the_page_allocator_end_as_the_real_ones(environment, tmp_path, seed):
    """The runtime's own tests are left out, and what they alone import with them."""
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, env=environment, check=True).stdout.strip()
    overlay, program = tmp_path / "overlay.json", tmp_path / "oracle.test"
    others = {str(path): "" for path in pathlib.Path(root, "src/runtime").glob("*_test.go") if not path.name.startswith("export")}
    overlay.write_text(json.dumps({"Replace": others | {f"{root}/src/runtime/oracle_test.go": str(LIVE / "overlay" / "oracle_test.go")}}))
    command = ["go", "test", "-c", "-o", program, "-vet=off", "-overlay", overlay, "runtime"]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    for k in range(2):
        asked = {**environment, "ORACLE_SEED": str(seed + k), "ORACLE_OUT": str(tmp_path)}
        subprocess.run([program, "-test.run", "^TestOracle"], check=True, cwd=tmp_path, env=asked, capture_output=True)
        fresh = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("pagealloc", "pallocbits", "findbitrange64")}
        assert answers.findbitrange64(fresh["findbitrange64"]) == fresh["findbitrange64"]
        for kind, answer in (("pagealloc", answers.pagealloc), ("pallocbits", answers.pallocbits)):
            for i, case in enumerate(fresh[kind]):
                assert answer(case) == case, (kind, seed + k, i)


@pytest.mark.parametrize("n", range(SCENARIOS))
def test_a_random_program_leaves_after_each_collection_what_it_leaves_in_the_real_heap(programs, n, seed):
    """Mallocs, Frees, HeapObjects, NumGC, and which finalizers have run."""
    ops = graphs.make(random.Random(seed))
    text = " ".join(str(x) for op in ops for x in op)
    run = subprocess.run([programs / "collect"], input=text, capture_output=True, text=True, env={"GOMAXPROCS": "1"}, check=True)
    assert graphs.ours(ops) == graphs.theirs(run.stdout)


def test_fresh_programs_with_collections_lie_and_are_freed_as_on_the_real_heap(programs, seed):
    """Addresses, freed objects, order of finalizers, MemStats, old values of SetGCPercent; `python -m tests.goalloc.swept` for many."""
    for k in range(max(1, SCENARIOS // 4)):
        assert swept.differences_that_stay(programs / "swept", swept.make(random.Random(seed + k))) == [], seed + k


def test_what_users_try_is_what_was_recorded(programs):
    for name, recorded in users.recorded().items():
        assert users.is_within(name, users.theirs(programs / "users", name), recorded), name


def test_goroutines_wait_in_the_frames_of_the_real_profile(programs, tmp_path):
    path = tmp_path / "goroutine.pb.gz"
    path.write_bytes(subprocess.run([programs / "waiting"], capture_output=True, check=True).stdout)
    found = {frames: n for frames, n in traces(path).items() if "runtime.main" not in frames}
    assert found == WAITING
