"""Limits of a process: its stack grows so far, its address space so wide, so much of it is locked."""

import errno

import pytest

import hwmem
from hwmem.errors import SegmentationFault
from hwmem.params import MAX_MAP_COUNT
from pressure import PAGE, small_machine

BASE = 0x2800_0000_0000
FIXED = hwmem.MAP_PRIVATE | hwmem.MAP_ANONYMOUS | hwmem.MAP_FIXED


@pytest.fixture(scope="module")
def machine():
    return small_machine(memory="64MiB")


@pytest.mark.parametrize("layout", ["linux-x86_64", "linux-i386"])
def test_a_stack_grows_to_its_limit_and_no_further(machine, layout):
    process = machine.spawn(layout)
    start, end = next((v.start, v.end) for v in process.maps() if v.name == "[stack]")
    process.setrlimit("stack", 1 << 20)
    process.store(start - 8 * PAGE, 7)
    assert process.load(start - 8 * PAGE) == 7
    lowest = end - (1 << 20)
    process.store(lowest, 1)
    assert next(v.start for v in process.maps() if v.name == "[stack]") == lowest
    with pytest.raises(SegmentationFault) as caught:
        process.store(lowest - 8, 1)
    assert caught.value.code == "SEGV_MAPERR"
    process.exit()
    machine.check()


def test_a_heap_end_beyond_every_address_and_a_range_of_all_of_them_are_no_memory(machine):
    process = machine.spawn()
    a, end = process.mmap(0, 4 * PAGE), process.brk(0)
    for call in (
        lambda: process.brk(-1),
        lambda: process.brk((1 << 64) - PAGE),
        lambda: process.sbrk(-end - PAGE),
        lambda: process.mincore(a, -1),
        lambda: process.mincore(a, (1 << 64) - PAGE),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENOMEM
    assert process.brk(0) == end
    process.exit()


def test_an_address_space_at_its_limit_takes_no_more_and_gives_back(machine):
    process = machine.spawn()
    used = sum(v.end - v.start for v in process.maps())
    process.setrlimit("as", used + 4 * PAGE)
    a = process.mmap(0, 4 * PAGE)
    for call in (lambda: process.mmap(0, PAGE), lambda: process.mremap(a, 4 * PAGE, 5 * PAGE, 1), lambda: process.sbrk(2 * PAGE)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENOMEM
    process.munmap(a, PAGE)
    assert process.mmap(0, PAGE)
    process.setrlimit("as", None)
    assert process.mmap(0, 64 * PAGE)
    process.exit()


def test_a_mapping_that_is_refused_leaves_what_was_there_cut_at_its_ends(machine):
    process = machine.spawn()
    process.mmap(BASE, 8 * PAGE, flags=FIXED)
    process.store(BASE + 3 * PAGE, 7)
    process.setrlimit("as", sum(v.end - v.start for v in process.maps()) + PAGE)
    with pytest.raises(OSError, match="Cannot allocate"):
        process.mmap(BASE + 2 * PAGE, 8 * PAGE, flags=FIXED)
    assert process.load(BASE + 3 * PAGE) == 7
    assert [(v.end - v.start) // PAGE for v in process.maps() if v.start >> 32 == BASE >> 32] == [2, 6]
    process.mmap(BASE + 2 * PAGE, 7 * PAGE, flags=FIXED)
    assert process.load(BASE + 3 * PAGE) == 0
    process.exit()
    machine.check()


def test_a_promise_that_is_refused_leaves_what_was_there_and_one_in_its_place_is_kept():
    machine = small_machine(memory="16MiB", swap="0", vm={"overcommit_memory": 2, "overcommit_ratio": 50})
    process = machine.spawn()
    size = 4 << 20
    process.mmap(BASE, size, flags=FIXED)
    process.store(BASE, 7)
    promised = machine.meminfo()["Committed_AS"]
    with pytest.raises(OSError, match="Cannot allocate"):
        process.mmap(BASE, 4 * size, flags=FIXED)
    assert process.load(BASE) == 7 and machine.meminfo()["Committed_AS"] == promised
    process.mmap(BASE, size, flags=FIXED)  # in the place of its like: no more is promised
    assert process.load(BASE) == 0 and machine.meminfo()["Committed_AS"] == promised
    process.exit()
    machine.check()


def test_no_more_is_locked_than_allowed(machine):
    process = machine.spawn()
    a = process.mmap(0, 8 * PAGE)
    process.setrlimit("memlock", 4 * PAGE)
    process.mlock(a, 4 * PAGE)
    with pytest.raises(OSError) as caught:
        process.mlock(a + 4 * PAGE, PAGE)
    assert caught.value.errno == errno.ENOMEM
    process.munlock(a, 4 * PAGE)
    process.mlock(a + 4 * PAGE, PAGE)
    process.setrlimit("memlock", 2 * PAGE)
    process.mlock(a + 4 * PAGE, 2 * PAGE)  # of which one is locked already
    process.setrlimit("memlock", 0)
    for call in (lambda: process.mlock(a, PAGE), lambda: process.mmap(0, PAGE, flags=FIXED & ~hwmem.MAP_FIXED | hwmem.MAP_LOCKED)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EPERM
    process.exit()
    machine.check()


def test_a_process_with_all_the_mappings_it_may_have_can_still_give_some_back(machine):
    process = machine.spawn()
    room = process.mmap(BASE - (64 << 20), 8 * PAGE)
    count = len(process.maps())
    for k in range(MAX_MAP_COUNT - count):
        process.mmap(BASE + k * PAGE, PAGE, 1 + 2 * (k & 1), FIXED)
    refused = [
        (lambda: process.munmap(room + PAGE, PAGE), errno.ENOMEM),
        (lambda: process.mprotect(room, PAGE, 1), errno.ENOMEM),
        (lambda: process.madvise(room, PAGE, hwmem.MADV_DONTFORK), errno.EAGAIN),
        (lambda: process.mlock(room, PAGE), errno.ENOMEM),
        (lambda: process.mremap(room, PAGE, PAGE, 3, BASE - (32 << 20)), errno.ENOMEM),
    ]
    for call, failure in refused:
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == failure
    process.mmap(BASE + (1 << 40), PAGE)  # one above the limit, as Linux lets it
    process.munmap(room, PAGE)
    process.munmap(room + 7 * PAGE, PAGE)
    for call in (lambda: process.mmap(0, PAGE, 0), lambda: process.munmap(room + 2 * PAGE, PAGE)):
        with pytest.raises(OSError, match="Cannot allocate"):
            call()
    process.munmap(BASE, 16 * PAGE)
    assert process.mremap(room + PAGE, PAGE, PAGE, 3, BASE - (32 << 20))
    process.exit()
    machine.check()


def test_other_limits_are_refused_by_name(machine):
    process = machine.spawn()
    with pytest.raises(ValueError, match="resource: 'cpu' is none of stack, as, memlock, data"):
        process.setrlimit("cpu", 1)
    with pytest.raises(ValueError, match="limit: takes bytes"):
        process.setrlimit("stack", -1)
    process.exit()


def test_a_32_bit_process_needs_a_machine_whose_frames_its_entries_can_number():
    with pytest.raises(ValueError, match="4GiB"):
        small_machine(memory="64MiB", swap="5GiB").spawn("linux-i386")
