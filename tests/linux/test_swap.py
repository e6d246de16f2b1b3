"""Swap: pages that go out come back with their bytes, once for each who had them; slots are neither lost nor kept for nothing."""

import pytest
from pressure import PAGE, counted, fill, holds, residents, small_machine

from hwmem import params as P


@pytest.fixture(scope="module")
def machine():
    return small_machine("16MiB", "64MiB")


@pytest.fixture
def process(machine):
    p = machine.spawn()
    yield p
    p.exit()
    machine.check()
    assert machine.state.swap.used == 0, "nobody is left who could want a slot"


def out(process, start, pages):
    process.madvise(start, pages * PAGE, P.MADV_PAGEOUT)


def drop_cache(machine):
    """Memory gets short, so that what MADV_PAGEOUT left in the swap cache is dropped."""
    p = machine.spawn()
    n = int(machine.state.frames.total)
    a = p.mmap(0, n * PAGE)
    p.touch(a, n * PAGE)
    p.exit()


def test_a_page_sent_out_is_in_the_swap_cache_and_comes_back_without_the_disk(machine, process):
    a = process.mmap(0, 20 * PAGE)
    fill(process, a, 20)
    gone = counted(machine, lambda: out(process, a, 20))
    assert not any(residents(process, a, 20))
    assert gone["pswpout"] == 20 and process.smaps_rollup()["Swap"] == 20 * PAGE
    back = counted(machine, lambda: process.touch(a, 20 * PAGE, write=False))
    assert (back["pgfault"], back["pgmajfault"], back["pswpin"]) == (20, 0, 0)
    assert holds(process, a, 20)


def test_once_memory_was_short_it_is_read_from_the_disk(machine, process):
    a = process.mmap(0, 64 * PAGE)
    fill(process, a, 64)
    out(process, a, 64)
    drop_cache(machine)
    back = counted(machine, lambda: process.touch(a, 64 * PAGE, write=False))
    assert back["pswpin"] == 64 and 0 < back["pgmajfault"] < 64
    assert back["cycles"] > back["pgmajfault"] * machine.config.disk.latency
    assert holds(process, a, 64)


def test_faults_in_order_read_eight_pages_at_a_time(machine, process):
    a = process.mmap(0, 64 * PAGE)
    fill(process, a, 64)
    out(process, a, 64)
    drop_cache(machine)
    back = counted(machine, lambda: process.touch(a, 64 * PAGE, write=False))
    assert back["swap_ra_hit"] == back["swap_ra"] == 64 - back["pgmajfault"]
    assert back["pgmajfault"] <= 64 // 8 + 2


def test_page_cluster_0_reads_nothing_ahead():
    machine = small_machine("16MiB", "64MiB", vm={"page_cluster": 0})
    p = machine.spawn()
    a = p.mmap(0, 64 * PAGE)
    fill(p, a, 64)
    out(p, a, 64)
    drop_cache(machine)
    back = counted(machine, lambda: p.touch(a, 64 * PAGE, write=False))
    assert (back["pgmajfault"], back["pswpin"], back["swap_ra"]) == (64, 64, 0)


def test_reading_ahead_stops_where_it_is_of_no_use(machine, process):
    a = process.mmap(0, 1000 * PAGE)
    fill(process, a, 1000)
    out(process, a, 1000)
    drop_cache(machine)
    back = counted(machine, lambda: process.load_many([a + i * PAGE for i in range(0, 1000, 40)]))
    assert back["pgmajfault"] == 25 and back["swap_ra_hit"] == 0
    assert back["swap_ra"] <= 7 + 3 + 1, "8 pages at first, then 4, 2, and 1"


def test_willneed_reads_what_is_swapped_and_the_touch_is_minor(machine, process):
    a = process.mmap(0, 30 * PAGE)
    fill(process, a, 30)
    out(process, a, 30)
    drop_cache(machine)
    asked = counted(machine, lambda: process.madvise(a, 30 * PAGE, P.MADV_WILLNEED))
    assert (asked["pswpin"], asked["pgmajfault"]) == (30, 0) and asked["cycles"] < machine.config.disk.latency
    touched = counted(machine, lambda: process.touch(a, 30 * PAGE, write=False))
    assert (touched["pgfault"], touched["pgmajfault"], touched["pswpin"]) == (30, 0, 0)
    assert holds(process, a, 30)


def test_a_page_that_is_still_in_its_slot_is_not_written_again_and_a_changed_one_is(machine, process):
    a = process.mmap(0, 10 * PAGE)
    fill(process, a, 10)
    out(process, a, 10)
    assert holds(process, a, 10)
    again = counted(machine, lambda: out(process, a, 10))
    assert again["pswpout"] == 0 and not any(residents(process, a, 10))
    assert holds(process, a, 10)
    fill(process, a, 5, 3)
    changed = counted(machine, lambda: out(process, a, 10))
    assert changed["pswpout"] == 5
    drop_cache(machine)
    assert holds(process, a, 5, 3) and holds(process, a + 5 * PAGE, 5) is False
    assert process.load(a + 9 * PAGE) == 10 * 0x9E37


def test_a_write_to_a_swapped_page_takes_it_out_of_its_slot(machine, process):
    a = process.mmap(0, 10 * PAGE)
    fill(process, a, 10)
    out(process, a, 10)
    assert machine.state.swap.used == 10
    fill(process, a, 10, 1)
    assert machine.state.swap.used == 0
    assert holds(process, a, 10, 1)


def test_parent_and_child_each_get_their_own_page_back(machine, process):
    a = process.mmap(0, 10 * PAGE)
    fill(process, a, 10)
    out(process, a, 10)
    child = process.fork()
    assert machine.state.swap.used == 10
    machine.check()
    fill(child, a, 4, 1)
    assert holds(process, a, 10)
    fill(process, a, 10, 2)
    assert holds(child, a, 4, 1) and child.load(a + 9 * PAGE) == 10 * 0x9E37
    machine.check()
    child.exit()
    assert holds(process, a, 10, 2)


def test_a_page_that_two_processes_share_is_not_sent_out(machine, process):
    a = process.mmap(0, 5 * PAGE)
    fill(process, a, 5)
    child = process.fork()
    assert counted(machine, lambda: out(process, a, 5))["pswpout"] == 0
    assert all(residents(process, a, 5))
    child.exit()


def test_unmapped_and_discarded_pages_give_their_slots_back(machine, process):
    a = process.mmap(0, 30 * PAGE)
    fill(process, a, 30)
    out(process, a, 30)
    process.munmap(a, 10 * PAGE)
    process.madvise(a + 10 * PAGE, 10 * PAGE, P.MADV_DONTNEED)
    process.madvise(a + 20 * PAGE, 5 * PAGE, P.MADV_FREE)
    assert machine.state.swap.used == 5 and process.smaps_rollup()["Swap"] == 5 * PAGE
    assert process.load(a + 12 * PAGE) == 0 and process.load(a + 22 * PAGE) == 0


def test_when_slots_run_out_pages_stay():
    machine = small_machine("4MiB", "256KiB")
    p = machine.spawn()
    a = p.mmap(0, 100 * PAGE)
    fill(p, a, 100)
    out(p, a, 100)
    assert machine.state.swap.used == 64 and sum(residents(p, a, 100)) == 36
    assert holds(p, a, 100)
    machine.check()


def test_a_swapped_page_costs_a_page_of_the_disk_and_memory_does_not():
    machine = small_machine("16MiB", "64MiB", vm={"page_cluster": 0})
    p = machine.spawn()
    a = p.mmap(0, PAGE)
    p.store(a, 1)
    resident = counted(machine, lambda: p.load(a))["cycles"]
    out(p, a, 1)
    cached = counted(machine, lambda: p.load(a))["cycles"]
    out(p, a, 1)
    drop_cache(machine)
    machine.state.core[0].cycles = machine.state.disk.transfers.until  # the disk has no more to write
    swapped = counted(machine, lambda: p.load(a))["cycles"]
    disk = machine.config.disk
    assert resident < 100 < machine.config.kernel.page_fault <= cached < disk.latency
    assert disk.latency + PAGE / disk.bytes_per_cycle < swapped < 1.1 * (disk.latency + PAGE / disk.bytes_per_cycle)
