"""matrix-multiply, linear-regression, cache-scratch, cache-thrash: answers against numpy, and who shares lines."""

import numpy as np
import pytest

import hwmem

ORDERS = ("ijk", "jik", "jki", "kji", "kij", "ikj", "blocked")


def counted(result, name):
    return sum(core[name] for core in result.counters["cores"])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n, block", [(1, 1), (13, 5), (32, 5)])
def test_every_order_multiplies_as_numpy_does(order, n, block, seed):
    values = hwmem.run("matrix-multiply", seed=seed, order=order, n=n, block=block).values
    random = np.random.default_rng(seed)
    a, b = (random.integers(-1000, 1000, (n, n)) for _ in "ab")
    product = (a @ b).ravel()
    assert (values["sum"], values["checksum"]) == (product.sum(), (product * np.arange(1, n * n + 1)).sum())


@pytest.mark.parametrize(
    "order, loads, stores",
    [
        ("ijk", lambda n: 2 * n**3 + n**2, lambda n: n**2),
        ("jki", lambda n: 2 * n**3 + n**2, lambda n: n**3),
        ("ikj", lambda n: 2 * n**3 + n**2, lambda n: n**3),
    ],
)
def test_the_innermost_loop_decides_how_many_loads_and_stores_there_are(order, loads, stores):
    r = hwmem.run("matrix-multiply", order=order, n=20)
    assert (counted(r, "loads"), counted(r, "stores")) == (loads(20), stores(20))


def test_walking_rows_beats_walking_columns():
    cost = {order: hwmem.run("matrix-multiply", order=order, n=128).cost for order in ("ijk", "jki", "ikj")}
    assert cost["ikj"] < cost["ijk"] < cost["jki"]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_regressions_sums_and_line_are_numpys(threads, padded, seed):
    values = hwmem.run("linear-regression", seed=seed, threads=threads, points=500, padded=padded).values
    x, y = np.random.default_rng(seed).integers(0, 256, (threads * 500, 2), dtype=np.uint8).astype(np.int64).T
    assert [values[k] for k in ("SX", "SY", "SXX", "SYY", "SXY")] == [x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()]
    assert [values["b"], values["a"]] == pytest.approx(np.polyfit(x, y, 1))


def test_the_regressions_structs_share_lines_falsely_until_they_are_padded():
    packed, padded = (hwmem.run("linear-regression", points=1000, padded=padded) for padded in (False, True))
    assert {row["sharing"] for row in packed.c2c()} == {"false"} and len(packed.c2c()) == 3
    assert {o["symbol"] for o in packed.c2c()[0]["offsets"]} & {"args[1].SYY", "args[0].SYY", "args[2].SYY"}
    assert padded.c2c() == []
    assert packed.cost > 3 * padded.cost


@pytest.mark.parametrize("name", ["cache-scratch", "cache-thrash"])
@pytest.mark.parametrize("allocator", ["shared", "private"])
def test_hoards_programs_read_back_what_they_wrote(name, allocator):
    r = hwmem.run(name, allocator=allocator, threads=4, iterations=3, size=12, repetitions=40)
    assert r.values == {"sum": 4 * 3 * 10 * sum(range(12)), "operations": 4 * 3 * 10 * 12}


@pytest.mark.parametrize("name", ["cache-scratch", "cache-thrash"])
def test_an_allocator_that_gives_threads_neighbouring_blocks_makes_them_share_a_line(name):
    shared, private = (hwmem.run(name, allocator=a, iterations=5, repetitions=400) for a in ("shared", "private"))
    assert shared.cost > private.cost
    assert shared.c2c()[0]["sharing"] == "false" and shared.c2c()[0]["hitm"] > 100
    assert all(row["hitm"] < 100 for row in private.c2c())


def test_freeing_a_given_object_touches_the_line_of_the_thread_that_gave_it():
    scratch, thrash = (hwmem.run(name, allocator="private", iterations=5, repetitions=400) for name in ("cache-scratch", "cache-thrash"))
    assert [row["offsets"][0]["symbol"] for row in scratch.c2c()] == ["given[0]"] and thrash.c2c() == []
