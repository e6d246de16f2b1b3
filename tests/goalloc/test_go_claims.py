"""Every claim on Go's memory holds, with two seeds, and does not for a program, or a runtime, of which it is not true."""

import contextlib
import io
import json
import re

import pytest

from goalloc.baselines import system
from goalloc.cli.cli import main
from goalloc.experiments.claims import EXPERIMENTS, ORDER, TABLES
from goalloc.experiments.lab import GoLab
from goalloc.programs import PROGRAMS
from hwmem.experiments.experiment import perform

FAILS = {  # --set under which a claim does not hold, and what is missing there
    "alloc-storm": ["gomaxprocs=1"],  # somebody to wait for
    "object-kinds": ["pointers=true"],  # objects without pointers
    "tiny-allocator": ["smallest=16", "largest=31"],  # tiny ones
    "return-memory": ["madvdontneed=0"],  # DONTNEED
    "rss-above-heap": ["collect=false"],  # a collection
    "stack-growth": ["calls=1"],  # deep calls
    "escaping-variables": ["calls=1"],  # a second call
    "stop-the-world": ["objects=16"],  # something to mark
    "leaks": ["mended=true"],  # a leak
    "write-barrier": ["barrier=dijkstra"],  # the half of Yuasa's
    "goroutine-stacks": ["goroutines=10"],  # more of them
    "barrier-batches": ["barrier=hybrid, at once"],  # batches
    "gc-goal": ["memory_limit=12MiB", "churn=60000"],  # GOGC alone
    "gogc-curve": ["memory_limit=10MiB", "churn=8192"],
    "memory-limit": ["slots=16384", "churn=0"],  # less alive than the limit
    "limit-too-low": ["slots=64"],  # more alive than the limit
    "assists": ["gomaxprocs=4", "background=go"],  # an allocator that is alone
    "size-classes": ["size=33"],  # sizes that are spread
    "memory-returns": ["collections=1"],  # the collection after which dense chunks may be given back
    "limiter-rescue": ["memory_limit=64MiB"],  # a limit that is too low
    "moving-objects": ["kept=root"],  # an address that is kept
    "copying-cost": ["live=500"],  # little that lives
    "counted-cycles": ["closed=false"],  # a cycle
    "counting-burden": ["program=gcbench"],  # references that free little
    "shared-counts": ["threads=1"],  # somebody to share with
    "young-garbage": ["program=lists"],  # objects that die young
    "heap-size": ["program=binary-trees"],  # a heap that its cache holds
    "compaction": ["heap=120"],  # a heap of many pages
    "common-faults": ["collect=false"],  # a collector
    "linear-allocator": ["linear=best-fit"],  # an allocator without lists
    "fits": ["program=threadtest"],  # holes of several sizes
    "thread-caches": ["cached=segregated"],  # caches
    "allocator-sharing": ["own=bump"],  # slabs of a thread's own
    "decay": ["decaying=tcmalloc"],  # time that gives back
}


def outcome(name, seed=0, parameters=()):
    return perform(EXPERIMENTS[name], GoLab(seed, None, [], parameters))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_claim_holds(name, seed):
    found = outcome(name, seed)
    assert found.verdict.holds, found.verdict.says
    assert all(len(row) == len(found.table.columns) for row in found.table.rows)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_claim_does_not_hold_where_it_is_not_true(name):
    assert not outcome(name, 0, FAILS[name]).verdict.holds


@pytest.mark.parametrize("cached", ["tcmalloc", "jemalloc", "glibc"])
def test_thread_caches_take_the_locks_out_whoever_has_them(cached):
    found = outcome("thread-caches", 0, [f"cached={cached}"]).verdict
    assert found.holds, found.says


@pytest.mark.parametrize("place", [0, 9])
def test_thread_caches_scale_wherever_the_variables_lie(place, monkeypatch):
    monkeypatch.setattr(system, "DATA_SET", place)
    found = outcome("thread-caches").verdict
    assert found.holds, found.says


def test_every_experiment_is_in_the_list_and_none_has_the_name_of_a_table():
    assert tuple(EXPERIMENTS) == ORDER and len(set(ORDER)) == len(ORDER) == 34
    assert not set(EXPERIMENTS) & set(TABLES)
    for one in EXPERIMENTS.values():
        assert one.claim.endswith(".") and one.tolerance and set(one.workloads) <= set(PROGRAMS)
        assert one.figure is None or {one.figure.x, *one.figure.ys} <= set(one.columns)


def printed(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(list(words)) == 0
    return out.getvalue()


def test_the_command_lists_and_measures_claims_and_writes_pages(tmp_path):
    assert all(re.search(rf"^{name} ", printed("experiments"), re.M) for name in EXPERIMENTS)
    found = json.loads(printed("experiment", "object-kinds", "--json", "--html", str(tmp_path / "a.html")))
    assert found["holds"] is True and "goalloc experiment object-kinds --seed 0" in (tmp_path / "a.html").read_text()
    assert "\nholds: " in printed("experiment", "object-kinds")


def test_the_shown_command_has_the_environment():
    command = outcome("limit-too-low", 0, ["slots=64", "churn=64"]).commands[1]
    assert command.startswith("goalloc run steady --set ") and command.endswith(" --memlimit 6MiB") and "churn=64" in command


@pytest.mark.parametrize(
    "words, says",
    [
        (["experiment", "tiny", "--set", "x=1"], "tiny is a table alone"),
        (["experiment", "tiny", "--html", "a.html"], "tiny is a table alone"),
        (["experiment", "gc-gaol"], "did you mean gc-goal?"),
        (["experiment", "gc-goal", "--set", "gogc=x"], "gc-goal.gogc must be"),
        (["experiment", "gc-goal", "--set", "memory_limit=x"], "limit"),
        (["experiment", "write-barrier", "--set", "barrier=x"], "write-barrier.barrier must be"),
        (["experiment", "return-memory", "--set", "madvdontneed=7"], "return-memory.madvdontneed must be"),
        (["experiment", "tiny-allocator", "--set", "smallest=0"], "tiny-allocator.smallest must be"),
        (["experiment", "alloc-storm", "--with", "cores=2"], "gomaxprocs"),
    ],
)
def test_wrong_words_are_one_line(words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if ": compiling, once" not in line]
    assert len(told) == 1 and says in told[0]
