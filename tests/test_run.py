"""hwmem.run and its results: what is measured, that it repeats, how it ends badly, and the file that keeps it."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import hwmem
from hwmem.runs import result as result_module
from hwmem.kernels import clock, finish, futex_wait, next_thread

SMALL = {"threads": 4, "stride": 8, "iterations": 500}


def without_wall(result):
    return {k: v for k, v in result.to_dict().items() if k != "wall_seconds"}


def test_the_same_arguments_give_the_same_result_to_the_last_digit():
    one, two = (hwmem.run("false-sharing", seed=5, classify=True, events=50, **SMALL) for _ in range(2))
    assert without_wall(one) == without_wall(two) and np.array_equal(one.events, two.events)


def test_the_seed_decides_when_threads_come_up():
    assert len({hwmem.run("false-sharing", seed=s, **SMALL).cycles for s in range(4)}) > 1


@hwmem.workload(
    "test-clocks",
    "notes when each thread begins",
    values=lambda w, space: {"began": w.began},
    setup=lambda w, space: (space.map("data", 1 << 20), setattr(w, "began", np.zeros(w.threads))),
    threads=hwmem.parameter(4, "threads", 1, 4),
)
def clocks(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        w.began[m.thread[t].local[0]] = clock(m, t)
        finish(m, t)


def test_threads_begin_within_a_thousand_cycles_whatever_setup_took():
    began = hwmem.run("test-clocks").values["began"]
    assert min(began) > 100_000 and 0 < max(began) - min(began) < 1000


def test_only_the_measured_phase_is_counted():
    r = hwmem.run("matrix-multiply", n=16, order="ikj")
    core = r.counters["cores"][0]
    assert (core["loads"], core["stores"], core["faults.minor"]) == (2 * 16**3 + 16**2, 16**3, 0)
    assert core["cycles"] == r.cycles and r.seconds == r.cycles / 3e9
    assert r.cost == r.cycles / 16**3


def test_observing_costs_no_cycle():
    plain, watched = (hwmem.run("false-sharing", c2c=on, classify=on, events=50 * on, **SMALL) for on in (False, True))
    assert plain.cycles == watched.cycles
    assert plain.c2c() == [] and plain.events is None
    assert len(watched.events) == 50 and watched.c2c()
    assert set(watched.events["thread"]) <= {0, 1, 2, 3} and (watched.events["thread"] == watched.events["core"]).all()


def test_classified_misses_of_adjacent_counters_are_false_sharing():
    r = hwmem.run("false-sharing", classify=True, **SMALL | {"iterations": 2000})
    false, true = (sum(c[f"miss.{kind}_sharing"] for c in r.counters["cores"]) for kind in ("false", "true"))
    assert false > 100 and true == 0


def test_threads_run_on_the_cores_they_are_given_to():
    r = hwmem.run("false-sharing", cores=[3, 1], **SMALL)
    assert r.cores == [3, 1, 3, 1]
    assert [core["loads"] > 0 for core in r.counters["cores"]] == [False, True, False, True]


@pytest.mark.parametrize(
    "given, message",
    [
        ({"cores": [4]}, "core: 4 is not one of the 4 cores, 0 to 3"),
        ({"cores": []}, "cores: takes at least one core"),
        ({"seed": -1}, "seed must be an integer from 0 to 9223372036854775807, not -1"),
        ({"events": -1}, "events must be an integer from 0 to 1048576, not -1"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(given, message):
    with pytest.raises(ValueError) as caught:
        hwmem.run("false-sharing", **given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "given, message",
    [
        ({"config": "generic"}, "config: takes a MachineConfig, not str"),
        ({"cores": "0,1"}, "cores: takes ints of 64 bits, not <U3"),
        ({"seed": "1"}, "seed must be an integer"),
        ({"events": 1.5}, "events must be an integer from 0 to 1048576, not 1.5"),
    ],
)
def test_arguments_of_another_kind_are_refused_by_name(given, message):
    with pytest.raises(TypeError) as caught:
        hwmem.run("false-sharing", **given)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="^path: "):
        hwmem.load_result(None)


def test_a_comparison_runs_the_variants_at_every_scale():
    r = hwmem.run("false-sharing", compare=True, **SMALL)
    grid = r.comparison
    assert (grid["row"], grid["rows"], grid["column"], grid["columns"]) == ("threads", [1, 2, 4], "stride", [8, 64])
    assert grid["cells"][2][0] == r.cost
    assert grid["cells"][1][1] == hwmem.run("false-sharing", threads=2, stride=64, iterations=500).cost
    locks = hwmem.run("spin-lock", compare=True, lock="ticket", threads=1, iterations=5).comparison
    assert (locks["rows"], locks["columns"]) == ([1], ["ticket", "test-and-set", "ttas", "mcs"])
    assert hwmem.run("pointer-chase", compare=True, size=4096, loads=10).comparison is None


@hwmem.workload(
    "test-forgotten",
    "waits for a wake that nobody sends",
    setup=lambda w, space: setattr(w, "flag", space.map("flag", 8)),
    threads=hwmem.parameter(2, "threads"),
)
def forgotten(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        if m.thread[t].local[0] == 0:
            finish(m, t)
        else:
            futex_wait(m, t, w.flag, 0)


def test_a_deadlock_is_an_error_that_names_who_waits_where():
    with pytest.raises(hwmem.MachineError, match=r"^deadlock: thread 1 waits at flag, thread 2 waits at flag$"):
        hwmem.run("test-forgotten", threads=3)


def test_a_program_that_does_not_fit_in_memory_is_an_error_of_the_machine():
    config = hwmem.MachineConfig().replace(memory="4MiB")
    with pytest.raises(hwmem.MachineError, match="memory"):
        hwmem.run("stream", config, size="8MiB")


def test_workloads_run_without_an_mmu_and_on_every_preset():
    for name in hwmem.presets():
        r = hwmem.run("spin-lock", hwmem.MachineConfig.preset(name), iterations=50)
        assert r.values["counter"] == r.values["expected"], name
    r = hwmem.run("producer-consumer", hwmem.MachineConfig().replace(mmu=False), items=100, wait="futex")
    assert r.values["sum"] == 4950


@pytest.fixture
def saved(tmp_path):
    r = hwmem.run("false-sharing", hwmem.MachineConfig.preset("zen3"), seed=3, compare=True, events=20, **SMALL)
    r.save(tmp_path / "r.hwm")
    return r, tmp_path / "r.hwm"


def test_a_saved_result_comes_back_whole(saved):
    r, path = saved
    back = hwmem.load_result(path)
    assert back.to_dict() == r.to_dict() and np.array_equal(back.events, r.events)
    assert (back.config, back.seconds, back.cost, back.c2c()) == (r.config, r.seconds, r.cost, r.c2c())
    assert back.symbol(back.symbols[0][1] + 20) == "counters[2]+4" and back.symbol(16) == "0x10"
    assert [p.name for p in path.parent.iterdir()] == ["r.hwm"]
    assert str(back) == str(r) and repr(back) == f"<hwmem.Result false-sharing: {r.cycles:,} cycles on zen3, seed 3>"


def test_a_saved_result_can_be_run_again_from_what_is_in_it(saved):
    back = hwmem.load_result(saved[1])
    again = hwmem.run(back.workload, back.config, back.seed, compare=True, events=20, **back.parameters)
    assert without_wall(again) == without_wall(back)


def test_a_result_that_cannot_be_written_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    r, path = saved
    old = path.read_bytes()
    monkeypatch.setattr(result_module.json, "dumps", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        r.save(path)
    assert path.read_bytes() == old and [p.name for p in path.parent.iterdir()] == ["r.hwm"]


def rewrite(path, change):
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read("result.json"))
    change(document)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("result.json", json.dumps(document))


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda p: p.write_bytes(b"no zip"), "not a result of hwmem"),
        (lambda p: p.write_bytes(p.read_bytes()[:200]), "not a result of hwmem"),
        (lambda p: zipfile.ZipFile(p, "w").close(), "not a result of hwmem"),
        (lambda p: rewrite(p, lambda d: d.update(kind="else")), "not a result of hwmem"),
        (lambda p: rewrite(p, lambda d: d.update(format=99, version="7.0")), "format 99, written by hwmem 7.0; hwmem .* reads format 1"),
        (lambda p: rewrite(p, lambda d: d.pop("cycles")), "damaged: 'cycles'"),
        (lambda p: rewrite(p, lambda d: d["config"].update(cores=99)), "damaged: cores must be"),
        (lambda p: rewrite(p, lambda d: d.update(cycles={})), "damaged: cycles is {}"),
        (lambda p: rewrite(p, lambda d: d.update(races=3)), "damaged: races is 3"),
    ],
)
def test_a_file_that_is_no_result_is_refused_in_one_line(saved, spoil, message):
    spoil(saved[1])
    with pytest.raises(hwmem.ResultError, match=message) as caught:
        hwmem.load_result(saved[1])
    assert str(caught.value).startswith(f"{saved[1]}: ") and "\n" not in str(caught.value)


def test_without_the_compiler_a_run_gives_the_same_result():
    words = [
        sys.executable,
        "-m",
        "hwmem",
        "run",
        "producer-consumer",
        "--alone",
        "--json",
        "--set",
        "items=30",
        "capacity=4",
        "wait=futex",
    ]
    documents = [
        json.loads(subprocess.run(words, env=os.environ | {"NUMBA_DISABLE_JIT": flag}, capture_output=True).stdout) for flag in "01"
    ]
    for document in documents:
        document.pop("wall_seconds")
    assert documents[0] == documents[1]
