"""Huge pages that come later than the first touch: khugepaged, and MADV_COLLAPSE."""

import pytest

from hwmem import params as P
from pressure import PAGE, fill, holds, small_machine

HUGE = P.HUGE_PAGE


def mapped(process, huge_pages=2):
    """Memory of small pages at a multiple of 2 MiB."""
    return process.mmap(0, huge_pages * HUGE)


def huge_bytes(process):
    return process.smaps_rollup()["AnonHugePages"]


def pass_time(machine, seconds):
    machine.state.core[0].cycles += int(seconds * machine.config.frequency_ghz * 1e9)


@pytest.mark.parametrize("missing, allowed, collapses", [(0, 0, True), (1, 0, False), (511, 511, True), (64, 63, False), (64, 64, True)])
def test_khugepaged_collapses_what_max_ptes_none_allows_and_the_bytes_stay(missing, allowed, collapses):
    machine = small_machine(memory="32MiB", thp="madvise", vm={"max_ptes_none": allowed})
    process = machine.spawn()
    a = mapped(process)
    fill(process, a, 512 - missing)
    process.madvise(a, 2 * HUGE, P.MADV_HUGEPAGE)
    assert huge_bytes(process) == 0, "what is there stays as it is at first"
    pass_time(machine, 11)
    process.mincore(a, PAGE)  # any call: the daemon's time has come
    assert huge_bytes(process) == (HUGE if collapses else 0)
    assert holds(process, a, 512 - missing) and process.load(a + HUGE - 8) == 0
    assert machine.vmstat()["thp_collapse_alloc"] == (1 if collapses else 0)
    machine.check()


def test_khugepaged_leaves_alone_what_has_not_asked():
    machine = small_machine(memory="32MiB", thp="madvise")
    process = machine.spawn()
    a = mapped(process)
    fill(process, a, 512)
    pass_time(machine, 25)
    process.mincore(a, PAGE)
    assert huge_bytes(process) == 0
    machine.check()


def test_madv_collapse_does_it_at_once_and_leaves_others_theirs():
    machine = small_machine(memory="32MiB", thp="madvise")
    process = machine.spawn()
    a = mapped(process)
    fill(process, a, 3)
    process.madvise(a, HUGE, P.MADV_COLLAPSE)
    assert huge_bytes(process) == HUGE and holds(process, a, 3)
    fill(process, a + HUGE, 512, salt=5)
    child = process.fork()
    process.madvise(a + HUGE, HUGE, P.MADV_COLLAPSE)
    assert huge_bytes(process) == 2 * HUGE and huge_bytes(child) == HUGE, "the parent has a copy, the child the small pages"
    process.store(a + HUGE, 1)
    assert holds(child, a + HUGE, 512, salt=5)
    machine.check()


def test_khugepaged_takes_half_of_the_pages_shared_at_most():
    machine = small_machine(memory="32MiB", thp="madvise")
    process = machine.spawn()
    a = mapped(process)
    process.madvise(a, 2 * HUGE, P.MADV_NOHUGEPAGE)
    fill(process, a, 1024)
    child = process.fork()
    fill(process, a, 256)  # half of the first 2 MiB are the parent's own again
    process.madvise(a, 2 * HUGE, P.MADV_HUGEPAGE)
    pass_time(machine, 11)
    process.mincore(a, PAGE)
    assert huge_bytes(process) == HUGE
    assert holds(process, a, 1024) and holds(child, a, 1024)
    machine.check()
