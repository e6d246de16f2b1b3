"""Programs whose heap is collected, held to the cycles of the real Go 1.21.13 where those are the same in every run: one P, and all marking
done by who allocates (GOMAXPROCS=1, real-time priority, one core)."""

import json
import re
import statistics

import pytest
import scenarios
from scenarios import PROGRAMS

import goalloc
from hwmem import MachineConfig
from goalloc.cli.cli import main
from goalloc.programs.process import GLOBALS_BYTES, OVERLAPPED


def run(name, background="off", **parameters):
    return goalloc.run(name, gomaxprocs=1, background=background, **parameters)


FIGURES = ("cycles", "processors", "pause", "marked", "next goal", "trigger", "scanned")
LONG = {"memlimit_exceeded", "stacks", "scan_churn", "assist_burst"}  # seconds each
MINUTES = {"binary_trees", "steady_gogc100", "steady_gogc200", "memlimit_gogc100"}  # in tests.goalloc.scenarios
BESIDE = ("explicit_gc", "finalizers", "large_churn", "noscan_churn")  # with workers


def is_explained(scenario, configuration, figure):
    return (configuration, scenario, figure.partition(" of ")[0]) in scenarios.NOT_MET


@pytest.mark.oracle
@pytest.mark.parametrize(
    "scenario", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in PROGRAMS if name not in MINUTES]
)
def test_a_program_is_collected_as_often_as_the_real_one_and_at_the_same_sizes(scenario):
    """Triggers, marked bytes, next goals and scanned bytes to 3 %; roots exactly."""
    result = scenarios.run(scenario, "P1_fifo")
    assert [row for row in scenarios.missed(scenario, "P1_fifo", result) if not is_explained(scenario, "P1_fifo", row[0])] == []
    assert all(c["globals_scan"] == GLOBALS_BYTES for c in result.gc)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "scenario, configuration",
    [(name, configuration) for name in BESIDE for configuration in ("P1", "P2")]
    + [pytest.param("steady_gogc200", "P2", marks=pytest.mark.slow)],
)
def test_with_workers_cycles_processor_time_and_pauses_are_about_the_real_ones_or_it_is_said_why_not(scenario, configuration):
    missed = scenarios.missed(scenario, configuration, scenarios.run(scenario, configuration))
    assert [row for row in missed if not is_explained(scenario, configuration, row[0])] == []


def test_what_is_not_met_is_of_a_recorded_scenario_and_has_a_reason():
    for (configuration, scenario, figure), why in scenarios.NOT_MET.items():
        assert configuration in scenarios.recorded()[scenario] and figure in FIGURES and why


@pytest.mark.parametrize("ps", [1, 2, 4])
def test_under_a_limit_below_what_lives_one_cycle_follows_the_other_on_any_number_of_ps(ps):
    """The real one with GOMEMLIMIT=0 and 1, 2 and 4 Ps: 74 cycles for 60 such objects, 214 for 200, and 14 of them are not the objects'. There is
    none before main, and what a P has flushed counts though its core still has the store in its buffer."""
    cycles = goalloc.run("garbage", gomaxprocs=ps, count=60, size=256, noscan=True, memory_limit=0).gc
    assert 58 <= len(cycles) <= 74
    assert [c["n"] for c in cycles] == list(range(1, len(cycles) + 1)) and not any(c["forced"] for c in cycles)


@pytest.mark.parametrize("ps", [1, 2])
def test_a_channel_made_while_a_cycle_marks_keeps_itself_alone(ps):
    """Without a buffer its buf is the address of that field, as in Go (chanbuf, raceaddr): what lies behind it may be free. GOGC=0 marks from the
    first allocation on, while goroutines make their channels."""
    result = goalloc.run("goroutine-stacks", gomaxprocs=ps, goroutines=8, depth=0, garbage=20, gogc=0)
    assert len(result.gc) == 1 and result.values["memstats"]["NumGC"] == 1


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


def test_a_pause_lasts_until_the_last_p_that_stops_has_woken_who_asked_it():
    """notetsleep of sched.stopnote: the stopper's core is idle meanwhile, and comes back as slowly as any."""

    def end_of_marking(wake_idle):
        config = MachineConfig().replace(**OVERLAPPED, kernel={"wake_idle": wake_idle})
        cycles = goalloc.run("garbage", config=config, gomaxprocs=2, count=120_000, size=128).gc
        return statistics.median(c["pauses_ns"][1] for c in cycles)

    assert end_of_marking(60_000) - end_of_marking(0) > 0.9 * 20_000  # 60,000 cycles


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


def test_contended_lines_of_the_collector_are_named_by_structure_and_field():
    """What workers fight for: the lists of grey objects, the next root, mark bits (which sweeping has made allocation bits since)."""
    r = goalloc.run("parallel-marking", gomaxprocs=4, objects=8_000, cycles=2, c2c=True)
    names = {row["symbol"] for row in r.c2c()} | {o["symbol"] for row in r.c2c() for o in row["offsets"]}
    assert {"work.full", "work.empty", "work.bytesMarked", "work.markrootNext", "gcBgMarkWorkerPool"} <= names
    for form in (r"p\d\.gcw\.wbuf1", r"mspan\(0x\w+\)\.gcmarkBits", r"mspan\(0x\w+\)\.allocBits\[\]\[\d+\]"):
        assert any(re.fullmatch(form, name) for name in names), form


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
