"""Advice that few programs give, and what watches a program's writes: guards, REMOVE, WIPEONFORK, COLLAPSE, soft-dirty bits.

Expected values are what Linux 6.18 answered to the same calls; of soft-dirty bits, which that kernel is built without,
Documentation/admin-guide/mm/soft-dirty.rst and tools/testing/selftests/mm/soft-dirty.c.
"""

import errno

import pytest

import hwmem
from hwmem import params as P
from pressure import PAGE, failure, small_machine

PRIVATE, SHARED, FIXED = P.MAP_PRIVATE | P.MAP_ANONYMOUS, P.MAP_SHARED | P.MAP_ANONYMOUS, P.MAP_FIXED
BASE, HUGE = 0x2800_0000_0000, 2 << 20


@pytest.fixture(scope="module")
def machine():
    return small_machine(memory="64MiB", thp="madvise")


@pytest.fixture
def process(machine):
    process = machine.spawn()
    process.setrlimit("memlock", None)
    process.mmap(BASE, 8 * PAGE, 3, PRIVATE | FIXED)
    yield process
    machine.check()
    process.exit()


def here(process):
    return next(v for v in process.maps() if v.start == BASE)


def guarded(process, n=6, start=BASE):
    return [process.pagemap(start + k * PAGE).guard for k in range(n)]


def test_no_access_passes_a_guard(process):
    process.touch(BASE, 4 * PAGE)
    process.madvise(BASE + 2 * PAGE, 3 * PAGE, P.MADV_GUARD_INSTALL)
    assert guarded(process) == [False, False, True, True, True, False] and here(process).rss == 2 * PAGE
    assert "gu" in here(process).vmflags and [int(w) >> 55 for w in process.pagemap_words(BASE + 2 * PAGE, PAGE)] == [0x88]
    for page in (2, 3, 4):
        with pytest.raises(hwmem.SegmentationFault, match="SEGV_MAPERR") as caught:
            process.store(BASE + page * PAGE + 8, 1)
        assert caught.value.address == BASE + page * PAGE + 8
    process.store(BASE + 5 * PAGE, 1)


def test_guards_outlive_all_but_their_removal_and_their_mapping(process):
    process.madvise(BASE + 2 * PAGE, 3 * PAGE, P.MADV_GUARD_INSTALL)
    for advice, expected in (
        (P.MADV_DONTNEED, 0),
        (P.MADV_FREE, 0),
        (P.MADV_POPULATE_READ, errno.EFAULT),
        (P.MADV_POPULATE_WRITE, errno.EFAULT),
        (P.MADV_COLD, 0),
        (P.MADV_PAGEOUT, 0),
        (P.MADV_WILLNEED, 0),
    ):
        assert failure(process.madvise, BASE, 8 * PAGE, advice) == expected
    assert failure(process.mlock, BASE, 8 * PAGE) == errno.ENOMEM and here(process).locked == 2 * PAGE
    assert list(process.mincore(BASE, 8 * PAGE)) == [1, 1, 0, 0, 0, 0, 0, 0]
    assert failure(process.madvise, BASE, PAGE, P.MADV_GUARD_INSTALL) == errno.EINVAL
    process.madvise(BASE + 2 * PAGE, PAGE, P.MADV_GUARD_REMOVE)
    process.munlock(BASE, 8 * PAGE), process.mprotect(BASE, 8 * PAGE, 1), process.mprotect(BASE, 8 * PAGE, 3)
    process.mremap(BASE, 8 * PAGE, 8 * PAGE, 3, BASE + 100 * PAGE)
    child = process.fork()
    for who in (process, child):
        assert guarded(who, start=BASE + 100 * PAGE) == [False, False, False, True, True, False]
    child.exit()
    process.mmap(BASE + 100 * PAGE, 8 * PAGE, 3, PRIVATE | FIXED)
    assert not any(guarded(process, start=BASE + 100 * PAGE))


def test_a_guard_splits_a_huge_page_and_no_other_grows_over_it(process):
    process.mmap(BASE, 2 * HUGE, 3, PRIVATE | FIXED)
    process.madvise(BASE, 2 * HUGE, P.MADV_HUGEPAGE), process.touch(BASE, 2 * HUGE)
    process.madvise(BASE + PAGE, PAGE, P.MADV_GUARD_INSTALL)
    assert (here(process).rss, here(process).anonhugepages) == (2 * HUGE - PAGE, HUGE)
    process.madvise(BASE + HUGE, HUGE, P.MADV_GUARD_INSTALL)
    assert (here(process).rss, here(process).anonhugepages) == (HUGE - PAGE, 0)
    assert failure(process.madvise, BASE, HUGE, P.MADV_COLLAPSE) == errno.EINVAL
    process.madvise(BASE, 2 * HUGE, P.MADV_GUARD_REMOVE)
    assert failure(process.madvise, BASE, 2 * HUGE, P.MADV_COLLAPSE) == 0 and here(process).anonhugepages == 2 * HUGE


def test_what_is_removed_is_zero_for_everybody_and_on_the_disk(machine, process):
    fd = machine.create_file("removed", b"x" * (8 * PAGE - 100))
    process.mmap(BASE, 8 * PAGE, 3, P.MAP_SHARED | FIXED, fd)
    process.mmap(BASE + 100 * PAGE, 8 * PAGE, 3, P.MAP_PRIVATE | FIXED, fd)
    process.touch(BASE, 8 * PAGE), process.touch(BASE + 100 * PAGE, 2 * PAGE), process.touch(BASE + 102 * PAGE, 4 * PAGE, write=False)
    process.madvise(BASE + PAGE, 3 * PAGE, P.MADV_REMOVE)
    assert [process.load(BASE + k * PAGE + 7, size=1) for k in range(5)] == [120, 0, 0, 0, 120]
    assert [process.load(BASE + (100 + k) * PAGE + 7, size=1) for k in range(5)] == [120, 120, 0, 0, 120]  # its own copy stays
    assert machine.file("removed").on_disk(PAGE + 7, 1) == b"\0" and machine.file("removed").length == 8 * PAGE - 100
    assert failure(process.madvise, BASE + 100 * PAGE, PAGE, P.MADV_REMOVE) == errno.EACCES
    process.mlock(BASE, PAGE)
    assert failure(process.madvise, BASE, PAGE, P.MADV_REMOVE) == errno.EINVAL
    process.mmap(BASE, 8 * PAGE, 3, PRIVATE | FIXED)
    assert failure(process.madvise, BASE, PAGE, P.MADV_REMOVE) == errno.EINVAL
    process.mmap(BASE, 8 * PAGE, 3, SHARED | FIXED)
    process.touch(BASE, 8 * PAGE), process.store(BASE + PAGE, 7)
    process.madvise(BASE + PAGE, 2 * PAGE, P.MADV_REMOVE)
    assert here(process).rss == 6 * PAGE and process.load(BASE + PAGE) == 0


def test_locked_pages_go_when_that_is_said(process):
    process.touch(BASE, 8 * PAGE), process.mlock(BASE, 4 * PAGE)
    assert failure(process.madvise, BASE, 8 * PAGE, P.MADV_DONTNEED) == errno.EINVAL
    process.madvise(BASE, 8 * PAGE, P.MADV_DONTNEED_LOCKED)
    assert [v.rss for v in process.maps() if BASE <= v.start < BASE + 8 * PAGE] == [0, 0]


def test_a_child_finds_zeros_where_its_parent_wants_it_wiped(process):
    process.touch(BASE, 8 * PAGE), process.store(BASE, 1), process.store(BASE + 2 * PAGE, 1)
    process.madvise(BASE + 2 * PAGE, 2 * PAGE, P.MADV_WIPEONFORK), process.madvise(BASE + 2 * PAGE, 2 * PAGE, P.MADV_DONTDUMP)
    child = process.fork()
    assert [(v.rss // PAGE, v.vmflags) for v in child.maps() if BASE <= v.start < BASE + 8 * PAGE] == [
        (2, "rd wr mr mw me ac"),
        (0, "rd wr mr mw me ac wf dd"),
        (4, "rd wr mr mw me ac"),
    ]
    assert (child.load(BASE), child.load(BASE + 2 * PAGE)) == (1, 0)
    child.exit()
    process.madvise(BASE, 8 * PAGE, P.MADV_KEEPONFORK), process.madvise(BASE, 8 * PAGE, P.MADV_DODUMP)
    assert here(process).end == BASE + 8 * PAGE
    process.mmap(BASE, 8 * PAGE, 3, SHARED | FIXED)
    assert failure(process.madvise, BASE, PAGE, P.MADV_WIPEONFORK) == errno.EINVAL


@pytest.mark.parametrize("pages", [1, 255])
def test_pages_of_a_huge_page_that_a_fork_shares_collapse(process, pages):
    process.mmap(BASE, HUGE, 3, PRIVATE | FIXED)
    process.madvise(BASE, HUGE, P.MADV_HUGEPAGE), process.store(BASE, 1)
    child = process.fork()
    child.touch(BASE, pages * PAGE)
    child.madvise(BASE, HUGE, P.MADV_COLLAPSE)
    assert here(child).anonhugepages == here(process).anonhugepages == HUGE
    process.machine.check()
    child.exit()


def test_pages_nobody_may_touch_and_zero_pages_collapse(process):
    process.mmap(BASE, 2 * HUGE, 3, PRIVATE | FIXED)
    process.touch(BASE, HUGE), process.mprotect(BASE, HUGE, P.PROT_NONE)
    process.madvise(BASE, HUGE, P.MADV_COLLAPSE)
    assert here(process).anonhugepages == HUGE
    with pytest.raises(hwmem.SegmentationFault, match="SEGV_ACCERR"):
        process.load(BASE)
    process.mprotect(BASE, HUGE, 3)
    process.touch(BASE + HUGE, HUGE, write=False)
    process.madvise(BASE, 2 * HUGE, P.MADV_COLLAPSE)
    assert sum(v.anonhugepages for v in process.maps()) == 2 * HUGE


def test_a_page_in_swap_is_read_back_to_collapse(process):
    process.mmap(BASE, HUGE, 3, PRIVATE | FIXED)
    process.touch(BASE, HUGE), process.store(BASE + 8, 7)
    process.madvise(BASE, PAGE, P.MADV_PAGEOUT)
    assert process.pagemap(BASE).swapped
    process.madvise(BASE, HUGE, P.MADV_COLLAPSE)
    assert here(process).anonhugepages == HUGE and process.load(BASE + 8) == 7


def test_each_huge_page_keeps_a_page_table(process):
    """The host's VmPTE after the same calls: +8, +4, 0, -4, +4, -4 kB."""
    process.store(BASE, 1)
    at = BASE + (1 << 31)
    process.mmap(at, 2 * HUGE, 3, PRIVATE | FIXED), process.madvise(at, 2 * HUGE, P.MADV_HUGEPAGE)
    found = [process.status()["VmPTE"]]
    for step in (
        lambda: process.store(at, 1),
        lambda: process.load(at + HUGE),
        lambda: process.mprotect(at, PAGE, 1),
        lambda: process.madvise(at + HUGE, HUGE, P.MADV_DONTNEED),
        lambda: process.store(at + HUGE, 1),
        lambda: process.madvise(at + HUGE, HUGE, P.MADV_DONTNEED),
    ):
        step()
        process.machine.check()
        found.append(process.status()["VmPTE"])
    assert [(b - a) >> 10 for a, b in zip(found, found[1:])] == [8, 4, 0, -4, 4, -4]


def dirty(process, n=6):
    return [process.pagemap(BASE + k * PAGE).soft_dirty for k in range(n)]


def test_pages_that_are_written_to_are_soft_dirty_until_that_is_cleared(process):
    process.touch(BASE, 4 * PAGE)
    process.clear_refs(P.CLEAR_REFS_SOFT_DIRTY)
    assert dirty(process) == [False] * 6
    before = process.rusage().minflt
    process.store(BASE + PAGE, 3), process.load(BASE + 5 * PAGE), process.store(BASE + 4 * PAGE, 1)
    assert dirty(process) == [False, True, False, False, True, False] and process.rusage().minflt == before + 3
    assert int(process.pagemap_words(BASE + PAGE, PAGE)[0]) >> 55 & 1
    child = process.fork()
    assert dirty(child) == dirty(process)
    child.exit()
    process.mprotect(BASE, 8 * PAGE, 1), process.mprotect(BASE, 8 * PAGE, 3)
    assert not process.pagemap(BASE).writable
    process.store(BASE, 1)
    assert dirty(process) == [True, True, False, False, True, False]


def test_a_new_mapping_and_one_that_moved_are_soft_dirty(process):
    process.touch(BASE, 4 * PAGE)
    process.clear_refs(P.CLEAR_REFS_SOFT_DIRTY)
    process.munmap(BASE, 8 * PAGE), process.mmap(BASE, 8 * PAGE, 3, PRIVATE | FIXED)  # test_vma_reuse
    assert dirty(process) == [True] * 6
    process.touch(BASE, 8 * PAGE)
    process.clear_refs(P.CLEAR_REFS_SOFT_DIRTY)
    process.mremap(BASE, 8 * PAGE, 8 * PAGE, 3, BASE + 100 * PAGE)
    assert all(process.pagemap(BASE + (100 + k) * PAGE).soft_dirty for k in range(8))


def test_a_soft_dirty_bit_survives_the_swap_device(process):
    process.touch(BASE, 4 * PAGE)
    process.clear_refs(P.CLEAR_REFS_SOFT_DIRTY)
    process.store(BASE + PAGE, 3)
    process.madvise(BASE, 2 * PAGE, P.MADV_PAGEOUT)
    assert [(process.pagemap(BASE + k * PAGE).swapped, process.pagemap(BASE + k * PAGE).soft_dirty) for k in range(2)] == [
        (True, False),
        (True, True),
    ]
    process.load(BASE), process.load(BASE + PAGE)
    assert dirty(process, 2) == [False, True]


def test_a_huge_page_is_soft_dirty_as_a_whole(process):
    process.mmap(BASE, HUGE, 3, PRIVATE | FIXED), process.madvise(BASE, HUGE, P.MADV_HUGEPAGE), process.store(BASE, 1)
    process.clear_refs(P.CLEAR_REFS_SOFT_DIRTY)
    assert dirty(process) == [False] * 6
    process.store(BASE + HUGE - 8, 1)
    assert dirty(process) == [True] * 6 and here(process).anonhugepages == HUGE


def test_references_are_forgotten(process):
    process.touch(BASE, 4 * PAGE)
    assert here(process).referenced == 4 * PAGE
    process.clear_refs(P.CLEAR_REFS_MAPPED)
    assert here(process).referenced == 4 * PAGE
    process.clear_refs(P.CLEAR_REFS_ANON)
    assert here(process).referenced == 0
    process.load(BASE)  # the TLB knows the page, and nobody told it to forget
    assert here(process).referenced == 0
    process.load(BASE, core=1)
    assert here(process).referenced == PAGE
    assert failure(process.clear_refs, 6) == failure(process.clear_refs, 0) == errno.EINVAL


def test_pages_are_scanned_by_category(process):
    """What the host's ioctl told of the same pages: none is write-protected, so all of them count as written."""
    process.touch(BASE, 2 * PAGE), process.load(BASE + 3 * PAGE), process.madvise(BASE + 5 * PAGE, PAGE, P.MADV_GUARD_INSTALL)

    def scan(*masks, start=0, end=8):
        return [
            ((r.start - BASE) // PAGE, (r.end - BASE) // PAGE, r.categories)
            for r in process.pagemap_scan(BASE + start * PAGE, BASE + end * PAGE, *masks)
        ]

    present = P.PAGE_IS_PRESENT
    assert scan() == [(0, 2, 0xA), (2, 3, 2), (3, 4, 0x2A), (4, 5, 2), (5, 6, 0x112), (6, 8, 2)]
    assert scan(present, 0, present, present) == [(2, 3, 0), (4, 8, 0)] == scan(present, 0, present, present, start=-2, end=10)
    assert scan(0, P.PAGE_IS_PFNZERO | P.PAGE_IS_GUARD, 0, P.PAGE_IS_ANY, 1) == [(3, 4, 0x2A)]
    assert scan(0, 0, 0, present) == [(0, 2, 8), (2, 3, 0), (3, 4, 8), (4, 8, 0)] and scan(0, 0, 0, 0) == [(0, 8, 0)]
    with pytest.raises(ValueError, match="required"):
        scan(1 << 30)
