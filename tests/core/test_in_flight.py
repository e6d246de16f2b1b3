"""What stores take, and loads that meet them: the same whether the buffer was empty or not, and what the settings say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmem
from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine
from hwmem.observe import switches
from kernels_under_test import ADD, FENCE, LOAD, STORE, script_results

L1, LLC, UPGRADE, MFENCE, ATOMIC, FORWARD, BLOCKED, ALIAS = 4, 60, 41, 33, 17, 6, 14, 9
NEAR, FAR, LINES = 0x10000, 0x40000, 64
COSTS = {"store": 1, "load": L1, "fence": MFENCE, "atomic": L1 + ATOMIC}


class Buffer:
    """The store buffer of one core under x86-TSO in plain Python: when each store is gone, and what loads wait for.

    A store is made `drain` cycles after it retired and after the one before it is gone; it takes a cycle, or as long as its line
    takes to come. It keeps its entry until it is gone.
    """

    def __init__(self, entries, drain):
        self.entries, self.drain, self.clock, self.stores, self.owned = entries, drain, 0, [], set()

    def there(self):
        return [s for s in self.stores if s["gone"] > self.clock]

    def store(self, address, size):
        stall = len(self.there()) >= self.entries
        if stall:
            self.clock = self.stores[-self.entries]["gone"]
        start = max(self.clock + self.drain, self.stores[-1]["gone"] if self.stores else 0)
        line = address // 64
        came = start + (1 if line in self.owned else LLC)
        self.owned.add(line)
        self.stores.append({"at": address, "end": address + size, "gone": came})
        self.clock += 1
        return stall

    def load(self, address, size):
        there = self.there()
        met = next((s for s in reversed(there) if s["at"] < address + size and address < s["end"]), None)
        if met is None:
            low = {b % 4096 for b in range(address, address + size)}
            self.clock += L1 + (ALIAS if any(low & {b % 4096 for b in range(s["at"], s["end"])} for s in there) else 0)
        elif met["at"] <= address and address + size <= met["end"]:
            self.clock += FORWARD
        else:
            self.clock = max(met["gone"] + L1, self.clock + FORWARD + BLOCKED)

    def wait(self, cycles):
        self.clock = max([self.clock, *(s["gone"] for s in self.stores)]) + cycles


def machine(entries=56, drain=4, always=0, **settings):
    m = Machine(
        MachineConfig().replace(
            **{
                "cores": 1,
                "mmu": False,
                "memory": "1MiB",
                "ordering": "tso",
                "l1d": CacheConfig("32KiB", 8, L1),
                "l2": None,
                "llc": CacheConfig("1MiB", 16, LLC),
                "costs": {"mfence": MFENCE, "atomic": ATOMIC},
                "store_buffer": {"entries": entries, "drain": drain, "forward": FORWARD, "blocked": BLOCKED, "alias": ALIAS},
                **settings,
            }
        )
    )
    m.state.store_buffer_always = m.state.store_buffer_always or always
    return m


def ready(m):
    """Its process; the near lines are in its L1, to be written, the far ones in the LLC, and the buffer is empty."""
    p = m.spawn()
    far, near = [FAR + 64 * k for k in range(LINES)], [NEAR + 4096 * page + 64 * k for page in range(2) for k in range(4)]
    pushed_out = [0x80000 + 64 * k for k in range(1024)]
    script_results(p, [(0, LOAD, a, 8, 0, 0) for a in far + pushed_out] + [(0, STORE, a, 8, 0, 0) for a in near] + [(0, FENCE, 0, 8, 0, 0)])
    m.reset_counters()
    return p


def cycles(m, p, rows):
    before = m.cycles(0)
    script_results(p, [(0, *row, 0) for row in rows])
    return m.cycles(0) - before


near_place = st.builds(
    lambda page, line, offset: NEAR + 4096 * page + 64 * line + offset, st.integers(0, 1), st.integers(0, 3), st.integers(0, 56)
)
sizes = st.sampled_from([1, 2, 4, 8])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("store"), near_place, sizes),
        st.tuples(st.just("store"), near_place, sizes),
        st.tuples(st.just("load"), near_place, sizes),
        st.tuples(st.just("far"), st.just(0), sizes),
        st.tuples(st.sampled_from(["fence", "atomic"]), st.just(NEAR), st.just(8)),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(operations, st.sampled_from([1, 2, 4, 5, 8, 56]), st.sampled_from([0, 1, 4, 7, 8, 30]), st.booleans())
def test_every_access_takes_what_a_plain_model_of_the_buffer_says(operations, entries, drain, always):
    m = machine(entries, drain, always)
    p = ready(m)
    model, rows, far, stalls = Buffer(entries, drain), [], 0, 0
    model.owned = {(NEAR + 4096 * page + 64 * k) // 64 for page in range(2) for k in range(4)}
    for name, address, size in operations:
        if name == "far":
            address, far = FAR + 64 * (far % LINES), far + 1
        if name in ("store", "far"):
            stalls += model.store(address, size)
            rows.append((STORE, address, size, 1))
        elif name == "load":
            model.load(address, size)
            rows.append((LOAD, address, size, 0))
        else:
            model.wait(COSTS[name])
            rows.append((FENCE if name == "fence" else ADD, address, 8, 0))
    assert cycles(m, p, rows) == model.clock
    assert m.counters()["cores"][0]["store_buffer.stalls"] == stalls
    m.check()


@pytest.mark.parametrize("always", [0, 1])
@pytest.mark.parametrize("entries", [1, 2, 8, 56])
def test_the_store_that_finds_no_entry_is_the_first_to_stall(entries, always):
    """On Skylake, with 56 entries: resource_stalls.sb is 120,937 with 56 stores to far lines in turn, 21,281,405 with 57."""
    m = machine(entries, always=always)
    p = ready(m)
    assert cycles(m, p, [(STORE, FAR + 64 * k, 8, 1) for k in range(entries)]) == entries
    assert m.counters()["cores"][0]["store_buffer.stalls"] == 0
    assert cycles(m, p, [(STORE, FAR + 64 * entries, 8, 1)]) > LLC - entries
    assert m.counters()["cores"][0]["store_buffer.stalls"] == 1


def test_one_more_store_to_a_far_line_makes_nothing_faster():
    fifty = [(STORE, NEAR, 8, k) for k in range(50)] + [(FENCE, 0, 8, 0)]
    m, other = machine(), machine()
    alone = cycles(m, ready(m), fifty)
    assert alone == 50 + 4 + MFENCE, "a store takes its core a cycle; the fence waits until the last is gone"
    assert cycles(other, ready(other), [(STORE, FAR, 8, 1), *fifty]) >= alone + 1


PAIRS = {
    "the same bytes": ([(NEAR + 64, 8)], NEAR + 64, FORWARD),
    "bytes of it": ([(NEAR + 64, 8)], NEAR + 66, FORWARD),
    "a byte below": ([(NEAR + 65, 8)], NEAR + 64, FORWARD + BLOCKED),
    "two narrow ones": ([(NEAR + 64, 4), (NEAR + 68, 4)], NEAR + 64, FORWARD + BLOCKED),
    "elsewhere in the line": ([(NEAR + 64, 8)], NEAR + 80, L1),
    "elsewhere": ([(NEAR + 64, 8)], NEAR + 128, L1),
    "4 KiB further": ([(NEAR + 64, 8)], NEAR + 4096 + 64, L1 + ALIAS),
    "4 KiB and a line further": ([(NEAR + 64, 8)], NEAR + 4096 + 128, L1),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_load_right_after_a_store_takes_what_lies_between_them_says(pair):
    stores, place, takes = PAIRS[pair]
    m = machine()
    p = ready(m)
    size = 2 if pair == "bytes of it" else 8
    rows = [*((STORE, a, n, 5) for a, n in stores), (LOAD, place, size, 0)]
    for _ in range(3):
        assert cycles(m, p, rows) == len(stores) + takes
        assert cycles(m, p, [(LOAD, place, size, 0)]) == L1, "the stores are gone"
    core = m.counters()["cores"][0]
    assert [core[f"store_buffer.{name}"] for name in ("forwards", "blocked", "aliases")] == [
        3 * (takes == FORWARD),
        3 * (takes == FORWARD + BLOCKED),
        3 * (takes == L1 + ALIAS),
    ]


def test_a_load_of_a_line_that_a_store_has_asked_for_waits_until_it_is_there():
    """Without the store the load would take as long as the line does."""
    for ordering in ("tso", "relaxed"):
        m = machine(ordering=ordering)
        p = ready(m)
        assert cycles(m, p, [(STORE, FAR, 8, 1), *[(LOAD, NEAR + 192, 8, 0)] * 2]) == 1 + 2 * L1
        assert cycles(m, p, [(LOAD, FAR + 32, 8, 0)]) == 4 + LLC - (1 + 2 * L1), ordering


@pytest.mark.parametrize("watched", [False, True])
def test_an_alias_is_met_before_it_is_known_whether_the_load_hits(watched):
    m = machine()
    p = ready(m)
    switches.start(m, c2c=watched)
    store = (STORE, NEAR + 64, 8, 1)
    assert cycles(m, p, [store, (LOAD, FAR + 128, 8, 0)]) == 1 + LLC
    assert cycles(m, p, [store, (LOAD, FAR + 64, 8, 0)]) == 1 + LLC + ALIAS
    assert m.counters()["cores"][0]["store_buffer.aliases"] == 1


@pytest.mark.parametrize("preset, threads", [("coffee-lake", 3), ("generic", 2), ("zen3", 4)])
def test_no_thread_that_shares_its_line_is_faster_than_one_that_does_not(preset, threads):
    def fastest(stride):
        r = hwmem.run("false-sharing", hwmem.MachineConfig.preset(preset), threads=threads, stride=stride, iterations=2000)
        return min(c["cycles"] for c in r.counters["cores"][:threads]) / 2000

    padded = fastest(64)
    assert padded == pytest.approx(1 + hwmem.MachineConfig.preset(preset).store_buffer.forward, abs=0.2)
    assert fastest(8) > padded - 0.01


@pytest.mark.parametrize("preset", hwmem.presets())
def test_a_blocked_load_costs_about_ten_cycles_more_than_a_forwarded_one_where_stores_wait(preset):
    config = hwmem.MachineConfig.preset(preset)
    if config.ordering == "sc":
        assert config.store_buffer.blocked == 0
    else:
        assert 10 <= config.store_buffer.blocked <= 15 and config.l1d.latency <= config.store_buffer.forward
