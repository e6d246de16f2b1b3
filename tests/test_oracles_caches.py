"""Miss, directory and write-back counts against two C programs that were checked against Dinero IV, pycachesim and
gem5 24.0's MESI_Two_Level (oracles/caches): their recorded answers, and the programs themselves on fresh streams. The second
also with recency as processors have it, which a model written apart from it agreed with."""

import gzip
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine
from kernels_under_test import LOAD, STORE, script_results

FOLDER = pathlib.Path(__file__).parent / "oracles" / "caches"
sys.path.insert(0, str(FOLDER))
from streams import stream  # noqa: E402

RECORDED = json.loads(gzip.decompress((FOLDER / "counts.json.gz").read_bytes()))
LEVELS = {1: (("l1d",),), 2: (("l1d", "llc"), ("l1d", "l2")), 3: (("l1d", "l2", "llc"),)}
LATENCY = {"l1d": 4, "l2": 14, "llc": 42}
LRU_FIELDS = ("misses", "write_back_misses", "dirty_evictions")
ANSWERS = {"gem5": "mesi", "processor": "mesi_processor"}
KINDS = ("uniform", "skewed", "false", "private", "migratory")


def cache(name, sets_ways):
    sets, ways = sets_ways
    return CacheConfig(size=sets * ways * 64, ways=ways, latency=LATENCY[name])


def one_core(names, shapes, ordering, **settings):
    """A machine whose levels are the named ones, neither inclusive nor exclusive."""
    levels = dict.fromkeys(LATENCY) | {name: cache(name, shape) for name, shape in zip(names, shapes, strict=True)}
    return Machine(MachineConfig().replace(cores=1, mmu=False, inclusion="nine", ordering=ordering, **levels, **settings))


def lru_counts(counters, names):
    core = counters["cores"][0]
    return [{f: counters["llc"][f] if name == "llc" else core[f"{name}.{f}"] for f in LRU_FIELDS} for name in names]


def mesi_counts(counters):
    cores, directory = counters["cores"], counters["directory"]
    return {
        "l1_hits": sum(c["l1d.hits"] for c in cores),
        "l1_misses": sum(c["l1d.misses"] for c in cores),
        "l2_hits": directory["hits"],
        "l2_misses": directory["misses"],
        "l1_replacements": sum(c["l1d.replacements"] for c in cores),
        **{f: directory[f] for f in ("memory_fills", "fwd_gets", "fwd_getx", "inv", "upgrades", "putx")},
    }


def mesi_answer(cores, l1, l2, addresses, is_store, core, ordering="sc", **settings):
    config = MachineConfig().replace(
        cores=cores,
        mmu=False,
        inclusion="inclusive",
        protocol="mesi",
        ordering=ordering,
        **settings,
        l1d=cache("l1d", l1),
        l2=None,
        llc=cache("llc", l2),
    )
    return mesi_counts(Machine(config).replay((addresses, is_store), core=core))


@pytest.mark.oracle
@pytest.mark.parametrize("ordering", ["sc", "tso"])
@pytest.mark.parametrize("case", RECORDED["lru"], ids=lambda c: f"{c['kind']}-{len(c['levels_sets_ways'])}-levels")
def test_one_core_misses_and_writes_back_as_the_recorded_lru_program_says(case, ordering):
    addresses, is_store, _ = stream(case["kind"], case["seed"], case["n"], 1)
    for names in LEVELS[len(case["levels_sets_ways"])]:
        counters = one_core(names, case["levels_sets_ways"], ordering).replay((addresses, is_store))
        assert lru_counts(counters, names) == case["levels"], names


@pytest.mark.oracle
@pytest.mark.parametrize("recency", ANSWERS)
@pytest.mark.parametrize(
    "number", range(len(RECORDED["mesi"])), ids=lambda k: "{kind}-{cores}-cores-l1-{l1_sets_ways}".format(**RECORDED["mesi"][k])
)
def test_several_cores_count_what_the_recorded_mesi_program_says(number, recency):
    case = RECORDED[ANSWERS[recency]][number]
    addresses, is_store, core = stream(case["kind"], case["seed"], case["n"], case["cores"])
    for ordering in ("sc", "tso"):  # a replay runs past the store buffer
        assert (
            mesi_answer(case["cores"], case["l1_sets_ways"], case["l2_sets_ways"], addresses, is_store, core, ordering, recency=recency)
            == case["counts"]
        )


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Function (name, arguments, stream) -> the C program's answer."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (gcc or cc) on this host: the reference programs cannot be built")
    folder = tmp_path_factory.mktemp("oracles")
    for name in ("lru_ref", "mesi_ref"):
        subprocess.run([compiler, "-O2", "-o", folder / name, FOLDER / f"{name}.c"], check=True)

    def answer(name, arguments, addresses, is_store, core):
        records = np.stack([addresses, is_store.astype(np.int64), core], axis=1)
        done = subprocess.run([folder / name, *map(str, arguments)], input=records.tobytes(), capture_output=True, check=True)
        return json.loads(done.stdout)

    return answer


def shape(rng, most_sets):
    """A random (sets, ways): sets of any number, ways 1 to 32."""
    return int(rng.integers(1, most_sets + 1)), int(rng.choice([1, 2, 3, 4, 5, 8, 11, 12, 16, 17, 20, 32]))


@pytest.mark.live
@pytest.mark.parametrize("round_", range(8))
def test_one_core_counts_what_the_lru_program_counts_on_a_fresh_stream(programs, seed, round_):
    rng = np.random.default_rng([seed, round_])
    n_levels = 1 + round_ % 3
    shapes = [shape(rng, most) for most in (48, 200, 1500)[:n_levels]]
    kind = KINDS[int(rng.integers(5))]
    addresses, is_store, core = stream(kind, seed + round_, 15_000, 1)
    expected = programs("lru_ref", sum(shapes, ()), addresses, is_store, core)["levels"]
    print(kind, shapes)
    for names in LEVELS[n_levels]:
        counters = one_core(names, shapes, ("sc", "tso")[round_ % 2]).replay((addresses, is_store))
        assert lru_counts(counters, names) == expected, names


@pytest.mark.live
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("round_", range(4))
def test_several_cores_count_what_the_mesi_program_counts_on_a_fresh_stream(programs, seed, kind, round_):
    rng = np.random.default_rng([seed, round_, KINDS.index(kind)])
    cores, l1, l2 = int(rng.integers(1, 17)), shape(rng, 48), shape(rng, 1000)
    addresses, is_store, core = stream(kind, seed, 15_000, cores)
    print(kind, cores, l1, l2)
    for recency, argument in (("gem5", ()), ("processor", ("processor",))):
        expected = programs("mesi_ref", (cores, *l1, *l2, *argument), addresses, is_store, core)
        assert mesi_answer(cores, l1, l2, addresses, is_store, core, recency=recency) == expected, recency


@pytest.mark.live
def test_loads_and_stores_count_as_the_same_accesses_replayed_do(programs, seed):
    """A kernel's accesses, most of which the hit filter answers, against the program that knows no hit filter."""
    shapes = [(12, 4), (64, 8)]
    addresses, is_store, core = stream("skewed", seed, 15_000, 1)
    addresses %= 1 << 21
    expected = programs("lru_ref", sum(shapes, ()), addresses, is_store, core)["levels"]
    machine = one_core(("l1d", "llc"), shapes, "sc", memory="4MiB")
    process = machine.spawn()
    machine.reset_counters()
    script_results(process, [(0, STORE if s else LOAD, a, 8, i, 0) for i, (a, s) in enumerate(zip(addresses.tolist(), is_store.tolist()))])
    assert lru_counts(machine.counters(), ("l1d", "llc")) == expected
