"""MAP_DROPPABLE, and MAP_HUGETLB without a pool: mappings whose pages may go, and such as never have any.

Expected values are what Linux 6.18 answered to the same calls (vm.nr_hugepages 0, THP "madvise").
"""

import errno

import pytest

import hwmem
from hwmem import params as P
from pressure import GREEDY, PAGE, failure, fill, holds, small_machine

BASE, HUGE = 0x1000_0000_0000, 2 << 20
DROPPABLE = P.MAP_DROPPABLE | P.MAP_ANONYMOUS
POOLED = P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_HUGETLB | P.MAP_NORESERVE
FIXED = P.MAP_FIXED
MOVE = P.MREMAP_MAYMOVE | P.MREMAP_FIXED


@pytest.fixture(scope="module")
def machine():
    return small_machine(memory="64MiB", thp="madvise")


@pytest.fixture
def process(machine):
    process = machine.spawn(privileged=True)
    yield process
    machine.check()
    process.exit()


def window(process):
    return [v for v in process.maps() if BASE <= v.start < BASE + (1 << 31)]


def shapes(process):
    return [((v.start - BASE) / HUGE, (v.end - BASE) / HUGE, v.perms) for v in window(process)]


def test_huge_pages_that_nobody_reserved_are_mapped_and_no_touch_of_them_succeeds(process):
    promised = process.machine.meminfo()["Committed_AS"]
    before = process.status()
    process.mmap(BASE, 2 * HUGE, 3, POOLED | FIXED)
    (vma,) = window(process)
    assert (vma.perms, vma.name, vma.vmflags, vma.thpeligible) == ("rw-p", "/anon_hugepage (deleted)", "rd wr mr mw me de nr ht", 0)
    assert process.smaps_text().count("KernelPageSize:     2048 kB\nMMUPageSize:        2048 kB\n") == 1
    after = process.status()
    assert [after[name] - before[name] for name in ("VmSize", "VmData", "VmPTE")] == [4 << 20, 4 << 20, 0]
    assert process.machine.meminfo()["Committed_AS"] == promised
    for access in (lambda: process.load(BASE), lambda: process.store(BASE + HUGE + 5000, 1)):
        with pytest.raises(hwmem.BusError) as caught:
            access()
        assert caught.value.code == "BUS_ADRERR"
    process.mmap(BASE + 4 * HUGE, HUGE, 0, POOLED | FIXED), process.mmap(BASE + 6 * HUGE, HUGE, 1, POOLED | FIXED)
    for access in (lambda: process.load(BASE + 4 * HUGE), lambda: process.store(BASE + 6 * HUGE, 1)):
        with pytest.raises(hwmem.SegmentationFault, match="SEGV_ACCERR"):
            access()


@pytest.mark.parametrize(
    "call, arguments, expected",
    [
        ("munmap", (0, PAGE), errno.EINVAL),
        ("munmap", (PAGE, HUGE - PAGE), errno.EINVAL),
        ("munmap", (HUGE - PAGE, HUGE + PAGE), errno.EINVAL),
        ("munmap", (0, HUGE), 0),
        ("mprotect", (0, PAGE, 1), errno.EINVAL),
        ("mprotect", (0, HUGE + PAGE, 1), errno.EINVAL),
        ("mprotect", (PAGE, 2 * HUGE - PAGE, 1), errno.EINVAL),
        ("mprotect", (0, PAGE, 3), 0),
        ("mprotect", (0, HUGE, 1), 0),
        ("mlock", (0, HUGE), errno.ENOMEM),
        ("mlock", (0, HUGE, P.MLOCK_ONFAULT), errno.ENOMEM),
        ("munlock", (0, HUGE), 0),
        ("msync", (0, PAGE, P.MS_SYNC), 0),
        ("mincore", (0, HUGE), 0),
        ("mremap", (0, HUGE, PAGE), 0),
        ("mremap", (0, PAGE, HUGE), 0),
        ("mremap", (0, 2 * HUGE, HUGE), 0),
        ("mremap", (0, 2 * HUGE, 3 * HUGE, P.MREMAP_MAYMOVE), errno.EINVAL),
        ("mremap", (0, 2 * HUGE, 2 * HUGE, MOVE, BASE + 32 * HUGE), 0),
        ("mremap", (0, PAGE, PAGE, MOVE, BASE + 32 * HUGE), 0),  # whole ones are meant
        ("mremap", (0, HUGE, HUGE, MOVE, BASE + 32 * HUGE + PAGE), errno.EINVAL),
        ("mremap", (PAGE, HUGE, HUGE, MOVE, BASE + 32 * HUGE), errno.EINVAL),
        ("mremap", (0, HUGE, HUGE, MOVE | P.MREMAP_DONTUNMAP, BASE + 32 * HUGE), errno.EINVAL),
        ("mremap", (0, 0, HUGE, MOVE, BASE + 32 * HUGE), errno.EINVAL),
        *(("madvise", (0, HUGE, advice), 0) for advice in (0, 1, 2, 3, 4, 10, 11, 14, 15, 16, 17, 19, 24)),
        *(("madvise", (0, HUGE, advice), errno.EINVAL) for advice in (8, 18, 20, 21, 25, 102, 103)),
        ("madvise", (0, HUGE, 22), errno.EFAULT),
        ("madvise", (0, HUGE, 23), errno.EFAULT),
        ("madvise", (0, HUGE, 9), errno.EACCES),
        *(("madvise", (0, PAGE, advice), errno.EINVAL) for advice in (1, 2, 10, 14, 15, 16)),
        *(("madvise", (0, PAGE, advice), 0) for advice in (0, 3, 4, 11, 17, 19, 24)),
        ("madvise", (PAGE, PAGE, 4), errno.EINVAL),
        ("mmap", (0, PAGE, 3, GREEDY | FIXED), errno.EINVAL),
        ("mmap", (PAGE, HUGE - PAGE, 3, GREEDY | FIXED), errno.EINVAL),
        ("mmap", (0, HUGE, 3, GREEDY | FIXED), 0),
    ],
)
def test_calls_on_huge_pages_take_whole_ones(process, call, arguments, expected):
    process.mmap(BASE, 2 * HUGE, 3, POOLED | FIXED)
    assert failure(getattr(process, call), BASE + arguments[0], *arguments[1:]) == expected


def test_huge_pages_lie_on_their_multiples_and_never_merge(process):
    process.mmap(BASE, PAGE, 3, POOLED | FIXED), process.mmap(BASE + HUGE, HUGE, 3, POOLED | FIXED)
    assert shapes(process) == [(0, 1, "rw-p"), (1, 2, "rw-p")]
    process.mmap(BASE + 4 * HUGE, 2 * HUGE, 3, POOLED & ~P.MAP_PRIVATE | P.MAP_SHARED | FIXED)
    process.mprotect(BASE + 4 * HUGE, HUGE, 1), process.mprotect(BASE + 4 * HUGE, HUGE, 3)
    assert shapes(process)[2:] == [(4, 5, "rw-s"), (5, 6, "rw-s")] and window(process)[3].offset == HUGE
    a, b = process.mmap(0, HUGE, 3, POOLED), process.mmap(0, PAGE, 3, POOLED)
    assert a % HUGE == b % HUGE == 0 and b == a - HUGE
    assert process.mmap(BASE + 8 * HUGE + PAGE, HUGE, 3, POOLED) == BASE + 9 * HUGE
    assert process.mmap(BASE + 512 * HUGE, PAGE, 3, POOLED | FIXED | P.MAP_HUGE_1GB) == BASE + 512 * HUGE
    assert failure(process.mprotect, BASE + 512 * HUGE, HUGE, 1) == errno.EINVAL
    child = process.fork()
    assert [v[:3] for v in window(child)] == [v[:3] for v in window(process)]
    child.exit()


@pytest.mark.parametrize(
    "flags, address, length, expected",
    [
        (POOLED | FIXED, BASE + PAGE, HUGE, errno.EINVAL),
        (POOLED | FIXED | P.MAP_HUGE_1GB, BASE + HUGE, 1 << 30, errno.EINVAL),
        (POOLED | FIXED | P.MAP_GROWSDOWN, BASE, HUGE, errno.EINVAL),
        (POOLED & ~P.MAP_PRIVATE | FIXED, BASE, HUGE, errno.EINVAL),
        (POOLED | P.MAP_SHARED | FIXED, BASE, HUGE, 0),
        (POOLED | FIXED | P.MAP_LOCKED | P.MAP_POPULATE, BASE, HUGE, 0),
        (DROPPABLE | FIXED, BASE, PAGE, 0),
        (DROPPABLE | FIXED | P.MAP_LOCKED, BASE, PAGE, errno.EINVAL),
        (DROPPABLE | FIXED | P.MAP_GROWSDOWN, BASE, PAGE, errno.EINVAL),
        (DROPPABLE | FIXED | P.MAP_HUGETLB, BASE, HUGE, errno.EINVAL),
        (P.MAP_DROPPABLE | FIXED, BASE, PAGE, errno.EINVAL),
    ],
)
def test_which_flags_go_together(process, flags, address, length, expected):
    fd = -1 if flags & P.MAP_ANONYMOUS else process.machine.create_file(f"f{flags}", PAGE)
    assert failure(process.mmap, address, length, 3, flags, fd) == expected


def test_huge_pages_are_of_a_file_with_an_offset(process):
    for length, address, offset, expected in (
        (HUGE, BASE, PAGE, errno.EINVAL),
        (HUGE, BASE, (1 << 63) - PAGE, errno.EOVERFLOW),
        (HUGE, BASE, HUGE, 0),
        ((1 << 64) - 1, BASE, 0, errno.EINVAL),
        (1 << 47, BASE + PAGE, 0, errno.ENOMEM),
    ):
        assert failure(process.mmap, address, length, 3, POOLED | FIXED, -1, offset) == expected
    assert window(process)[0].offset == HUGE


def test_what_may_be_dropped_is_neither_promised_nor_locked_nor_inherited(process):
    promised = process.machine.meminfo()["Committed_AS"]
    process.mmap(BASE, 16 * PAGE, 3, DROPPABLE | FIXED)
    assert process.machine.meminfo()["Committed_AS"] == promised
    assert [v.vmflags for v in window(process)] == ["rd wr mr mw me nr wf dd dp"]
    process.mmap(BASE + 16 * PAGE, 16 * PAGE, 3, P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_NORESERVE | FIXED)
    process.mlock(BASE, 8 * PAGE)
    assert [(v.size // PAGE, v.rss // PAGE, v.locked) for v in window(process)] == [(16, 8, 0), (16, 0, 0)]
    assert process.status()["VmLck"] == 0
    process.mlockall(P.MCL_CURRENT)
    assert [v.locked // PAGE for v in window(process)] == [0, 16]
    process.munlockall(), process.mlockall(P.MCL_FUTURE)
    process.mmap(BASE + 64 * PAGE, 2 * PAGE, 3, DROPPABLE | FIXED)
    assert (window(process)[2].rss, window(process)[2].locked) == (2 * PAGE, 0)
    process.munlockall()
    child = process.fork()
    assert [(v.vmflags, v.rss) for v in window(child)][::2] == [("rd wr mr mw me nr wf dd dp", 0)] * 2
    child.exit()
    for advice, expected in ((P.MADV_DODUMP, errno.EINVAL), (P.MADV_KEEPONFORK, errno.EINVAL), (P.MADV_WIPEONFORK, 0), (P.MADV_FREE, 0)):
        assert failure(process.madvise, BASE, 2 * PAGE, advice) == expected
    process.madvise(BASE, 2 * PAGE, P.MADV_PAGEOUT)
    assert window(process)[0].rss == 14 * PAGE


def test_droppable_memory_may_be_huge(process):
    process.mmap(BASE, 2 * HUGE, 3, DROPPABLE | FIXED)
    process.touch(BASE, HUGE)
    process.madvise(BASE, HUGE, P.MADV_COLLAPSE), process.madvise(BASE + HUGE, HUGE, P.MADV_HUGEPAGE)
    process.store(BASE + HUGE, 1)
    assert [(v.anonhugepages, v.private_dirty, v.lazyfree) for v in window(process)] == [(HUGE, HUGE, 0)] * 2


def test_when_memory_is_short_droppable_pages_go_though_written_and_are_zero_then():
    machine = small_machine(memory="8MiB", swap="8MiB")
    process = machine.spawn()
    droppable, kept = process.mmap(0, 256 * PAGE, 3, DROPPABLE), process.mmap(0, 256 * PAGE)
    fill(process, droppable, 256), fill(process, kept, 256)
    more = process.mmap(0, 2000 * PAGE, 3, GREEDY)
    process.touch(more, 2000 * PAGE)
    (vma,) = (v for v in process.maps() if v.start == droppable)
    left = process.load_many([droppable + i * PAGE for i in range(256)]).tolist()
    assert vma.swap == 0 and left.count(0) > 200
    assert holds(process, kept, 256) and machine.vmstat()["pswpout"] > 0
    machine.check()
