"""Random loads, stores and atomics of several cores: what is read is what a flat memory holds, and nothing breaks.

Under "tso" plain words belong to one core each (lines are shared all the same) and shared words are reached by
atomics, so that a flat memory says what every own access reads; what others may read of a plain word is tested for
coherence: never a value older than one that was read before, never older than the owner's last fence.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmem.config.machine import CacheConfig, MachineConfig, TlbConfig
from hwmem.machine.machine import Machine
from invariants import assert_consistent
from kernels_under_test import ADD, COMPARE_EXCHANGE, EXCHANGE, FENCE, LOAD, STORE, script_results
from models import FlatMemory, signed

PROTOCOLS = ("msi", "mesi", "moesi", "mesif")
ALL = list(itertools.product(PROTOCOLS, ("inclusive", "nine"), (True, False), (1, 2), (True, False), ("sc", "tso")))


def small_cache(sets, ways, latency, policy="lru"):
    return CacheConfig(size=sets * ways * 64, ways=ways, latency=latency, replacement=policy)


def small_machine(cores=4, protocol="mesi", inclusion="inclusive", l2=True, sockets=1, mmu=True, ordering="sc", llc=True, **settings):
    """A machine whose caches hold a few dozen lines, so that everything is evicted all the time."""
    return Machine(
        MachineConfig().replace(
            **{
                "cores": cores,
                "sockets": sockets,
                "protocol": protocol,
                "inclusion": inclusion,
                "mmu": mmu,
                "ordering": ordering,
                "memory": "2MiB",
                "l1d": small_cache(4, 2, 4),
                "l2": small_cache(4, 4, 14) if l2 else None,
                "llc": small_cache(8, 8, 42) if llc else None,
                "dtlb": TlbConfig(8, 2, 0),
                "dtlb_2m": None,
                "stlb": TlbConfig(16, 4, 7),
                **settings,
            }
        )
    )


def random_script(rng, base, n, cores, lines, ordering):
    """Rows for run_script. Word w of each line belongs to core w % cores under tso; the last word is the atomics'."""
    rows = []
    for i in range(n):
        core, line = int(rng.integers(cores)), base + int(rng.integers(lines)) * 64
        kind = int(rng.choice([LOAD, LOAD, LOAD, STORE, STORE, STORE, ADD, EXCHANGE, COMPARE_EXCHANGE, FENCE]))
        size, word, value = 8, 56, int(rng.integers(-(1 << 62), 1 << 62))
        if kind in (LOAD, STORE):
            size = int(rng.choice([1, 2, 4, 8]))
            if ordering == "sc":
                word = int(rng.integers(0, 65 - size))  # any place, aligned or not
            else:
                word = core % 7 * 8 + int(rng.integers(0, 9 - size))
        rows.append((core, kind, line + word, size, value, int(rng.integers(2)) * value))
    return rows + [(core, FENCE, 0, 8, 0, 0) for core in range(cores)]


def flat_answers(rows):
    """What a memory without caches answers, and that memory."""
    memory, answers = FlatMemory(), []
    for _, kind, address, size, value, expected in rows:
        old = 0 if kind in (STORE, FENCE) else memory.load(address, size)
        answers.append(old)
        if kind in (STORE, EXCHANGE) or (kind == COMPARE_EXCHANGE and old == expected):
            memory.store(address, size, value)
        elif kind == ADD:
            memory.store(address, 8, signed(old + value))
    return answers, memory


def run_and_compare(machine, seed, n, lines):
    """Run a random script and hold what it read, and what is left in memory, to a flat memory."""
    cores = machine.config.cores
    process = machine.spawn()
    base = process.mmap(0, -(-lines // 64) * 4096)
    rng = np.random.default_rng(seed)
    rows = random_script(rng, base, n, cores if machine.config.ordering == "sc" else min(cores, 7), lines, machine.config.ordering)
    answers, memory = flat_answers(rows)
    for part in range(0, len(rows), 1000):
        found = script_results(process, rows[part : part + 1000])
        np.testing.assert_array_equal(found, answers[part : part + 1000])
        assert_consistent(machine)
    expected = bytes(memory.bytes.get(base + k, 0) for k in range(lines * 64))
    assert process.read(base, lines * 64, core=cores - 1) == expected


@pytest.mark.parametrize("protocol, inclusion, l2, sockets, mmu, ordering", ALL)
def test_a_machine_of_any_make_reads_what_was_written(seed, protocol, inclusion, l2, sockets, mmu, ordering):
    machine = small_machine(4, protocol, inclusion, l2, sockets, mmu, ordering)
    run_and_compare(machine, seed, 1500, 200)


@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_private_caches_alone_are_coherent_too(seed, protocol, ordering):
    for l2 in (True, False):
        run_and_compare(small_machine(3, protocol, "nine", l2, 1, False, ordering, llc=False), seed, 1500, 100)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("inclusion, sockets", [("inclusive", 1), ("inclusive", 4), ("nine", 1), ("nine", 4)])
def test_sixty_four_cores_are_as_coherent_as_four(seed, protocol, inclusion, sockets):
    """The last core's bit is the sign of a 64-bit number."""
    machine = small_machine(64, protocol, inclusion, True, sockets, True, "sc")
    run_and_compare(machine, seed, 3000, 40)


policies = st.sampled_from(["lru", "tree-plru", "nru", "random"])


@st.composite
def caches(draw, most_sets, latency):
    policy = draw(policies)
    ways = draw(st.sampled_from([1, 2, 4, 8]) if policy == "tree-plru" else st.sampled_from([1, 2, 3, 5, 8, 18]))
    return small_cache(draw(st.integers(1, most_sets)), ways, latency, policy)


@settings(max_examples=120)
@given(st.data())
def test_any_geometry_and_policy_reads_what_was_written(data):
    sockets = data.draw(st.sampled_from([1, 1, 2]), label="sockets")
    machine = small_machine(
        cores=sockets * data.draw(st.integers(1, 4), label="cores a socket"),
        sockets=sockets,
        protocol=data.draw(st.sampled_from(PROTOCOLS), label="protocol"),
        inclusion=data.draw(st.sampled_from(["inclusive", "nine"]), label="inclusion"),
        mmu=data.draw(st.booleans(), label="mmu"),
        ordering=data.draw(st.sampled_from(["sc", "tso", "relaxed"]), label="ordering"),
        l1d=data.draw(caches(6, 4), label="l1d"),
        l2=data.draw(st.none() | caches(8, 14), label="l2"),
        llc=data.draw(caches(12, 42), label="llc"),
        dtlb=TlbConfig(data.draw(st.sampled_from([1, 2, 4]), label="dtlb"), 1, 0),
        stlb=data.draw(st.none() | st.just(TlbConfig(6, 2, 7)), label="stlb"),
    )
    run_and_compare(
        machine,
        data.draw(st.integers(0, 1 << 32), label="seed"),
        data.draw(st.sampled_from([500, 50]), label="n"),
        data.draw(st.sampled_from([150, 20]), label="lines"),
    )


operation = st.tuples(
    st.sampled_from(["load", "store", "fetch_add", "exchange", "compare_exchange", "write", "read"]),
    st.integers(0, 3),
    st.integers(0, 3 * 4096 - 64),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(0, (1 << 64) - 1),
)


@settings(max_examples=60)
@given(st.sampled_from(ALL), st.lists(operation, max_size=60))
def test_the_calls_of_the_prompt_read_what_they_wrote(make, operations):
    protocol, inclusion, l2, sockets, mmu, ordering = make
    machine = small_machine(4, protocol, inclusion, l2, sockets, mmu, ordering)
    process = machine.spawn()
    base = process.mmap(0, 3 * 4096)
    memory = FlatMemory()
    for name, core, offset, size, value in operations:
        address = base + offset
        word = base + (offset & ~7)
        if name == "load":
            assert process.load(address, size, core=core) == memory.load(address, size)
        elif name == "store":
            process.store(address, value, size, core=core)
            memory.store(address, size, value)
        elif name == "write":
            data = value.to_bytes(8, "little") * 3
            process.write(address, data, core=core)
            for k, byte in enumerate(data):
                memory.store(address + k, 1, byte)
        elif name == "read":
            assert process.read(address, 21, core=core) == bytes(memory.load(address + k, 1) for k in range(21))
        else:
            old = memory.load(word, 8)
            new = signed(old + value) if name == "fetch_add" else value
            arguments = (old, value) if name == "compare_exchange" else (value,)
            assert getattr(process, name)(word, *arguments, core=core) == old
            memory.store(word, 8, new)
    assert_consistent(machine)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_readers_of_a_buffered_word_never_go_back_in_time_nor_past_the_owners_fence(seed, protocol):
    rng = np.random.default_rng(seed)
    machine = small_machine(4, protocol, ordering="tso", store_buffer={"entries": 6, "drain": 30})
    process = machine.spawn()
    base = process.mmap(0, 4096)
    words = [base + 64 * line + 8 * owner for line in range(6) for owner in range(4)]
    rows = []
    for i in range(1, 6000):
        core, word = int(rng.integers(4)), words[int(rng.integers(len(words)))]
        owner = word // 8 % 8
        if rng.random() < 0.5:
            rows.append((core, LOAD, word, 8, 0, 0))
        elif rng.random() < 0.1:
            rows.append((owner, FENCE, 0, 8, 0, 0))
        else:
            rows.append((owner, STORE, word, 8, i, 0))  # every value is larger than those before
    results = script_results(process, rows)
    newest, seen = dict.fromkeys(words, 0), dict.fromkeys(words, 0)  # per word: last store, least value that others may read
    late = 0
    for (core, kind, word, _, stored, _), value in zip(rows, results.tolist(), strict=True):
        if kind == FENCE:
            seen |= {w: newest[w] for w in words if w // 8 % 8 == core}
        elif kind == STORE:
            newest[word] = stored
        elif core == word // 8 % 8:
            assert value == newest[word], "a core sees its own last store"
        else:
            assert seen[word] <= value <= newest[word]
            late += value < newest[word]
            seen[word] = value
    assert late > 0, "stores wait in the buffer: others see them late"
