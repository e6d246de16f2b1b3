"""What is promised and what is bounded: shared anonymous memory, RLIMIT_DATA, locked memory, the emulator's own tables.

Expected values: Linux 6.18's answers to the same calls; Documentation/mm/overcommit-accounting; getrlimit(2), mlock(2).
"""

import errno

import pytest

from hwmem import params as P
from hwmem.errors import MachineError
from pressure import PAGE, failure, small_machine

PRIVATE, SHARED, FIXED = P.MAP_PRIVATE | P.MAP_ANONYMOUS, P.MAP_SHARED | P.MAP_ANONYMOUS, P.MAP_FIXED
BASE = 0x2800_0000_0000
MIB = 1 << 20


@pytest.fixture(scope="module")
def machine():
    return small_machine(memory="64MiB")


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    machine.check()
    process.exit()


def committed(machine):
    return machine.meminfo()["Committed_AS"]


def test_shared_memory_is_promised_whole_until_the_last_of_it_goes(machine, process):
    before = committed(machine)
    a = process.mmap(0, 10 * MIB, P.PROT_NONE, SHARED)
    assert committed(machine) - before == 10 * MIB
    process.munmap(a, 5 * MIB)
    child = process.fork()
    process.munmap(a + 5 * MIB, 5 * MIB)
    assert committed(machine) - before > 10 * MIB  # the child's own, too
    child.exit()
    assert committed(machine) == before


def test_shared_memory_without_reserve_is_promised_page_by_page(machine, process):
    before = committed(machine)
    a = process.mmap(0, 10 * MIB, 3, SHARED | P.MAP_NORESERVE)
    assert committed(machine) == before
    process.touch(a, 3 * PAGE)
    machine.check()
    assert committed(machine) - before == 3 * PAGE
    process.madvise(a, PAGE, P.MADV_REMOVE)
    assert committed(machine) - before == 2 * PAGE
    process.munmap(a, 10 * MIB)
    assert committed(machine) == before


@pytest.mark.parametrize(
    "mode, size, prot, flags, expected",
    [
        (0, 300, 3, SHARED, errno.ENOMEM),
        (0, 300, 1, SHARED, errno.ENOMEM),
        (0, 300, 3, SHARED | P.MAP_NORESERVE, 0),
        (1, 300, 3, SHARED, 0),
        (2, 200, 3, SHARED, errno.ENOMEM),
        (2, 100, 3, SHARED, 0),
        (0, 300, 3, PRIVATE, errno.ENOMEM),
    ],
)
def test_policy_refuses_shared_memory_as_it_does_private(mode, size, prot, flags, expected):
    machine = small_machine(memory="256MiB", swap="0", vm={"overcommit_memory": mode})
    assert failure(machine.spawn().mmap, 0, size * MIB, prot, flags) == expected


def test_a_users_process_leaves_the_administrators_part_of_the_limit_alone():
    machine = small_machine(memory="256MiB", swap="0", vm={"overcommit_memory": 2})  # limit 128 MiB, of it 8 MiB root's
    assert failure(machine.spawn().mmap, 0, 121 * MIB) == errno.ENOMEM and failure(machine.spawn(privileged=True).mmap, 0, 121 * MIB) == 0


def test_the_data_limit_bounds_private_writable_memory_and_the_heap(process):
    process.setrlimit("data", 4 * MIB)
    assert failure(process.mmap, 0, 5 * MIB) == errno.ENOMEM
    for prot, flags in ((1, PRIVATE), (3, SHARED), (3, PRIVATE | P.MAP_GROWSDOWN), (0, PRIVATE)):
        assert failure(process.mmap, 0, 5 * MIB, prot, flags) == 0
    process.mmap(BASE, 5 * MIB, P.PROT_NONE, PRIVATE | FIXED)
    assert failure(process.mprotect, BASE, 5 * MIB, 3) == errno.ENOMEM and failure(process.mprotect, BASE, MIB, 3) == 0
    assert failure(process.sbrk, 5 * MIB) == errno.ENOMEM
    assert failure(process.mremap, BASE, MIB, 6 * MIB, P.MREMAP_MAYMOVE) == errno.ENOMEM
    assert failure(process.mmap, BASE, 5 * MIB, 3, PRIVATE | FIXED) == 0  # counted against what it replaces
    process.setrlimit("data", None)
    assert failure(process.mmap, 0, 5 * MIB) == 0


def test_the_lock_limit_is_asked_before_the_range_and_binds_no_root(machine, process):
    a = process.mmap(BASE, 64 * PAGE, 3, PRIVATE | FIXED)
    process.setrlimit("memlock", 16 * PAGE)
    assert failure(process.mlock, a, (1 << 64) - a) == errno.ENOMEM and failure(process.mlock, a - PAGE, 17 * PAGE) == errno.ENOMEM
    assert failure(process.munlock, a, (1 << 64) - a) == errno.EINVAL and failure(process.mlock, a, 0) == 0
    assert failure(process.mlockall, P.MCL_CURRENT) == errno.ENOMEM and failure(process.mlockall, P.MCL_FUTURE) == 0
    assert failure(process.mmap, 0, 20 * PAGE) == errno.EAGAIN and failure(process.mmap, 0, 2 * PAGE) == 0
    assert failure(process.sbrk, 20 * PAGE) == errno.ENOMEM and failure(process.sbrk, PAGE) == 0
    assert process.status()["VmLck"] == 3 * PAGE and failure(process.munlockall) == 0 and process.status()["VmLck"] == 0
    process.setrlimit("memlock", 0)
    for call, arguments, expected in (
        (process.mlock, (a, PAGE), errno.EPERM),
        (process.mlock, (a, PAGE, P.MLOCK_ONFAULT), errno.EPERM),
        (process.mlock, (a, PAGE, 2), errno.EINVAL),
        (process.mlockall, (P.MCL_CURRENT,), errno.EPERM),
        (process.munlock, (a, PAGE), 0),
        (process.mmap, (0, PAGE, 3, PRIVATE | P.MAP_LOCKED), errno.EPERM),
    ):
        assert failure(call, *arguments) == expected
    process.setrlimit("memlock", None)
    assert failure(process.mlock, a, (1 << 64) - a) == errno.EINVAL
    root = machine.spawn(privileged=True)
    root.setrlimit("memlock", 0)
    root.mmap(BASE, 64 * PAGE, 3, PRIVATE | FIXED)
    assert failure(root.mlock, BASE, 64 * PAGE) == 0 and failure(root.mlock, BASE, (1 << 64) - BASE) == errno.EINVAL
    root.exit()


def test_all_of_a_process_is_locked_now_and_what_it_maps_later(process):
    process.setrlimit("memlock", None)
    for flags in (0, P.MCL_ONFAULT, 8):
        assert failure(process.mlockall, flags) == errno.EINVAL
    process.mmap(BASE, 8 * PAGE, 3, PRIVATE | FIXED)
    process.mlockall(P.MCL_CURRENT)
    here = lambda: next(v for v in process.maps() if v.start == BASE)  # noqa: E731
    assert here().rss == here().locked == 8 * PAGE and "lo" in here().vmflags
    process.munlockall()
    assert here().locked == 0 and process.status()["VmLck"] == 0
    process.mlockall(P.MCL_FUTURE | P.MCL_ONFAULT)
    process.mmap(BASE, 8 * PAGE, 3, PRIVATE | FIXED)
    assert here().rss == 0 and here().vmflags.endswith("lo lf ac")
    process.touch(BASE, 3 * PAGE)
    assert here().locked == 3 * PAGE and process.machine.meminfo()["Unevictable"] >= 3 * PAGE
    process.munlockall()


def test_what_was_freed_lazily_and_is_populated_for_writes_or_locked_is_kept():
    machine = small_machine(memory="16MiB", swap="0")
    process = machine.spawn()
    a = process.mmap(0, 64 * PAGE)
    for back in (
        lambda: process.madvise(a, 64 * PAGE, P.MADV_POPULATE_WRITE),
        lambda: (process.mlock(a, 64 * PAGE), process.munlock(a, 64 * PAGE)),
    ):
        for i in range(64):
            process.store(a + i * PAGE, i + 1)
        process.madvise(a, 64 * PAGE, P.MADV_FREE)
        process.madvise(a, 64 * PAGE, P.MADV_POPULATE_READ)
        figures = lambda: next(v for v in process.maps() if v.start == a)  # noqa: E731
        assert figures().lazyfree == 64 * PAGE
        back()
        assert (figures().lazyfree, figures().private_dirty) == (0, 64 * PAGE)
    machine.check()


@pytest.mark.parametrize(
    "bring, kib",
    [
        (lambda p: p.touch(p.mmap(BASE, 16 * PAGE, 3, PRIVATE | FIXED), 16 * PAGE), 0),
        (lambda p: p.mmap(BASE, 16 * PAGE, 3, PRIVATE | FIXED | P.MAP_POPULATE), 64),
        (lambda p: p.mlock(p.mmap(BASE, 16 * PAGE, 3, PRIVATE | FIXED), 16 * PAGE), 64),
    ],
)
def test_what_is_populated_has_been_used_as_a_forked_childs_entries_show(process, bring, kib):
    bring(process)
    child = process.fork()
    assert next(v.referenced for v in child.maps() if v.start == BASE) == kib << 10
    child.exit()


def test_more_shared_mappings_and_processes_than_a_small_table_holds():
    machine = small_machine(memory="64MiB")
    process = machine.spawn()
    for n in range(2000):
        process.mmap(0, PAGE, 3 if n % 2 else 1, SHARED)
    parent = machine.spawn()
    children = [parent.fork() for _ in range(300)]
    assert len({child.number for child in children}) == 300
    machine.check()


def test_a_table_of_the_emulators_that_is_full_ends_in_its_own_words_and_destroys_nothing(machine, process):
    process.mmap(BASE, 4 * PAGE, 3, PRIVATE | FIXED)
    process.store(BASE, 7)
    files = machine.state.files
    fresh, free = int(files.fresh), int(files.free)
    files.fresh, files.free = P.MAX_FILES, 0
    try:
        with pytest.raises(MachineError, match=f"the emulator holds {P.MAX_FILES} files and shared anonymous mappings"):
            process.mmap(BASE, 4 * PAGE, 3, SHARED | FIXED)
    finally:
        files.fresh, files.free = fresh, free
    assert process.load(BASE) == 7
