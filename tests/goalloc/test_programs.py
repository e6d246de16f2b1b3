"""The Go programs run on several Ps, count what they say, contend where they must, and are the same again."""

import inspect
import json
import pathlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

import goalloc
import hwmem
from goalloc.cli.cli import SECTIONS, main
from goalloc.programs import PROGRAMS
from goalloc.programs.registry import HOMES
from goalloc.cli.report import SECTIONS as REPORT_SECTIONS
from goalloc.errors import TEXTS
from hwmem.config.machine import MachineConfig
from hwmem.runs.job import Job
from hwmem.errors import MachineError

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = {
    "alloc-storm": {"allocations": 600},
    "mixed-sizes": {"allocations": 300},
    "linked-list": {"nodes": 300},
    "binary-trees": {"depth": 7},
    "slices": {"elements": 100, "slices": 2},
    "strings": {"length": 60},
    "goroutine-churn": {"goroutines": 40},
    "channel": {"objects": 200},
    "threadtest": {"rounds": 2, "objects": 800},
    "larson": {"chunks": 100, "rounds": 100},
    "maps": {"keys": 200},
    "sleepers": {"goroutines": 9, "rounds": 4},
    "steady": {"slots": 50, "churn": 100},
    "growth": {"count": 100},
    "garbage": {"count": 100},
    "explicit-gc": {"objects": 20, "cycles": 2},
    "finalizers": {"rounds": 2, "objects": 5},
    "goroutine-stacks": {"goroutines": 5, "garbage": 20},
    "recursive-trees": {"kept": 4, "deepest": 4},
    "allocation-burst": {"nodes": 50, "burst": 20},
    "pointer-arrays": {"arrays": 4, "width": 100, "churn": 5},
    "map-churn": {"maps": 2, "keys": 50, "made": 3},
    "parallel-marking": {"objects": 50, "cycles": 2},
    "many-goroutines": {"goroutines": 8, "objects": 10},
    "idle-after-spike": {"slots": 4, "samples": 2},
}


@pytest.mark.parametrize("name", [name for names in HOMES.values() for name in names])
def test_a_program_runs_on_four_ps_and_counts_its_operations(name):
    r = goalloc.run(name, gomaxprocs=4, **SMALL[name])
    assert r.cost > 0 and r.values["Mallocs"] > 0
    assert [core for core, c in enumerate(r.counters["cores"]) if c["loads"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["channel", "threadtest", "mixed-sizes", "linked-list"])
def test_a_program_does_the_same_where_loads_and_stores_pass_each_other(name):
    own, relaxed = (
        goalloc.run(name, config=MachineConfig().replace(ordering=ordering), gomaxprocs=4, **SMALL[name]).values
        for ordering in ("tso", "relaxed")
    )
    # sudogs, of the 96-byte class: made where goroutines wait, as it happens, and kept
    more = relaxed["Mallocs"] - own["Mallocs"] if name == "channel" else 0
    assert relaxed["operations"] == own["operations"]
    assert [relaxed[key] - own[key] for key in ("Mallocs", "HeapObjects", "HeapAlloc")] == [more, more, more * 96]


def test_a_list_holds_what_was_pushed():
    r = goalloc.run("linked-list", gomaxprocs=2, nodes=500)
    assert r.values["sum"] == 2 * sum(range(500)) and r.values["lists"] == 2


def test_maps_hold_every_key():
    assert goalloc.run("maps", gomaxprocs=3, keys=500).values["held"] == 1500


def test_hoards_benchmarks_allocate_what_they_say():
    own = goalloc.run("threadtest", gomaxprocs=2, goroutines=5, rounds=3, objects=500, size=24)
    assert own.values["Mallocs"] >= 1500 == own.values["operations"]
    r = goalloc.run("larson", gomaxprocs=4, chunks=50, rounds=70, generations=3, smallest=16, largest=64)
    assert r.values["Mallocs"] >= 4 * (50 + 3 * 70) == r.values["operations"]


def test_the_same_seed_gives_the_same_run():
    first, again = (goalloc.run("mixed-sizes", gomaxprocs=4, allocations=500, seed=3) for _ in range(2))
    assert first.to_dict() | {"wall_seconds": 0} == again.to_dict() | {"wall_seconds": 0}


def test_the_seed_is_also_that_of_the_programs_hashes():
    one, other = (goalloc.run("maps", gomaxprocs=1, keys=300, seed=seed, classify=False) for seed in (1, 2))
    assert one.values["held"] == other.values["held"] == 300 and one.cycles != other.cycles


def test_a_programs_environment_sets_its_first_goal_and_is_kept_with_the_result():
    """The first goal is 4 MiB * GOGC / 100 (Go: mgcpacer.go heapMinimum); without GOGC what the memory limit allows."""
    run = lambda **environment: goalloc.run("linked-list", gomaxprocs=1, nodes=50, **environment).values  # noqa: E731
    assert [run(gogc=gogc)["memstats"]["NextGC"] for gogc in (100, "50", 200)] == [4 << 20, 2 << 20, 8 << 20]
    limited = run(gogc="off", memory_limit="64MiB")
    assert 32 << 20 < limited["memstats"]["NextGC"] < 64 << 20
    assert limited["environment"] == {"GOGC": "off", "GOMEMLIMIT": "64MiB", "GODEBUG": ""}
    with pytest.raises(ValueError, match="gogc"):
        run(gogc="many")
    assert run()["memstats"]["NextGC"] == 4 << 20


def test_a_program_has_no_more_ps_than_its_machine_has_cores():
    two = MachineConfig().replace(cores=2)
    assert goalloc.run("linked-list", two, nodes=50).parameters["gomaxprocs"] == 2
    with pytest.raises(ValueError, match="gomaxprocs: takes 1 to 2"):
        goalloc.run("linked-list", two, nodes=50, gomaxprocs=3)
    with pytest.raises(ValueError, match="mmu"):
        goalloc.run("linked-list", MachineConfig().replace(mmu=False), nodes=50)


def test_caches_of_their_own_keep_ps_apart_and_a_locked_heap_makes_them_wait():
    own, shared = (goalloc.run("alloc-storm", gomaxprocs=4, allocations=1000, caches=caches, c2c=True) for caches in ("per-p", "shared"))
    assert shared.cost > 3 * own.cost
    assert shared.values["lock_waits"] > 2000 > own.values["lock_waits"]
    assert shared.values["Mallocs"] == own.values["Mallocs"]


def test_contended_lines_are_named_by_structure_and_field():
    r = goalloc.run("alloc-storm", gomaxprocs=4, allocations=3000, c2c=True)
    names = {row["symbol"] for row in r.c2c()} | {o["symbol"] for row in r.c2c() for o in row["offsets"]}
    assert any(name.startswith("gcController.heapLive") for name in names)
    assert any(name.startswith("mheap_.central[5].") for name in names)
    assert all(row["symbol"] for row in r.c2c() if row["address"] not in range(0xC0_0000_0000, 0xC1_0000_0000))


def test_contended_lines_of_goroutines_are_named_by_structure_and_field():
    r = goalloc.run("channel", gomaxprocs=4, producers=6, consumers=6, objects=150, buffer=4, c2c=True)
    named = {row["symbol"] for row in r.c2c()} | {o["symbol"] for row in r.c2c() for o in row["offsets"]}
    assert {
        "channel.qcount",
        "channel.lock",
        "channel.recvq",
        "channel.buf[3]",
        "sched.npidle",
        "sched.pidle",
        "p1.runqhead",
        "p2.runnext",
        "producers.state",
        "g1.atomicstatus",
    } <= named


def test_a_program_that_takes_more_than_there_is_ends_with_one_line():
    small = MachineConfig().replace(memory="64MiB")
    with pytest.raises(MachineError, match="Out of memory: Killed process"):
        goalloc.run("alloc-storm", small, gomaxprocs=1, allocations=20_000, size=65536)


@pytest.mark.parametrize("name", ["alloc-storm", "maps"])
def test_a_program_is_compiled_once_for_any_number_of_ps(name):
    """Numba compiles a kernel for each type of its record, and an array's length is part of that."""
    types = set()
    for ps in (1, 2, 4):
        job = Job(PROGRAMS.find(name), parameters={"gomaxprocs": ps})
        job.set_up()
        types.add(str(job.w.dtype))
    assert len(types) == 1


def test_the_command_lists_runs_and_refuses(capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in PROGRAMS)
    assert main(["list", "strings"]) == 0 and "gomaxprocs" in capsys.readouterr().out
    assert (
        main(["run", "strings", "--gomaxprocs", "2", "--set", "length=40", "--json", "--alone", "--gogc", "50", "--memlimit", "1GiB"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"] == {"gomaxprocs": 2, "length": 40} and told["values"]["memstats"]["NextGC"] == 2 << 20
    assert main(["sizes", "--json"]) == 0 and len(json.loads(capsys.readouterr().out)) == 67
    for words, told in (
        (["run", "strings", "--gomaxprocs", "9"], "gomaxprocs"),
        (["run", "string"], "'string'"),
        (["list", "x"], "'x'"),
        (["run", "strings", "--set", "size=3"], "size"),
        (["walk"], "walk"),
        (["run", "strings", "--gogc", "many"], "gogc"),
        (["run", "strings", "--memlimit", "lots"], "memory_limit"),
        (["run", "strings", "--with", "mmu=false"], "mmu"),
        (["run", "strings", "--memprofile", "-1"], "--memprofile"),
        (["experiment", "linear", "--seed", "-1"], "seed"),
        (["experiment", "lines"], "lines"),
    ):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and told in err


def test_hwmem_does_not_list_what_is_goallocs():
    import hwmem

    assert not set(hwmem.workloads()) & set(PROGRAMS)


def test_a_kept_result_tells_of_the_heap(tmp_path, capsys):
    kept, other = str(tmp_path / "go.hwm"), str(tmp_path / "other.hwm")
    assert main(["run", "binary-trees", "--set", "depth=7", "gomaxprocs=2", "--alone", "-o", kept]) == 0
    capsys.readouterr()
    assert main(["report", kept, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    stats, nodes = told["memstats"], next(row for row in told["sizes"] if row["size"] == 24)
    assert nodes["live"] == 2 * (2**7 - 1) and nodes["slots"] == nodes["live"] + nodes["free"]
    assert sum(row["span bytes"] for row in told["sizes"]) == stats["HeapInuse"]
    assert SECTIONS == tuple(REPORT_SECTIONS)
    assert main(["report", kept]) == 0
    text = capsys.readouterr().out
    assert f"{stats['HeapSys']:,}" in text and f"{nodes['span bytes']:,}" in text
    assert main(["report", kept, "spans"]) == 0 and "HeapSys" not in capsys.readouterr().out
    hwmem.run("false-sharing", threads=1, iterations=10).save(other)
    assert main(["report", other]) == 2
    assert "not a Go program's result" in capsys.readouterr().err


def test_programs_in_several_threads_each_have_their_own_environment():
    """Nothing that a run changes is seen by another one, nor by hwmem's own list."""

    def run(gogc):
        return goalloc.run("linked-list", gomaxprocs=1, nodes=200, gogc=gogc).values["environment"]["GOGC"]

    with ThreadPoolExecutor(4) as pool:
        runs = pool.map(run, (25, 50, 100, 200) * 2)
        assert "linked-list" not in hwmem.workloads()
        assert list(runs) == [25, 50, 100, 200] * 2
    assert not {"linked-list", "alloc-storm"} & set(hwmem.workloads())


def test_a_machine_without_go_has_no_go_words():
    """Go's fatal errors are known to the machines that a Go program runs on, and to no other."""
    rt = goalloc.Runtime(gomaxprocs=1)
    assert set(TEXTS) <= set(rt.machine.signals)
    assert not set(TEXTS) & set(hwmem.Machine(MachineConfig()).signals)


def test_a_file_of_ones_own_is_a_go_program(capsys, tmp_path):
    """As docs/go.md writes one, twice, with what `hwmem run` takes."""
    text = (ROOT / "docs" / "go.md").read_text()
    written = next(t for t in re.findall(r"```python\n(.*?)```", text, re.S) if "@goalloc.workload" in t)
    (tmp_path / "boxes.py").write_text(written.replace('"boxes"', '"own-boxes"'))  # who runs the document's examples has those
    words = [
        "run",
        str(tmp_path / "boxes.py"),
        "--gomaxprocs",
        "2",
        "--set",
        "boxes=60",
        "--events",
        "10",
        "--classify",
        "--races",
        "--cores",
        "1,2",
        "--alone",
        "--json",
    ]
    for _ in range(2):
        assert main(words) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["values"]["operations"] == 120 and document["cores"] == [1, 2]
    del PROGRAMS["own-boxes"]


def test_what_hwmems_run_takes_goallocs_takes_as_well():
    ours, theirs = (inspect.signature(package.run).parameters for package in (goalloc, hwmem))
    assert [str(p) for p in theirs.values()] == [str(p) for n, p in ours.items() if n not in ("gogc", "memory_limit", "godebug")]
