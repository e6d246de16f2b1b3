"""The host's memory behind machines."""

import pathlib
import re
import subprocess
import sys

import pytest

from hwmem._jit import CHECKED
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
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


def flags_at(address):
    """What the host notes of the mapping that begins at, or holds, an address: the names of smaps' VmFlags."""
    inside = False
    for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            first, end = (int(part, 16) for part in line.split()[0].split("-"))
            inside = first <= address < end
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError(f"nothing is mapped at {address:#x}")


@pytest.mark.skipif(not pathlib.Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="the host has no transparent huge pages")
@pytest.mark.parametrize("mmu", [True, False])
def test_ram_lies_on_the_hosts_huge_pages_where_linux_fills_it_frame_after_frame(mmu):
    machine = Machine(MachineConfig().replace(mmu=mmu))
    assert ("hg" in flags_at(int(machine.state.ram_base))) == mmu
