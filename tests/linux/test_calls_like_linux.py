"""Memory calls whose answers the random scripts of test_oracles_linux.py do not ask for: Linux 6.18's, as facts, and the host's own.

The facts are what Linux 6.18 answered to the same calls. Where the host is such a kernel, random calls are made there as well,
in this process, and the same ones in an emulated one: what they return and what smaps then says of the window must be equal.
"""

import errno
import random

import pytest

import host_memory
from host_memory import HostMemory, parse_smaps, within
from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import SegmentationFault
from hwmem.machine.machine import Machine

PAGE, BASE, PAGES = 4096, 0x2800_0000_0000, 64
RW, R, NONE, W = P.PROT_READ | P.PROT_WRITE, P.PROT_READ, P.PROT_NONE, P.PROT_WRITE
FIXED = P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED
SHARED = P.MAP_SHARED | P.MAP_ANONYMOUS | P.MAP_FIXED
STACK = FIXED | P.MAP_GROWSDOWN
MOVE = P.MREMAP_MAYMOVE | P.MREMAP_FIXED
ALL = 1 << 64
FIGURES = ("Size", "Rss", "Anonymous", "Swap", "AnonHugePages", "Locked")


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=1, memory="64MiB", swap="16MiB", thp="madvise"))


@pytest.fixture
def process(machine):
    process = machine.spawn()
    process.setrlimit("memlock", None)
    yield process
    machine.check()
    process.exit()


@pytest.fixture(scope="module")
def host():
    host_memory.need_linux()
    return HostMemory()


def answer(call, *arguments):
    """What a call returns, or its errno below zero."""
    try:
        return call(*arguments)
    except OSError as failure:
        return -failure.errno


def ranges(process):
    return [((v.start - BASE) // PAGE, (v.end - BASE) // PAGE, v.prot) for v in process.maps() if BASE <= v.start < BASE + (1 << 30)]


@pytest.mark.parametrize(
    "call, arguments, failure",
    [
        ("mmap", (BASE + PAGE, PAGE, RW, SHARED | P.MAP_GROWSDOWN), errno.EINVAL),
        ("mmap", (BASE, PAGE, RW, P.MAP_ANONYMOUS | P.MAP_FIXED_NOREPLACE), errno.EEXIST),
        ("mmap", (BASE, PAGE, RW, FIXED | 4), errno.EINVAL),
        ("mprotect", (BASE, 0, 0x10), 0),
        ("mprotect", (BASE, PAGE, 0x10), errno.EINVAL),
        ("mprotect", (BASE, ALL - PAGE, 0x10), errno.ENOMEM),
        ("mprotect", (BASE, PAGE, RW | P.PROT_SEM), 0),
        ("mprotect", (BASE, PAGE, R | P.PROT_GROWSDOWN), errno.EINVAL),
        ("mprotect", (BASE, PAGE, R | P.PROT_GROWSUP), errno.EINVAL),
        ("mprotect", (BASE, (1 << 63) - 1, R), errno.ENOMEM),
        ("mprotect", (BASE, PAGE, R | P.PROT_GROWSDOWN | P.PROT_GROWSUP), errno.EINVAL),
        ("mprotect", (BASE, ALL - 1, R), errno.ENOMEM),
        ("madvise", (BASE, ALL - 1, P.MADV_DONTNEED), errno.EINVAL),
        ("madvise", (BASE, ALL - PAGE, P.MADV_DONTNEED), errno.EINVAL),
        ("madvise", (BASE, 1 << 62, P.MADV_NOHUGEPAGE), errno.ENOMEM),
        ("madvise", (BASE, (1 << 63) - 1, P.MADV_HUGEPAGE), errno.ENOMEM),
        ("madvise", (BASE, 2 * PAGE, P.MADV_COLLAPSE), errno.EINVAL),
        ("mlock", (BASE, 1 << 47), errno.ENOMEM),
        ("mlock", (BASE, ALL - 1), 0),
        ("mlock", (BASE + 1, ALL - 2 * PAGE), errno.EINVAL),
        ("munlock", (BASE, (1 << 63) - 1), errno.ENOMEM),
        ("msync", (BASE, ALL - 1, P.MS_SYNC), 0),
        ("msync", (BASE, ALL - PAGE, P.MS_SYNC), errno.ENOMEM),
        ("mremap", (ALL - PAGE, 4 * PAGE, 2 * PAGE, 0), errno.EFAULT),
        ("mremap", (BASE, 1 << 62, PAGE, 0), errno.EINVAL),
    ],
)
@pytest.mark.parametrize("where", ["process", "host"])
def test_odd_lengths_flags_and_rights_are_answered_as_linux_does(request, where, call, arguments, failure):
    memory = request.getfixturevalue(where)
    memory.mmap(BASE, 4 * PAGE, RW, FIXED)
    try:
        assert answer(getattr(memory, call), *arguments) in ((-failure,) if failure else (None, arguments[0]))
    finally:
        memory.munmap(BASE, 4 * PAGE)


def test_what_may_not_be_populated_is_no_valid_argument(process):
    for prot, advice, failure in (
        (NONE, P.MADV_POPULATE_READ, errno.EINVAL),
        (R, P.MADV_POPULATE_WRITE, errno.EINVAL),
        (W, P.MADV_POPULATE_READ, errno.EINVAL),
        (RW, P.MADV_POPULATE_READ, 0),
    ):
        process.mmap(BASE, 4 * PAGE, prot, FIXED)
        assert answer(process.madvise, BASE, 4 * PAGE, advice) == (-failure or None)
    with pytest.raises(OSError, match="Cannot allocate"):
        process.madvise(BASE, 5 * PAGE, P.MADV_POPULATE_READ)


def test_populating_for_reads_finds_the_zero_page_and_for_writes_memory(process):
    process.mmap(BASE, 8 * PAGE, RW, FIXED)
    process.madvise(BASE, 4 * PAGE, P.MADV_POPULATE_READ)
    assert [process.pagemap(BASE + k * PAGE).zero for k in range(5)] == [True] * 4 + [False]
    assert process.stat().rss == 0
    process.madvise(BASE, 4 * PAGE, P.MADV_POPULATE_WRITE)
    assert process.stat().rss == 4


def test_a_shared_mapping_is_populated_clean(machine, process):
    fd = machine.create_file("populated", "64KiB")
    a = process.mmap(0, 16 * PAGE, RW, P.MAP_SHARED | P.MAP_POPULATE, fd)
    assert process.stat().rss == 16 and machine.meminfo()["Dirty"] == 0
    before = process.rusage().minflt
    process.store(a, 1)
    assert process.rusage().minflt == before + 1 and machine.meminfo()["Dirty"] == PAGE


def test_what_is_locked_is_not_freed_lazily_and_is_there_before_it_is_written(process):
    process.mmap(BASE, 4 * PAGE, R, FIXED)
    process.mlock(BASE, 4 * PAGE)
    assert process.stat().rss == 0  # zero pages
    process.mprotect(BASE, 4 * PAGE, RW)
    assert process.stat().rss == 4
    assert answer(process.madvise, BASE, 4 * PAGE, P.MADV_FREE) == -errno.EINVAL
    process.mmap(BASE, 4 * PAGE, NONE, FIXED)
    assert answer(process.mlock, BASE, 4 * PAGE) == -errno.ENOMEM
    assert process.status()["VmLck"] == 4 * PAGE  # locked all the same


def test_a_stack_needs_no_guard_above_another_nor_above_what_nobody_may_touch(process):
    for below, works in ((STACK, True), (FIXED, False)):
        process.mmap(BASE, PAGE, RW, below)
        process.mmap(BASE + 40 * PAGE, PAGE, RW, STACK)
        if works:
            process.store(BASE + PAGE, 1)
            assert ranges(process)[-1] == (1, 41, RW) or ranges(process) == [(0, 41, RW)]
        else:
            with pytest.raises(SegmentationFault, match="SEGV_MAPERR"):
                process.store(BASE + PAGE, 1)
        process.munmap(BASE, 64 * PAGE)


def test_a_stack_that_grows_keeps_its_promise_and_counts_what_is_locked(process):
    process.mmap(BASE + 40 * PAGE, PAGE, RW, STACK | P.MAP_LOCKED)
    process.load(BASE + 30 * PAGE)
    assert process.status()["VmLck"] == 11 * PAGE
    process.mprotect(BASE + 30 * PAGE, 11 * PAGE, R)
    entry = parse_smaps(process.smaps_text())
    assert "ac" in next(codes for head, _, codes in entry if int(head["start"], 16) == BASE + 30 * PAGE)
    process.mprotect(BASE + 35 * PAGE, PAGE, RW | P.PROT_GROWSDOWN)
    assert ranges(process) == [(30, 36, RW), (36, 41, R)]


def test_several_mappings_move_at_once_with_the_gaps_between_them(process):
    for first, prot in ((0, RW), (2, R), (6, RW)):
        process.mmap(BASE + first * PAGE, 2 * PAGE, prot, FIXED)
    process.store(BASE + 7 * PAGE, 77)
    to = BASE + 32 * PAGE
    process.mmap(to + 4 * PAGE, PAGE, NONE, SHARED)
    assert process.mremap(BASE + PAGE, 7 * PAGE, 7 * PAGE, MOVE, to) == to
    assert ranges(process) == [(0, 1, RW), (32, 33, RW), (33, 35, R), (36, 37, NONE), (37, 39, RW)]
    assert process.load(to + 6 * PAGE) == 77
    assert answer(process.mremap, BASE + PAGE, 7 * PAGE, 7 * PAGE, MOVE, to) == -errno.EFAULT  # nothing at the start
    assert answer(process.mremap, to, 7 * PAGE, 6 * PAGE, MOVE, BASE + 50 * PAGE) == -errno.EFAULT


def test_an_empty_table_has_its_like_where_its_mapping_moves(process):
    def tables():
        found.append(process.status()["VmPTE"] // PAGE)

    unit, found = 512 * PAGE, []
    tables()
    process.mmap(BASE, 512 * unit, RW, FIXED | P.MAP_NORESERVE)
    process.store(BASE + PAGE, 1)
    process.store(BASE + 2 * unit + PAGE, 1)
    process.madvise(BASE + PAGE, PAGE, P.MADV_DONTNEED)
    tables()
    for old, length, new in (
        (0, 256 * PAGE, 1024 * unit),
        (2 * unit, unit, 1027 * unit),
        (4 * unit, unit, 2048 * unit),
        (1024 * unit, 256 * PAGE, (1 << 41) + 300 * PAGE),
    ):
        process.mremap(BASE + old, length, length, MOVE, BASE + new)
        tables()
    assert [n - found[0] for n in found] == [0, 4, 6, 6, 6, 9]


def test_a_mapping_that_moves_may_lose_what_lies_beyond_its_end(process):
    process.mmap(BASE, 2 * PAGE, RW, FIXED)
    process.mmap(BASE + 2 * PAGE, 2 * PAGE, R, FIXED)
    to = BASE + 32 * PAGE
    assert process.mremap(BASE, 4 * PAGE, PAGE, MOVE, to) == to
    assert ranges(process) == [(32, 33, RW)]


def test_collapsing_ends_where_nothing_was_touched_yet(process):
    unit = 2 << 20
    for touched, offset, length, failure, huge in (
        ((), 0, unit, errno.EINVAL, 0),
        ((), 0, unit // 2, errno.EINVAL, 0),
        ((0,), 0, unit, 0, 1),
        ((1,), 0, 2 * unit, errno.EINVAL, 0),
        ((0,), 0, 2 * unit, errno.EINVAL, 1),
        ((0,), unit // 2, unit, 0, 0),
        ((0,), PAGE, PAGE, errno.EINVAL, 0),
    ):
        process.mmap(BASE, 2 * unit, RW, FIXED)
        for k in touched:
            process.store(BASE + k * unit, 1)
        assert answer(process.madvise, BASE + offset, length, P.MADV_COLLAPSE) == (-failure or None)
        assert process.smaps_rollup()["AnonHugePages"] == huge * unit
        process.munmap(BASE, 2 * unit)


def calls(rng, n):
    """`n` random calls on the window, as (name, arguments)."""
    for _ in range(n):
        a, length = BASE + PAGE * rng.randrange(PAGES), PAGE * rng.choice([1, 1, 2, 3, 5, 8, 16])
        name = rng.choices(["mmap", "munmap", "mprotect", "madvise", "mlock", "munlock", "mremap"], [12, 6, 10, 10, 2, 2, 8])[0]
        prot = rng.choice([RW, RW, RW, R, NONE, W, RW | P.PROT_SEM, R | P.PROT_GROWSDOWN])
        if name == "mmap":
            flags = rng.choice([FIXED, FIXED, FIXED, SHARED, STACK, STACK ^ P.MAP_PRIVATE ^ P.MAP_SHARED])
            yield name, (a, length, prot, flags | rng.choice([0, 0, 0, P.MAP_POPULATE, P.MAP_NORESERVE, P.MAP_LOCKED]))
        elif name == "mprotect":
            yield name, (a, length, prot)
        elif name == "madvise":
            yield (
                name,
                (
                    a,
                    length,
                    rng.choice(
                        [
                            P.MADV_DONTNEED,
                            P.MADV_FREE,
                            P.MADV_POPULATE_READ,
                            P.MADV_POPULATE_WRITE,
                            P.MADV_RANDOM,
                            P.MADV_DONTFORK,
                            P.MADV_HUGEPAGE,
                            P.MADV_COLLAPSE,
                        ]
                    ),
                ),
            )
        elif name == "mremap":
            yield (
                name,
                (
                    a,
                    length,
                    max(0, length + PAGE * rng.choice([0, 0, 0, -1, 1, 3])),
                    rng.choice([0, MOVE, MOVE, MOVE]),
                    BASE + PAGE * rng.randrange(PAGES),
                ),
            )
        else:
            yield name, (a, length)


def window(memory):
    return [
        (head["start"], head["end"], head["perms"], [figures[name] for name in FIGURES], [code for code in codes if code != "sd"])
        for head, figures, codes in parse_smaps(within(memory.smaps_text(), BASE, BASE + 2 * PAGES * PAGE))
    ]


@pytest.mark.live
def test_random_calls_leave_the_host_with_the_same_mappings(process, host, seed):
    rng = random.Random(seed)
    if host_memory.huge_pages().split("[")[1].split("]")[0] != "madvise":
        pytest.skip("the host is set up otherwise")
    done = []
    try:
        for name, arguments in calls(rng, 300):
            done.append((name, [hex(a) for a in arguments]))
            ours, hosts = (answer(getattr(memory, name), *arguments) for memory in (process, host))
            assert ours == hosts, done[-8:]
            assert window(process) == window(host), done[-8:]
    finally:
        host.munmap(BASE, 4 * PAGES * PAGE)
