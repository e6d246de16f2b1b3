"""Memory groups: what is charged to them, what happens at a limit, who dies. Source: cgroup v2's documentation, mm/memcontrol.c."""

import errno

import pytest

from hwmem import params as P
from hwmem.errors import MachineError
from pressure import PAGE, small_machine

PRIVATE, SHARED = P.MAP_PRIVATE | P.MAP_ANONYMOUS, P.MAP_SHARED | P.MAP_ANONYMOUS
KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def machine():
    machine = small_machine(memory="32MiB", swap="4MiB")
    yield machine
    machine.check()


def test_all_that_its_processes_are_given_is_charged_and_given_back(machine):
    group, other = machine.group("a", max="8MiB"), machine.spawn()
    process = machine.spawn(group=group)
    fd = machine.create_file("data", 64 * PAGE)
    process.touch(process.mmap(0, 100 * PAGE), 100 * PAGE)
    process.touch(process.mmap(0, 32 * PAGE, 1, P.MAP_PRIVATE, fd), 32 * PAGE, write=False)
    process.touch(process.mmap(0, 10 * PAGE, 3, SHARED), 10 * PAGE)
    other.touch(other.mmap(0, 50 * PAGE), 50 * PAGE)
    stat = group.stat()
    assert (stat["anon"], stat["shmem"]) == (100 * PAGE, 10 * PAGE) and stat["file"] >= 42 * PAGE
    assert group.current == stat["anon"] + stat["file"] + stat["kernel"] and stat["kernel"] == stat["pagetables"] > 0
    child = process.fork()
    child.exit(), process.exit()
    left = group.stat()
    assert (
        left["anon"] == left["shmem"] == left["kernel"] == 0 and group.current == left["file"] == stat["file"] - 10 * PAGE
    )  # the cache stays
    assert group.peak >= stat["anon"] + stat["file"] and group.working_set == 0


def test_page_cache_gives_way_and_no_one_dies(machine):
    group = machine.group("a", max="1MiB")
    process, fd = machine.spawn(group=group), machine.create_file("data", 4 * MIB)
    a = process.mmap(0, 4 * MIB, 1, P.MAP_SHARED, fd)
    process.touch(a, 4 * MIB, write=False)
    assert group.events()["max"] > 0 and group.events()["oom"] == 0 and group.current <= MIB
    assert group.stat()["pgsteal"] > 500


def test_a_process_dies_of_its_groups_limit_while_ram_is_free(machine):
    group = machine.group("a", max="1MiB", swap_max=0)
    process, bystander = machine.spawn(group=group), machine.spawn()
    bystander.touch(bystander.mmap(0, 2 * MIB), 2 * MIB)
    a = process.mmap(0, 4 * MIB)
    with pytest.raises(MachineError, match=r"^Memory cgroup out of memory: Killed process \d+ .* oom_score_adj:0$"):
        process.touch(a, 4 * MIB)
    assert group.events() == {"high": 0, "max": 1, "oom": 1, "oom_kill": 1, "oom_group_kill": 0}
    assert bystander.stat().rss == 512 and machine.vmstat()["oom_kill"] == 1 and group.swap_current == 0
    process.exit()
    assert group.current == 0


def test_swap_has_a_limit_of_its_own(machine):
    group = machine.group("a", max="1MiB", swap_max="256KiB")
    process = machine.spawn(group=group)
    a = process.mmap(0, 4 * MIB)
    process.touch(a, 1200 * KIB)
    assert 0 < group.swap_current <= 256 * KIB and group.current <= MIB and machine.vmstat()["pswpout"] > 0
    with pytest.raises(MachineError, match="Memory cgroup out of memory"):
        process.touch(a, 4 * MIB)
    process.exit()
    assert group.swap_current == 0


def test_above_high_a_process_reclaims_and_waits(machine):
    group = machine.group("a", high="512KiB", swap_max=0)
    process = machine.spawn(group=group)
    a = process.mmap(0, MIB)
    process.touch(a, 300 * KIB)
    before = machine.cycles(0)
    process.touch(a + 300 * KIB, 100 * KIB)
    fast = machine.cycles(0) - before
    process.touch(a + 400 * KIB, 112 * KIB)
    before = machine.cycles(0)
    process.touch(a + 640 * KIB, 100 * KIB)
    assert machine.cycles(0) - before > 10 * fast and group.events()["high"] > 0 and group.events()["oom"] == 0


def test_the_readiest_dies_and_the_never_killed_does_not(machine):
    group = machine.group("a", max="8MiB", swap_max=0)  # a point of oom_score_adj is a thousandth of it: 2 pages
    small, large = machine.spawn(group=group), machine.spawn(group=group)
    small.touch(small.mmap(0, 800 * KIB), 800 * KIB), large.touch(large.mmap(0, 3 * MIB), 3 * MIB)
    small.oom_score_adj = 1000
    with pytest.raises(OSError) as caught:
        small.oom_score_adj = 0
    assert caught.value.errno == errno.EACCES
    with pytest.raises(ValueError, match="oom_score_adj: takes -1000 to 1000"):
        small.oom_score_adj = 1001
    a = large.mmap(0, 8 * MIB)
    large.touch(a, 4500 * KIB)
    with pytest.raises(MachineError, match="Killed process .* oom_score_adj:1000"):
        small.load(0)
    root = machine.spawn(privileged=True, group=group)
    root.oom_score_adj = -1000
    b = root.mmap(0, 8 * MIB)
    with pytest.raises(MachineError, match="out of memory: no frame"):
        root.touch(b, 8 * MIB)  # the other one goes first, then there is nobody to kill
    with pytest.raises(MachineError, match="Memory cgroup out of memory"):
        large.load(a)


def test_a_group_may_die_together(machine):
    group = machine.group("a", max="1MiB", swap_max=0, oom_group=True)
    one, two = machine.spawn(group=group), machine.spawn(group=group)
    a, b = one.mmap(0, 4 * MIB), two.mmap(0, 4 * MIB)
    one.touch(a, 300 * KIB)
    with pytest.raises(MachineError, match="Memory cgroup out of memory"):
        two.touch(b, 4 * MIB)
    with pytest.raises(MachineError, match="Memory cgroup out of memory"):
        one.load(a)
    assert group.events()["oom_kill"] == 2 and group.events()["oom_group_kill"] == 1


def test_arguments_are_checked(machine):
    group = machine.group("a")
    assert group.max is None and "no limit" in repr(group)
    group.max = "2MiB"
    assert group.max == 2 * MIB
    with pytest.raises(ValueError, match="there is a group 'a'"):
        machine.group("a")
    with pytest.raises(TypeError, match="group: takes a Group"):
        machine.spawn(group="a")
    for absent in ("min", "low", "parent", "swap_high"):
        with pytest.raises(TypeError, match=f"^{absent}: .*; a group takes max, high, swap_max and oom_group$"):
            machine.group("b", **{absent: 1})
    with pytest.raises(ValueError, match="'a/b': groups do not nest"):
        machine.group("a/b")
    with pytest.raises(TypeError, match="name: takes a line"):
        machine.group(7)
    with pytest.raises(ValueError, match="another machine"):
        machine.spawn(group=small_machine().group("b"))
