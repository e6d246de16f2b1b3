"""Programs on every collector: each computes what a model in plain Python does, and the criteria are what they are defined to be."""

import json

import numpy as np
import pytest

from goalloc.cli.cli import main
from goalloc.collectors import go_heap, model
from goalloc.collectors.kinds import COLLECTORS
from goalloc.programs import criteria
from goalloc.programs.criteria import MUTATORS, run, utilisation
from hwmem.errors import MachineError

SMALL = {
    "binary-trees": {"depth": 4},
    "gcbench": {"depth": 4},
    "lists": {"lists": 3, "nodes": 20, "rounds": 4},
    "lru": {"entries": 20, "lookups": 300},
    "graph": {"nodes": 30, "steps": 300},
}


def drawn(program):
    """What a program with seed 0 does, from its own setup's generator."""
    random, given = np.random.default_rng(0), SMALL[program]
    if program == "lru":
        return (random.random(given["lookups"]) ** 3 * 4 * given["entries"]).astype(int).tolist()
    n = given["steps"]
    return list(
        zip(*(random.integers(high, size=n).tolist() for high in (8, 4, given["nodes"], given["nodes"])), strict=True)
    )  # replace, edge, from, to


def trees():
    return 2**5 - 1


def lists():
    n, nodes = SMALL["lists"]["lists"], SMALL["lists"]["nodes"]
    full, kept = [i * nodes // n for i in range(n)], [[] for _ in range(n)]
    for step in range(n * nodes * SMALL["lists"]["rounds"]):
        i = step % n
        if full[i] == nodes:
            full[i], kept[i] = 0, []
        full[i] += 1
        kept[i].append(step)
    return sum(map(sum, kept))


def lru():
    cache = {}  # from the least recently used on
    for key in drawn("lru"):
        if key in cache:
            del cache[key]
        elif len(cache) == SMALL["lru"]["entries"]:
            del cache[next(iter(cache))]
        cache[key] = True
    found = 0
    for key in reversed(cache):
        found = 31 * found + key ^ key << 1
        found = (found + (1 << 63)) % (1 << 64) - (1 << 63)
    return found


def graph():
    nodes = SMALL["graph"]["nodes"]
    table = [[i, [None] * 4] for i in range(nodes)]
    for step, (replace, edge, a, b) in enumerate(drawn("graph")):
        if replace == 0:
            table[a][1][:] = [None] * 4
            table[a] = [nodes + step, [None] * 4]
        else:
            table[a][1][edge] = table[b]
    return sum(y[0] for _, edges in table for y in edges if y)


EXPECTED = {"binary-trees": trees, "gcbench": trees, "lists": lists, "lru": lru, "graph": graph}


@pytest.mark.parametrize("program", SMALL)
def test_a_program_computes_the_same_on_every_collector_and_what_a_model_does(program):
    for collector in COLLECTORS:
        result = run(program, collector, "64KiB" if COLLECTORS[collector].cycles else "1MiB", **SMALL[program])
        assert result.values["sum"] == EXPECTED[program](), collector
    small = "6KiB" if program == "graph" else "16KiB"
    assert run(program, "generational", small, **SMALL[program]).values["collections"] > 1


def test_every_collector_gets_the_same_calls():
    made = {collector: run("lru", collector, "64KiB", **SMALL["lru"]).values for collector in COLLECTORS}
    assert len({(v["objects"], v["bytes"]) for v in made.values()}) == 1


@pytest.mark.parametrize("program", ["lists", "graph"])
def test_gos_own_collector_runs_the_same_programs(program):
    values, other = (run(program, collector, "64KiB", **SMALL[program]).values for collector in ("go", "mark-sweep"))
    assert values["sum"] == EXPECTED[program]() and values["objects"] == other["objects"] and values["bytes"] == other["bytes"]


def test_a_heap_of_gos_is_made_without_compiling_anything_for_python():
    """What `goalloc warmup` has compiled is all that `goalloc compare collectors` needs."""
    assert not hasattr(go_heap.header_of, "compile")
    assert go_heap.header_of(3, 7) == model.HEADER | 3 << model.REFS_SHIFT | 7 << model.WORDS_SHIFT


@pytest.mark.parametrize("program", ["lists", "lru"])
def test_gos_own_collector_finds_the_roots_of_these_programs(program):
    values, other = (run(program, collector, size).values for collector, size in (("go", "64KiB"), ("mark-sweep", "8MiB")))
    assert values["collections"] > 0 and values["sum"] == other["sum"] and values["bytes"] == other["bytes"]


def test_threads_that_share_objects_take_their_counts_from_each_other():
    def hitms(collector, own, threads=4):
        result = run("shared", collector, "64KiB", threads=threads, stores=300, own=own)
        return sum(core["interventions_hit_modified"] for core in result.counters["cores"]) / (300 * threads)

    assert hitms("counts-atomic", False) > 1 and hitms("counts-atomic", True) < 0.1 and hitms("mark-sweep", False) < 0.1


def test_what_lives_is_what_a_compaction_leaves_and_a_copying_heap_needs_twice_as_much():
    live = criteria.live_bytes("binary-trees", every=1, **SMALL["binary-trees"])
    assert live == 24 * (2**6 - 1)  # the stretch tree, which has a node more than the two largest after it
    with pytest.raises(MachineError, match="^fatal error: heap exhausted"):
        run("binary-trees", "semispace", 2 * live - 32, **SMALL["binary-trees"])
    run("binary-trees", "semispace", 2 * live + 128, **SMALL["binary-trees"])
    assert criteria.compare("binary-trees", "semispace", 1.2, **SMALL["binary-trees"])["cycles"] is None


def test_go_runs_in_no_smaller_heap_than_it_can_keep_to():
    """Go: mgcpacer.go sweepMinHeapDistance, 1 MiB above what was marked."""
    runs = criteria.runs(("lists",), ("go", "counts"), (3.0, 1.2, 30.0))
    (least,) = [factor for _, collector, factor in runs if collector == "go" and factor != 30.0]
    assert runs == [("lists", c, f) for c, f in (("counts", 1.2), ("counts", 3.0), ("go", least), ("go", 30.0), ("counts", 30.0))]
    above = (least - 1) * criteria.live_bytes("lists")
    assert 1 << 20 <= above < (1 << 20) + criteria.live_bytes("lists") / 10


@pytest.mark.parametrize("seed", range(3))
def test_utilisation_is_the_least_of_all_windows(seed):
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.choice(400, 20, replace=False))
    pauses = edges.reshape(-1, 2)
    paused = np.zeros(400)
    for start, end in pauses:
        paused[start:end] = 1
    for window in (1, 7, 50, 400):
        least = min(1 - paused[i : i + window].mean() for i in range(400 - window + 1))
        assert utilisation(pauses, 0, 400, window) == pytest.approx(least)
    assert utilisation([], 0, 400, 10) == 1 and utilisation([(0, 400)], 0, 400, 10) == 0


def test_the_command_compares_and_refuses(capsys):
    words = ["compare", "collectors", "--program", "lists", "--collector", "semispace", "counts", "--heap", "1.2", "3"]
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["lists"]
    assert [(row["heap"], row["collector"], row["cycles"] is None) for row in rows] == [
        (1.2, "semispace", True),
        (1.2, "counts", False),
        (3.0, "semispace", False),
        (3.0, "counts", False),
    ]
    assert main(words) == 0 and "-: the heap was exhausted" in capsys.readouterr().out
    for wrong, says in (
        (["--heap", "0.5"], "--heap: takes 1 to 100"),
        (["--collector", "go2"], "'go2' is none of"),
        (["--program", "x"], "'x'"),
    ):
        assert main(["compare", "collectors", *wrong]) == 2
        assert says in capsys.readouterr().err


def test_programs_say_what_they_take():
    assert {*criteria.PROGRAMS, "shared"} == set(MUTATORS)
    with pytest.raises(ValueError, match="depth"):
        run("gcbench", "lisp2", "1MiB", depth=40)
