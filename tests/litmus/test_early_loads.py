"""Early loads, under relaxed: what they show, what forbids it, and that the machine shows just what a plain model does."""

import numpy as np
import pytest
import views

from hwmem import litmus
from hwmem.litmus.way import steps

ORDERINGS = ("sc", "tso", "relaxed")


def shows(outcome, threads, observed):
    """Under which orderings a program can end so."""
    document = {"threads": [list(map(list, thread)) for thread in threads], "obs": observed.split()}
    return [ordering for ordering in ORDERINGS if outcome in litmus.run(document, ordering).allowed]


def load(place, register="r0"):
    return ("load", place, register)


def acquire(place, register="r0"):
    return ("load_acquire", place, register)


def store(place, value=1):
    return ("store", place, value)


SENT = [store("x"), ("sfence",), store("y")], [store("x"), ("store_release", "y", 1)]
MENDED = {
    "acquire": [acquire("y"), load("x", "r1")],
    "lfence": [load("y"), ("lfence",), load("x", "r1")],
    "mfence": [load("y"), ("mfence",), load("x", "r1")],
    "an atomic": [load("y"), ("xadd", "z", 1, "r2"), load("x", "r1")],
    "an atomic that fails": [load("y"), ("cas", "z", 7, 1, "r2"), load("x", "r1")],
    "acquire second": [load("y"), acquire("x", "r1")],
}


@pytest.mark.parametrize("writer", SENT)
def test_a_flag_is_seen_without_its_data_unless_something_orders_the_loads(writer):
    assert shows((1, 0), [writer, [load("y"), load("x", "r1")]], "1:r0 1:r1") == ["relaxed"]
    for reader in MENDED.values():
        assert shows((1, 0), [writer, reader], "1:r0 1:r1") == []
    assert shows((1, 0), [writer, [load("y"), ("sfence",), load("x", "r1")]], "1:r0 1:r1") == ["relaxed"]


def test_two_readers_disagree_about_two_writers_only_without_acquire():
    writers = [store("x")], [store("y")]
    for first, weak in ((load, ["relaxed"]), (acquire, [])):
        readers = [first("x"), load("y", "r1")], [first("y"), load("x", "r1")]
        assert shows((1, 0, 1, 0), [*writers, *readers], "2:r0 2:r1 3:r0 3:r1") == weak


@pytest.mark.parametrize(
    "threads, observed, never",
    [
        ([[store("x", 1), store("x", 2)], [load("x"), load("x", "r1")]], "1:r0 1:r1", lambda a, b: b < a),
        (
            [[store("x", 1), store("x", 2)], [load("x"), load("x", "r1"), load("x", "r2")]],
            "1:r0 1:r1 1:r2",
            lambda a, b, c: not a <= b <= c,
        ),
        ([[store("x", 1), load("x")], [store("x", 2)]], "0:r0", lambda a: a == 0),
        ([[load("x"), store("x", 1)], [store("x", 2)]], "0:r0 x", lambda a, x: a == 1 or (a == 2 and x == 2)),
        ([[("xadd", "x", 1, "r0"), load("x", "r1")], [store("x", 5)]], "0:r0 0:r1", lambda a, b: b == 0),
        (
            [[store("x", 1), load("x"), load("x", "r1")], [store("x", 2)]],
            "0:r0 0:r1 x",
            lambda a, b, x: (a, b) == (2, 1) or (b == 1 and x == 2 and a == 2),
        ),
    ],
    ids=["CoRR", "CoRRR", "CoWR", "CoRW", "RMW", "CoWRR"],
)
def test_a_location_is_coherent(threads, observed, never):
    document = {"threads": [list(map(list, thread)) for thread in threads], "obs": observed.split()}
    for ordering in ORDERINGS:
        assert not any(never(*state) for state in litmus.run(document, ordering).allowed)


def test_two_loads_of_a_location_may_both_be_early_and_see_different_values():
    """The flag is set after x = 2, and yet the reader that has seen it finds x = 0, then 1."""
    writer = [store("x", 1), ("sfence",), store("x", 2), ("sfence",), store("y")]
    assert shows((1, 0, 1), [writer, [load("y"), load("x", "r1"), load("x", "r2")]], "1:r0 1:r1 1:r2") == ["relaxed"]
    assert shows((1, 1, 0), [writer, [load("y"), load("x", "r1"), load("x", "r2")]], "1:r0 1:r1 1:r2") == []


def test_stores_do_not_pass_earlier_loads():
    assert shows((1, 1), [[load("x"), store("y")], [load("y"), store("x")]], "0:r0 1:r0") == []


def test_a_store_of_ones_own_is_seen_before_what_was_read_early():
    threads = [[load("y"), store("x", 2), load("x", "r1")], [store("x", 1), ("sfence",), store("y")]]
    assert {r1 for _, r1 in litmus.run({"threads": [list(map(list, t)) for t in threads], "obs": ["0:r0", "0:r1"]}, "relaxed").allowed} == {
        1,
        2,
    }


def test_the_way_names_what_is_read_early():
    test = litmus.parse({"threads": [list(map(list, SENT[0])), [["load", "y", "r0"], ["load", "x", "r1"]]], "obs": ["1:r0", "1:r1"]})
    r = litmus.run(test, "relaxed")
    way = steps(test, "relaxed", r.shortest[1, 0])
    assert [(step.core, step.does) for step in way if "early" in step.does] == [(1, "reads x early"), (1, "load x r1: r1=0, read early")]
    assert [step.early for step in way if step.early != [[], []]] == [[[], [("x", 0)]]] * (
        len(way) - 1 - [s.does for s in way].index("reads x early")
    )


PLACES = "xyz"
ANY = (
    "load",
    "load",
    "load",
    "load_acquire",
    "store",
    "store",
    "store",
    "store_release",
    "store_nt",
    "storer",
    "inc_plain",
    "sfence",
    "lfence",
    "mfence",
    "xchg",
    "add",
    "xadd",
    "cas",
)
WRITER = ("store_release",) * 6 + ("store", "add")
READER = ("load",) * 8 + ("load_acquire", "store", "lfence", "xadd")


def random_program(rng):
    """Two to four threads of few operations on two or three places: all that may be told apart is told apart."""
    places, threads, value = PLACES[: rng.integers(2, 4)], [], 0
    count = int(rng.integers(2, 5))
    for _ in range(count):
        thread, kinds = [], (ANY, WRITER, READER)[rng.integers(3)]
        for n in range(int(rng.integers(1, {2: 7, 3: 4, 4: 3}[count]))):
            kind, place, value = str(rng.choice(kinds)), str(rng.choice(list(places))), value + 1
            thread.append(
                {
                    "load": ["load", place, f"r{n}"],
                    "load_acquire": ["load_acquire", place, f"r{n}"],
                    "storer": ["storer", place, "r0"],
                    "xchg": ["xchg", place, value, f"r{n}"],
                    "xadd": ["xadd", place, value, f"r{n}"],
                    "cas": ["cas", place, int(rng.integers(0, value)), value, f"r{n}"],
                }.get(kind, [kind] if "fence" in kind else [kind, place, value])
            )
        threads.append(thread)
    registers = sorted({f"{t}:{o[-1]}" for t, thread in enumerate(threads) for o in thread if isinstance(o[-1], str) and o[-1][0] == "r"})
    used = sorted({o[1] for thread in threads for o in thread if len(o) > 1})
    return {"threads": threads, "obs": registers + used}


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_random_programs_end_as_the_plain_model_says(ordering, seed):
    rng = np.random.default_rng(seed)
    early = 0
    for _ in range(250):
        document = random_program(rng)
        if document["obs"]:
            expected = views.outcomes(document, ordering)
            assert litmus.run(document, ordering).allowed == expected, document
            early += ordering == "relaxed" and expected > views.outcomes(document, "pso")
    assert early > 10 or ordering != "relaxed"
