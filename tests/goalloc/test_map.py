"""Maps hold what was put in, grow when and to where the real ones grow, and a range over one sees what Go's rules say."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mapprograms import Run
from recorded import oracle, run_lengths, scenarios

from goalloc.runtime.runtime import Runtime

RECORDED = scenarios()["map_int_int"]


def test_a_map_is_a_dict(machine):
    @settings(max_examples=20)
    @given(st.lists(st.tuples(st.integers(-50, 400), st.integers(-(2**63), 2**63 - 1)), max_size=600), st.integers(0, 100))
    def holds(entries, seed):
        rt = Runtime(machine=machine, gomaxprocs=1, seed=seed)
        try:
            ours, plain = rt.make_map(), {}
            half = len(entries) // 2
            ours.assign(*zip(*entries[:half])) if half else None
            for key, value in entries[half:]:
                ours[key] = value
            plain.update(entries)
            assert len(ours) == len(plain) and all(ours[key] == value for key, value in plain.items())
            with pytest.raises(KeyError):
                ours[401]
            rt.check()
        finally:
            rt.process.exit()

    holds()


@pytest.mark.oracle
@pytest.mark.parametrize("hash_seed", [0, 1, 2])
def test_a_growing_map_gets_the_recorded_bucket_arrays(runtime, hash_seed):
    """The recording program notes every new array in a row of 48 bytes; how many buckets overflow depends on the hash."""
    rt = runtime(start=RECORDED, seed=hash_seed)
    rt.mallocgc = stack_allocates_the_first(rt)
    m = rt.make_map()
    del rt.mallocgc
    rows, addresses = [], []
    for done in m.assign_stepwise(range(100_000), range(100_000)):
        buckets = m.field("buckets")
        if not addresses or buckets != addresses[-1]:
            addresses.append(buckets)
            span = rt.span_of(buckets)
            rows.append([done, m.field("B", 1), buckets - addresses[0], span["npages"], span["elemsize"]])
            rt.mallocgc(48)
    assert rows == [row[:5] for row in RECORDED["extra"]]
    assert addresses[0] == RECORDED["base"] and run_lengths(np.diff(addresses)) == RECORDED["delta_rle_2000"]
    stats, varied = rt.memstats(), RECORDED["fields_that_varied_over_10_runs"]
    for name, value in RECORDED["memstats_after"].items():
        seen = varied.get(f"memstats_after.{name}", [value])
        slack = 3 * (max(seen) - min(seen)) if len(seen) > 1 else 0
        assert min(seen) - slack <= stats[name] <= max(seen) + slack, name
    assert len(m) == 100_000 and all(m[i] == i for i in range(0, 100_000, 9973))


def stack_allocates_the_first(rt):
    """The recording program's hmap does not escape: it lies on the stack, here in a variable."""

    def mallocgc(n, **ignored):
        return rt.globals(n // 8)

    return mallocgc


def test_a_map_from_which_keys_are_deleted_is_a_dict(machine):
    @settings(max_examples=20)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=400), st.integers(0, 100))
    def holds(program, seed):
        rt = Runtime(machine=machine, gomaxprocs=1, seed=seed)
        try:
            ours, model = rt.make_map(), {}
            for n, (put, key) in enumerate(program):
                if put:
                    ours[key] = model[key] = n
                elif key in model:
                    del ours[key], model[key]
                else:
                    with pytest.raises(KeyError):
                        del ours[key]
                assert len(ours) == len(model)
            for key in range(61):
                if key in model:
                    assert ours[key] == model[key]
                else:
                    with pytest.raises(KeyError):
                        ours[key]
        finally:
            rt.process.exit()

    holds()


def test_deleting_every_key_leaves_only_slots_that_say_that_nothing_follows(runtime):
    rt = runtime(gomaxprocs=1)
    m = rt.make_map()
    m.assign(range(1000), range(1000))
    for key in np.random.default_rng(0).permutation(1000).tolist():
        del m[key]
    assert len(m) == 0 and m.field("oldbuckets") == 0
    buckets, hash0 = m.field("buckets"), m.field("hash0", 4)
    tops = [rt.process.read(buckets + i * 144, 8) for i in range(1 << m.field("B", 1))]
    assert tops == [bytes(8)] * len(tops)
    m[5] = 6
    assert m[5] == 6 and m.field("hash0", 4) == hash0 and m.field("buckets") == buckets
    rt.check()


@pytest.mark.oracle
def test_ranges_and_growth_are_the_real_ones(runtime):
    """Random programs, recorded: the order in which a range sees the entries, also while the map changes, and the hmap's fields."""
    recorded = oracle("map_programs")
    rt = runtime(gomaxprocs=1)
    for k, (program, seen) in enumerate(zip(recorded["programs"], recorded["seen"], strict=True)):
        assert Run(rt, program).go_through() == seen, k
    rt.check()


def test_a_range_sees_every_key_that_stays_once(machine):
    @settings(max_examples=25)
    @given(st.integers(0, 150), st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=80), st.integers(0, 100))
    def holds(size, changes, seed):
        """Between two entries a key is put in or deleted. One that is deleted before it is seen is not seen."""
        rt = Runtime(machine=machine, gomaxprocs=1, seed=seed)
        try:
            ours, model, changes = rt.make_map(), {}, list(changes)
            ours.assign(range(size), range(size))
            model.update((key, key) for key in range(size))
            stayed, seen = set(model), []
            for key, value in ours.items():
                assert model[key] == value
                seen.append(key)
                if changes:
                    put, other = changes.pop()
                    if put:
                        ours[other] = model[other] = 1000 + len(changes)
                    else:
                        assert ours.discard(other) == (model.pop(other, None) is not None)
                        stayed.discard(other)
            assert all(seen.count(key) == 1 for key in stayed)
        finally:
            rt.process.exit()

    holds()


@pytest.mark.parametrize(
    "call, error, word",
    [
        (lambda m: m["one"], TypeError, "key"),
        (lambda m: m.discard(None), TypeError, "key"),
        (lambda m: m.assign([1.5], [2]), TypeError, "keys"),
        (lambda m: m.assign([1], ["x"]), TypeError, "values"),
        (lambda m: m.assign([1], [1, 2]), ValueError, "values"),
        (lambda m: m.__setitem__("x", 1), TypeError, "key"),
        (lambda m: m.field("size"), ValueError, "name"),
    ],
)
def test_keys_and_values_that_are_none_are_refused(runtime, call, error, word):
    m = runtime(gomaxprocs=1).make_map()
    m[1] = 2
    with pytest.raises(error, match=word):
        call(m)
    assert dict(m.items()) == {1: 2}


def test_a_cleared_map_is_empty_and_keeps_its_buckets(runtime):
    rt = runtime(gomaxprocs=1)
    m = rt.make_map()
    m.assign(range(500), range(500))
    buckets, hash0 = m.field("buckets"), m.field("hash0", 4)
    m.clear()
    assert (len(m), list(m), m.field("buckets"), m.field("oldbuckets")) == (0, [], buckets, 0) and m.field("hash0", 4) != hash0
    m.assign(range(300), range(300))
    assert sorted(m.items()) == [(i, i) for i in range(300)] and m.field("buckets") == buckets
    rt.check()


def test_a_range_that_has_ended_or_was_left_holds_the_map_no_longer():
    """In Go its iterator is a variable of a frame: the map's buckets are garbage with the map, and the globals have not grown."""
    rt = Runtime(gomaxprocs=1, collects=True)
    root = rt.globals(1)
    for _ in range(3):
        m = rt.make_map()
        rt.write_pointer(root, m.address)
        m.assign(range(5000), range(5000))
        assert len(list(m.items())) == 5000
        for _ in m.items():
            for _ in m.items():
                break
        globals_, full = rt.metrics()["/gc/scan/globals:bytes"], rt.memstats()["HeapAlloc"]
        rt.write_pointer(root, 0)
        rt.gc()
        assert rt.memstats()["HeapAlloc"] < full - 100_000
    rt.gc()
    assert rt.metrics()["/gc/scan/globals:bytes"] == globals_


def test_a_range_that_has_not_ended_holds_the_map():
    rt = Runtime(gomaxprocs=1, collects=True)
    root, m = rt.globals(1), rt.make_map()
    rt.write_pointer(root, m.address)
    m.assign(range(5000), range(5000))
    items = m.items()
    seen = [next(items)]
    rt.write_pointer(root, 0)
    rt.gc()
    assert sorted([*seen, *items]) == [(i, i) for i in range(5000)]
