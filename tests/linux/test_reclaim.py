"""Reclaim: what goes first when memory is short, what stays, who pays; and a working set larger than RAM is right."""

import numpy as np
import pytest
from pressure import GREEDY, PAGE, counted, fill, free_frames, holds, residents, small_machine, word

from hwmem import params as P

FRAMES = 1024


@pytest.mark.parametrize(
    "memory, kib",
    [
        ("16MiB", 512),
        ("32MiB", 724),
        ("64MiB", 1024),
        ("128MiB", 1448),
        ("256MiB", 2048),
        ("512MiB", 2896),
        ("1GiB", 4096),
        ("2GiB", 5792),
        ("4GiB", 8192),
        ("8GiB", 11584),
    ],
)
def test_the_least_free_memory_is_what_linuxs_table_says(memory, kib):
    """The comment above mm/page_alloc.c's init_per_zone_wmark_min; it rounds to multiples of 4."""
    f = small_machine(memory).state.frames
    assert f.mark_min * 4 == pytest.approx(kib, abs=4)
    step = max(int(f.mark_min) // 4, int(f.total) // 1000)
    assert (f.mark_low - f.mark_min, f.mark_high - f.mark_low) == (step, step)


@pytest.mark.parametrize("memory", ["64KiB", "128KiB", "1MiB", "2MiB"])
def test_a_tiny_machine_keeps_little_free(memory):
    f = small_machine(memory).state.frames
    assert 0 < f.mark_min <= f.mark_high <= f.total // 10


def test_a_working_set_of_twice_the_ram_is_right_and_slow():
    machine = small_machine()
    p = machine.spawn()
    small, large = p.mmap(0, FRAMES // 4 * PAGE), p.mmap(0, 2 * FRAMES * PAGE)
    fill(p, small, FRAMES // 4)
    fits = counted(machine, lambda: holds(p, small, FRAMES // 4))
    fill(p, large, 2 * FRAMES)
    assert p.smaps_rollup()["Swap"] > 1000 * PAGE
    thrashes = counted(machine, lambda: holds(p, large, 2 * FRAMES))
    assert holds(p, large, 2 * FRAMES) and holds(p, small, FRAMES // 4)
    machine.check()
    assert (fits["pgmajfault"], fits["pswpin"]) == (0, 0)
    assert thrashes["pswpin"] > FRAMES and thrashes["pgmajfault"] > 2 * FRAMES // 8
    assert thrashes["cycles"] / 8 > 50 * fits["cycles"], "a page of the disk is far away"


def test_random_work_of_several_processes_under_pressure_is_a_dictionary_of_words(seed):
    rng = np.random.default_rng(seed)
    machine = small_machine()
    pages, model, processes = 600, {}, []
    for k in range(4):
        p = machine.spawn("linux-i386" if k == 3 else "linux-x86_64")
        processes.append((p, p.mmap(0, pages * PAGE)))
    for step in range(3000):
        k, page = int(rng.integers(4)), int(rng.integers(pages))
        p, a = processes[k]
        va, roll = a + page * PAGE, rng.random()
        if roll < 0.55:
            p.store(va + 8, step, core=step % 2)
            model[k, page] = step
        elif roll < 0.9:
            assert p.load(va + 8, core=step % 2) == model.get((k, page), 0)
        elif roll < 0.96:
            p.madvise(va, min(3, pages - page) * PAGE, [P.MADV_PAGEOUT, P.MADV_COLD, P.MADV_WILLNEED][step % 3])
        else:
            p.madvise(va, PAGE, P.MADV_DONTNEED)
            model.pop((k, page), None)
        if step % 300 == 0:
            machine.check()
    for k, (p, a) in enumerate(processes):
        found = p.load_many([a + page * PAGE + 8 for page in range(pages)])
        assert found.tolist() == [model.get((k, page), 0) for page in range(pages)]
    machine.check()
    assert machine.vmstat()["pswpin"] > 100
    for p, _ in processes:
        p.exit()
    machine.check()
    assert machine.state.swap.used == 0


def test_lazily_freed_pages_go_before_any_other():
    machine = small_machine()
    p = machine.spawn()
    a, b = p.mmap(0, 400 * PAGE), p.mmap(0, FRAMES * PAGE)
    fill(p, a, 400)
    fill(p, b, 300)
    p.madvise(a, 400 * PAGE, P.MADV_FREE)
    events = counted(machine, lambda: fill(p, b + 300 * PAGE, 400))
    assert events["pglazyfreed"] > 100 and events["pswpout"] == 0
    assert sum(residents(p, b, 700)) == 700
    assert p.smaps_rollup()["LazyFree"] == (400 - events["pglazyfreed"]) * PAGE
    machine.check()


def test_a_page_written_after_madv_free_survives_pressure_and_an_unwritten_one_reads_zero():
    machine = small_machine()
    p = machine.spawn()
    a, b = p.mmap(0, 400 * PAGE), p.mmap(0, 2 * FRAMES * PAGE)
    fill(p, a, 400)
    p.madvise(a, 400 * PAGE, P.MADV_FREE)
    for i in range(0, 400, 3):
        p.store(a + i * PAGE, word(i, 7))
    fill(p, b, 2 * FRAMES)
    found = p.load_many([a + i * PAGE for i in range(400)])
    assert [int(v) for v in found] == [word(i, 7) if i % 3 == 0 else 0 for i in range(400)]
    machine.check()


def test_pages_in_use_stay_while_a_stream_goes_by():
    machine = small_machine(stlb=None)  # a large TLB would keep their accessed bits from being set again
    p = machine.spawn()
    hot, stream = p.mmap(0, 200 * PAGE), p.mmap(0, 3 * FRAMES * PAGE)
    fill(p, hot, 200)
    for _ in range(3):
        holds(p, hot, 200)
    lost = 0
    for i in range(3 * FRAMES):
        p.store(stream + i * PAGE, i)
        if i % 100 == 99:
            lost += 200 - sum(residents(p, hot, 200))
            assert holds(p, hot, 200)
    assert lost / 31 < 60, "of 200 pages that are touched every 100 others, most are there each time"
    assert machine.vmstat()["pgactivate"] > 100


def test_locked_pages_are_never_taken():
    machine = small_machine()
    p = machine.spawn()
    a, b = p.mmap(0, 100 * PAGE), p.mmap(0, 2 * FRAMES * PAGE)
    fill(p, a, 100)
    p.mlock(a, 100 * PAGE)
    fill(p, b, 2 * FRAMES)
    assert all(residents(p, a, 100))
    machine.check()
    p.munlock(a, 100 * PAGE)
    p.madvise(a, 100 * PAGE, P.MADV_COLD)  # mlock has used them: else they are active at their next turn
    fill(p, b, 2 * FRAMES, 5)
    fill(p, b, 2 * FRAMES, 6)
    assert not all(residents(p, a, 100)) and holds(p, a, 100)


def test_what_several_processes_share_is_taken_from_all_and_comes_back_to_each():
    machine = small_machine()
    p = machine.spawn()
    a = p.mmap(0, 300 * PAGE)
    fill(p, a, 300)
    children = [p.fork() for _ in range(3)]
    other = machine.spawn()
    b = other.mmap(0, 2 * FRAMES * PAGE)
    fill(other, b, 2 * FRAMES)
    machine.check()
    for k, child in enumerate(children):
        assert holds(child, a, 300)
        fill(child, a + 50 * k * PAGE, 20, k)
        machine.check()
    assert holds(p, a, 300) and holds(other, b, 2 * FRAMES)
    for k, child in enumerate(children):
        assert holds(child, a + 50 * k * PAGE, 20, k)
    machine.check()


def test_kswapd_works_on_its_own_time_and_direct_reclaim_on_the_callers():
    fast = small_machine(disk={"bytes_per_cycle": 8.0})
    slow = small_machine(disk={"bytes_per_cycle": 0.01})
    events = []
    for machine in (fast, slow):
        p = machine.spawn()
        a = p.mmap(0, 2 * FRAMES * PAGE)
        fill(p, a, FRAMES // 2)
        events.append(counted(machine, lambda: fill(p, a + FRAMES // 2 * PAGE, FRAMES)))
        events[-1]["kswapd"] = int(machine.state.mm.kswapd_cycles)
        assert free_frames(machine) >= machine.state.frames.mark_min
        machine.check()
    quick, waits = events
    assert quick["pgsteal_kswapd"] > 400 and quick["allocstall_normal"] == quick["pgsteal_direct"] == 0
    assert quick["kswapd"] > 400 * fast.config.kernel.reclaim
    assert waits["allocstall_normal"] > 0 and waits["pgsteal_direct"] > 0
    assert slow.state.disk.wait_cycles > 100 * slow.state.disk.page_cycles
    assert waits["cycles"] > 10 * quick["cycles"]


def test_huge_pages_are_split_and_go_page_by_page():
    machine = small_machine("16MiB", "32MiB", thp="always")
    p = machine.spawn()
    a = p.mmap(0, 24 << 20)
    fill(p, a, 6 * 1024)
    events = machine.vmstat()
    assert events["thp_fault_alloc"] > 3 and events["thp_split_page"] > 0 and events["pswpout"] > 1024
    assert holds(p, a, 6 * 1024)
    machine.check()


def test_without_swap_only_files_and_lazily_freed_pages_are_taken():
    machine = small_machine(swap=0)
    p = machine.spawn()
    a, b = p.mmap(0, 400 * PAGE), p.mmap(0, 700 * PAGE, flags=GREEDY)
    fill(p, a, 400)
    p.madvise(a, 300 * PAGE, P.MADV_FREE)
    fill(p, b, 700)
    assert holds(p, b, 700) and p.load(a + 399 * PAGE) == word(399, 0)
    assert machine.vmstat()["pglazyfreed"] > 100 and machine.vmstat()["pswpout"] == 0
    machine.check()
