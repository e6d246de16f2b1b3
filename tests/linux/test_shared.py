"""Shared anonymous memory: one memory for all who inherited the mapping, gone with the last of them."""

import random

import pytest

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError
from hwmem.machine.machine import Machine
from mapped_files import PAGE, READ, RW, faults

SHARED = P.MAP_SHARED | P.MAP_ANONYMOUS


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=2, memory="8MiB", swap="16MiB", thp="never"))


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    process.exit()
    machine.check()


def shared_files(machine):
    return sum(int(machine.state.file[n].shared) for n in range(P.MAX_FILES))


def test_parent_and_child_see_the_same_bytes(process):
    a = process.mmap(0, 8 * PAGE, RW, SHARED)
    process.write(a, b"before")
    child = process.fork()
    child.write(a + PAGE, b"child")
    process.write(a + 2 * PAGE, b"parent")
    assert child.read(a, 6) == b"before" and process.read(a + PAGE, 5) == b"child" and child.read(a + 2 * PAGE, 6) == b"parent"
    child.exit()
    assert process.read(a + PAGE, 5) == b"child"


def test_a_page_is_zero_at_first_touch_and_the_first_fault_is_the_only_one(process):
    a = process.mmap(0, 64 * PAGE, RW, SHARED)
    assert faults(process, lambda: process.touch(a, 64 * PAGE, write=False)) == (64, 0)
    assert faults(process, lambda: process.touch(a, 64 * PAGE)) == (0, 0), "writable at once, even where it was read first"
    assert process.read(a, 16) == bytes(16)


def test_what_somebody_else_brought_is_mapped_sixteen_pages_at_a_time(process):
    a = process.mmap(0x2000_0000_0000, 64 * PAGE, RW, SHARED | P.MAP_FIXED)
    process.touch(a, 64 * PAGE)
    child = process.fork()
    assert child.record.shared == 0, "fork leaves shared mappings to faults"
    assert faults(child, lambda: child.touch(a, 64 * PAGE, write=False)) == (4, 0)
    assert child.record.shared == 64
    child.exit()


def test_shared_memory_counts_as_rss_of_its_own_kind(process, machine):
    anon, shared = int(process.record.anon), int(process.record.shared)
    a = process.mmap(0, 8 * PAGE, RW, SHARED)
    process.touch(a, 8 * PAGE)
    assert (process.record.anon - anon, process.record.shared - shared) == (0, 8)
    assert machine.meminfo()["Shmem"] == 8 * PAGE
    process.madvise(a, 8 * PAGE, P.MADV_DONTNEED)
    assert process.record.shared == shared and machine.meminfo()["Shmem"] == 8 * PAGE


def test_dontneed_keeps_the_bytes(process):
    a = process.mmap(0, 8 * PAGE, RW, SHARED)
    process.write(a, b"stays")
    process.madvise(a, 8 * PAGE, P.MADV_DONTNEED)
    assert process.read(a, 5) == b"stays"


def test_the_memory_goes_with_the_last_mapping_of_it(process, machine):
    used, files, slots = int(machine.state.files.cached), shared_files(machine), int(machine.state.swap.used)
    a = process.mmap(0, 32 * PAGE, RW, SHARED)
    process.touch(a, 32 * PAGE)
    child = process.fork()
    process.munmap(a + 8 * PAGE, 8 * PAGE)
    process.mprotect(a + 20 * PAGE, PAGE, READ)
    process.munmap(a, 32 * PAGE)
    assert machine.state.files.cached == used + 32 and shared_files(machine) == files + 1
    child.exit()
    assert machine.state.files.cached == used and shared_files(machine) == files and machine.state.swap.used == slots


def test_mprotect_gives_and_takes_writing_at_once(process):
    a = process.mmap(0, 4 * PAGE, RW, SHARED)
    process.touch(a, 4 * PAGE)
    process.mprotect(a, 4 * PAGE, READ)
    with pytest.raises(MachineError, match="SEGV_ACCERR"):
        process.store(a, 1)
    process.mprotect(a, 4 * PAGE, RW)
    assert faults(process, lambda: process.touch(a, 4 * PAGE)) == (0, 0)


def test_a_mapping_grown_beyond_its_memory_is_a_bus_error(process):
    a = process.mmap(0, 4 * PAGE, RW, SHARED)
    b = process.mremap(a, 4 * PAGE, 8 * PAGE, P.MREMAP_MAYMOVE)
    process.store(b + 3 * PAGE, 1)
    with pytest.raises(MachineError, match="bus error"):
        process.store(b + 4 * PAGE, 1)


def test_shared_memory_survives_swap(process, machine, seed):
    rng = random.Random(seed)
    pages = 3000
    a = process.mmap(0, pages * PAGE, RW, SHARED)
    child = process.fork()
    values = {k: rng.randrange(1 << 40) for k in range(pages)}
    for k, value in values.items():
        rng.choice((process, child)).store(a + k * PAGE + 16, value)
    assert machine.state.files.swapped > 0 and machine.vmstat()["pswpout"] > 0
    machine.check()
    major = child.rusage().majflt
    for k in rng.sample(range(pages), pages):
        assert rng.choice((process, child)).load(a + k * PAGE + 16) == values[k], k
    assert child.rusage().majflt > major
    machine.check()
    slots = int(machine.state.swap.used)
    child.exit()
    assert machine.state.swap.used == slots
    process.munmap(a, pages * PAGE)
    assert machine.state.files.swapped == 0 and machine.state.swap.used <= slots - 500


def test_pages_nobody_wrote_to_are_dropped_not_swapped(process, machine):
    a = process.mmap(0, 4000 * PAGE, READ, SHARED)
    written = machine.vmstat()["pswpout"]
    process.touch(a, 4000 * PAGE, write=False)
    assert machine.state.files.cached < 2048 and machine.vmstat()["pswpout"] == written
    assert process.read(a, 8) == bytes(8)
