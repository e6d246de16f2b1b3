"""Programs whose heap is collected, held to the cycles of the real Go 1.21.13 where those are the same in every run: one P, and all marking
done by who allocates (GOMAXPROCS=1, real-time priority, one core)."""

import json

import pytest
from recorded import oracle

import goalloc
from hwmem import MachineConfig
from goalloc.cli.cli import main
from goalloc.programs.process import GLOBALS_BYTES

CYCLES = oracle("gc_cycles")["scenarios"]
CYCLE, MARKED, NEXT_GOAL, TRIGGER, GOAL, _, STACKS, GLOBALS, SCANNED = range(9)  # columns of the recorded rows
# scenario: (program, its parameters there)
PROGRAMS = {
    "explicit_gc": ("explicit-gc", {"objects": 1024, "size": 1024, "cycles": 20}),
    "large_churn": ("garbage", {"count": 400, "size": 1 << 20, "noscan": True}),
    "noscan_churn": ("garbage", {"count": 262_144, "size": 1024, "noscan": True}),
    "scan_churn": ("garbage", {"count": 2_097_152, "size": 128}),
    "finalizers": ("finalizers", {"rounds": 10, "objects": 2_000}),
    "stacks": ("goroutine-stacks", {"goroutines": 2_000, "depth": 20, "garbage": 131_072}),
    "steady_gogc200": ("steady", {"slots": 1 << 18, "size": 128, "churn": 1 << 22, "gogc": 200}),
    "memlimit_exceeded": ("steady", {"slots": 1 << 19, "size": 128, "churn": 1 << 18, "memory_limit": "48MiB"}),
}


def run(name, background="off", **parameters):
    return goalloc.run(name, gomaxprocs=1, background=background, **parameters)


LONG = ("steady_gogc200", "memlimit_exceeded", "stacks", "scan_churn")  # seconds each


@pytest.mark.oracle
@pytest.mark.parametrize("scenario", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in PROGRAMS])
def test_a_program_is_collected_as_often_as_the_real_one_and_at_the_same_sizes(scenario):
    """Triggers, marked bytes and next goals to 3 %; roots exactly. The first cycle of goroutines that wait begins a span of 8 KiB earlier
    than the real one, before the goal and not behind it, and owes less for it: 8 % more is marked."""
    name, parameters = PROGRAMS[scenario]
    cycles = run(name, **parameters).gc
    assert len(cycles) == CYCLES[scenario]["n_cycles"]
    for row in CYCLES[scenario]["rows"]:
        ours, near = cycles[row[CYCLE] - 1], 0.08 if scenario == "stacks" and row[CYCLE] <= 2 else 0.03
        assert ours["heap_marked"] == pytest.approx(row[MARKED], rel=near) and ours["next_goal"] == pytest.approx(row[NEXT_GOAL], rel=near)
        if row[SCANNED] == 0:  # looked at when the next cycle had begun already: that one's
            ours = cycles[min(row[CYCLE], len(cycles) - 1)]
        assert row[TRIGGER] == 0 or ours["heap_trigger"] == pytest.approx(row[TRIGGER], rel=near)
        assert ours["globals_scan"] == row[GLOBALS] == GLOBALS_BYTES


@pytest.mark.parametrize("gogc, minimum", [(100, 4 << 20), (50, 2 << 20), (200, 8 << 20)])
def test_every_goal_follows_the_formula(gogc, minimum):
    """marked + (marked + stacks + globals) * GOGC / 100, at least 4 MiB * GOGC / 100: held in every recorded row."""
    cycles = run("steady", gogc=gogc, slots=20_000, size=64, churn=2_000 * gogc).gc
    assert len(cycles) > 1
    for c in cycles:
        roots = c["stack_scan"] + c["globals_scan"]
        assert c["next_goal"] == max(minimum, c["heap_marked"] + (c["heap_marked"] + roots) * gogc // 100)
        assert c["heap_trigger"] <= c["heap_start"] <= c["heap_end"] and c["objects_marked"] > 0 and len(c["pauses_ns"]) == 2


def test_with_gogc_off_nothing_is_collected_but_what_is_asked_for():
    assert run("garbage", gogc=-1, count=12_000, size=1024, noscan=True).gc == []
    forced = run("explicit-gc", gogc="off", objects=100, cycles=3).gc
    assert [c["forced"] for c in forced] == [True] * 3


def test_workers_mark_beside_the_program():
    cycles = run("steady", background="go", slots=30_000, size=64, churn=200_000).gc
    assert sum(c["fractional_ns"] + c["dedicated_ns"] + c["idle_ns"] for c in cycles) > 0
    two = goalloc.run("growth", gomaxprocs=2, count=12_000, size=128, gogc=25).gc
    assert len(two) > 0 and sum(c["idle_ns"] + c["dedicated_ns"] + c["fractional_ns"] for c in two) > 0


@pytest.mark.parametrize("gomaxprocs", [2, 4, 8])
@pytest.mark.parametrize("seed", range(3))
def test_with_several_ps_the_program_goes_on_at_once_after_a_collection(gomaxprocs, seed):
    """Nobody sleeps through work until the two-minute collection: the whole program takes some milliseconds."""
    r = goalloc.run("growth", config=MachineConfig().replace(cores=8), seed=seed, gomaxprocs=gomaxprocs, count=12_000, size=128, gogc=25)
    assert len(r.gc) >= 1 and "GC forced" not in r.values["trace"]
    assert r.cycles < 0.1 * r.config.frequency_ghz * 1e9


def test_finalizers_run_round_by_round():
    r = run("finalizers", rounds=3, objects=500)
    assert r.values["finalized"] == r.values["operations"] == 1_500 and r.values["memstats"]["NumForcedGC"] == 3


def test_goroutines_stacks_are_scanned():
    r = run("goroutine-stacks", goroutines=300, depth=20, garbage=6_000)
    assert len(r.gc) > 0 and r.gc[0]["stack_scan"] > 300 * 20 * 128


def test_trees_and_lists_survive_and_the_rest_does_not():
    r = run("binary-trees", depth=11, kept=12, trees=200)
    kept = 24 * ((1 << 12) - 1)
    assert len(r.gc) > 0 and all(kept < c["heap_marked"] for c in r.gc) and r.values["memstats"]["Frees"] > 50_000
    r = run("linked-list", nodes=20_000, garbage=20_000)
    assert len(r.gc) > 2 and r.values["sum"] == sum(range(20_000)) and all(c["heap_marked"] > 0 for c in r.gc)


def test_the_command_traces_and_reports_collections(capsys, tmp_path):
    kept = str(tmp_path / "r.hwm")
    assert (
        main(
            [
                "run",
                "garbage",
                "--alone",
                "--gomaxprocs",
                "1",
                "--gogc",
                "100",
                "--gctrace",
                "--set",
                "count=9000",
                "size=1024",
                "noscan=true",
                "background=off",
                "-o",
                kept,
            ]
        )
        == 0
    )
    told = capsys.readouterr().err.splitlines()
    lines = [line for line in told if line.startswith("gc ")]
    assert lines and lines[0].startswith("gc 1 @0.00") and lines[0].endswith(" MB goal, 0 MB stacks, 0 MB globals, 1 P")
    assert main(["report", kept, "gc"]) == 0
    assert "next goal" in capsys.readouterr().out
    assert main(["report", kept, "scavenger"]) == 0
    capsys.readouterr()
    assert main(["report", kept, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["gc"]) == len(lines)
