"""When there is nothing left: one process dies, is named, and the others go on. And how much may be promised before."""

import re

import numpy as np
import pytest
from kernels_under_test import COMPUTE, FINISH, INCREMENT, SLEEP, run_programs
from pressure import GREEDY, PAGE, fill, holds, small_machine

from hwmem import params as P
from hwmem.errors import MachineError

REPORT = (
    r"^Out of memory: Killed process (\d+) \(program\) total-vm:(\d+)kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, "
    r"shmem-rss:(\d+)kB, UID:1000 pgtables:(\d+)kB oom_score_adj:0$"
)


def killed(operation):
    """The figures of the report that `operation()` ends with."""
    with pytest.raises(MachineError) as caught:
        operation()
    return list(map(int, re.match(REPORT, str(caught.value)).groups()))


def test_the_one_that_takes_all_is_killed_and_the_others_keep_theirs():
    machine = small_machine(swap=0)
    good, bad = machine.spawn(), machine.spawn()
    a, b = good.mmap(0, 200 * PAGE), bad.mmap(0, 2000 * PAGE, flags=GREEDY)
    fill(good, a, 200)
    number, total, anon, file, shared, tables = killed(lambda: bad.touch(b, 2000 * PAGE))
    assert number == bad.stat().pid and total > 8000 and 600 * 4 < anon < 4096 and (file, shared) == (0, 0) and tables >= 4 * 4
    assert machine.vmstat()["oom_kill"] == 1
    machine.check()
    assert holds(good, a, 200)
    fill(good, good.mmap(0, 500 * PAGE), 500)
    machine.check()


def test_the_largest_dies_though_another_asked_and_is_told_at_its_next_step():
    machine = small_machine(swap="1MiB")
    large, small = machine.spawn(), machine.spawn()
    a, b = large.mmap(0, 1000 * PAGE), small.mmap(0, 550 * PAGE)
    large.touch(a, 800 * PAGE)
    fill(small, b, 550)
    assert machine.vmstat()["oom_kill"] == 1 and machine.state.mm.oom_process == large.number + 1
    large_pid = large.stat().pid
    assert killed(lambda: large.load(a))[0] == large_pid
    assert killed(lambda: large.mmap(0, PAGE))[0] == large_pid
    assert holds(small, b, 550)
    machine.check()
    large.exit()
    machine.check()
    small.exit()
    assert machine.state.swap.used == 0


def test_what_a_killed_process_had_is_free_at_once():
    machine = small_machine(swap=0)
    p = machine.spawn()
    used = int(machine.state.frames.used)
    a = p.mmap(0, 2000 * PAGE, flags=GREEDY)
    killed(lambda: p.touch(a, 2000 * PAGE))
    assert machine.state.frames.used <= used + 3
    p.exit()
    machine.check()


def test_swap_and_page_tables_count_against_a_process():
    machine = small_machine(swap="2MiB")
    swapped, resident = machine.spawn(), machine.spawn()
    a, b = swapped.mmap(0, 500 * PAGE), resident.mmap(0, 1500 * PAGE)
    swapped.touch(a, 500 * PAGE)
    swapped.madvise(a, 500 * PAGE, P.MADV_PAGEOUT)
    number = killed(lambda: resident.touch(b, 1500 * PAGE))[0]
    assert number == resident.stat().pid
    third = machine.spawn()
    c = third.mmap(0, 900 * PAGE)
    third.touch(c, 400 * PAGE)
    assert machine.vmstat()["oom_kill"] == 1


def test_a_populating_mmap_beyond_all_memory_kills_its_own_process():
    machine = small_machine(swap=0)
    p = machine.spawn()
    assert killed(lambda: p.mmap(0, 2000 * PAGE, flags=GREEDY | P.MAP_POPULATE))[0] == p.stat().pid
    p.exit()
    machine.check()


def test_the_victims_threads_run_no_more_and_the_others_to_their_end():
    machine = small_machine(swap=0)
    good, bad = machine.spawn(), machine.spawn()
    word, hoard = good.mmap(0, PAGE), bad.mmap(0, 2000 * PAGE, flags=GREEDY)
    programs = [
        [(COMPUTE, 1_000_000, 0)] * 40 + [(INCREMENT, word, 1)],
        [(INCREMENT, hoard + i * PAGE, 1) for i in range(2000)],
        [(COMPUTE, 10_000, 0)] * 20_000,
        [(SLEEP, 1 << 40, 0), (INCREMENT, word, 1)],
    ]
    threads = [machine.new_thread(p.number, core) for p, core in ((good, 0), (bad, 0), (bad, 1), (bad, 0))]
    rows = [row for program in programs for row in [*program, (FINISH, 0, 0)]]
    start = np.cumsum([0] + [len(program) + 1 for program in programs])[:-1]
    log = np.zeros((30_000, 5), np.int64)
    steps = run_programs(machine.state, np.array(threads), np.array(rows), start, log)
    assert steps < 20_000, "the victim's endless thread was stopped"
    assert [int(machine.state.thread[t].state) for t in threads] == [P.DONE, P.KILLED, P.KILLED, P.KILLED]
    assert good.load(word) == 1 and all(int(machine.state.core[c].queue_head) == 0 for c in range(2))
    machine.check()


# What may be promised


def test_by_default_only_a_promise_beyond_ram_and_swap_together_is_refused():
    machine = small_machine("4MiB", "4MiB")
    p = machine.spawn()
    for _ in range(5):
        p.mmap(0, 2048 * PAGE)
    with pytest.raises(OSError):
        p.mmap(0, 2049 * PAGE)
    p.mmap(0, 1 << 30, flags=GREEDY)
    p.mmap(0, 1 << 30, prot=P.PROT_READ)
    machine.check()


def test_mode_1_promises_everything():
    machine = small_machine(vm={"overcommit_memory": 1})
    machine.spawn().mmap(0, 1 << 40)
    machine.check()


def test_mode_2_keeps_to_half_of_ram_and_all_swap():
    machine = small_machine("64MiB", "16MiB", vm={"overcommit_memory": 2})
    p = machine.spawn()
    limit = (32 + 16) << 20
    assert machine.meminfo()["CommitLimit"] == limit
    a = p.mmap(0, 40 << 20)
    with pytest.raises(OSError):
        p.mmap(0, 10 << 20)
    with pytest.raises(OSError):
        p.mmap(0, 10 << 20, flags=GREEDY)  # mode 2 heeds no NORESERVE
    p.munmap(a, 20 << 20)
    p.mmap(0, 10 << 20)
    machine.check()
    p.exit()
    assert machine.state.mm.committed == 0


def test_one_that_dies_while_its_memory_moves_leaves_nothing_behind():
    machine = small_machine(swap=0)
    p = machine.spawn()
    used = int(machine.state.frames.used)
    far = 300 * (2 << 20)
    a = p.mmap(0, far, flags=GREEDY)
    for k in range(300):  # a table for each page
        p.store(a + k * (2 << 20), k)
    fill(p, p.mmap(0, 350 * PAGE), 350)
    assert killed(lambda: p.mremap(a, far, far + (4 << 20), P.MREMAP_MAYMOVE))[0] == p.stat().pid
    machine.check()
    assert machine.state.frames.used <= used + 3
