"""The host's memory behind machines."""

import pathlib
import subprocess
import sys

from hwmem._jit import CHECKED
from hwmem.memory.host import HostMemory

ROOT = pathlib.Path(__file__).parents[2]
CODE = """
import gc, resource
from hwmem.memory.host import HostMemory
gc.disable()
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (7 << 30),) * 2)
for _ in range(3):
    memory = HostMemory(3 << 30, "a machine")
    memory.itself = memory
memory.grow(4 << 30)
kept = [memory]
try:
    HostMemory(4 << 30, "another machine")
except OSError as error:
    print(error.strerror)
"""


def test_what_nobody_has_any_more_is_given_back_before_the_host_is_said_to_have_none():
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("another machine: the host has no further 4GiB of address space for this process")


def test_giving_memory_back_takes_no_step_of_pythons():
    """In a finalizer written in Python a Ctrl-C would be lost, and the memory with it."""
    memory, steps = HostMemory(1 << 20, "a test"), []
    memory.grow(2 << 20)
    assert f"{memory.address:x}-" in pathlib.Path("/proc/self/maps").read_text() and memory.size == 2 << 20
    address = memory.address
    sys.setprofile(lambda frame, event, _: steps.append(frame.f_code.co_name) if event == "call" else None)
    try:
        del memory
    finally:
        sys.setprofile(None)
    assert steps == [] or CHECKED  # which keeps a table of such ranges
    assert f"{address:x}-" not in pathlib.Path("/proc/self/maps").read_text()
