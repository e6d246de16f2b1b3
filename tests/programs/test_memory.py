"""stream, pointer-chase, memory-mountain: the answers against numpy, the times against the configured latencies."""

import numpy as np
import pytest

import hwmem

CONFIG = hwmem.MachineConfig()


@pytest.mark.parametrize("threads, size", [(1, 4096), (4, 4104), (3, 65536)])
def test_streams_loops_compute_what_numpy_does(threads, size, seed):
    values = hwmem.run("stream", seed=seed, threads=threads, size=size).values
    a = np.random.default_rng(seed).integers(0, 1 << 20, size // 8)
    c = a.copy()
    b = 3 * c
    c = a + b
    a = b + 3 * c
    assert values["sums"] == [a.sum(), b.sum(), c.sum()]


def test_more_threads_finish_the_loops_sooner():
    one, four = (hwmem.run("stream", threads=n, size="256KiB").cycles for n in (1, 4))
    assert four < one / 2


def test_a_chase_visits_every_node_once_before_it_returns(seed):
    nodes = 128
    ends = [hwmem.run("pointer-chase", seed=seed, size=nodes * 64, loads=n).values["end"] for n in (1, 2, 17, nodes - 1, nodes)]
    assert ends[-1] == 0 and 0 not in ends[:-1] and len(set(ends)) == len(ends)
    order = np.concatenate(([0], 1 + np.random.default_rng(seed).permutation(nodes - 1)))
    assert ends == [order[n % nodes] for n in (1, 2, 17, nodes - 1, nodes)]


@pytest.mark.parametrize("size, level", [("16KiB", CONFIG.l1d), ("128KiB", CONFIG.l2), ("4MiB", CONFIG.llc)])
def test_a_chase_takes_the_latency_of_the_level_that_holds_its_nodes(size, level):
    r = hwmem.run("pointer-chase", CONFIG.replace(dtlb={"entries": 8192}, stlb=None), size=size, loads=100_000)
    assert r.cost == pytest.approx(level.latency, rel=0.1)


def test_a_chase_beyond_the_caches_takes_drams_latency():
    config = CONFIG.replace(llc={"size": "1MiB"}, dtlb={"entries": 8192}, stlb=None)
    r = hwmem.run("pointer-chase", config, size="16MiB", loads=50_000)
    assert config.dram.row_hit < r.cost < config.dram.row_conflict


def test_nodes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^pointer-chase.spacing must be a multiple of 8, at most half of size, not 12$"):
        hwmem.run("pointer-chase", spacing=12)


def test_the_mountain_sums_what_numpy_sums_and_its_top_is_the_l1s():
    r = hwmem.run("memory-mountain", CONFIG, largest="64KiB", strides_to=3)
    words, grid = np.arange(65536 // 8), r.values["grid"]
    assert r.values["sizes"] == [16384, 32768, 65536] and grid["rows"] == ["16KiB", "32KiB", "64KiB"]
    assert r.values["sums"] == [[words[: size // 8 : stride].sum() for stride in (1, 2, 3)] for size in r.values["sizes"]]
    peak = 8 / CONFIG.l1d.latency * CONFIG.frequency_ghz * 1000
    assert grid["cells"][0] == [peak] * 3
    assert grid["cells"][2][0] > grid["cells"][2][1] > grid["cells"][2][2]
