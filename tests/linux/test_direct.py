"""pread with O_DIRECT: the file's bytes as they should be, wherever the newest of them are, and what is refused."""

import errno

import numpy as np
import pytest

import hwmem
from hwmem.machine import files
from hwmem import params as P

DATA = np.random.default_rng(1).bytes(3 * P.PAGE)


@pytest.fixture(scope="module")
def machine():
    return hwmem.Machine(hwmem.MachineConfig().replace(memory="16MiB", swap="32MiB"))


@pytest.fixture(scope="module")
def fd(machine):
    return files.create(machine, "data", DATA)


def test_whole_pages_are_read_past_the_page_cache_up_to_the_files_end(machine, fd):
    p = machine.spawn()
    a = p.mmap(0, 8 * P.PAGE)
    assert p.pread(fd, a, 8 * P.PAGE, P.PAGE) == 2 * P.PAGE
    assert p.read(a, 8 * P.PAGE) == DATA[P.PAGE :] + bytes(6 * P.PAGE)
    assert p.pread(fd, a, P.PAGE, 4 * P.PAGE) == 0
    assert machine.meminfo()["Cached"] == 0 and p.rusage().majflt == 0
    machine.check()
    p.exit()


def test_the_reader_waits_for_the_disk_once_for_all_its_pages(machine, fd):
    p = machine.spawn()
    a = p.mmap(0, 3 * P.PAGE)
    p.touch(a, 3 * P.PAGE)
    before, disk = machine.cycles(0), machine.config.disk
    p.pread(fd, a, 3 * P.PAGE, 0)
    transfer = 3 * P.PAGE / disk.bytes_per_cycle
    assert disk.latency + transfer <= machine.cycles(0) - before < 2 * disk.latency
    p.exit()


def test_what_the_page_cache_has_newer_than_the_disk_is_read(machine):
    fd, p = files.create(machine, "written", DATA), machine.spawn()
    shared = p.mmap(0, 3 * P.PAGE, flags=hwmem.MAP_SHARED, fd=fd)
    p.write(shared + 100, b"new")
    a = p.mmap(0, 3 * P.PAGE)
    p.pread(fd, a, 3 * P.PAGE, 0)
    assert p.read(a, 3 * P.PAGE) == DATA[:100] + b"new" + DATA[103:]
    p.exit()


def test_a_huge_page_and_a_page_shared_with_a_child_can_be_read_into(machine, fd):
    p = machine.spawn()
    a = p.mmap(0, P.HUGE_PAGE)
    p.madvise(a, P.HUGE_PAGE, hwmem.MADV_HUGEPAGE)
    p.write(a, b"old")
    q = p.fork()
    p.pread(fd, a + 5 * P.PAGE, 3 * P.PAGE, 0)
    p.pread(fd, a, P.PAGE, 0)
    assert p.read(a, P.PAGE) == DATA[: P.PAGE] and p.read(a + 5 * P.PAGE, 3 * P.PAGE) == DATA
    assert q.read(a, 3) == b"old" and q.read(a + 5 * P.PAGE, 3 * P.PAGE) == bytes(3 * P.PAGE)
    machine.check()
    q.exit()
    p.exit()


def test_a_buffer_larger_than_ram_is_filled(machine):
    data = np.random.default_rng(2).bytes(20 << 20)
    fd, p = files.create(machine, "large", data), machine.spawn()
    a = p.mmap(0, len(data))
    assert p.pread(fd, a, len(data), 0) == len(data)
    assert p.read(a, len(data)) == data
    machine.check()
    p.exit()


@pytest.mark.parametrize(
    "change, code",
    [
        ({"fd": 99}, errno.EBADF),
        ({"fd": -1}, errno.EBADF),
        ({"address": 1}, errno.EINVAL),
        ({"length": 100}, errno.EINVAL),
        ({"offset": 512}, errno.EINVAL),
        ({"offset": -P.PAGE}, errno.EINVAL),
    ],
)
def test_what_is_no_file_or_no_whole_page_is_refused(machine, fd, change, code):
    p = machine.spawn()
    right = {"fd": fd, "address": p.mmap(0, P.PAGE), "length": P.PAGE, "offset": 0}
    wrong = {name: right[name] + value if name == "address" else value for name, value in change.items()}
    with pytest.raises(OSError) as caught:
        p.pread(**right | wrong)
    assert caught.value.errno == code
    p.exit()


def test_a_buffer_that_may_not_be_written_is_refused(machine, fd):
    p = machine.spawn()
    a = p.mmap(0, 2 * P.PAGE, prot=hwmem.PROT_READ)
    for address in (a, 0x10_0000):
        with pytest.raises(OSError) as caught:
            p.pread(fd, address, P.PAGE, 0)
        assert caught.value.errno == errno.EFAULT
    p.exit()
