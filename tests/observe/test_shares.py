"""Hits, misses, HITMs and DRAM reads are told apart by who caused them: the program, the page walker, the kernel."""

import numpy as np
import pytest

import hwmem
from hwmem.cli.cli import main
from hwmem.config.machine import CacheConfig, MachineConfig, TlbConfig
from hwmem.machine.machine import Machine
from hwmem.report.overview import overview
from invariants import assert_consistent
from models import SetAssociative, entries, page_table_leaf

PAGE, LINE = 4096, 64
ONE_A_PAGE = 0x1000_0000 + (PAGE + LINE) * np.arange(100)


def test_loads_of_new_pages_are_the_programs_misses_and_nobody_elses():
    """100 loads, each to a page and a line that nobody has touched: a cache simulator counts 100 misses and no hit."""
    counted = [Machine(MachineConfig().replace(mmu=mmu)).replay((ONE_A_PAGE, False, 8))["cores"][0] for mmu in (True, False)]
    for core in counted:
        assert (core["program"]["l1d.hits"], core["program"]["l1d.misses"], core["program"]["dram.reads"]) == (0, 100, 100)
    assert counted[0]["walker"]["l1d.hits"] > 0 == counted[1]["walker"]["l1d.hits"]


def test_a_first_touch_is_one_miss_of_the_tlb_and_two_walks():
    """The access that faulted is made again when the page is there."""
    machine = Machine()
    process = machine.spawn()
    a = process.mmap(0, 100 * PAGE)
    machine.reset_counters()
    process.load_many(a + PAGE * np.arange(100))
    core = machine.counters()["cores"][0]
    assert (core["dtlb.misses"], core["faults.minor"], core["walks"]) == (100, 100, 200)
    assert core["program"]["dtlb.misses"] == 100 and core["walker"]["dtlb.misses"] == core["kernel"]["dtlb.misses"] == 0


def test_a_load_of_what_another_core_has_written_is_one_hitm_of_the_program():
    """The page-table entries that the other core wrote as well are the walker's: one a level."""
    machine = Machine()
    process = machine.spawn()
    a = process.mmap(0, 1 << 20)
    process.store(a, 42, core=0)
    assert process.load(a, core=1) == 42
    core = machine.counters()["cores"][1]
    assert [core[who]["interventions_hit_modified"] for who in ("program", "walker", "kernel")] == [1, 4, 0]


def test_a_page_that_the_kernel_clears_is_the_kernels_work():
    """64 lines a page, written whole, so that DRAM is not read for them; the program's own store finds its line in the L1."""
    machine = Machine()
    process = machine.spawn()
    a = process.mmap(0, 50 * PAGE)
    process.touch(a, PAGE)  # tables
    machine.reset_counters()
    process.touch(a + PAGE, 49 * PAGE)
    core = machine.counters()["cores"][0]
    assert core["kernel"]["l1d.misses"] >= 49 * PAGE // LINE and core["kernel"]["dram.reads"] == 0
    assert (core["program"]["l1d.hits"], core["program"]["l1d.misses"]) == (49, 0)


def test_lines_that_go_to_and_fro_between_sockets_are_not_dram_reads():
    config = MachineConfig.preset("skylake-sp").replace(cores=2, sockets=2)
    r = hwmem.run("false-sharing", config, threads=2, iterations=500, atomic=True)
    cores = r.counters["cores"]
    assert sum(c["program"]["interventions_remote"] for c in cores) > 900 > 10 > sum(c["program"]["dram.reads"] for c in cores)
    assert sum(c["program"]["llc.misses"] for c in cores) > 900
    rows = [line.split() for line in overview(r).splitlines() if line.startswith(("core ", "0 ", "1 "))][:3]
    assert "remote" in overview(r) and rows[0][-1] == "DRAM"
    assert all(int(row[-1].replace(",", "")) < 10 for row in rows[1:])


def test_the_tables_hit_rate_is_the_programs(tmp_path):
    trace = tmp_path / "one_a_page.lackey"
    trace.write_text("".join(f" L {a:x},8\n" for a in ONE_A_PAGE))
    assert main(["trace", str(trace), "-o", str(tmp_path / "r.hwm")]) == 0
    shown = overview(hwmem.load_result(tmp_path / "r.hwm")).splitlines()
    row = next(line.split() for line in shown if line.startswith("0 "))
    assert row[1] == "100" and row[3] == "0.0%" and row[-1] == "100"


SMALL = dict(l1d=CacheConfig("1KiB", 2, 4), l2=CacheConfig("4KiB", 4, 14), dtlb=TlbConfig(1, 1, 0), dtlb_2m=None, stlb=None)


@pytest.mark.parametrize("pages", [40, 300])
def test_each_ones_hits_and_misses_are_an_independent_models(seed, pages):
    """A DTLB of one entry, so that every change of page is a walk, and one that reads a leaf entry: the paging-structure caches
    know the rest. Two passes, of which the second is counted; by then nothing of what was before is left in the small caches."""
    rng = np.random.default_rng(seed)
    machine = Machine(MachineConfig().replace(**SMALL))
    process = machine.spawn()
    a = -(-process.mmap(0, 4 << 20) // (2 << 20)) * (2 << 20)  # its pages have one leaf table
    process.touch(a, pages * PAGE)
    visited = a + PAGE * rng.integers(0, pages, 4000) + 8 * rng.integers(0, 512, 4000)
    process.load_many(visited)
    machine.reset_counters()
    process.load_many(visited)
    l1, l2 = SetAssociative(8, 2), SetAssociative(16, 4)
    expected = {who: dict.fromkeys(("l1d.hits", "l1d.misses", "l2.hits", "l2.misses"), 0) for who in ("program", "walker")}
    last = None
    for n, va in enumerate([*visited.tolist(), *visited.tolist()]):
        frame, _, places = page_table_leaf(machine, int(machine.state.process[process.number].root), va)
        looked = [("walker", places[-1])] * (va // PAGE != last) + [("program", frame + va % PAGE)]
        last = va // PAGE
        for who, pa in looked:
            in_l1 = l1.access(pa // LINE)[0]
            in_l2 = in_l1 or l2.access(pa // LINE)[0]
            if n >= len(visited):
                expected[who]["l1d.hits" if in_l1 else "l1d.misses"] += 1
                expected[who]["l2.hits" if in_l2 else "l2.misses"] += not in_l1
    core = machine.counters()["cores"][0]
    for who in expected:
        assert {name: core[who][name] for name in expected[who]} == expected[who]
    assert_consistent(machine)


@pytest.mark.parametrize("settings", [{}, {"protocol": "msi"}, {"thp": "always"}, {"inclusion": "nine"}])
def test_walks_past_the_caches_leave_the_programs_misses_as_without_an_mmu(seed, settings):
    """Through the caches, they differ by no more than the lines that the walker brought into the L1."""
    rng = np.random.default_rng(seed)
    trace = 0x1000_0000 + 8 * rng.integers(0, 1 << 17, 5000), rng.random(5000) < 0.3, 8
    plain, walked, past = (play(trace, settings | kind) for kind in ({"mmu": False}, {}, {"walker": {"path": "memory"}}))
    assert past["program"]["l1d.misses"] == past["l1d.misses"] == plain["l1d.misses"]
    assert past["uncached.reads"] == past["walker"]["uncached.reads"] > 0 == past["walker"]["l1d.misses"] == past["walker"]["l1d.hits"]
    assert abs(walked["program"]["l1d.misses"] - plain["l1d.misses"]) <= walked["walker"]["l1d.misses"]


def play(trace, settings):
    machine = Machine(MachineConfig().replace(**settings))
    core = machine.replay(trace)["cores"][0]
    assert_consistent(machine)
    return core


def test_page_tables_past_the_caches_work_as_page_tables():
    """Forks, faults, unmapping; what the kernel reads and writes of them is counted apart, and no cache has a line of them."""
    machine = Machine(MachineConfig().replace(walker={"path": "memory"}))
    process = machine.spawn()
    a = process.mmap(0, 1 << 20)
    process.touch(a, 1 << 19)
    child = process.fork()
    child.store(a, 5, core=1)
    assert process.load(a) == 0 and child.load(a) == 5
    process.munmap(a, 1 << 20)
    kernel = machine.counters()["cores"][0]["kernel"]
    assert kernel["uncached.reads"] > 100 < kernel["uncached.writes"]
    root = int(machine.state.process[child.number].root)
    tables = {place // PAGE for place in page_table_leaf(machine, root, a)[2]}
    for c in (0, 1):
        for array in (machine.state.core[c].l1d, machine.state.core[c].l2):
            assert not tables & {line * LINE // PAGE for _, _, line, flags, _ in entries(machine, array) if flags & 7}
    assert_consistent(machine)
