"""The table of system calls: each has a door, and the numbers are those of the architecture's headers."""

import errno
import pathlib
import re

import pytest

import hwmem
from hwmem import params as P
from hwmem._jit import DOORS
from hwmem.linux.call_numbers import I386, X86_64
from hwmem.linux.syscall import CALLS, DOOR_OF
from pressure import PAGE, small_machine

HEADERS = pathlib.Path("/usr/include/x86_64-linux-gnu/asm")
NAMES = {name[4:].lower(): call for name, call in vars(P).items() if name.startswith("SYS_")}
SPELLED = {"exit_group": "exit", "pread64": "pread"}


def test_every_call_is_behind_one_door_that_is_there():
    calls = [call for of_door in CALLS.values() for call in of_door]
    assert sorted(calls) == sorted(NAMES.values()) == list(range(P.SYSTEM_CALLS))
    assert all(call in CALLS[door] and DOORS.function(door) for call, door in enumerate(DOOR_OF))


@pytest.mark.live
@pytest.mark.parametrize("header, numbers", [("unistd_64.h", X86_64), ("unistd_32.h", I386)])
def test_numbers_are_the_headers(header, numbers):
    if not (HEADERS / header).exists():
        pytest.skip("no Linux headers here")
    found = {int(n): name for name, n in re.findall(r"#define __NR_(\w+) (\d+)", (HEADERS / header).read_text())}
    assert {n: NAMES[SPELLED.get(found[n], found[n])] for n in numbers} == numbers


def test_a_call_by_number_does_what_the_method_does():
    process = small_machine(memory="16MiB").spawn()
    a = process.syscall(9, 0, 2 * PAGE, 3, hwmem.MAP_PRIVATE | hwmem.MAP_ANONYMOUS, -1, 0)
    process.store(a, 7)
    assert process.syscall(11, a, PAGE) == 0
    with pytest.raises(hwmem.SegmentationFault):
        process.load(a)
    for number in (1000, -1, 1 << 40):
        with pytest.raises(OSError) as caught:
            process.syscall(number)
        assert caught.value.errno == errno.ENOSYS
    with pytest.raises(ValueError, match="makes or ends a process"):
        process.syscall(60, 0)
    with pytest.raises(ValueError, match="takes up to six"):
        process.syscall(9, *range(7))
