"""Registering workloads, and how their parameters are checked; that a program's file is loaded when it is asked for."""

import pkgutil
from importlib import import_module

import numpy as np
import pytest

import goalloc.programs
import hwmem
import hwmem.programs
from jit.programs import run
from goalloc.programs import PROGRAMS
from hwmem.programs import WORKLOADS
from hwmem.kernels import clock, compute, fetch_add64, finish, next_thread, store64

RANK, COUNT = 0, 1


def place_tickets(w, space):
    w.counter = space.map("tickets", 8)
    w.ends = np.zeros(w.threads, np.int64)
    w.half = 0.5


def read_tickets(w, space):
    return {"drawn": space.load(w.counter), "ends": w.ends, "slow": w.slow, "half": w.half}


@hwmem.workload(
    "test-tickets",
    "threads draw tickets",
    setup=place_tickets,
    values=read_tickets,
    operation="ticket",
    threads=hwmem.parameter(2, "threads", 1, 8),
    draws=hwmem.parameter(10, "tickets each thread draws"),
    pace=hwmem.parameter("fast", "how fast", choices=("slow", "fast")),
    slow=hwmem.parameter(False, "whether"),
)
def tickets(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        fetch_add64(m, t, w.counter, 1)
        if w.pace == 0:
            compute(m, t, 1000)
        r[COUNT] += 1
        if r[COUNT] == w.draws:
            w.ends[r[RANK]] = clock(m, t)
            w.half += 1
            finish(m, t)


def test_a_users_workload_runs_like_any_other():
    r = hwmem.run("test-tickets", threads=3, draws=20)
    assert r.values["drawn"] == 60 and len(r.values["ends"]) == 3 and r.values["half"] == 3.5
    assert r.c2c()[0]["symbol"] == "tickets"


def test_a_choice_reaches_the_kernel_as_its_place_and_a_flag_as_0_or_1():
    fast, slow = (hwmem.run("test-tickets", pace=pace, slow=True) for pace in ("fast", "slow"))
    assert slow.cycles > fast.cycles + 9000
    assert slow.values["slow"] == 1


def test_every_workload_is_described_with_its_parameters():
    described = hwmem.workloads()
    assert described["test-tickets"]["parameters"]["threads"] == {"default": 2, "takes": "an integer from 1 to 8", "doc": "threads"}
    for one in described.values():
        assert one["description"] and all(p["doc"] for p in one["parameters"].values())


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"thread": 2}, TypeError, "test-tickets.thread is not a setting; did you mean test-tickets.threads?"),
        ({"threads": 9}, ValueError, "test-tickets.threads must be an integer from 1 to 8, not 9"),
        ({"threads": "two"}, TypeError, "test-tickets.threads must be an integer from 1 to 8, not 'two'"),
        ({"pace": "slo"}, ValueError, "test-tickets.pace must be one of slow, fast, not 'slo'; did you mean slow?"),
        ({"slow": 1}, TypeError, "test-tickets.slow must be true or false, not 1"),
    ],
)
def test_a_wrong_parameter_is_refused_in_one_line_that_says_what_it_takes(given, error, message):
    with pytest.raises(error) as caught:
        hwmem.run("test-tickets", **given)
    assert str(caught.value) == message


def test_a_workload_that_does_not_exist_is_refused_with_the_name_that_was_meant():
    with pytest.raises(ValueError, match=r"^workload 'false_sharing' does not exist; did you mean false-sharing\?$"):
        hwmem.run("false_sharing")


def test_a_parameter_may_not_take_the_name_of_an_argument_of_run():
    with pytest.raises(ValueError, match="test-other.seed: the name of an argument of hwmem.run"):
        hwmem.workload("test-other", "", seed=hwmem.parameter(1, ""))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"threads": 3}, "test-other.threads: takes what hwmem.parameter returns, not int"),
        ({"threads": hwmem.parameter(9, "", 1, 8)}, "test-other.threads: its default must be an integer from 1 to 8, not 9"),
        ({"size": hwmem.parameter("1KB", "")}, "test-other.size: its default must be bytes"),
        ({"setup": 3}, "test-other.setup: takes a function, not int"),
        ({"values": {}}, "test-other.values: takes a function, not dict"),
    ],
)
def test_a_declaration_that_no_run_could_use_is_refused_when_it_is_made(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        hwmem.workload("test-other", "", **given)


def test_a_name_belongs_to_the_module_that_registered_it_first():
    def intruder(m, w):
        pass

    intruder.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="workload 'test-tickets' exists already"):
        hwmem.workload("test-tickets", "")(intruder)


@pytest.mark.parametrize("registry, room", [(WORKLOADS, hwmem.programs), (PROGRAMS, goalloc.programs)], ids=["hwmem", "goalloc"])
def test_the_table_of_shipped_programs_has_what_their_files_register(registry, room):
    files = [module.name for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    for file in files:
        import_module(file)
    assert {name: one.kernel.__module__ for name, one in registry.registered.items() if one.kernel.__module__ in files} == registry.homes


def test_a_program_is_loaded_when_it_is_asked_for_and_no_other():
    loaded, _ = run(
        """
        import json, sys
        from hwmem.programs import WORKLOADS
        def loaded():
            return sorted({home for home in WORKLOADS.homes.values() if home in sys.modules})
        known = [len(WORKLOADS), "overlay" in WORKLOADS, list(WORKLOADS)[-1], "nothing" in WORKLOADS]
        before, _, after = loaded(), WORKLOADS.find("overlay"), loaded()
        print(json.dumps([known, before, after]))
    """,
        NUMBA_DISABLE_JIT="1",
    )
    assert loaded == [[len(WORKLOADS.homes), True, "overlay", False], [], ["hwmem.programs.memory.overlay"]]


def test_a_shipped_programs_name_is_taken_before_its_file_is_loaded():
    taken, _ = run(
        """
        import json
        import hwmem
        try:
            @hwmem.workload("overlay", "")
            def mine(m, w): ...
        except ValueError as error:
            print(json.dumps(str(error)))
    """,
        NUMBA_DISABLE_JIT="1",
    )
    assert taken == "workload 'overlay' exists already, in hwmem.programs.memory.overlay"


def test_a_file_that_only_imports_a_shipped_program_registers_none(tmp_path):
    (tmp_path / "imports.py").write_text("from hwmem.programs.memory import overlay\n")
    said, _ = run(
        """
        import json
        from hwmem.errors import WorkloadError
        from hwmem.programs import WORKLOADS
        from hwmem.programs.file import workload_name
        try:
            print(json.dumps(workload_name("imports.py", WORKLOADS)))
        except WorkloadError as error:
            print(json.dumps(str(error)))
    """,
        cwd=tmp_path,
        NUMBA_DISABLE_JIT="1",
    )
    assert said == "imports.py: registers no workload"


@hwmem.workload("test-stray-store", "stores where nothing is mapped")
def stray_store(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        store64(m, t, 0xDEAD0000, 1)


def test_a_bad_access_of_a_workload_is_a_segmentation_fault_of_its_thread():
    with pytest.raises(hwmem.SegmentationFault) as caught:
        hwmem.run("test-stray-store")
    assert (caught.value.address, caught.value.access, caught.value.code) == (0xDEAD0000, "write", "SEGV_MAPERR")
