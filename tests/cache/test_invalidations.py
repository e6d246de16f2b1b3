"""The invalidation queue (relaxed): what another core's store took away is seen as it was, by loads, until something forbids it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random_accesses import PROTOCOLS, small_machine

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.core.service import kernel_access
from hwmem.kernels import joined, lfence, load_acquire64, mmap, munmap, sfence, store64, store_stream64
from hwmem.linux.frames import hand_out
from hwmem.machine.machine import Machine
from invariants import assert_consistent
from kernels_under_test import ADD, COMPARE_EXCHANGE, EXCHANGE, FENCE, LOAD, STORE, run_script, script_results, threads_of
from models import poke_ram

LONG = 10**9  # a delay that does not end by itself within a test
X, Y, MINE = 0x1000, 0x1040, 0x2000


class Two:
    """A machine of two cores or more under relaxed, its threads placed; core 0 has read X and Y, both 7."""

    def __init__(self, delay=LONG, entries=16, **config):
        self.machine = m = Machine(
            MachineConfig().replace(
                **{
                    "cores": 2,
                    "ordering": "relaxed",
                    "mmu": False,
                    "memory": "1MiB",
                    "invalidation_queue": {"entries": entries, "delay": delay},
                    **config,
                }
            )
        )
        self.process, self.state = m.spawn(), m.state
        self.base = self.process.mmap(0, 4 * P.PAGE) if m.config.mmu else 0
        self.threads = threads_of(self.process)
        self.run(
            *[(1, STORE, place, 8, 7, 0) for place in (X, Y)], (1, FENCE, 0, 8, 0, 0), *[(0, LOAD, place, 8, 0, 0) for place in (X, Y)]
        )

    def run(self, *rows):
        """Steps of both threads without a switch between them; their results."""
        rows = [(core, kind, self.base + va, *rest) for core, kind, va, *rest in rows]
        return script_results_in_place(self.process, self.threads, rows)

    def store(self, place=X, value=8):
        """Core 1 stores, and everybody can see it."""
        self.run((1, STORE, place, 8, value, 0), (1, FENCE, 0, 8, 0, 0))

    def load(self, place=X, core=0, size=8):
        return self.run((core, LOAD, place, size, 0, 0))[0]

    def counts(self, core=0):
        return {
            name.partition(".")[2]: n for name, n in self.machine.counters()["cores"][core].items() if name.startswith("invalidation_queue")
        }


def script_results_in_place(process, threads, rows):
    results = np.zeros(len(rows), np.int64)
    assert run_script(process.machine.state, threads, np.array(rows, np.int64).reshape(-1, 6), results) == len(rows)
    return results.tolist()


def test_a_load_sees_the_line_as_it_was_before_anothers_store():
    two = Two()
    two.store(X, 8)
    assert two.load(X) == 7 and two.load(X + 1, size=1) == 0 and two.load(X, size=4) == 7
    assert two.load(X, core=1) == 8 and two.load(Y) == 7
    two.machine.check()
    assert two.counts() == {"lines": 1, "processed": 0, "loads": 3}
    assert 0 not in two.machine.line(X)["state"]
    assert_consistent(two.machine)


@pytest.mark.parametrize("ordering", ["sc", "tso"])
def test_under_sc_and_tso_nothing_waits(ordering):
    two = Two(ordering=ordering)
    two.store(X, 8)
    assert two.load(X) == 8 and two.counts() == {"lines": 0, "processed": 0, "loads": 0}


def test_without_a_delay_no_load_is_early():
    two = Two(delay=0)
    two.store(X, 8)
    assert two.load(X) == 8 and two.counts()["lines"] == 0


ACQUIRES = {
    "mfence": lambda two, t: two.run((0, FENCE, 0, 8, 0, 0)),
    "add": lambda two, t: two.run((0, ADD, MINE, 8, 1, 0)),
    "exchange": lambda two, t: two.run((0, EXCHANGE, MINE, 8, 1, 0)),
    "failing compare-exchange": lambda two, t: two.run((0, COMPARE_EXCHANGE, MINE, 8, 1, 99)),
    "lfence": lambda two, t: lfence(two.state, t),
    "acquire": lambda two, t: load_acquire64(two.state, t, two.base + MINE),
    "acquire of a store of one's own that waits": lambda two, t: (
        store64(two.state, t, two.base + MINE, 1),
        load_acquire64(two.state, t, two.base + MINE),
    ),
    "a load across lines": lambda two, t: two.load(MINE + 60),
    "another thread on the core": lambda two, t: threads_of(two.process),
    "a join": lambda two, t: join(two, t),
}


def join(two, t):
    other = two.machine.new_thread(two.process.number, 1)
    two.state.thread[other].state = P.DONE
    assert joined(two.state, t, other)


@pytest.mark.parametrize("how", ACQUIRES)
def test_what_acquires_makes_every_later_load_see_what_memory_has(how):
    two = Two()
    two.state.store_buffer_always = 1
    two.store(X, 8)
    two.store(Y, 8)
    assert (two.load(X), two.load(Y)) == (7, 7)
    ACQUIRES[how](two, int(two.threads[0]))
    assert (two.load(X), two.load(Y)) == (8, 8)
    assert two.counts()["processed"] == 2
    assert_consistent(two.machine)


def test_what_orders_stores_does_not_order_loads():
    two = Two()
    two.store(X, 8)
    sfence(two.state, int(two.threads[0]))
    assert two.load(X) == 7


@pytest.mark.parametrize("stream", [False, True])
def test_a_store_of_ones_own_ends_it_for_its_line_when_it_is_made(stream):
    two = Two()
    two.store(X, 8)
    two.store(Y, 8)
    t = int(two.threads[0])
    (store_stream64 if stream else store64)(two.state, t, X + 8, 5)
    assert two.load(X + 8) == 5, "its own"
    assert two.load(X) == 7, "the store waits"
    two.state.core[0].cycles += 10_000
    assert (two.load(MINE), two.load(X + 8), two.load(X), two.load(Y)) == (0, 5, 8, 7)
    assert_consistent(two.machine)


def test_an_entry_is_seen_for_some_cycles_and_never_for_more_than_its_delay():
    two, seen = Two(delay=100), set()
    core, writer = two.state.core[0], two.state.core[1]
    for n in range(8, 200):
        start = core.cycles = writer.cycles = max(int(core.cycles), int(writer.cycles))
        two.store(X, n)
        last = start
        while two.load(X) != n:
            last = int(core.cycles)
        seen.add(last - start)
        load_acquire64(two.state, int(two.threads[0]), X)
    assert max(seen) <= 100 + two.machine.config.store_buffer.drain + 2 * core.hit_cycles and len(seen) > 10, "drawn"


def test_a_full_queue_lets_go_of_its_oldest_line():
    two = Two(entries=2)
    places = [X + 64 * k for k in range(4)]
    two.run(*[(0, LOAD, place, 8, 0, 0) for place in places])
    before = two.run(*[(1, LOAD, place, 8, 0, 0) for place in places])
    for place in places:
        two.store(place, 8)
    assert [two.load(place) for place in places] == [8, 8, *before[2:]]
    assert two.counts()["lines"] - two.counts()["processed"] == 2
    assert_consistent(two.machine)


def test_the_kernels_writes_are_seen_at_once():
    two = Two()
    two.store(X, 8)
    assert two.load(X) == 7
    poke_ram(two.machine, X, 8, 42)
    kernel_access(two.state, 1, X & -P.PAGE, P.PAGE, 1)
    assert two.load(X) == 42
    assert_consistent(two.machine)


def test_a_frame_that_gets_another_owner_holds_nothing_of_what_was_there():
    two = Two()
    two.store(X, 8)
    assert two.load(X) == 7
    two.state.frame[X >> P.PAGE_SHIFT].state = P.FRAME_CLEAN
    hand_out(two.state, X >> P.PAGE_SHIFT, 1)
    assert two.load(X) == 8


def test_a_mapping_that_changes_is_seen_by_every_core_at_once():
    """Core 1 unmaps the page and maps another there; core 0 had an older line of it in its queue."""
    two = Two(mmu=True, memory="16MiB")
    page, t = two.base + (X & -P.PAGE), int(two.threads[1])
    for n in range(4):
        two.store(X, 8 + n)
        two.run((0, FENCE, 0, 8, 0, 0))
        assert two.load(X) == 8 + n
        two.store(X, 9 + n)
        assert two.load(X) == 8 + n and two.counts()["lines"] == two.counts()["processed"] + 1
        munmap(two.state, t, page, P.PAGE)
        assert mmap(two.state, t, page, P.PAGE, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE | P.MAP_FIXED) == page
        assert two.load(X) == 0
        assert_consistent(two.machine)


def random_rows(rng, base, n):
    """Accesses of four cores to words that one of them writes, larger values later; a fence or an atomic now and then."""
    words = [base + 64 * line + 8 * owner for line in range(6) for owner in range(4)]
    rows = []
    for i in range(1, n):
        core, word = int(rng.integers(4)), words[int(rng.integers(len(words)))]
        kind, owner = rng.choice(["load", "store", "fence", "atomic"], p=[0.6, 0.3, 0.05, 0.05]), word // 8 % 8
        rows.append(
            {
                "load": (core, LOAD, word, 8, 0, 0),
                "store": (owner, STORE, word, 8, i, 0),
                "fence": (core, FENCE, 0, 8, 0, 0),
                "atomic": (core, ADD, base + 2048, 8, 1, 0),
            }[kind]
        )
    return words, rows


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("inclusion, sockets", [("inclusive", 1), ("nine", 2)])
def test_no_core_goes_back_and_none_misses_what_was_visible_at_its_last_fence(protocol, inclusion, sockets, seed):
    machine = small_machine(
        4,
        protocol,
        inclusion,
        True,
        sockets,
        ordering="relaxed",
        store_buffer={"entries": 6, "drain": 30},
        invalidation_queue={"entries": 5, "delay": 3000},
    )
    process = machine.spawn()
    base = process.mmap(0, 4096)
    words, rows = random_rows(np.random.default_rng(seed), base, 6000)
    results = script_results(process, rows)
    newest, visible = dict.fromkeys(words, 0), dict.fromkeys(words, 0)  # the last store; what memory has at least
    least = [dict.fromkeys(words, 0) for _ in range(4)]  # what each core may still read
    early = 0
    for (core, kind, word, _, stored, _), value in zip(rows, results.tolist(), strict=True):
        if kind in (FENCE, ADD):
            visible |= {w: newest[w] for w in words if w // 8 % 8 == core}
            least[core] = dict(visible)
        elif kind == STORE:
            newest[word] = stored
        elif core == word // 8 % 8:
            assert value == newest[word], "a core sees its own last store"
        else:
            assert least[core][word] <= value <= newest[word]
            early += value < visible[word]
            least[core][word] = value
            visible[word] = max(visible[word], value)
    assert early > 50, "loads that missed what others had already seen"
    assert early <= sum(c["invalidation_queue.loads"] for c in machine.counters()["cores"])
    assert_consistent(machine)


@settings(max_examples=40)
@given(st.integers(0, 1 << 32), st.sampled_from(PROTOCOLS), st.integers(1, 8), st.sampled_from([1, 40, 900, 100_000]), st.booleans())
def test_any_queue_keeps_the_machine_consistent(seed, protocol, entries, delay, mmu):
    machine = small_machine(4, protocol, mmu=mmu, ordering="relaxed", invalidation_queue={"entries": entries, "delay": delay})
    process = machine.spawn()
    base = process.mmap(0, 4096)
    words, rows = random_rows(np.random.default_rng(seed), base, 400)
    script_results(process, rows)
    assert_consistent(machine)
    last = {word: max([row[4] for row in rows if row[1] == STORE and row[2] == word], default=0) for word in words}
    script_results(process, [(core, FENCE, 0, 8, 0, 0) for core in range(4)])
    assert script_results(process, [(3, LOAD, word, 8, 0, 0) for word in words]).tolist() == list(last.values())
