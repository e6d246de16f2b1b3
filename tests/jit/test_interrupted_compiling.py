"""Ctrl-C in the middle of what compiling has to do whole: it comes a little later. At each line of llvmlite's that gives something away, and where
numba installs what it has read from a registry."""

import subprocess
import sys

import pytest

LINKING = """
import signal, sys
import llvmlite.binding as llvm
from hwmem.ctrl_c import none_lost

llvm.initialize_native_target()

def interrupted_at(n):
    seen = 0
    def line(frame, event, _):
        nonlocal seen
        seen += event == "line"
        if event == "line" and seen == n:
            signal.raise_signal(signal.SIGINT)
        return line
    sys.settrace(lambda frame, event, _: line if frame.f_globals.get("__name__", "").startswith("llvmlite.binding") else None)
    try:
        with none_lost():
            a, b = (llvm.parse_assembly(f'define void @"{name}"() {{ ret void }}') for name in "ab")
            a.link_in(b)
            del a, b
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return seen >= n

n = 1
while interrupted_at(n):
    n += 1
print(n)
"""

REGISTRIES = """
import signal, sys
import numba
import numpy as np
from hwmem.ctrl_c import none_lost

def line(frame, event, _):
    global left
    left -= event == "line"
    if event == "line" and left == 0:
        signal.raise_signal(signal.SIGINT)
    return line

left = int(sys.argv[1])
sys.settrace(lambda frame, *_: line if frame.f_code.co_name in ("new_registrations", "install_registry") else None)
try:
    with none_lost():
        numba.njit(lambda x: x + 1)(1)
except KeyboardInterrupt:
    print("interrupted")
sys.settrace(None)
print(numba.njit(lambda a: a.real.sum() + np.cos(a.imag).sum() + len(a))(np.zeros(3, np.complex128)))
"""


def run(program, *arguments):
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=300)


def test_a_module_that_is_being_linked_is_given_back_once():
    done = run(LINKING)
    assert (done.returncode, done.stderr) == (0, "") and int(done.stdout) > 50


@pytest.mark.parametrize("line", ["300", "3000", "5000", "15000"])
def test_a_session_goes_on_after_an_interruption_while_registries_are_read(line):
    done = run(REGISTRIES, line)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["interrupted", "6.0"]
