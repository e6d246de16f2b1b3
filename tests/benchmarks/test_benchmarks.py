"""The benchmarks measure what they say: the C loops count as the machine does, programs make their stream, tables fit,
mistakes are told in one line. How fast anything is, no test asks."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from benchmarks import c_loop, cachegrind, floors, main, recorded, startup, streams, workloads
from benchmarks.floors import UNDER, Floor, floors_table
from benchmarks.measure import best_in_turn, run_child
from benchmarks.command import INTERRUPTED
from benchmarks.traffic import LINE, SHAPES, STREAMS, Stream
from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine
from hwmem.trace.recording import Recording

needs_gcc = pytest.mark.skipif(bool(c_loop.missing()), reason=c_loop.missing() or "-")
SMALL = ((8, 8), (16, 8), (16, 16))
WIDTH = 100


@pytest.fixture(scope="module")
def loop():
    return c_loop.CLoop()


def machine_misses(stream, shapes):
    """Demand misses of three levels that are neither inclusive nor exclusive, on a machine of one core."""
    caches = {
        name: CacheConfig(size=sets * ways * LINE, ways=ways, latency=latency)
        for name, latency, (sets, ways) in zip(("l1d", "l2", "llc"), (4, 14, 42), shapes, strict=True)
    }
    machine = Machine(MachineConfig().replace(cores=1, mmu=False, inclusion="nine", **caches))
    counters = machine.replay((stream.addresses, stream.is_store))
    return [counters["cores"][0]["l1d.misses"], counters["cores"][0]["l2.misses"], counters["llc"]["misses"]]


def random_stream(seed, n=30_000, lines=600, stores=0.4):
    rng = np.random.default_rng(seed)
    return Stream("random", rng.integers(0, lines, n) * LINE + rng.integers(0, 8, n) * 8, rng.random(n) < stores)


@pytest.mark.live
@needs_gcc
@pytest.mark.parametrize("vector", [False, True], ids=["scalar", "vector"])
def test_the_c_loops_miss_as_often_as_the_machine_writes_backs_included(loop, seed, vector):
    if vector and not loop.has_vector:
        pytest.skip("this processor has no AVX-512")
    stream = random_stream(seed)
    loop.set_up(SMALL)
    loop.call(loop.library.run_vector if vector else loop.library.run_scalar, stream)()
    assert loop.misses() == machine_misses(stream, SMALL)


@pytest.mark.live
@needs_gcc
@pytest.mark.parametrize("name", STREAMS)
def test_the_c_loop_misses_as_often_as_the_machine_on_the_measured_streams(loop, name):
    stream = STREAMS[name]().head(100_000)
    loop.check_agreement(stream)
    loop.prepare(stream)()
    assert loop.misses() == machine_misses(stream, SHAPES)


@pytest.mark.parametrize("name", STREAMS)
def test_an_arithmetic_stream_is_its_arithmetic(name):
    stream = STREAMS[name]()
    assert stream.addresses.dtype == np.int64 and stream.is_store.dtype == bool
    if stream.arithmetic:
        first, stride, span = stream.arithmetic
        assert (stream.addresses == (first + stride * np.arange(len(stream.addresses))) % span).all()
        assert not stream.is_store.any()
    else:
        assert (stream.addresses % 2 == 0).all()  # bit 0 says store to walk.c


@pytest.mark.live
@pytest.mark.skipif(bool(cachegrind.missing()), reason=cachegrind.missing() or "-")
@pytest.mark.parametrize("name", ["S3", "S4"])
def test_the_program_for_cachegrind_makes_one_reference_for_each_access(name):
    with cachegrind.Cachegrind() as tool:
        arguments, references = tool.arguments(STREAMS[name]().head(1_000))
        counted = tool.run(20_000, arguments)[1] - tool.run(0, arguments)[1]
    assert abs(counted - 20_000 * references) < 100


@pytest.mark.live
@pytest.mark.skipif(bool(cachegrind.missing()), reason=cachegrind.missing() or "-")
def test_cachegrind_that_is_ended_leaves_nothing_behind(tmp_path, monkeypatch):
    def ended(command):
        child = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)})
        time.sleep(1)
        assert child.poll() is None
        child.kill()
        child.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(cachegrind, "run_child", ended)
    with cachegrind.Cachegrind() as tool, pytest.raises(KeyboardInterrupt):
        tool.run(1 << 40, tool.arguments(STREAMS["S1"]().head(1_000))[0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words, told",
    [
        (["--only", "streams,speed"], "'speed'"),
        (["--only", ""], "''"),
        (["--repeats", "0"], "'0'"),
        (["--repeats", "many"], "'many'"),
        (["--fast"], "--fast"),
        (["streams"], "streams"),
        (["--onl", "streams"], "--onl"),
    ],
)
def test_wrong_words_are_refused_in_one_line(capsys, words, told):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and told in err and "--help" in err


def test_what_cannot_run_is_told_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(startup, "COMMANDS", {"hwmem": ["sh", "-c", "echo no machine here; exit 3"]})
    assert main(["--only", "startup"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "exit 3: no machine here" in err


def test_a_floor_is_marked():
    assert Floor("speed", "S1", 0.5, 0.5).mark == "pass" and Floor("speed", "S1", 0.49, 0.5).mark == "below"
    assert Floor("time", "", 1.9, 2, UNDER).mark == "pass" and Floor("time", "", 2.0, 2, UNDER).mark == "above"
    assert Floor("told", "S1", 0.1).mark == ""


@pytest.mark.live
def test_the_tables_fit_in_a_hundred_columns():
    rates = dict.fromkeys(streams.COLUMNS, 1_234_567_890.0)
    result = {
        "cores": 4,
        "repeats": 5,
        "missing": {"cachegrind": cachegrind.missing() or "not installed: valgrind, gcc"},
        "streams": {name: {"title": STREAMS[name]().title, "accesses": 1, "rates": rates} for name in STREAMS},
    }
    lines = streams.text(result).splitlines() + floors_table(list(streams.floors(result))).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [f.mark for f in streams.floors(result)].count("pass") == 20


def test_the_recording_that_is_made_is_read_as_it_was_meant(tmp_path):
    blocks = 2 * recorded.BLOCKS_A_SLICE + 1
    for packed in (False, True):
        recorded.write(tmp_path / "made.trace", blocks, packed)
        read = Recording(tmp_path / "made.trace").program
        each = [recorded.ROUNDS * (recorded.BLOCKS_A_SLICE + extra) for extra in (1, 0)]
        assert [(t.loads, t.stores, t.instructions) for t in read.threads] == [(0, 1, 1), *((n, 2 * n, 10 * n) for n in each)]
        assert recorded.LINES * blocks == sum(10 * n + 3 * n for n in each)


@pytest.mark.parametrize("names", [1.5, None])
def test_what_recordings_take_is_held_to_its_floors(names):
    rates = {"read": 399e6, "replay": 11e6, "order and replay": 4.9e6}
    result = {"repeats": 5, "rates": rates, "lines": 50_000_000, "beyond": 299e6, "names": names}
    found = list(recorded.floors(result))
    assert [f.mark for f in found] == ["below", "pass", "below", "pass", *(["pass"] if names else [])]
    assert max(map(len, recorded.text(result).splitlines() + floors_table(found).splitlines())) <= WIDTH
    assert ("not installed" in recorded.text(result)) == (names is None)


def test_a_program_is_run_whole_and_its_accesses_counted_without_the_set_up():
    counted = workloads.Workload("false-sharing", {"threads": 2, "iterations": 1000})
    for _ in range(2):
        counted.prepare()()
        assert counted.accesses == 2 * 1000 * 2  # a load and a store an increment
    found = {name: {"accesses": 1 << 40, "seconds": 12345.0} for name in workloads.NAMES}
    lines = workloads.text({"repeats": 5, "workloads": found}).splitlines()
    assert len(lines) == 2 + len(found) and max(map(len, lines)) <= WIDTH
    assert lines[-1].split() == ["treiber-stack", "1,099,511,627,776", "11.2"]


def test_contenders_take_turns_and_the_best_counts():
    turns = []

    def contender(name):
        def prepare():
            turns.append(f"{name} prepared")
            return lambda: turns.append(name)

        return prepare

    best = best_in_turn({"a": contender("a"), "b": contender("b")}, 2)
    assert turns == ["a prepared", "a", "b prepared", "b"] * 2
    assert set(best) == {"a", "b"} and all(0 <= seconds < 1 for seconds in best.values())


@pytest.mark.live
@pytest.mark.skipif(shutil.which("sh") is None, reason="not installed: sh")
def test_a_child_that_fails_is_an_error_with_its_last_words():
    assert run_child(["sh", "-c", "echo here"]).output == "here\n"
    with pytest.raises(RuntimeError, match="exit 7: gone"):
        run_child(["sh", "-c", "echo gone >&2; exit 7"])
    assert floors.promise(UNDER, 2.0) == "< 2"


def test_an_interrupted_child_does_not_go_on(tmp_path):
    """Of `hwmem bench`: who interrupts only the process that runs the benchmarks leaves no process behind."""
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    place = tmp_path / "pid"

    def interrupt():
        while not place.exists() or not place.read_text():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # it waits in a system call

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_child([sys.executable, "-c", code, str(place)])
    finally:
        signal.signal(signal.SIGINT, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.read_text()), 0)


def test_an_error_that_the_compiler_makes_of_an_interruption_is_none(monkeypatch, capsys):
    def measure(repeats):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("Failed in nopython mode pipeline") from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(streams, "measure", measure)
    try:
        assert main(["--only", "streams"]) == INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "hwmem bench: interrupted\n"
