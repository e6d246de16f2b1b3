"""A small part of every fuzzer, with fixed seeds; `python -m tests.fuzz` runs the long ones."""

import _thread
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.fuzz.harness import run_cases

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.slow
STEPS = {"calls": 900, "physical": 600, "results": 100, "kernels": 1600, "cache": 400}


@pytest.mark.parametrize("kind", STEPS)
def test_nothing_crashes_hangs_or_raises_what_it_may_not(kind, seed):
    module = importlib.import_module(f"tests.fuzz.{kind}")
    module.prepare()
    steps, failures = run_cases(module.case, range(seed, seed + 1000), STEPS[kind])
    assert steps >= STEPS[kind] and not failures


def test_ctrl_c_is_one_line_and_leaves_no_child(tmp_path):
    def case(r, note):
        (tmp_path / "new").write_text(str(os.getpid()))
        (tmp_path / "new").rename(tmp_path / "child")
        threading.Event().wait()

    def interrupt():
        while not (tmp_path / "child").exists():
            time.sleep(0.02)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run_cases(case, range(1))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "child").read_text()), 0)
    command = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz", "calls"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(2)  # it imports, or compiles
    command.send_signal(signal.SIGINT)
    said = command.communicate()[1]
    assert (command.returncode, said.splitlines()[-1], "Traceback" in said) == (130, "tests.fuzz: interrupted", False)


def test_the_harness_sees_a_signal_a_hang_and_a_traceback(monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.HANG_SECONDS", 0.2)

    def case(r, note):
        note("step")
        kind = r.randrange(3)
        if kind == 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        while kind == 1:
            pass
        raise AssertionError("told")

    _, failures = run_cases(case, range(12))
    assert len(failures) == 12 and {f.what.split()[0] for f in failures} == {"signal", "hangs", "step"}
