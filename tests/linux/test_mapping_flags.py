"""mmap's and mremap's arguments: flags that a program tests for, 64 bits without a sign, what may merge with what.

Expected values are what Linux 6.18 answered to the same calls (ext4, no huge page reserved, THP "madvise").
"""

import errno

import pytest

import hwmem
from hwmem import params as P
from pressure import PAGE, failure, small_machine

BASE = 0x2800_0000_0000
PRIVATE, SHARED, FIXED = P.MAP_PRIVATE | P.MAP_ANONYMOUS, P.MAP_SHARED | P.MAP_ANONYMOUS, P.MAP_FIXED
TOP, HALF = 1 << 64, 1 << 63
MOVE = P.MREMAP_MAYMOVE | P.MREMAP_FIXED


@pytest.fixture(scope="module")
def machine():
    return small_machine(memory="64MiB", thp="madvise")


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    machine.check()
    process.exit()


@pytest.fixture(scope="module")
def fd(machine):
    return machine.create_file("mapped", b"m" * 2 * PAGE)


def pages(process):
    return [((v.start - BASE) // PAGE, (v.end - BASE) // PAGE) for v in process.maps() if BASE <= v.start < BASE + (1 << 30)]


@pytest.mark.parametrize("flags", [P.MAP_SHARED, P.MAP_PRIVATE])
@pytest.mark.parametrize(
    "offset, expected",
    [
        (TOP - PAGE, errno.EOVERFLOW),
        (HALF, errno.EOVERFLOW),
        (HALF - PAGE, errno.EOVERFLOW),
        (HALF - 2 * PAGE, errno.EOVERFLOW),
        (HALF - 3 * PAGE, 0),
        (1 << 44, 0),
        (TOP - 1, errno.EINVAL),
    ],
)
def test_an_offset_that_no_file_can_have_is_refused(process, fd, flags, offset, expected):
    assert failure(process.mmap, 0, 2 * PAGE, 3, flags, fd, offset) == expected
    if expected == 0:
        with pytest.raises(hwmem.BusError):
            process.load(process.mmap(0, 2 * PAGE, 3, flags, fd, offset))


@pytest.mark.parametrize(
    "call, arguments, expected",
    [
        ("mmap", (HALF, PAGE, 3, PRIVATE | FIXED), errno.ENOMEM),
        ("mmap", (TOP - PAGE, PAGE, 3, PRIVATE | FIXED), errno.ENOMEM),
        ("mmap", (HALF - PAGE, PAGE, 3, PRIVATE | P.MAP_FIXED_NOREPLACE), errno.ENOMEM),
        ("mmap", (0, HALF - PAGE, 3, PRIVATE), errno.ENOMEM),
        ("mmap", (0, TOP - 1, 3, PRIVATE), errno.ENOMEM),
        ("mmap", (HALF, PAGE, 3, PRIVATE), 0),
        ("mmap", (0, PAGE, 3, PRIVATE, -1, TOP - PAGE), 0),
        ("munmap", (HALF, PAGE), errno.EINVAL),
        ("munmap", (BASE, TOP - PAGE), errno.EINVAL),
        ("mprotect", (HALF, PAGE, 1), errno.ENOMEM),
        ("mprotect", (BASE, TOP - PAGE, 1), errno.ENOMEM),
        ("mprotect", (BASE, PAGE, HALF), errno.EINVAL),
        ("mremap", (HALF, PAGE, PAGE), errno.EFAULT),
        ("mremap", (BASE, HALF, PAGE), errno.EINVAL),
        ("mremap", (BASE, PAGE, HALF), errno.EINVAL),
        ("mremap", (BASE, PAGE, PAGE, HALF), errno.EINVAL),
        ("mremap", (BASE, PAGE, PAGE, MOVE, HALF), errno.EINVAL),
        ("mremap", (BASE, PAGE, PAGE, 0, HALF), 0),
        ("madvise", (HALF, PAGE, 4), errno.ENOMEM),
        ("madvise", (TOP - PAGE, PAGE, 4), errno.EINVAL),
        ("madvise", (BASE, TOP - PAGE, 14), errno.EINVAL),
        ("madvise", (BASE, PAGE, HALF), 0),
        ("madvise", (BASE, PAGE, HALF + PAGE), errno.EINVAL),
        ("mlock", (HALF, PAGE), errno.ENOMEM),
        ("mlock", (TOP - PAGE, PAGE), errno.EINVAL),
        ("mlock", (BASE, TOP - 1), 0),
        ("munlock", (TOP - PAGE, PAGE), errno.EINVAL),
        ("munlock", (BASE, HALF), errno.ENOMEM),
        ("mlock", (BASE, PAGE, HALF), 0),
        ("mlock", (BASE, PAGE, HALF + PAGE), errno.EINVAL),
        ("msync", (HALF, PAGE, 4), errno.ENOMEM),
        ("msync", (BASE, PAGE, HALF), 0),
        ("mincore", (HALF, PAGE), errno.ENOMEM),
        ("mincore", (HALF - PAGE, 0), errno.ENOMEM),
        ("mincore", (1 << 47, 0), errno.ENOMEM),
        ("madvise", (HALF - PAGE, PAGE, 4), errno.ENOMEM),
        ("mlock", (HALF - PAGE, PAGE), errno.ENOMEM),
        ("mlock", (HALF - 1, PAGE), errno.ENOMEM),
        ("munlock", (HALF - PAGE, 3 * PAGE), errno.ENOMEM),
        ("msync", (HALF - PAGE, 16 * PAGE, 6), errno.ENOMEM),
        ("mremap", (PAGE, HALF + PAGE, 3 * PAGE, MOVE, BASE + 16 * PAGE), errno.EINVAL),
        ("mremap", (TOP - 2 * PAGE, P.TASK_END[0], 1, MOVE, BASE + 16 * PAGE), errno.EFAULT),
        ("mlockall", (HALF,), errno.EINVAL),
    ],
)
def test_arguments_of_64_bits_have_no_sign_and_ints_are_their_low_half(machine, call, arguments, expected):
    process = machine.spawn(privileged=True)
    process.mmap(BASE, 4 * PAGE, 3, PRIVATE | FIXED)
    assert failure(getattr(process, call), *arguments) == expected
    process.exit()


@pytest.mark.parametrize(
    "flags, length, address, expected",
    [
        (P.MAP_SHARED_VALIDATE | FIXED, PAGE, BASE, 0),
        (P.MAP_SHARED_VALIDATE | FIXED | P.MAP_SYNC, PAGE, BASE, errno.EOPNOTSUPP),
        (P.MAP_SHARED_VALIDATE | P.MAP_FIXED_NOREPLACE, PAGE, BASE, errno.EOPNOTSUPP),
        (P.MAP_SHARED_VALIDATE | FIXED | 0x20_0000, PAGE, BASE, errno.EOPNOTSUPP),
        (P.MAP_SHARED_VALIDATE | FIXED | P.MAP_POPULATE | P.MAP_STACK | P.MAP_UNINITIALIZED | P.MAP_HUGE_2MB, PAGE, BASE, 0),
        (P.MAP_SHARED_VALIDATE | FIXED | P.MAP_GROWSDOWN, PAGE, BASE, errno.EINVAL),
        (8 | FIXED, PAGE, BASE, errno.EINVAL),
        (FIXED, PAGE, BASE, errno.EINVAL),
        (P.MAP_SHARED | FIXED | P.MAP_HUGETLB, 2 << 20, BASE, errno.EINVAL),
        (P.MAP_SHARED | FIXED | P.MAP_SYNC, PAGE, BASE, errno.EOPNOTSUPP),
        (P.MAP_PRIVATE | FIXED | P.MAP_SYNC, PAGE, BASE, errno.EOPNOTSUPP),
        (P.MAP_SHARED_VALIDATE | P.MAP_ANONYMOUS | FIXED, PAGE, BASE, errno.EINVAL),
        (PRIVATE | FIXED | 0x20_0000, PAGE, BASE, 0),
        (PRIVATE | FIXED | P.MAP_SYNC, PAGE, BASE, 0),
        (PRIVATE | FIXED, PAGE, TOP - 1, 1),
        (PRIVATE | P.MAP_FIXED_NOREPLACE, PAGE, TOP - 100, 100),
        (PRIVATE | FIXED, PAGE, TOP - 4097, errno.ENOMEM),
        (PRIVATE | FIXED | P.MAP_HUGETLB, 0, BASE, errno.EINVAL),
        (PRIVATE | FIXED | P.MAP_HUGETLB, PAGE, BASE, errno.ENOMEM),
        (PRIVATE | FIXED | P.MAP_HUGETLB, 2 << 20, BASE + PAGE, errno.EINVAL),
        (SHARED | FIXED | P.MAP_HUGETLB, 2 << 20, BASE, errno.ENOMEM),
        (PRIVATE | P.MAP_HUGETLB | P.MAP_HUGE_1GB, 1 << 30, 0, errno.ENOMEM),
        (PRIVATE | P.MAP_HUGETLB | 24 << P.MAP_HUGE_SHIFT, 1 << 24, 0, errno.EINVAL),
        (PRIVATE | P.MAP_HUGETLB, PAGE, BASE + PAGE, errno.ENOMEM),
    ],
)
def test_flags_are_known_or_refused_as_linux_does(process, fd, flags, length, address, expected):
    assert failure(process.mmap, address, length, 3, flags, -1 if flags & P.MAP_ANONYMOUS else fd) == expected


def test_a_mapping_of_huge_pages_or_of_shared_memory_that_is_refused_has_replaced_what_was_there(process):
    for length, flags, left in ((2 << 20, PRIVATE | P.MAP_HUGETLB, []), (1 << 36, SHARED, [(0, 2)]), (1 << 36, PRIVATE, [(0, 2), (2, 8)])):
        process.mmap(BASE, 8 * PAGE, 3, PRIVATE | FIXED)
        address = BASE if flags & P.MAP_HUGETLB else BASE + 2 * PAGE
        assert failure(process.mmap, address, length, 3, flags | FIXED) == errno.ENOMEM
        assert pages(process) == left
        process.munmap(BASE, 8 * PAGE)


def test_what_is_wanted_below_two_gib_lies_in_the_second_one_from_below(process):
    low, found = P.MAP_32BIT | P.MAP_NORESERVE, []
    for address, length in (
        (0, PAGE),
        (0, 2 << 20),
        (0, PAGE),
        (0, 4 << 20),
        (0, PAGE),
        (0x10000, PAGE),
        (BASE, PAGE),
        (0x5000_0000, PAGE),
        (0x7FFF_FFFF, PAGE),
        (0x7FFF_F000, PAGE),
    ):
        found.append(process.mmap(address, length, 3, PRIVATE | low))
    assert [hex(a) for a in found] == [
        "0x40000000",
        "0x40200000",
        "0x40001000",
        "0x40600000",
        "0x40002000",
        "0x10000",
        "0x40003000",
        "0x50000000",
        "0x7ffff000",
        "0x40004000",
    ]
    assert process.mmap(0, 2 << 20, 3, SHARED | low) == 0x40400000
    for length in (1 << 30, (1 << 30) + PAGE, 3 << 30):
        assert failure(process.mmap, 0, length, 3, PRIVATE | low) == errno.ENOMEM


def test_address_zero_is_roots(machine):
    user, root = machine.spawn(), machine.spawn(privileged=True)
    assert (
        failure(user.mmap, 0, PAGE, 3, PRIVATE | FIXED) == errno.EPERM
        and failure(user.mmap, 0, PAGE, 3, PRIVATE | P.MAP_FIXED_NOREPLACE) == errno.EPERM
    )
    assert root.mmap(0, PAGE, 3, PRIVATE | FIXED) == 0
    for process in (user, root):
        process.mmap(BASE, PAGE, 3, PRIVATE | FIXED)
    assert failure(user.mremap, BASE, PAGE, PAGE, MOVE, 0) == errno.EPERM and root.mremap(BASE, PAGE, PAGE, MOVE, 0x2000) == 0x2000
    user.exit(), root.exit()


class Mover:
    """Mappings by page numbers from BASE."""

    def __init__(self, process):
        self.process = process

    def map(self, first, n):
        self.process.mmap(BASE + first * PAGE, n * PAGE, 3, PRIVATE | FIXED)

    def move(self, old, n, new):
        self.process.mremap(BASE + old * PAGE, n * PAGE, n * PAGE, MOVE, BASE + new * PAGE)

    def touch(self, page):
        self.process.store(BASE + page * PAGE, 1)


def test_what_moves_beside_a_stranger_stays_a_mapping_of_its_own(process):
    m = Mover(process)
    m.map(0, 5), m.map(7, 5), m.touch(7), m.move(7, 5, 1024), m.map(5, 2), m.touch(0), m.move(1024, 5, 7)
    assert pages(process) == [(0, 7), (7, 12)]
    process.munmap(BASE, 1 << 30)
    m.map(0, 4), m.touch(0), m.map(8, 4), m.touch(8), m.map(100, 4), m.move(100, 4, 4)  # nothing was ever in it: it joins one
    assert pages(process) == [(0, 8), (8, 12)]
    process.munmap(BASE, 1 << 30)
    m.map(0, 12), m.touch(4), m.move(4, 4, 100)
    assert pages(process) == [(0, 4), (8, 12), (100, 104)]
    m.move(100, 4, 4)
    assert pages(process) == [(0, 12)]


def test_what_came_by_fork_takes_in_nothing_but_what_it_grows_into(process):
    parent = Mover(process)
    parent.map(1, 5), parent.touch(1)
    child = Mover(process.fork())
    parent.map(6, 5)
    assert pages(process) == [(1, 11)]
    child.map(6, 5)
    assert pages(child.process) == [(1, 6), (6, 11)]
    child.process.munmap(BASE + 6 * PAGE, 5 * PAGE)
    child.move(1, 5, 256), child.map(6, 5), child.move(256, 5, 1)
    assert pages(child.process) == [(1, 6), (6, 11)]
    child.process.munmap(BASE + 6 * PAGE, 5 * PAGE)
    child.map(8, 3)
    child.process.mremap(BASE + PAGE, 5 * PAGE, 7 * PAGE)
    assert pages(child.process) == [(1, 11)]
    child.process.munmap(BASE + 3 * PAGE, 2 * PAGE), child.map(3, 2)
    assert pages(child.process) == [(1, 3), (3, 5), (5, 11)]
    child.process.exit()


def test_a_mapping_can_move_and_leave_its_place_behind(process):
    m, stays = Mover(process), MOVE | P.MREMAP_DONTUNMAP
    m.map(0, 8), process.touch(BASE, 8 * PAGE)
    new = process.mremap(BASE, 8 * PAGE, 8 * PAGE, P.MREMAP_MAYMOVE | P.MREMAP_DONTUNMAP)
    assert pages(process) == [(0, 8)] and process.load(BASE) == 0 and process.pagemap(new + 7 * PAGE).present
    process.munmap(BASE, 1 << 30)
    m.map(0, 8), process.touch(BASE, 8 * PAGE)
    process.mremap(BASE + 2 * PAGE, 4 * PAGE, 4 * PAGE, stays, BASE + 100 * PAGE)
    assert [v.rss // PAGE for v in process.maps() if BASE <= v.start < BASE + (1 << 30)] == [4, 4]
    for length, flags in ((5, 5), (3, 7), (4, 4), (4, 6)):
        assert failure(process.mremap, BASE, 4 * PAGE, length * PAGE, flags, BASE + 50 * PAGE) == errno.EINVAL
    process.munmap(BASE, 1 << 30)
    m.map(0, 8)
    process.mremap(BASE, 8 * PAGE, 8 * PAGE, stays, BASE + 8 * PAGE)
    assert pages(process) == [(0, 16)]  # nothing was in it: both are one


def test_an_old_length_of_zero_maps_shared_memory_once_more(process):
    process.mmap(BASE, 8 * PAGE, 3, SHARED | FIXED)
    process.store(BASE, 9)
    again = process.mremap(BASE, 0, 8 * PAGE, P.MREMAP_MAYMOVE)
    assert process.load(again) == 9
    assert failure(process.mremap, BASE, 0, PAGE) == errno.ENOMEM
    assert failure(process.mremap, BASE, 0, 0, MOVE, BASE + 300 * PAGE) == errno.EINVAL
    process.mmap(BASE + 100 * PAGE, PAGE, 3, PRIVATE | FIXED)
    assert failure(process.mremap, BASE + 100 * PAGE, 0, PAGE, P.MREMAP_MAYMOVE) == errno.EINVAL
    longer = process.mremap(BASE + 2 * PAGE, 0, 40 * PAGE, MOVE, BASE + 200 * PAGE)
    with pytest.raises(hwmem.BusError) as caught:
        process.load(longer + 6 * PAGE)
    assert (caught.value.address, caught.value.code, caught.value.access) == (longer + 6 * PAGE, "BUS_ADRERR", "read")


MINCORE = 27  # its number on x86-64


@pytest.mark.parametrize(
    "start, length, vector, expected, told",
    [
        (0, 3 * PAGE, 0x10_0000, errno.ENOMEM, [1, 0, 9]),  # a hole ends it, when what lies before has been told
        (16 * PAGE, PAGE, 0x10_0000, errno.ENOMEM, [9, 9, 9]),
        (0, PAGE, 0x30_0000, errno.EFAULT, [9, 9, 9]),
        (16 * PAGE, PAGE, 0x30_0000, errno.ENOMEM, [9, 9, 9]),
        (16 * PAGE, PAGE, TOP - PAGE - BASE, errno.EFAULT, [9, 9, 9]),  # where no program has memory
        (0, 0, -BASE, 0, [9, 9, 9]),
        (0, PAGE, 0x10_1FFF, 0, [9, 9, 9]),
    ],
)
def test_mincore_says_what_it_knows_and_then_why_it_does_not_go_on(machine, start, length, vector, expected, told):
    process = machine.spawn(privileged=True)
    process.mmap(BASE, 2 * PAGE, 3, PRIVATE | FIXED), process.mmap(BASE + 0x10_0000, 2 * PAGE, 3, PRIVATE | FIXED)
    process.store(BASE, 1), process.write(BASE + 0x10_0000, bytes([9, 9, 9]))
    assert failure(process.syscall, MINCORE, BASE + start, length, BASE + vector) == expected
    assert list(process.read(BASE + 0x10_0000, 3)) == told
    process.exit()


def test_a_hint_for_a_file_is_taken_if_a_huge_page_more_would_have_room_there(machine):
    """thp_get_unmapped_area asks for 2 MiB more, at the hint too, of what has 2 MiB of a file at a multiple of that."""
    process, fd, unit = machine.spawn(), machine.create_file("large", 16 << 20), 2 << 20
    process.mmap(BASE + 8 * unit, PAGE, 3, PRIVATE | FIXED)
    found = []
    for hint, length, offset in (
        (4 * unit + PAGE, 2 * unit, 0),
        (6 * unit, 2 * unit, 0),
        (5 * unit + PAGE, 2 * unit, 0),
        (6 * unit, 2 * unit, PAGE),
        (6 * unit + PAGE, unit, 0),
        (6 * unit, 16 * PAGE, 0),
        (6 * unit, unit, unit),
        (5 * unit, unit, 0),
    ):
        at = process.mmap(BASE + hint, length, 1, P.MAP_SHARED, fd, offset)
        found.append("hint" if at == BASE + hint else at % unit)
        process.munmap(at, length)
    assert found == ["hint", 0, 0, PAGE, 0, "hint", "hint", "hint"]
    process.exit()


@pytest.mark.parametrize("old_length", [TOP - 2 * PAGE, HALF - 1, HALF])
def test_what_lies_at_the_new_place_goes_before_a_length_that_cannot_be_is_refused(process, old_length):
    Mover(process).map(0, 32)
    assert failure(process.mremap, BASE + 4 * PAGE, old_length, 2 * PAGE, MOVE, BASE) == errno.EINVAL
    assert pages(process) == [(2, 32)]


def test_what_lay_there_has_gone_when_a_disk_file_cannot_be_in_sync(process, fd):
    for kind in (P.MAP_PRIVATE, P.MAP_SHARED, P.MAP_SHARED_VALIDATE):
        Mover(process).map(0, 8)
        assert failure(process.mmap, BASE + 2 * PAGE, 2 * PAGE, 3, kind | FIXED | P.MAP_SYNC, fd) == errno.EOPNOTSUPP
        assert pages(process) == [(0, 2), (4, 8)]
