"""page-faults, madvise-return, oversubscription, tlb-reach, fork-storm, brk-mmap, vma-explosion: counts that must be so.

Whatever can be said without running them is what they are held to: a fault a page, RSS that falls by the range, majors
only where the disk was read, counters that add up, the limit that a real kernel keeps.
"""

import json

import numpy as np
import pytest

import hwmem
from hwmem import params as P
from hwmem.cli.cli import main
from hwmem.programs.memory import allocation, forks, oversubscription, returning
from hwmem.report import report
from hwmem.programs import find
from hwmem.runs.job import Job

PAGES = 512  # of each kind of fault
CONFIG = hwmem.MachineConfig()
FAULT, SYSCALL = CONFIG.kernel.page_fault, CONFIG.kernel.syscall


def table(result):
    """The rows of a result's grid by their labels."""
    grid = result.values["grid"]
    return dict(zip(grid["rows"], grid["cells"]))


@pytest.fixture(scope="module")
def kinds():
    """Kind of fault -> (minor, major, cycles)."""
    v = hwmem.run("page-faults", pages=PAGES).values
    return dict(zip(v["kinds"], zip(v["minor"], v["major"], v["cycles"])))


@pytest.mark.parametrize(
    "kind",
    [
        "write: a zeroed page",
        "read: the zero page",
        "write after that read",
        "write after fork: a copy",
        "write, the child gone",
        "file: private write",
        "file: shared write",
        "read: in the swap cache",
    ],
)
def test_each_page_takes_one_minor_fault(kinds, kind):
    assert kinds[kind][:2] == (PAGES, 0)


def test_a_page_that_is_there_takes_no_fault(kinds):
    assert kinds["write again: no fault"][:2] == (0, 0)


def test_a_huge_page_takes_one_fault(kinds):
    assert kinds["write: a 2 MiB page"][:2] == (PAGES * P.PAGE // P.HUGE_PAGE, 0)


def test_without_read_ahead_each_page_of_a_file_is_a_major_fault_that_waits_for_the_disk(kinds):
    minor, major, cycles = kinds["file: from the disk"]
    assert (minor, major) == (0, PAGES) and cycles >= PAGES * CONFIG.disk.latency


def test_read_ahead_saves_most_of_the_waiting(kinds):
    assert kinds["file: read ahead"][1] < PAGES / 10
    assert kinds["file: read ahead"][2] < kinds["file: from the disk"][2] / 4


def test_a_fault_on_the_page_cache_maps_the_64_kib_around_it(kinds):
    assert kinds["file: page cache"][1] == 0
    assert PAGES // 16 <= kinds["file: page cache"][0] <= PAGES // 16 + 2  # pages that kept read-ahead's mark fault by themselves


def test_pages_from_the_swap_device_are_a_fault_each_and_those_read_ahead_are_minor(kinds):
    minor, major, cycles = kinds["read: from the swap device"]
    assert PAGES // 8 <= major < PAGES // 4 and minor + major == PAGES  # windows of up to 2^page_cluster pages
    assert cycles >= major * CONFIG.disk.latency


def test_what_a_fault_must_cost_at_least_it_costs(kinds):
    lines = P.PAGE // P.LINE
    for kind, accesses in (("read: the zero page", 0), ("write: a zeroed page", lines), ("write after fork: a copy", 2 * lines)):
        assert kinds[kind][2] >= PAGES * (FAULT + accesses * CONFIG.l1d.latency)
    assert kinds["write, the child gone"][2] < kinds["write after fork: a copy"][2]


def test_without_swap_the_kinds_that_swap_are_left_out():
    v = hwmem.run("page-faults", CONFIG, pages=PAGES).values
    assert len(v["kinds"]) == len(v["minor"]) and not any("swap" in kind for kind in v["kinds"])


@pytest.fixture(scope="module")
def returned():
    """(way, pressure) -> the row's figures, pages."""
    v = hwmem.run("madvise-return", size="8MiB", config=CONFIG.replace(memory="32MiB")).values
    names = ("touched", "returned", "lazyfree", "pressed", "faults", "zeros")
    rows = [dict(zip(names, row)) for row in zip(*(v[name] for name in names))]
    return {(way, pressure): rows[3 * pressure + k] for pressure in range(2) for k, way in enumerate(returning.WAYS)}


@pytest.mark.parametrize("pressure", [0, 1])
@pytest.mark.parametrize("way", ["DONTNEED", "munmap"])
def test_dontneed_and_munmap_lower_rss_by_the_range_and_every_page_faults_again_and_is_zero(returned, way, pressure):
    assert returned[way, pressure] == {"touched": 2048, "returned": 0, "lazyfree": 0, "pressed": 0, "faults": 2048, "zeros": 2048}


def test_free_leaves_rss_where_it_was_and_the_next_touch_costs_no_fault_and_finds_the_old_bytes(returned):
    assert returned["FREE", 0] == {"touched": 2048, "returned": 2048, "lazyfree": 2048, "pressed": 2048, "faults": 0, "zeros": 0}


def test_under_pressure_lazily_freed_pages_go_and_those_that_went_fault_and_are_zero(returned):
    row = returned["FREE", 1]
    assert (row["touched"], row["returned"], row["lazyfree"]) == (2048, 2048, 2048)
    assert row["pressed"] < 1024 and row["faults"] == row["zeros"] == 2048 - row["pressed"]


def test_more_than_half_of_memory_is_refused():
    with pytest.raises(ValueError, match="^madvise-return.size: takes at most half of memory = 64MiB, got 33MiB$"):
        hwmem.run("madvise-return", size="33MiB")
    assert main(["run", "madvise-return", "--set", "size=33MiB"]) == 2


@pytest.fixture(scope="module")
def pressed():
    return hwmem.run("oversubscription", config=CONFIG.replace(memory="8MiB", swap="32MiB"), passes=2).values


def test_a_working_set_larger_than_ram_runs_to_the_right_answer(pressed):
    assert [row[0] for row in pressed["sums"]] == [row[1] for row in pressed["sums"]] == pressed["accesses"]


def test_while_it_fits_nothing_is_read_from_swap_and_beyond_ram_much_is(pressed):
    for ratio, (in_order, at_random) in zip(pressed["ratios"], pressed["read"]):
        if ratio <= 0.75:
            assert in_order == at_random == 0
        if ratio >= 1.1:
            assert in_order > 0 and at_random > 0


def test_in_order_every_access_beyond_ram_reads_its_page_and_at_random_what_does_not_fit(pressed):
    for ratio, accesses, (in_order, at_random) in zip(pressed["ratios"], pressed["accesses"], pressed["read"]):
        if ratio >= 1.1:
            assert in_order == pytest.approx(accesses, rel=0.1)
        if ratio >= 1.25:
            assert at_random >= 0.9 * (1 - 1 / ratio) * accesses


def test_too_little_swap_for_twice_the_memory_is_refused():
    with pytest.raises(ValueError, match="^oversubscription: 2 times memory needs as much swap and more"):
        hwmem.run("oversubscription", CONFIG)
    assert main(["run", "oversubscription", "--with", "swap=0"]) == 2


def test_the_ratios_are_those_of_the_rows():
    assert len(set(oversubscription.RATIOS)) == len(oversubscription.RATIOS)


@pytest.fixture(scope="module")
def reach():
    config = CONFIG.replace(dtlb={"entries": 64, "ways": 4}, stlb={"entries": 512, "ways": 8})
    return hwmem.run("tlb-reach", config, largest="16MiB", loads=20_000).values


def test_within_the_tlbs_reach_nothing_is_walked_for(reach):
    for size, (small, large) in zip(reach["sizes"], reach["walks"]):
        assert large == 0
        if size <= 512 * P.PAGE:
            assert small == 0


def test_beyond_its_reach_as_many_loads_walk_as_there_are_pages_that_it_cannot_hold(reach):
    for size, (small, _) in zip(reach["sizes"], reach["walks"]):
        pages = size // P.PAGE
        if pages >= 4 * 576:
            assert 1 - 576 / pages - 0.02 < small / 20_000 < 1 - 512 / pages + 0.02


def test_walks_cost_cycles(reach):
    assert reach["cycles"][-1][0] > reach["cycles"][-1][1]


@pytest.fixture(scope="module")
def storm():
    return hwmem.run("fork-storm", largest="4MiB", forks=2).values


def test_a_fork_copies_no_page_and_a_child_that_writes_copies_each_once(storm):
    for k, size in enumerate(storm["sizes"]):
        assert storm["copies"][k] == (2 * size // P.PAGE if k % len(forks.CHILDREN) == forks.WRITES else 0)


def test_a_childs_tables_are_those_that_its_pages_need(storm):
    for size, tables in zip(storm["sizes"], storm["tables"]):
        leaves = size // P.HUGE_PAGE
        assert 3 + max(leaves, 1) <= tables <= 3 + leaves + 1  # unaligned memory may reach into one more


def test_forking_more_memory_costs_more_and_a_copy_costs_its_lines(storm):
    ends = storm["fork_cycles"][0::2]
    assert ends[-1] > ends[1]
    written = zip(storm["copy_cycles"][1::2], storm["copies"][1::2])
    assert all(cycles >= n * (FAULT + 2 * 64 * CONFIG.l1d.latency) for cycles, n in written)


@pytest.fixture(scope="module")
def allocated():
    v = hwmem.run("brk-mmap").values
    shape = (len(allocation.SIZES), len(allocation.METHODS))
    return {name: np.array(v[name]).reshape(shape) for name in ("calls", "faults", "resident", "cycles")}


def test_every_object_from_brk_and_mmap_is_two_calls_and_ahead_only_two_for_128_kib(allocated):
    for k, size in enumerate(allocation.SIZES):
        objects = allocation.TOTAL // size
        steps = allocation.TOTAL // max(size, allocation.STEP)
        assert allocated["calls"][k].tolist() == [2 * objects, 2 * steps, 2 * objects]


def test_brk_packs_objects_into_pages_and_mmap_gives_each_its_own(allocated):
    for k, size in enumerate(allocation.SIZES):
        packed, mapped = allocation.TOTAL // P.PAGE, allocation.TOTAL // size * -(-size // P.PAGE)
        assert allocated["resident"][k].tolist() == allocated["faults"][k].tolist() == [packed, packed, mapped]


def test_small_objects_are_cheaper_the_fewer_calls_are_made(allocated):
    brk, ahead, mapped = allocated["cycles"][0]
    assert ahead < brk < mapped and brk - ahead >= (8192 - 16) * SYSCALL


@pytest.fixture(scope="module")
def explosion():
    return hwmem.run("vma-explosion").values


def test_mprotect_stops_at_max_map_count_and_then_nothing_that_splits_or_adds_works(explosion):
    """Linux 6.18, the same calls in a C program: 65,530 VMAs; ENOMEM of mprotect, mmap, and munmap within a VMA; munmap
    of a whole VMA works."""
    assert explosion["vmas"][-1] == 65_530
    assert explosion["at_limit"] == {"mprotect": "ENOMEM", "mmap": "ENOMEM", "munmap, splitting": "ENOMEM", "munmap of a whole VMA": "done"}


def test_each_call_makes_two_vmas_of_one(explosion):
    calls, vmas = np.array(explosion["calls"]), np.array(explosion["vmas"])
    assert (np.diff(vmas[:-1]) == 2 * np.diff(calls[:-1])).all()
    assert vmas[-1] - vmas[-2] - 2 * (calls[-1] - calls[-2]) in (0, 1)  # the refused call may have made its first split


def test_a_vma_is_found_in_a_number_of_steps_that_grows_as_the_logarithm(explosion):
    for vmas, steps in zip(explosion["vmas"], explosion["steps"]):
        assert np.log2(vmas) - 2 < steps / 1000 < 2 * np.log2(vmas) + 2


def test_a_workload_runs_on_the_machine_it_wants_unless_one_is_given(capsys):
    assert hwmem.run("brk-mmap").config == CONFIG
    assert hwmem.run("overlay", calls=1, visits=1).config == CONFIG.replace(memory="4MiB")
    assert hwmem.run("overlay", CONFIG, calls=1, visits=1).config == CONFIG
    assert hwmem.workloads()["overlay"]["machine"] == {"memory": "4MiB"}
    zen = hwmem.MachineConfig.preset("zen3")
    for words, memory in (([], "4MiB"), (["--with", "memory=8MiB"], "8MiB")):
        assert main(["run", "overlay", "--set", "calls=1", "visits=1", "--preset", "zen3", *words, "--json"]) == 0
        assert hwmem.MachineConfig.from_dict(json.loads(capsys.readouterr().out)["config"]) == zen.replace(memory=memory)
    assert main(["list", "overlay"]) == 0
    assert "memory=4MiB" in capsys.readouterr().out


def test_the_kernels_counts_agree_with_the_programs_and_reports_show_them():
    r = hwmem.run("madvise-return", CONFIG.replace(memory="32MiB"), size="8MiB")
    linux, core = r.counters["linux"], r.counters["cores"][0]
    assert linux["pglazyfree"] == 2 * 2048 and linux["pglazyfreed"] == r.values["zeros"][returning.WAYS.index("FREE") + 3]
    assert linux["pgfault"] == core["faults.minor"] + core["faults.major"] and linux["pgmajfault"] == core["faults.major"] == 0
    assert report(r, "memory").count("pglazyfreed") == 1 and "pgfault" in report(r, "faults")
    assert "64MiB" in report(r, "tlb") and "6MiB" in report(r, "tlb")  # 32 entries of 2 MiB; 1,536 of 4 KiB


def test_a_result_without_the_kernels_counts_is_still_shown():
    r = hwmem.run("brk-mmap")
    del r.counters["linux"]
    assert "minor faults" in report(r, "faults") and "Linux" not in report(r, "memory")


def test_page_cache_gives_way_at_a_limit_and_nothing_else_does():
    v = hwmem.run("memory-limit", limit="512KiB").values
    died = dict(zip(v["ways"], v["died"]))
    assert [way for way in died if not died[way]] == ["a file, read", "a file, written"]
    limit = 128
    rss, tables, charged, working, touched = (
        dict(zip(v["ways"], v[name])) for name in ("rss", "tables", "charged", "working_set", "touched")
    )
    for way in died:
        assert charged[way] <= limit and (not died[way] or charged[way] >= limit - 1)
    assert touched["a file, read"] == touched["a file, written"] == 2 * limit
    assert rss["shared, unmapped"] <= 16 and working["shared, unmapped"] >= limit - 1  # killed, far below its limit by RSS
    assert abs(rss["sparse pages"] - tables["sparse pages"]) < 10  # half of it are page tables
    assert working["a file, read"] < limit // 4 < charged["a file, read"]


SMALL = {
    "page-faults": {"pages": PAGES},
    "madvise-return": {"size": "1MiB"},
    "oversubscription": {"passes": 1},
    "tlb-reach": {"largest": "256KiB"},
    "fork-storm": {"largest": "2MiB"},
    "brk-mmap": {},
    "vma-explosion": {},
    "segments-pages": {"requests": 300, "memory": "1MiB"},
    "overlay": {"calls": 20},
    "memory-limit": {"limit": "256KiB"},
}


@pytest.mark.parametrize("name", SMALL)
def test_the_machine_is_whole_afterwards_and_only_the_program_is_left(name):
    job = Job(find(name), parameters=SMALL[name])
    job.run()
    job.machine.check()
    assert [p for p in range(P.MAX_PROCESSES) if job.machine.state.process[p].alive] == [job.space.process.number]


@pytest.mark.parametrize("name", ["page-faults", "oversubscription", "fork-storm"])
def test_the_same_run_gives_the_same_numbers(name):
    one, other = (hwmem.run(name, **SMALL[name]) for _ in range(2))
    assert one.values == other.values and one.counters == other.counters


@pytest.mark.parametrize("name", [*SMALL, "malloc-free"])
def test_a_program_that_maps_memory_is_refused_without_an_mmu(name):
    with pytest.raises(ValueError, match=f"^{name} maps memory and needs a machine with an MMU"):
        hwmem.run(name, hwmem.MachineConfig().replace(mmu=False), **SMALL.get(name, {}))


def test_more_memory_than_may_be_promised_is_told_as_such():
    with pytest.raises(hwmem.SegmentationFault, match=": -ENOMEM, what a system call that failed returned$") as caught:
        hwmem.run("page-faults", config=CONFIG.replace(memory="4MiB", swap="4MiB"), pages=4096)
    assert caught.value.address == (1 << 64) - P.ENOMEM


@pytest.mark.parametrize("memory", ["4MiB", "6MiB", "8MiB", "12MiB"])
def test_a_fork_storm_beyond_all_memory_ends_with_the_oom_killers_report(memory):
    with pytest.raises(hwmem.MachineError, match="^Out of memory: Killed process"):
        hwmem.run("fork-storm", config=CONFIG.replace(memory=memory), largest="8MiB", forks=1)


def test_an_overlaid_program_larger_than_the_host_would_like_is_refused(capsys):
    assert main(["run", "overlay", "--set", "modules=1024", "--set", "module=256MiB"]) == 2
    assert capsys.readouterr().err == "hwmem: overlay.module must be at most 1MiB for 1024 modules, 1GiB in all, not 256MiB\n"
