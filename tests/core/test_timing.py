"""Time: what an access costs is the sum of what the configuration says its parts cost."""

import numpy as np
import pytest

from hwmem.config.machine import CacheConfig, MachineConfig, TlbConfig, WalkerConfig
from hwmem.machine.machine import Machine
from hwmem.runs.frame import flat
from kernels_under_test import ADD, FENCE, INCREMENT, LOAD, STORE, run_threads, script_results

# Distinct numbers, so that a sum shows its parts
L1, L2, LLC, FORWARD, CLEAN, INVALIDATE, UPGRADE = 3, 13, 41, 79, 67, 23, 47
ROW_HIT, ROW_MISS, ROW_CONFLICT, MFENCE, ATOMIC, DRAIN = 171, 211, 257, 37, 17, 5
REMOTE_FORWARD, REMOTE_LLC, REMOTE_DRAM = 307, 293, 101
FORWARDED = 7


def machine(cores=4, l2=True, **settings):
    return Machine(
        MachineConfig().replace(
            **{
                "cores": cores,
                "mmu": False,
                "memory": "16MiB",
                "ordering": "sc",
                "l1d": CacheConfig(4096, 4, L1),
                "l2": CacheConfig(16384, 4, L2) if l2 else None,
                "llc": CacheConfig(65536, 8, LLC),
                "interconnect": dict(
                    forward=FORWARD,
                    forward_clean=CLEAN,
                    invalidate=INVALIDATE,
                    upgrade=UPGRADE,
                    remote_forward=REMOTE_FORWARD,
                    remote_llc=REMOTE_LLC,
                    remote_dram=REMOTE_DRAM,
                ),
                "dram": dict(
                    channels=1, banks=1, row_size=4096, row_hit=ROW_HIT, row_miss=ROW_MISS, row_conflict=ROW_CONFLICT, bytes_per_cycle=64.0
                ),
                "costs": dict(mfence=MFENCE, atomic=ATOMIC),
                "store_buffer": dict(entries=4, drain=DRAIN, forward=FORWARDED),
                **settings,
            }
        )
    )


def cost(m, core, operation):
    """Cycles that `operation` takes on `core`."""
    before = m.cycles(core)
    operation()
    return m.cycles(core) - before


@pytest.mark.parametrize("l2", [True, False])
def test_a_load_costs_the_latency_of_the_level_that_has_the_line(l2):
    m = machine(l2=l2)
    p = m.spawn()
    assert cost(m, 0, lambda: p.load(0x1000)) == ROW_MISS
    assert cost(m, 0, lambda: p.load(0x1008)) == L1
    assert cost(m, 0, lambda: p.load(0x1040)) == ROW_HIT
    assert cost(m, 0, lambda: p.load(0x2000)) == ROW_CONFLICT
    for k in range(1, 5):  # four more lines of the set push the first out of the L1
        p.load(0x1000 + k * 1024)
    assert cost(m, 0, lambda: p.load(0x1000)) == (L2 if l2 else LLC)
    for k in range(1, 5):  # and out of the L2
        p.load(0x1000 + k * 4096)
        p.load(0x1000 + k * 4096 + 1024 * k)
    assert cost(m, 0, lambda: p.load(0x1000)) == LLC
    assert cost(m, 0, lambda: p.load_many(np.full(100, 0x1000))) == 100 * L1


def test_a_line_from_another_core_costs_what_its_state_there_says():
    m = machine()
    p = m.spawn()
    p.load(0x1000, core=0)
    assert cost(m, 1, lambda: p.load(0x1000, core=1)) == CLEAN, "E elsewhere"
    m.state.core[2].cycles = m.cycles(1) + 1000  # past the other cores' transactions with this line
    assert cost(m, 2, lambda: p.load(0x1000, core=2)) == LLC, "S elsewhere: the LLC answers"
    assert cost(m, 2, lambda: p.store(0x1000, 1, core=2)) == UPGRADE + INVALIDATE
    m.state.core[3].cycles = m.cycles(2) + 1000
    assert cost(m, 3, lambda: p.load(0x1000, core=3)) == FORWARD, "M elsewhere"
    m.state.core[0].cycles = m.cycles(3) + 1000
    assert cost(m, 0, lambda: p.store(0x1000, 1, core=0)) == LLC + INVALIDATE, "the data is in the LLC, the sharers go"
    m.state.core[1].cycles = m.cycles(0) + 1000
    assert cost(m, 1, lambda: p.store(0x1000, 1, core=1)) == FORWARD, "the owner's answer is the invalidation"
    assert cost(m, 1, lambda: p.store(0x1000, 1, core=1)) == L1
    assert cost(m, 1, lambda: p.fetch_add(0x1000, 1, core=1)) == L1 + ATOMIC
    assert cost(m, 1, lambda: p.fence("mfence", core=1)) == MFENCE


def test_another_socket_costs_its_own_figures():
    m = machine(cores=4, sockets=2)
    p = m.spawn()
    near, far = 0x2000, 0x3000  # pages alternate between the sockets' memories
    assert sorted([cost(m, 0, lambda: p.load(near)), cost(m, 0, lambda: p.load(far))]) == [ROW_MISS, ROW_MISS + REMOTE_DRAM]
    assert cost(m, 2, lambda: p.load(near, core=2)) == REMOTE_FORWARD, "E in the other socket"
    p.load(0x8000, core=0)
    p.load(0x8000, core=1)  # S, S: nobody but the LLC answers
    m.state.core[2].cycles = m.cycles(1) + 1000
    assert cost(m, 2, lambda: p.load(0x8000, core=2)) == REMOTE_LLC
    p.store(0x8040, 1, core=3)
    m.state.core[0].cycles = m.cycles(3) + 1000
    assert cost(m, 0, lambda: p.load(0x8040, core=0)) == REMOTE_FORWARD, "M in the other socket"
    core = m.counters()["cores"][0]
    assert core["interventions_remote"] == core["interventions_hit_modified"] == 1


def test_translation_adds_its_own_cycles():
    walker = 11
    one_page = dict(cores=1, mmu=True, dtlb=TlbConfig(1, 1, 0), dtlb_2m=None, walker=WalkerConfig(0, 0, 0, walker))
    m = machine(**one_page, stlb=TlbConfig(4, 4, 7))
    p = m.spawn()
    a = p.mmap(0, 8 * 4096)
    p.touch(a, 8 * 4096)

    def warm(*pages):
        for page in pages:
            p.load(a + page * 4096)

    warm(0, 1, 0)
    assert cost(m, 0, lambda: p.load(a)) == L1
    warm(1)
    assert cost(m, 0, lambda: p.load(a)) == L1 + 7, "from the second level"
    m2 = machine(**one_page, stlb=None)
    p = m2.spawn()
    a = p.mmap(0, 8 * 4096)
    p.touch(a, 2 * 4096)
    for _ in range(3):
        warm(0, 1)
    assert cost(m2, 0, lambda: p.load(a)) == walker + 4 * L1 + L1, "a walk whose four entries are in the L1"


def test_without_a_fault_the_clock_is_the_sum_of_the_levels(seed):
    """One core, loads only, row hits only: cycles are hits and misses times their latencies."""
    rng = np.random.default_rng(seed)
    m = machine(cores=1, dram=dict(row_hit=ROW_HIT, row_miss=ROW_HIT, row_conflict=ROW_HIT))
    p = m.spawn()
    m.reset_counters()
    p.load_many(rng.integers(0, 4096, 20_000) * 64 + 0)
    c = m.counters()["cores"][0]
    assert c["cycles"] == c["l1d.hits"] * L1 + c["l2.hits"] * L2 + c["llc.hits"] * LLC + c["llc.misses"] * ROW_HIT


def test_a_buffered_store_costs_its_core_a_cycle_and_a_fence_the_wait():
    m = machine(ordering="tso")
    p = m.spawn()
    p.store(0x1000, 1, core=1)  # M on core 1
    p.load(0x5040, core=0)  # E on core 0
    m.state.core[0].cycles = start = 100_000
    script_results(p, [(0, STORE, 0x1000, 8, 2, 0)])
    assert m.cycles(0) - start == 1
    assert p.load(0x1000, core=1) == 1, "not drained yet"
    script_results(p, [(0, LOAD, 0x1000, 8, 0, 0), (0, LOAD, 0x5040, 8, 0, 0)])
    assert m.cycles(0) - start == 1 + FORWARDED + L1, "own store forwarded; a line that is there does not wait"
    script_results(p, [(0, FENCE, 0, 8, 0, 0)])
    c = m.counters()["cores"][0]
    assert c["store_buffer.stores"] == c["store_buffer.drains"] == 1 and c["store_buffer.forwards"] == 1 and c["fences"] == 1
    assert m.cycles(0) - start == DRAIN + FORWARD + MFENCE, "the store left when its time came, and the fence waited for the line"
    assert p.load(0x1000, core=1) == 2


def test_a_full_store_buffer_stalls(seed):
    m = machine(ordering="tso")
    p = m.spawn()
    for k in range(12):
        p.store(0x1000 + 64 * k, 1, core=1)
    m.state.core[0].cycles = start = 50_000
    script_results(p, [(0, STORE, 0x1000 + 64 * k, 8, k, 0) for k in range(12)])
    c = m.counters()["cores"][0]
    assert c["store_buffer.stores"] == 12 and 0 < c["store_buffer.stalls"] <= 8
    assert 6 * FORWARD < m.cycles(0) - start < 9 * FORWARD, "12 lines from another core, of which 4 may be under way"
    assert [p.load(0x1000 + 64 * k, core=2) for k in range(c["store_buffer.drains"])] == list(range(c["store_buffer.drains"])), "in order"
    script_results(p, [(0, FENCE, 0, 8, 0, 0)])
    assert [p.load(0x1000 + 64 * k, core=2) for k in range(12)] == list(range(12))


@pytest.mark.parametrize("ordering", ["sc", "tso"])
def test_clocks_never_go_back(seed, ordering):
    rng = np.random.default_rng(seed)
    m = machine(ordering=ordering, mmu=True, sockets=2)
    p = m.spawn()
    a = p.mmap(0, 1 << 16)
    p.touch(a, 1 << 16)  # no zero page to be replaced, which the other cores would have to forget
    clocks = [m.cycles(c) for c in range(4)]
    for _ in range(400):
        core = int(rng.integers(4))
        script_results(p, [(core, int(rng.choice([LOAD, STORE, ADD, FENCE])), a + int(rng.integers(1 << 13)) * 8, 8, 1, 0)])
        now = [m.cycles(c) for c in range(4)]
        assert all(x >= y for x, y in zip(now, clocks, strict=True))
        assert [c for c in range(4) if now[c] > clocks[c]] == [core], "nobody else pays"
        clocks = now


@pytest.mark.parametrize("ordering", ["sc", "tso"])
def test_contended_increments_cost_in_proportion_to_the_number_of_cores(ordering):
    """N cores add to one word: the line goes round, so each operation waits for the N - 1 others."""
    per_operation = {}
    for n in (1, 2, 4, 8, 16):
        m = machine(cores=16, ordering=ordering)
        p = m.spawn()
        program = [(INCREMENT, 0x1000, 1)] * 200
        log = run_threads(m, p, [program] * n)
        assert p.load(0x1000) == 200 * n
        per_operation[n] = max(m.cycles(c) for c in range(n)) / 200
        assert len(log) == n * 201
    assert per_operation[1] == pytest.approx(L1 + ATOMIC, abs=3)
    for n in (2, 4, 8):
        assert 1.7 < per_operation[2 * n] / per_operation[n] < 2.3, per_operation
    assert FORWARD <= per_operation[16] / 16 <= FORWARD + ATOMIC + L1, per_operation


def test_a_replay_counts_only_itself():
    m = Machine(MachineConfig().replace(cores=2))
    empty = m.replay((np.zeros(0, np.int64), False))
    assert not any(any(flat(c).values()) for c in empty["cores"]), "no accesses, no counts"
    m = machine(cores=2)
    m.replay((np.arange(100) * 64, False))
    again = m.replay((np.arange(50) * 64, True), core=1)["cores"]
    assert again[1]["stores"] == 50 and again[1]["loads"] == again[0]["loads"] == 0


def test_kernel_costs_are_charged_to_the_core_that_faults():
    m = machine(cores=2, mmu=True, kernel=dict(page_fault=100_003, syscall=50_021))
    p = m.spawn()
    assert 50_021 <= cost(m, 0, lambda: p.mmap(0, 4096)) < 50_021 + 10_000
    a = p.mmap(0, 4096)
    before = m.cycles(0)
    assert 100_003 <= cost(m, 1, lambda: p.load(a, core=1)) < 100_003 + 100_000
    assert m.cycles(0) == before
    assert m.counters()["cores"][1]["faults.minor"] == 1
