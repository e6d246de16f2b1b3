"""Sweeps: every combination once, in order, checked before anything runs; on host threads and on a cluster that loses a worker."""

import csv
import os
import signal
import threading
import time

import numpy as np
import pytest

import hwmem
from hwmem.kernels import finish, next_thread, store64
from hwmem.runs.sweep import values_of

joblib = pytest.importorskip("joblib", reason="sweeps need joblib")
OVER = {"threads": [1, 2, 3], "stride": [8, 64]}


@hwmem.workload("test-fails-at-two", "stores where nothing is mapped, with two threads", threads=hwmem.parameter(1, "threads", 1, 8))
def fails_at_two(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        if w.threads == 2:
            store64(m, t, 0xDEAD0000, 1)
        finish(m, t)


def test_every_combination_is_the_run_that_it_names():
    s = hwmem.sweep("false-sharing", over=OVER, iterations=200)
    assert [(row["threads"], row["stride"]) for row in s.rows] == [(t, b) for t in OVER["threads"] for b in OVER["stride"]]
    for row, result in zip(s.rows, s.results):
        alone = hwmem.run("false-sharing", threads=row["threads"], stride=row["stride"], iterations=200)
        assert (result.cycles, result.counters) == (alone.cycles, alone.counters)
        assert row["cycles"] == alone.cycles and row["loads"] == sum(c["loads"] for c in alone.counters["cores"])


def test_presets_seeds_and_settings_of_the_machine_can_be_swept():
    s = hwmem.sweep(
        "false-sharing", over={"preset": ["zen3", "skylake-sp"], "l1d.latency": [4, 9], "seed": [0, 1]}, threads=2, iterations=50
    )
    assert len(s.rows) == 8 and {r.config.name for r in s.results} == {"zen3", "skylake-sp"}
    assert [r.config.l1d.latency for r in s.results] == [4, 4, 9, 9] * 2 and [r.seed for r in s.results] == [0, 1] * 4


def test_a_program_that_fails_is_a_row_and_the_others_go_on():
    s = hwmem.sweep("test-fails-at-two", over={"threads": [1, 2, 3]})
    assert ["error" in row for row in s.rows] == [False, True, False] and "0xdead0000" in s.rows[1]["error"] and s.results[1] is None
    assert "error" in str(s)


OWN = """
import hwmem
from hwmem.kernels import finish, next_thread

def setup(w, space):
    w.part = 6 // (w.threads - 2)

with open({ran!r}, "a") as file:
    file.write("ran once\\n")

@hwmem.workload("test-swept", "does nothing", setup=setup, threads=hwmem.parameter(3, "threads"))
def swept(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        finish(m, t)
"""


def test_a_python_file_is_run_once_and_what_is_wrong_in_it_is_told_with_its_line(tmp_path):
    file, ran = str(tmp_path / "swept.py"), tmp_path / "ran"
    (tmp_path / "swept.py").write_text(OWN.format(ran=str(ran)))
    s = hwmem.sweep(file, over={"threads": [1, 3, 4, 5]}, jobs=2)
    assert [row["threads"] for row in s.rows] == [1, 3, 4, 5] and not any("error" in row for row in s.rows)
    assert ran.read_text() == "ran once\n"
    with pytest.raises(hwmem.errors.WorkloadError, match=r"swept\.py:6: ZeroDivisionError: .* by zero$"):
        hwmem.sweep(file, over={"threads": [1, 2, 3]}, jobs=2)


@pytest.mark.parametrize(
    "over, message",
    [
        ({"threads": [1, 0]}, "false-sharing.threads must be an integer from 1 to"),
        ({"thread": [1]}, "thread is no parameter of false-sharing and no setting of a machine; did you mean threads?"),
        ({"threads": []}, "threads has no values"),
        ({}, "over: takes {name: values}"),
        (3, "over: takes {name: values}"),
        ({"preset": ["zen4"]}, "zen4"),
        ({"seed": range(1 << 40)}, "over: 1,099,511,627,776 runs"),
        ({"l1d.size": ["none"]}, "l1d"),
        ({"threads": 4}, "threads takes a list of values, not int"),
        ({"threads": "1..4"}, "threads takes a list of values, not str"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_runs(over, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        hwmem.sweep("false-sharing", over=over)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, values",
    [
        ("1..4", [1, 2, 3, 4]),
        ("1..16*2", [1, 2, 4, 8, 16]),
        ("3..20*3", [3, 9]),
        ("zen3,skylake-sp", ["zen3", "skylake-sp"]),
        ("1,4,8", [1, 4, 8]),
        ("0.5,true", [0.5, True]),
        ("32KiB,1MiB", ["32KiB", "1MiB"]),
        ("-2..1", [-2, -1, 0, 1]),
    ],
)
def test_ranges_as_people_write_them(text, values):
    assert values_of(text) == values


@pytest.mark.parametrize("text", ["4..1", "1..x", "0..8*2", "1..8*1", "1..", "0..100000000000"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="range"):
        values_of(text)


def test_the_same_as_a_file_a_frame_and_a_picture(tmp_path):
    s = hwmem.sweep("false-sharing", over=OVER, iterations=50)
    s.to_csv(tmp_path / "s.csv")
    with open(tmp_path / "s.csv", newline="") as file:
        assert [int(row["cycles"]) for row in csv.DictReader(file)] == [row["cycles"] for row in s.rows]
    pandas = pytest.importorskip("pandas", reason="frames need pandas")
    assert isinstance(s.to_pandas(), pandas.DataFrame) and list(s.to_pandas()["cost"]) == [row["cost"] for row in s.rows]
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    axes = s.plot(tmp_path / "s.svg")
    assert (tmp_path / "s.svg").read_text().count("<svg") == 1
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2, 3]] * 2
    assert np.array_equal(axes.lines[0].get_ydata(), [row["cost"] for row in s.rows if row["stride"] == 8])


def test_a_cluster_runs_the_same_sweep_and_one_worker_may_die(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="a cluster needs dask")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]))
    expected = hwmem.sweep("false-sharing", over={"threads": range(1, 9)}, iterations=3000)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]

        def kill():
            time.sleep(2)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        s = hwmem.sweep("false-sharing", over={"threads": range(1, 9)}, iterations=3000, cluster=cluster.scheduler_address)
        killer.join()
    assert [row["cycles"] for row in s.rows] == [row["cycles"] for row in expected.rows]
