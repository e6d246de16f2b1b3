"""Ctrl-C ends whatever runs, within a second; what it ended can go on, and what was measured until then is kept."""

import _thread
import ctypes
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from llvmlite.binding import ffi

import goalloc
import hwmem
from hwmem import params as P
from hwmem._jit import JIT_DISABLED
from hwmem.cli.line import carry_out
from hwmem.ctrl_c import none_lost
from hwmem.kernels import kernel, load64, next_thread
from hwmem.machine.interrupt import in_parts, in_time, is_left, run_aside, run_interruptibly, running
from hwmem.programs import find
from hwmem.runs.job import Job

ROOT = os.path.dirname(os.path.dirname(hwmem.__file__))
LONG = 10**9  # iterations that nobody waits for
PATIENCE_SECONDS = 5  # the host may be busy; one second is what a quiet one takes


@hwmem.workload(
    "test-endless",
    "never ends",
    setup=lambda w, space: setattr(w, "a", space.map("a", 4096)),
    values=lambda w, space: {"operations": 1 // (w.a == 0)},
    threads=hwmem.parameter(2, "threads", 1, 8),
)
def endless(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        load64(m, t, w.a)


@hwmem.workload(
    "test-left",
    "returns after a step",
    setup=lambda w, space: setattr(w, "a", space.map("a", 4096)),
    threads=hwmem.parameter(3, "threads", 1, 8),
)
def left(m, w):
    load64(m, next_thread(m), w.a)


def interrupted_after(seconds, function, *arguments, **named):
    """What it raised when the main thread was interrupted, which took no longer than it may."""
    threading.Timer(seconds, _thread.interrupt_main).start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt) as raised:
        function(*arguments, **named)
    assert time.perf_counter() - began < seconds + PATIENCE_SECONDS
    return raised.value


def interrupted_when(begun, function, *arguments, **named):
    """The same, as soon as `begun()` is true."""

    def watch():
        while not begun():
            time.sleep(0.001)
        _thread.interrupt_main()

    threading.Thread(target=watch, daemon=True).start()
    with pytest.raises(KeyboardInterrupt) as raised:
        function(*arguments, **named)
    return raised.value


def interrupted_run(name, package=hwmem, **named):
    """What `run` raised when it was interrupted while the kernel ran: not before, however slow the host is."""
    for seconds in (0.3, 1, 3, 10, 30):
        stop = interrupted_after(seconds, package.run, name, **named)
        if isinstance(stop, hwmem.Interrupted):
            return stop
    raise AssertionError("it never began")


@pytest.fixture(scope="module", autouse=True)
def compiled():
    hwmem.run("test-endless", max_cycles=1000)
    hwmem.run("false-sharing", iterations=10)


@pytest.fixture(scope="module", autouse=True)
def heard():
    """SIGINT is not ignored, as it is in what a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_run_that_is_interrupted_has_what_was_measured():
    r = interrupted_run("test-endless").result
    assert r.stopped == "interrupted" and r.cycles > 10_000 and r.values == {}
    assert "stopped: interrupted" in str(r) and r.to_dict()["stopped"] == "interrupted"


def test_a_sweep_that_is_interrupted_has_what_had_ended_and_no_run_goes_on():
    pytest.importorskip("joblib", reason="sweeps need joblib")
    seen = {}

    def long_runs():
        """The one that does not end has run for a while, so the other one has ended."""
        now = time.perf_counter()
        for done, place in running.copy().items():
            if place is not None and now - seen.setdefault(done, now) > 0.5:
                return True
        return False

    s = interrupted_when(long_runs, hwmem.sweep, "false-sharing", over={"iterations": [LONG, 200]}, jobs=2).result
    assert s.rows[0] == {"iterations": LONG, "error": "interrupted"} and s.results[0] is None
    assert s.rows[1]["cycles"] == hwmem.run("false-sharing", iterations=200).cycles
    began = time.perf_counter()
    while running:
        assert time.perf_counter() - began < PATIENCE_SECONDS
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_in_a_callback_is_not_lost():
    """Whose exceptions the interpreter prints, and goes on."""
    swallows = ctypes.CFUNCTYPE(None)(lambda: (_thread.interrupt_main(), time.sleep(0.01)))

    def setup(w, space):
        w.a = space.map("a", 4096)
        swallows()

    job = Job(dataclasses.replace(find("test-endless"), setup=setup))
    with pytest.raises(hwmem.Interrupted) as raised:
        job.run()
    assert raised.value.result.stopped == "interrupted"


def test_an_interrupted_result_is_kept_as_such(tmp_path):
    r = interrupted_run("false-sharing", iterations=LONG).result
    r.save(tmp_path / "r.hwm")
    assert hwmem.load_result(tmp_path / "r.hwm").stopped == "interrupted"
    assert r.counters["cores"][0]["atomics"] + r.counters["cores"][0]["loads"] > 0


def test_a_run_may_be_bounded_and_says_so():
    r = hwmem.run("test-endless", max_cycles=100_000)
    assert r.stopped == "max_cycles: the program had not ended after 100,000 cycles"
    assert 100_000 <= r.cycles < 101_000
    again = hwmem.run("test-endless", max_cycles=100_000)
    assert (again.cycles, again.counters) == (r.cycles, r.counters)
    whole = hwmem.run("false-sharing", iterations=100, max_cycles=10**9)
    assert whole.stopped is None and whole.counters == hwmem.run("false-sharing", iterations=100).counters
    assert "stopped" not in whole.to_dict()
    for wrong in (0, -1, 1.5):
        with pytest.raises((TypeError, ValueError), match="max_cycles must be an integer from 1"):
            hwmem.run("false-sharing", max_cycles=wrong)


LARGE = hwmem.MachineConfig().replace(memory="2GiB", swap="0", thp="never")
LONG_STEPS = {  # a single step of each takes long
    "a call that loads many words": (hwmem, "overlay", {"visits": 10**12}),
    "memory read at a stride": (hwmem, "memory-mountain", {"largest": "128MiB", "strides_to": 64}),
    "memory given back": (hwmem, "madvise-return", {"size": "1GiB", "config": LARGE}),
    "a block that is written": (hwmem, "malloc-free", {"size": "1GiB", "config": LARGE}),
    "goroutines that will sleep": (goalloc, "sleepers", {"goroutines": 100_000, "rounds": LONG}),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("what", LONG_STEPS)
def test_a_long_step_ends_as_well(what):
    package, name, named = LONG_STEPS[what]
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", pytest.PytestUnraisableExceptionWarning)  # heard in a callback, and raised again after it
    package.run(name, max_cycles=1 << 18)  # compiled, with the doors that its steps call
    assert interrupted_run(name, package, **named).result.stopped == "interrupted"


def test_a_long_step_that_is_cut_off_is_no_end_of_the_program():
    """The last step of the last row: the thread finishes after it, but has not done it."""
    whole = hwmem.run("overlay", calls=1, visits=50_000, modules=1, module="16KiB")
    assert whole.stopped is None
    cut = hwmem.run("overlay", calls=1, visits=50_000, modules=1, module="16KiB", max_cycles=whole.cycles - 100_000)
    assert cut.cycles < whole.cycles and cut.stopped.startswith("max_cycles")


def test_a_long_step_ends_when_its_thread_is_killed():
    """A billion goroutines do not fit: Linux kills the program in the loop that starts them."""
    with pytest.raises(hwmem.MachineError, match="[Oo]ut of memory"):
        goalloc.run("channel", hwmem.MachineConfig().replace(memory="64MiB"), producers=10**9)


def test_values_that_take_long_are_left_out():
    began = time.perf_counter()
    assert in_time(0.2, lambda: [time.sleep(0.01) for _ in range(3000)], {}) == {}
    assert time.perf_counter() - began < PATIENCE_SECONDS
    assert in_time(30, lambda: {"done": 1}, {}) == {"done": 1}
    assert in_time(30, lambda: 1 // 0, {}) == {}


@kernel
def never_asks(m, t, n):
    """n loads that nothing can end."""
    for _ in range(n):
        load64(m, t, m.sys[0])


def test_what_cannot_be_ended_is_waited_for_by_whoever_comes_next():
    m = hwmem.Machine(hwmem.MachineConfig().replace(cores=1, memory="8MiB"))
    p = m.spawn()
    a = p.mmap(0, 4096)
    p.store(a, 5)
    m.state.sys[0], t = a, p.thread_on(0)
    never_asks(m.state, t, 1)  # compiled
    began, n = time.perf_counter(), 10_000_000
    never_asks(m.state, t, n)
    n *= round(4 / (time.perf_counter() - began)) + 1  # some four seconds
    before = m.state.core[0].loads
    interrupted_when(lambda: m.state.core[0].loads > before, run_interruptibly, m.state, never_asks, m.state, t, n)
    assert is_left(m.state) and m.state.core[0].loads - before < n
    assert p.load(a) == 5 and not is_left(m.state) and m.state.until == P.NEVER
    assert m.state.core[0].loads - before == n + 1
    m.check()


def test_threads_that_had_not_finished_are_named():
    assert hwmem.run("test-left").stopped == "the kernel returned before threads 0, 1, 2 had finished"


def test_a_replay_is_interrupted_and_the_machine_goes_on():
    m = hwmem.Machine(hwmem.MachineConfig().replace(cores=2, memory="64MiB"))
    p = m.spawn()
    a = p.mmap(0, 32 << 20)
    addresses = a + np.random.default_rng(1).integers(0, 32 << 20, 20_000_000) // 8 * 8
    for core in (0, np.zeros(len(addresses), np.int64)):
        before = m.state.core[0].stores
        stop = interrupted_when(lambda: m.state.core[0].stores > before, m.replay, (addresses, True), core=core, process=p)
        assert 0 < stop.result["cores"][0]["stores"] < len(addresses)
    p.store(a, 5)
    assert p.load(a) == 5
    m.check()


def test_a_long_call_at_the_prompt_is_interrupted_and_the_machine_goes_on():
    m = hwmem.Machine(hwmem.MachineConfig().replace(cores=1, memory="64MiB"))
    p = m.spawn()
    a = p.mmap(0, 32 << 20)
    interrupted_after(0.3, p.load_many, np.full(100_000_000, a, np.int64))
    wide = p.mmap(0, 1 << 45, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_NORESERVE, prot=P.PROT_READ)
    interrupted_after(0.3, p.touch, wide, 1 << 34, write=False)
    p.store(a, 7)
    assert p.load(a) == 7
    m.check()


def test_a_long_system_call_is_interrupted_and_the_machine_goes_on():
    m = hwmem.Machine(hwmem.MachineConfig().replace(cores=1, memory="4GiB", thp="never"))
    p = m.spawn(privileged=True)
    p.munmap(p.mmap(0, 1 << 27, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_POPULATE), 1 << 27)  # compiled
    wide, before = p.mmap(0, 3 << 30), m.state.vmstat.pgfault
    interrupted_when(lambda: m.state.vmstat.pgfault > before + 1000, p.mlock, wide, 3 << 30)
    assert 0 < p.smaps_rollup()["Rss"] < 3 << 30
    p.munmap(wide, 3 << 30)
    a = p.mmap(0, 4096)
    p.store(a, 7)
    assert p.load(a) == 7
    m.check()


def test_a_litmus_exploration_is_interrupted_and_others_go_on():
    stores = " ;\n".join(" | ".join(f"MOV [{'xyz'[(t + n) % 3]}],${n + 1}" for t in range(4)) for n in range(7))
    text = f"X86 large\n{{}}\n P0 | P1 | P2 | P3 ;\n{stores} ;\nexists (x=1)\n"
    small = "X86 SB\n{}\n P0 | P1 ;\n MOV [x],$1 | MOV [y],$1 ;\n MOV EAX,[y] | MOV EAX,[x] ;\nexists (0:EAX=0 /\\ 1:EAX=0)\n"
    assert hwmem.litmus.run(small, ordering="relaxed").holds
    interrupted_after(0.3, hwmem.litmus.run, text, ordering="relaxed")
    assert hwmem.litmus.run(small, ordering="relaxed").holds


def test_threads_of_the_host_share_a_machine_by_turns():
    m = hwmem.Machine(hwmem.MachineConfig().replace(cores=2, memory="16MiB", swap="1MiB"))
    p = m.spawn()
    failures = []

    def work(core):
        try:
            for _ in range(300):
                b = p.mmap(0, 1 << 18)
                p.touch(b, 1 << 18, core=core)
                p.write(b, b"x" * 5000, core=core)
                p.munmap(b, 1 << 18)
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(core,)) for core in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    m.check()


def test_parts_cover_all_once():
    assert list(in_parts(0)) == []
    for n in (1, 5, 1 << 16, (1 << 16) + 1, 1_000_003):
        parts = list(in_parts(n))
        assert parts[0][0] == 0 and parts[-1][1] == n and all(a[1] == b[0] for a, b in zip(parts, parts[1:]))


def test_what_a_kernel_raises_is_raised():
    def fails():
        raise ValueError("as it was")

    with pytest.raises(ValueError, match="as it was"):
        run_aside(fails)


def test_what_a_callback_could_not_raise_is_raised_and_not_printed(capfd):
    """Instead of the error that came of it, as where the compiler's callback was to hand over what it had made."""
    swallows = ctypes.CFUNCTYPE(None)(lambda: (_thread.interrupt_main(), time.sleep(0.01)))
    for error in (None, RuntimeError("no compiled object yet")):
        with pytest.raises(KeyboardInterrupt), none_lost():
            swallows()
            if error:
                raise error
    with pytest.raises(RuntimeError), none_lost():
        raise RuntimeError
    with pytest.raises(KeyboardInterrupt), none_lost():
        with none_lost():
            swallows()
            raise RuntimeError("no compiled object yet")
        raise AssertionError("it went on")
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(JIT_DISABLED, reason="kernels run in the caller's thread")
def test_what_a_callback_swallows_ends_every_wait_for_a_kernel(capfd):
    """Not of runs alone: at the prompt, too."""
    swallows = ctypes.CFUNCTYPE(None)(lambda: (_thread.interrupt_main(), time.sleep(0.01)))
    machine = hwmem.Machine()
    hold = threading.Event()
    threading.Timer(PATIENCE_SECONDS, hold.set).start()
    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(machine.state, hold.wait, tick=swallows)
    assert not hold.is_set() and capfd.readouterr().err == ""
    hold.set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert run_interruptibly(machine.state, lambda: 5) == 5  # nothing of it is left


def test_a_replay_that_is_interrupted_before_it_begins_says_so(monkeypatch):
    machine = hwmem.Machine()

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hwmem.observe.counters.raw", interrupted)
    with pytest.raises(hwmem.Interrupted) as raised:
        machine.replay(([64], [False], [8]))
    assert raised.value.result is None
    monkeypatch.undo()
    assert machine.replay(([64], [False], [8]))["cores"][0]["loads"] == 1


def test_a_string_of_llvms_is_given_back_once(monkeypatch):
    """Also when Ctrl-C comes as soon as it is: the second time would end the process."""
    freed = []

    def interrupted(pointer):
        freed.append(pointer)
        raise KeyboardInterrupt

    monkeypatch.setitem(ffi.lib._fntab, "LLVMPY_DisposeString", interrupted)
    string = ffi.OutputString(init=ctypes.c_char_p(b"text"))
    with pytest.raises(KeyboardInterrupt):
        string.close()
    string.close()
    string.__del__()
    assert len(freed) == 1


def test_a_command_that_is_interrupted_while_it_is_loaded_ends_with_one_line():
    code = """import signal, sys
class Interrupted:
    def find_spec(name, *_):
        if name == f"{package}.cli.cli":
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
package = sys.argv.pop()
main = __import__(f"{package}.__main__", fromlist=["main"]).main
sys.meta_path.insert(0, Interrupted)
sys.exit(main())
"""
    made = code.replace("signal.raise_signal(signal.SIGINT)", "type('C', (), {'x': X()})").replace(
        "class Interrupted", "class X:\n    def __set_name__(self, *_):\n        signal.raise_signal(signal.SIGINT)\nclass Interrupted"
    )
    for package, text in (
        ("hwmem", code),
        ("goalloc", code),
        ("hwmem", made),
    ):  # as a class is made, it is a RuntimeError until Python 3.12
        done = subprocess.run([sys.executable, "-c", text, package], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{package}: interrupted\n")


@pytest.mark.parametrize("error", [ImportError("numba._devicearray failed to import"), RuntimeError("Error calling __set_name__")])
def test_an_error_that_is_made_of_an_interruption_is_none(capsys, error):
    def run(_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise error from None

    top = SimpleNamespace(prog="hwmem", parse_args=lambda words: SimpleNamespace(run=run))
    assert carry_out(top, []) == 130 and capsys.readouterr().err == "hwmem: interrupted\n"
    top.parse_args = lambda words: SimpleNamespace(run=lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):  # no later one is taken for it
        carry_out(top, [])


COMMANDS = [
    ["run", "false-sharing", "--alone", "--set", f"iterations={LONG}"],
    ["run", "false-sharing", "--alone", "--set", f"iterations={LONG}", "-o", "r.hwm"],
]


@pytest.mark.parametrize("words", COMMANDS)
def test_the_command_ends_with_130_and_one_line(tmp_path, words):
    for seconds in (6, 20, 60):  # until it runs, however slow the host is
        interrupted_command(tmp_path, words, seconds)
        if "-o" not in words or list(tmp_path.iterdir()):
            break
    if "-o" in words:
        assert hwmem.load_result(tmp_path / "r.hwm").stopped == "interrupted"
        assert [path.name for path in tmp_path.iterdir()] == ["r.hwm"]


def interrupted_command(tmp_path, words, seconds):
    command = subprocess.Popen(
        [sys.executable, "-m", "hwmem", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    time.sleep(seconds)
    command.send_signal(signal.SIGINT)
    began = time.perf_counter()
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130 and time.perf_counter() - began < PATIENCE_SECONDS
    assert out == "" and err.splitlines()[-1].startswith("hwmem: interrupted")
    assert all(line.startswith("hwmem: compiling") for line in err.splitlines()[:-1])


def test_the_command_ends_in_time_though_the_interpreter_hears_nothing(tmp_path):
    """As inside the compiler: a call of C's that takes its time."""
    code = """import ctypes, signal, sys, types
from hwmem.cli.line import carry_out

def deaf(words):
    print("begun", flush=True)
    while True:
        ctypes.CDLL(None).sleep(60)

signal.signal(signal.SIGINT, lambda *_: ctypes.CDLL(None).sleep(60))
top = types.SimpleNamespace(prog="hwmem", parse_args=lambda words: types.SimpleNamespace(run=deaf))
sys.exit(carry_out(top, []))
"""
    command = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert command.stdout.readline() == "begun\n"
    command.send_signal(signal.SIGINT)
    began = time.perf_counter()
    _, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (130, "hwmem: interrupted\n") and time.perf_counter() - began < PATIENCE_SECONDS
