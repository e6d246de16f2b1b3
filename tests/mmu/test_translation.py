"""TLBs, paging-structure caches and walks against a plain model of them, and against the page tables' bytes in RAM."""

import numpy as np
import pytest

from hwmem import params as P
from hwmem.config.machine import MachineConfig, TlbConfig, WalkerConfig
from hwmem.machine.machine import Machine
from hwmem.mmu.walk import foresee
from invariants import assert_consistent, assert_tlbs_agree_with_tables
from kernels_under_test import LOAD, STORE, script_results
from models import SetAssociative, page_table_leaf, poke_ram, ram_word

FIXED = P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED
A_BIT, D_BIT = 1 << 5, 1 << 6


class Mmu:
    """One core's translation: dtlb, stlb (or None), caches of level-2, -3, -4 entries; and what the kernel has mapped.

    An entry without the D bit does not serve a store: it is dropped, a miss, and the walk sets D (as tlb.py says).
    A page that is not there is mapped after a walk that found nothing, then walked again; first read, it is the zero page,
    which the first write replaces: a fault and an INVLPG of the page. A paging-structure cache is
    fully associative up to 8 entries, above that it has sets of 8 (build.py; entries not divisible by 8: one set).
    """

    def __init__(self, dtlb, stlb, paging):
        self.dtlb = SetAssociative(*dtlb)
        self.stlb = SetAssociative(*stlb) if stlb else None
        self.paging = [SetAssociative(n // 8, 8) if n and n % 8 == 0 else SetAssociative(1, n) for n in paging]  # of level 1 (pde), 2, 3
        self.sizes = paging
        self.dirty_in = {"dtlb": {}, "stlb": {}}
        self.present, self.dirty, self.zero, self.tables = set(), set(), set(), set()
        self.count = dict.fromkeys(("dtlb.hits", "dtlb.misses", "stlb.hits", "stlb.misses", "walks", "walk_accesses", "faults.minor"), 0)

    def access(self, asid, va, write):
        key = asid << 36 | va >> 12
        if self.look_up("dtlb", key, write):
            return
        if self.stlb and self.look_up("stlb", key, write):
            self.fill("dtlb", key, self.dirty_in["stlb"][key])
            return
        while not self.walk(asid, va, write):
            self.count["faults.minor"] += 1
            if key in self.zero:
                self.invalidate(asid, va)
            self.present.add(key)
            if write:
                self.dirty.add(key)
                self.zero.discard(key)
            else:
                self.zero.add(key)
            self.tables |= {(level, asid, va >> 12 + 9 * level) for level in (1, 2, 3)}
        self.fill("stlb", key, key in self.dirty)
        self.fill("dtlb", key, key in self.dirty)

    def look_up(self, name, key, write):
        tlb, dirty = getattr(self, name), self.dirty_in[name]
        if key in tlb and write and not dirty[key]:
            tlb.drop(key)
        hit = key in tlb
        if hit:
            tlb.access(key)
        self.count[f"{name}.{'hits' if hit else 'misses'}"] += 1
        return hit

    def fill(self, name, key, dirty):
        if getattr(self, name):
            getattr(self, name).access(key)
            self.dirty_in[name][key] = dirty

    def invalidate(self, asid, va):
        """INVLPG: translations of the page, and what the paging-structure caches know on the way to it."""
        for tlb in (self.dtlb, self.stlb):
            if tlb and (asid << 36 | va >> 12) in tlb:
                tlb.drop(asid << 36 | va >> 12)
        for level in (1, 2, 3):
            if (asid << 36 | va >> 12 + 9 * level) in self.paging[level - 1]:
                self.paging[level - 1].drop(asid << 36 | va >> 12 + 9 * level)

    def walk(self, asid, va, write):
        """One walk; False if the page is not there, or is the zero page and to be written."""
        self.count["walks"] += 1
        level = 3
        for low in (1, 2, 3):  # the lowest table that a cache knows
            if (asid << 36 | va >> 12 + 9 * low) in self.paging[low - 1]:
                self.paging[low - 1].access(asid << 36 | va >> 12 + 9 * low)
                level = low - 1
                break
        while level > 0:
            self.count["walk_accesses"] += 1
            if (level, asid, va >> 12 + 9 * level) not in self.tables:
                return False
            if self.sizes[level - 1]:
                self.paging[level - 1].access(asid << 36 | va >> 12 + 9 * level)
            level -= 1
        self.count["walk_accesses"] += 1
        key = asid << 36 | va >> 12
        if key not in self.present or (write and key in self.zero):
            return False
        if write and key not in self.dirty:
            self.count["walk_accesses"] += 1  # the walker sets D
            self.dirty.add(key)
        return True


def machine_with(dtlb, stlb, paging, ordering="sc", cores=1, **settings):
    return Machine(
        MachineConfig().replace(
            cores=cores,
            memory="64MiB",
            ordering=ordering,
            dtlb=TlbConfig(dtlb[0] * dtlb[1], dtlb[1], 0),
            dtlb_2m=None,
            thp="never",
            stlb=TlbConfig(stlb[0] * stlb[1], stlb[1], 7) if stlb else None,
            walker=WalkerConfig(*reversed(paging), 0),
            **settings,
        )
    )


def spread_pages(process, rng, n):
    """`n` pages mapped near and far from each other, so that all levels of the tables differ somewhere."""
    pages = []
    for _ in range(n):
        va = int(rng.integers(1, 4)) << 39 | int(rng.integers(3)) << 30 | int(rng.integers(3)) << 21 | int(rng.integers(6)) << 12
        if va not in pages:
            process.mmap(va, 4096, flags=FIXED)
            pages.append(va)
    return pages


GEOMETRIES = [
    ((1, 1), None, (0, 0, 0)),
    ((4, 2), (8, 3), (3, 2, 1)),
    ((1, 6), (2, 5), (0, 2, 0)),
    ((8, 1), None, (4, 0, 0)),
    ((16, 4), (128, 12), (32, 4, 4)),
    ((2, 20), (5, 3), (2, 2, 2)),
    ((1, 2), None, (8, 12, 16)),
]


@pytest.mark.parametrize("ordering", ["sc", "tso"])
@pytest.mark.parametrize("dtlb, stlb, paging", GEOMETRIES)
def test_tlbs_walks_and_faults_count_as_a_plain_model_of_them(seed, dtlb, stlb, paging, ordering):
    """Two processes take turns on one core; their entries stay apart by address-space id and survive the switches."""
    rng = np.random.default_rng(seed)
    machine = machine_with(dtlb, stlb, paging, ordering)
    processes = [machine.spawn(), machine.spawn()]
    pages = [spread_pages(process, rng, 40) for process in processes]
    machine.reset_counters()
    mmu = Mmu(dtlb, stlb, paging)
    for turn in range(30):
        which = turn % 2
        near = rng.permutation(pages[which])[: int(rng.integers(2, 12))]
        rows = []
        for _ in range(60):
            va, write = int(rng.choice(near)) + int(rng.integers(512)) * 8, rng.random() < 0.3
            rows.append((0, STORE if write else LOAD, va, 8, 1, 0))
            mmu.access(processes[which].number + 1, va, write)
        script_results(processes[which], rows)
        assert_tlbs_agree_with_tables(machine)
        machine.check()
    core = machine.counters()["cores"][0]
    if stlb is None:
        mmu.count["stlb.misses"] = 0
    assert {name: core[name] for name in mmu.count} == mmu.count


@pytest.mark.parametrize("ordering", ["sc", "tso"])
def test_an_access_that_crosses_a_page_translates_both_pages(seed, ordering):
    rng = np.random.default_rng(seed)
    dtlb, stlb, paging = (2, 2), (4, 2), (2, 2, 2)
    machine = machine_with(dtlb, stlb, paging, ordering)
    process = machine.spawn()
    base = process.mmap(0, 12 * 4096)
    machine.reset_counters()
    mmu, rows = Mmu(dtlb, stlb, paging), []
    for _ in range(1500):
        va, write = base + 4096 * int(rng.integers(11)) + int(rng.choice([0, 800, 4090, 4092, 4095])), rng.random() < 0.4
        rows.append((0, STORE if write else LOAD, va, 8, 1, 0))
        mmu.access(process.number + 1, va, write)
        if va % 4096 + 8 > 4096:
            mmu.access(process.number + 1, va + 8, write)
        elif va % 64 + 8 > 64:
            mmu.access(process.number + 1, va, write)
    script_results(process, rows)
    core = machine.counters()["cores"][0]
    assert {name: core[name] for name in mmu.count} == mmu.count


@pytest.mark.parametrize("layout, levels, top", [("linux-x86_64", 4, 1 << 46), ("linux-i386", 2, 0xB000_0000)])
def test_the_tables_in_ram_say_where_loads_and_stores_go(seed, layout, levels, top):
    """What the kernel wrote, decoded from RAM's bytes as the SDM draws entries, holds the data at the translated place."""
    rng = np.random.default_rng(seed)
    machine = machine_with((4, 2), (8, 3), (3, 2, 1))
    process = machine.spawn(layout=layout)
    root = int(machine.state.process[process.number].root)
    pages = [int(va) * 4096 for va in rng.integers(32, top // 4096, 60)]
    for va in pages:
        process.mmap(va, 4096, flags=FIXED)
        assert page_table_leaf(machine, root, va, levels)[0] is None, "memory appears on the first access"
    frames = {}
    for k, va in enumerate(pages):
        offset = int(rng.integers(512)) * 8
        process.store(va + offset, k + 1)
        frame, leaf, places = page_table_leaf(machine, root, va, levels)
        assert frame is not None and frame + offset == process.physical(va + offset)
        assert ram_word(machine, frame + offset) == k + 1
        assert leaf & 0b111 == 0b111, "present, writable, the user's"
        assert len(places) == levels
        poke_ram(machine, frame + offset, 8, k + 1000)
        assert process.load(va + offset) == k + 1000
        assert frames.setdefault(frame, va) == va, "no frame is given twice"
    assert len(frames) == len(set(pages))


@pytest.mark.parametrize("layout, levels", [("linux-x86_64", 4), ("linux-i386", 2)])
def test_the_walker_sets_accessed_on_any_use_and_dirty_on_a_store(layout, levels):
    machine = machine_with((1, 1), None, (0, 0, 0))
    process = machine.spawn(layout=layout)
    va, other = process.mmap(0, 4096), process.mmap(0, 4096)
    root = int(machine.state.process[process.number].root)
    width = 8 if levels == 4 else 4

    def walks(access):
        """The accesses of the walker that `access` needs after another page took the only TLB entry."""
        process.load(other)
        before = machine.counters()["cores"][0]["walk_accesses"]
        access()
        return machine.counters()["cores"][0]["walk_accesses"] - before

    process.store(va, 1)
    _, leaf, places = page_table_leaf(machine, root, va, levels)
    assert leaf & A_BIT and leaf & D_BIT
    process.load(other)
    poke_ram(machine, places[-1], width, leaf & ~D_BIT)  # as writing it to a disk leaves a page
    assert walks(lambda: process.load(va)) == levels
    assert not page_table_leaf(machine, root, va, levels)[1] & D_BIT
    assert walks(lambda: process.store(va, 1)) == levels + 1, "every level is read, D is written"
    assert page_table_leaf(machine, root, va, levels)[1] & D_BIT
    assert walks(lambda: process.store(va, 2)) == levels
    places = page_table_leaf(machine, root, va, levels)[2]

    def forget_use():  # as reclaim does; then the page is used
        for place in places:
            poke_ram(machine, place, width, ram_word(machine, place, width) & ~A_BIT)
        process.load(va)

    assert walks(forget_use) == 2 * levels, "every level is read, A is written at each"
    assert all(ram_word(machine, place, width) & A_BIT for place in places)
    assert process.load(va) == 2


@pytest.mark.parametrize(
    "paging, reads",
    [((0, 0, 0), (4, 4, 4, 4)), ((4, 0, 0), (1, 4, 4, 4)), ((0, 4, 0), (2, 2, 4, 4)), ((0, 0, 4), (3, 3, 3, 4)), ((4, 4, 4), (1, 2, 3, 4))],
)
def test_paging_structure_caches_let_a_walk_begin_lower(paging, reads):
    """Walks of a page that shares with the one walked before: its leaf table, its level-2 table, its level-3 table, nothing."""
    machine = machine_with((1, 1), None, paging)
    process = machine.spawn()
    base = 1 << 40
    neighbours = [base + 4096, base + (2 << 20), base + (1 << 30), base + (1 << 39)]
    for va in [base, *neighbours]:
        process.mmap(va, 4096, flags=FIXED)
        process.store(va, 1)
    for va, expected in zip(neighbours, reads, strict=True):
        fresh = machine_with((1, 1), None, paging)
        process = fresh.spawn()
        for page in (base, va):
            process.mmap(page, 4096, flags=FIXED)
            process.store(page, 1)
        far = process.mmap(3 << 40, 4096 * 8, flags=FIXED)
        process.store(far, 1)
        for k in range(1, 5):  # forget what the set-up walked
            page = process.mmap(k << 42, 4096, flags=FIXED)
            process.store(page, 1)
        process.load(base)
        before = fresh.counters()["cores"][0]
        process.load(va)
        after = fresh.counters()["cores"][0]
        assert after["walks"] - before["walks"] == 1
        assert after["walk_accesses"] - before["walk_accesses"] == expected, hex(va)


def test_address_spaces_hold_different_bytes_at_one_address(seed):
    rng = np.random.default_rng(seed)
    machine = machine_with((4, 4), (16, 4), (4, 4, 4), "tso", cores=2)
    processes = [machine.spawn() for _ in range(3)] + [machine.spawn("linux-i386")]
    base = 0x1000_0000
    for process in processes:
        process.mmap(base, 8 * 4096, flags=FIXED)
    values = {}
    for _ in range(2000):
        k, va, core = int(rng.integers(4)), base + int(rng.integers(8 * 512)) * 8, int(rng.integers(2))
        if rng.random() < 0.5:
            values[k, va] = int(rng.integers(1 << 60))
            processes[k].store(va, values[k, va], core=core)
        else:
            assert processes[k].load_many(np.array([va]), core=core)[0] == values.get((k, va), 0)
    assert_consistent(machine)


def test_what_is_foreseen_is_what_the_tables_say_and_nothing_is_counted():
    m = Machine(MachineConfig().replace(thp="madvise"))
    p, other = m.spawn(), m.spawn(layout="linux-i386")
    small, room = p.mmap(0, 600 * P.PAGE), p.mmap(0, 6 << 20)
    huge = room + P.HUGE_PAGE - 1 & -P.HUGE_PAGE
    p.madvise(huge, P.HUGE_PAGE, P.MADV_HUGEPAGE)
    p.touch(small, 500 * P.PAGE)
    p.store(huge, 1)
    p.load(small)  # the memo is of the small pages' table
    before, root = m.counters(), int(m.state.core[0].root)
    for va in [*range(small + 7, small + 600 * P.PAGE, 13 * P.PAGE), huge + P.HUGE_PAGE, 0]:
        frame = page_table_leaf(m, root, va)[0]
        assert foresee(m.state, m.state.core[0], va) == (-1 if frame is None else frame | va & P.PAGE - 1)
    assert foresee(m.state, m.state.core[0], huge) == -1 and m.counters() == before
    a = other.mmap(0, P.PAGE)
    other.touch(a, P.PAGE)
    assert foresee(m.state, m.state.core[0], a) == -1
