"""Mapped files: what programs see, what the disk has, what counts, what is refused."""

import random

import pytest

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError
from hwmem.machine.machine import Machine
from mapped_files import PAGE, READ, SHARED, Disk, Space, contents, faults, map_file

BASE = 0x1000_0000_0000


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=2, memory="16MiB", swap="8MiB", thp="never"))


@pytest.fixture
def disk(machine):
    """Makes files of n pages, page k full of the byte k + 1 (modulo 256)."""
    return Disk(machine)


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    process.exit()
    machine.check()


def test_a_mapped_file_is_what_was_put_into_it(process, machine):
    data = random.Random(1).randbytes(3 * PAGE + 100)
    fd = machine.create_file("odd", data)
    a = map_file(process, BASE, fd, 4)
    assert process.read(a, 4 * PAGE) == data + bytes(PAGE - 100)
    assert machine.file("odd").read() == machine.file("odd").on_disk() == data
    assert machine.file("odd").read(PAGE - 5, 10) == data[PAGE - 5 : PAGE + 5]


def test_a_file_has_one_name_and_a_name_one_file(machine):
    machine.create_file("twice", 10)
    with pytest.raises(ValueError, match="there is a file 'twice' already"):
        machine.create_file("twice", 10)
    with pytest.raises(ValueError, match="there is no file 'thrice'"):
        machine.file("thrice")


def test_private_writes_are_seen_by_nobody_else(process, machine, disk):
    file = disk.file(4)
    other = machine.spawn()
    a, b = map_file(process, BASE, file.number, 4), map_file(other, BASE, file.number, 4)
    process.write(a + PAGE, b"mine")
    assert process.read(a + PAGE, 5) == b"mine\x02"
    assert other.read(b + PAGE, 4) == contents(4)[PAGE : PAGE + 4]
    assert file.read() == file.on_disk() == contents(4)
    assert not file.dirty()
    other.exit()


def test_a_private_page_not_written_yet_follows_the_file(process, disk):
    file = disk.file(4)
    a, b = map_file(process, BASE, file.number, 4), map_file(process, BASE + (1 << 30), file.number, 4, SHARED)
    process.load(a, 1)
    process.write(a + 2 * PAGE, b"x")
    process.write(b, b"new")
    process.write(b + 2 * PAGE, b"new")
    assert process.read(a, 3) == b"new"
    assert process.read(a + 2 * PAGE, 3) == b"x\x03\x03"


def test_shared_writes_reach_others_at_once_and_the_disk_with_msync(process, machine, disk):
    file = disk.file(6)
    other = machine.spawn()
    a, b = map_file(process, BASE, file.number, 6, SHARED), map_file(other, BASE, file.number, 6, SHARED, READ)
    other.load(b + 3 * PAGE, 1)
    process.write(a + 3 * PAGE, b"all")
    assert other.read(b + 3 * PAGE, 3) == b"all"
    assert file.read(3 * PAGE, 3) == b"all" and file.on_disk(3 * PAGE, 3) == b"\x04\x04\x04"
    assert file.dirty() == [3]
    process.msync(a, 6 * PAGE)
    assert file.on_disk(3 * PAGE, 3) == b"all" and not file.dirty()
    other.exit()


def test_every_write_after_msync_makes_the_page_dirty_again(process, disk):
    file = disk.file(2)
    a = map_file(process, BASE, file.number, 2, SHARED)
    for byte in range(1, 5):
        assert faults(process, lambda: process.store(a, byte, 1)).minflt == (0 if byte == 1 else 1)
        assert faults(process, lambda: process.store(a + 1, byte, 1)) == (0, 0)
        assert file.dirty() == [0]
        process.msync(a, PAGE)
        assert not file.dirty() and file.on_disk(0, 2) == bytes([byte, byte])


def test_msync_refuses_what_linux_refuses(process, disk):
    file = disk.file(4)
    a = map_file(process, BASE, file.number, 4, SHARED)
    process.store(a + 3 * PAGE, 7, 1)
    for arguments, errno in (
        ((a + 1, PAGE, P.MS_SYNC), 22),
        ((a, PAGE, P.MS_SYNC | P.MS_ASYNC), 22),
        ((a, PAGE, 8), 22),
        ((a + 2 * PAGE, 8 * PAGE, P.MS_SYNC), 12),
        ((a + 8 * PAGE, PAGE, P.MS_SYNC), 12),
    ):
        with pytest.raises(OSError) as caught:
            process.msync(*arguments)
        assert caught.value.errno == errno, arguments
    assert file.on_disk(3 * PAGE, 1) == b"\x07", "the mapped part of a range with a hole was written"
    process.msync(a, 0)


def test_beyond_the_end_of_a_file_is_a_bus_error(process, machine):
    fd = machine.create_file("short", PAGE + 1)
    a = map_file(process, BASE, fd, 4)
    process.load(a + 2 * PAGE - 1, 1)
    before = process.rusage()
    for access in (lambda: process.load(a + 2 * PAGE, 1), lambda: process.store(a + 3 * PAGE, 1, 1)):
        with pytest.raises(MachineError, match="bus error: nothing of the file is at 0x1000000"):
            access()
    assert process.rusage() == before
    process.store(a, 1, 1)


def test_a_shorter_file_is_gone_from_every_address_space(process, machine, disk):
    file = disk.file(8)
    child_of = machine.spawn()
    a, b = map_file(process, BASE, file.number, 8, SHARED), map_file(child_of, BASE, file.number, 8)
    process.write(a, b"s" * 8 * PAGE)
    child_of.write(b + 6 * PAGE, b"copy")
    other = child_of.fork()
    file.truncate(5 * PAGE + 10)
    for space, start in ((process, a), (child_of, b), (other, b)):
        with pytest.raises(MachineError, match="bus error"):
            space.load(start + 6 * PAGE, 1)
    assert process.read(a + 5 * PAGE, 20) == b"s" * 10 + bytes(10)
    assert file.length == 5 * PAGE + 10 and file.cached() == list(range(6))
    file.truncate(8 * PAGE)
    assert process.read(a + 5 * PAGE, 3 * PAGE) == b"s" * 10 + bytes(3 * PAGE - 10)
    file.sync()
    assert file.on_disk() == b"s" * (5 * PAGE + 10) + bytes(3 * PAGE - 10)
    child_of.exit()
    other.exit()


def test_a_file_grows_beyond_its_first_place_on_the_disk(process, machine, disk):
    file, neighbour = disk.file(2), disk.file(2)
    file.truncate(5 * PAGE)
    a = map_file(process, BASE, file.number, 5, SHARED)
    process.write(a + 4 * PAGE, b"far")
    process.fsync(file.number)
    assert file.on_disk() == contents(2) + bytes(2 * PAGE) + b"far" + bytes(PAGE - 3)
    assert neighbour.on_disk() == contents(2)
    with pytest.raises(OSError):
        process.ftruncate(file.number, 6 * PAGE)


def test_what_is_written_behind_the_end_is_zero_once_the_page_is_written_back(process, machine):
    fd = machine.create_file("tail", b"12345")
    a = map_file(process, BASE, fd, 1, SHARED)
    process.write(a, b"abcdefgh")
    assert process.read(a, 8) == b"abcdefgh"
    process.msync(a, PAGE)
    assert process.read(a, 8) == b"abcde\0\0\0"


def test_dontneed_shows_the_file_again_where_private_and_changes_nothing_where_shared(process, disk):
    file = disk.file(4)
    a, b = map_file(process, BASE, file.number, 4), map_file(process, BASE + (1 << 30), file.number, 4, SHARED)
    process.write(a, b"p" * PAGE)
    process.write(b + PAGE, b"s" * PAGE)
    process.madvise(a, 4 * PAGE, P.MADV_DONTNEED)
    process.madvise(b, 4 * PAGE, P.MADV_DONTNEED)
    assert process.read(a, 2 * PAGE) == contents(1) + b"s" * PAGE
    assert process.read(b, 2 * PAGE) == contents(1) + b"s" * PAGE
    assert file.dirty() == [1], "the entry that knew of the write is gone, the page knows"


def test_a_fault_maps_what_the_cache_has_of_its_64_kib(process, disk):
    file = disk.file(40)
    a = map_file(process, BASE, file.number, 40)
    process.madvise(a, 40 * PAGE, P.MADV_WILLNEED)
    process.machine.state.core[0].cycles += 1 << 30
    assert faults(process, lambda: process.load(a + 20 * PAGE, 1)) == (1, 0)
    assert faults(process, lambda: process.touch(a + 16 * PAGE, 16 * PAGE, write=False)) == (0, 0)
    assert process.record.file == 16
    assert faults(process, lambda: process.touch(a, 16 * PAGE, write=False)) == (1, 0)
    assert faults(process, lambda: process.touch(a + 32 * PAGE, 8 * PAGE, write=False)) == (1, 0)


def test_fault_around_stays_inside_the_mapping_and_the_file(process, disk):
    file = disk.file(20)
    a = process.mmap(BASE + 5 * PAGE, 30 * PAGE, READ, P.MAP_SHARED | P.MAP_FIXED, file.number, PAGE)
    process.madvise(a, 19 * PAGE, P.MADV_WILLNEED)
    process.machine.state.core[0].cycles += 1 << 30
    process.load(a + 2 * PAGE, 1)
    assert process.record.file == 16, "from the mapping's start, 16 pages"
    process.load(a + 18 * PAGE, 1)
    assert process.record.file == 19, "up to the file's last page"


def test_pages_read_ahead_are_no_major_faults(process, machine, disk):
    file = disk.file(200)
    a = map_file(process, BASE, file.number, 200, SHARED, READ)
    reads = int(machine.state.disk.reads)
    assert faults(process, lambda: process.load(a, 1)) == (0, 1)
    assert faults(process, lambda: process.touch(a, 32 * PAGE, write=False)).majflt == 0
    total = faults(process, lambda: process.touch(a, 200 * PAGE, write=False))
    assert total.majflt == 0, "a sequential reader never misses again"
    assert machine.state.disk.reads - reads == 200 and file.cached() == list(range(200))


def test_madv_random_reads_a_page_at_a_time(process, disk):
    file = disk.file(100)
    a = map_file(process, BASE, file.number, 100)
    process.madvise(a, 100 * PAGE, P.MADV_RANDOM)
    places = random.Random(2).sample(range(100), 20)
    for page in places:
        process.load(a + page * PAGE, 1)
    assert file.cached() == sorted(places)


def test_a_reader_waits_for_the_disk_and_a_page_that_is_there_costs_no_wait(process, machine, disk):
    file = disk.file(1)
    a = map_file(process, BASE, file.number, 1)
    core, disk_model = machine.state.core[0], machine.state.disk
    start, idle = int(core.cycles), int(core.idle_cycles)
    process.load(a, 1)
    assert core.idle_cycles - idle == disk_model.page_cycles + disk_model.latency <= core.cycles - start
    process.munmap(a, PAGE)
    map_file(process, BASE, file.number, 1)
    idle = int(core.idle_cycles)
    process.load(a, 1)
    assert core.idle_cycles == idle


def test_mincore_tells_of_the_page_cache(process, disk):
    file = disk.file(64)
    a = map_file(process, BASE, file.number, 64)
    assert process.mincore(a, 64 * PAGE) == bytes(64)
    process.load(a + 40 * PAGE, 1)
    process.machine.state.core[0].cycles += 1 << 30
    assert [i for i, byte in enumerate(process.mincore(a, 64 * PAGE)) if byte] == file.cached() == list(range(24, 56))


def test_rss_counts_pages_of_files_apart_from_private_copies(process, machine, disk):
    file = disk.file(8)
    a = map_file(process, BASE, file.number, 8)
    before = (int(process.record.file), int(process.record.anon))
    process.touch(a, 8 * PAGE, write=False)
    assert (process.record.file - before[0], process.record.anon - before[1]) == (8, 0)
    process.touch(a, 3 * PAGE)
    assert (process.record.file - before[0], process.record.anon - before[1]) == (5, 3)
    process.munmap(a, 8 * PAGE)
    assert (int(process.record.file), int(process.record.anon)) == before
    assert file.cached() == list(range(8)), "the cache keeps what nobody maps"


def test_the_flusher_keeps_dirty_pages_below_a_tenth_of_memory(process, machine, disk):
    file = disk.file(1500)
    a = map_file(process, BASE, file.number, 1500, SHARED)
    writes = int(machine.state.disk.writes)
    most = 0
    for page in range(1500):
        process.store(a + page * PAGE, 1, 1)
        most = max(most, int(machine.state.files.dirty))
    assert most <= 4096 // 10 + 1 and machine.state.disk.writes > writes
    assert machine.state.files.flusher_cycles > 0
    process.fsync(file.number)
    assert file.on_disk() == b"".join(b"\x01" + page[1:] for page in (bytes([(k + 1) % 256]) * PAGE for k in range(1500)))


def test_files_larger_than_memory_are_read_and_written_right(process, machine, disk):
    file = disk.file(6000)
    a = map_file(process, BASE, file.number, 6000, SHARED)
    for page in range(0, 6000, 3):
        process.store(a + page * PAGE + 8, page, 8)
    assert [process.load(a + page * PAGE + 8, 8) for page in range(0, 6000, 3)] == list(range(0, 6000, 3))
    assert len(file.cached()) < 4096
    machine.check()


@pytest.mark.parametrize("steps", [400])
def test_every_byte_is_where_linux_would_show_it(machine, seed, steps):
    """Several processes with forks, private and shared mappings of two files, against a dictionary."""
    space = Space(machine, random.Random(seed))
    for step in range(steps):
        space.step()
        if step % 50 == 49:
            space.check()
    space.end()
    machine.check()
