"""Each leak leaks, its mended twin does not, and the evidence names the cause; the common faults of C end as in the real library."""

import shutil
import subprocess

import pytest
from pprof import PPROF, top, total

import goalloc.cli.cli
from goalloc.programs.faults import FAULTS, outcome, source
from goalloc.programs.leaks import FIGURES, LEAKS, measure
from goalloc.sizeclasses import class_to_size, size_class
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine

ROUNDS = 3
COUNTED = {"goroutine": "goroutines", "ticker": "timers", "threads": "threads"}
SITES = {
    "global": "login", "goroutine": "ask", "slice": "read", "substring": "read", "ticker": "time.NewTicker", "finalizer": "open",
    "threads": "runtime.allocm", "map": "count",
}  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    """{(leak, mended): Measured}, each measured when it is first asked for."""
    found = {}

    def ask(name, mended):
        if (name, mended) not in found:
            found[name, mended] = measure(name, mended, ROUNDS)
        return found[name, mended]

    return ask


def growth(one, figure):
    """Of a figure, from the first round to the last."""
    return one.rounds[-1][figure] - one.rounds[0][figure]


@pytest.mark.parametrize("name", LEAKS)
def test_it_leaks_and_its_twin_does_not(measured, name):
    leak, leaking, mended = LEAKS[name], measured(name, False), measured(name, True)
    assert list(leaking.rounds[0]) == list(FIGURES) and len(leaking.rounds) == ROUNDS
    assert growth(leaking, "HeapAlloc") >= leak.least(ROUNDS)
    assert growth(mended, "HeapAlloc") <= leak.least(ROUNDS) / 8  # kept copies of a little, tables that have grown
    if name in COUNTED:
        assert growth(leaking, COUNTED[name]) == leak.units * (ROUNDS - 1) and growth(mended, COUNTED[name]) == 0
    assert leaking.returned["HeapAlloc"] > mended.returned["HeapAlloc"]  # FreeOSMemory frees no leak
    if name in ("slice", "substring", "goroutine", "threads"):
        assert leaking.returned["RSS"] > mended.returned["RSS"] + 64 * 1024


@pytest.mark.parametrize("name", LEAKS)
def test_the_path_leads_from_the_root_that_leaks(measured, name):
    path = measured(name, False).path
    assert path.root == LEAKS[name].root
    if name in ("goroutine", "ticker", "finalizer"):
        assert measured(name, True).path is None  # it has been freed
    if name == "ticker":
        assert [(step.type, step.field.partition("[")[0]) for step in path.steps[:2]] == [("[]*p", ""), ("p", "timers")]
        assert path.steps[2].type == "[]*timer" and path.steps[3].type == "timer"


@pytest.mark.parametrize("name", SITES)
def test_the_profile_has_the_site_that_leaks(measured, name):
    leaking, mended = (measured(name, which).profile for which in (False, True))
    assert max(leaking, key=leaking.get) == SITES[name]
    assert mended.get(SITES[name], 0) < leaking[SITES[name]] / 2


def test_the_goroutine_profile_has_those_that_wait_for_ever(measured):
    at = ("runtime.gopark", "runtime.chansend", "runtime.chansend1", "ask.func1")  # as the real Go's has them
    main = {"count": 1, "state": "running", "frames": ("main.main", "runtime.main")}
    for name in LEAKS:
        waits = [{"count": LEAKS[name].units * ROUNDS, "state": "chan send", "frames": at}] if name == "goroutine" else []
        assert measured(name, False).goroutines == [*waits, main] and measured(name, True).goroutines == [main]


def test_the_thread_profile_has_those_that_c_has_blocked(measured):
    for name in LEAKS:
        more = LEAKS[name].units * ROUNDS if name == "threads" else 0
        leaking, mended = (measured(name, which).file("threadcreate", text=True).split(b"\n")[0] for which in (False, True))
        assert leaking == b"threadcreate profile: total %d" % (1 + more)
        assert mended == b"threadcreate profile: total %d" % (5 if more else 1)  # four tokens


@pytest.mark.live
@pytest.mark.skipif(PPROF is None, reason="needs Go: pip install '.[go]'")
@pytest.mark.parametrize("name", LEAKS)
def test_pprof_shows_the_leak_and_subtracts_the_mended_program(measured, tmp_path, name):
    leaking, mended, site = measured(name, False), measured(name, True), SITES[name]
    heap, base = tmp_path / "heap.pb.gz", tmp_path / "base.pb.gz"
    heap.write_bytes(leaking.file("heap"))
    base.write_bytes(mended.file("heap"))
    shown, without = top(heap, "-inuse_space"), top(base, "-inuse_space")
    for one, found in ((leaking, shown), (mended, without)):
        assert {where: n for where, n in found.items() if where in one.profile} == one.profile
    assert without.get(site, 0) < shown[site] / 2
    more = top(heap, "-inuse_space", f"-base={base}")
    assert more[site] == shown[site] - without.get(site, 0) and max(more, key=more.get) == site
    if name in ("goroutine", "threads"):
        kind = "goroutine" if name == "goroutine" else "threadcreate"
        heap.write_bytes(leaking.file(kind))
        base.write_bytes(mended.file(kind))
        assert total(heap) == 1 + LEAKS[name].units * ROUNDS and total(base) == (1 if kind == "goroutine" else 5)


def test_the_command_writes_profiles_of_both_programs(tmp_path, monkeypatch, capsys, measured):
    monkeypatch.setattr("goalloc.programs.leaks.measure", measured)
    heap, base, text = (str(tmp_path / name) for name in ("heap.pb.gz", "base.pb.gz", "goroutines.txt"))
    assert goalloc.cli.cli.main(["leak", "goroutine", "-o", heap, "--base", base]) == 0
    assert (tmp_path / "heap.pb.gz").read_bytes() == measured("goroutine", False).file("heap")
    assert (tmp_path / "base.pb.gz").read_bytes() == measured("goroutine", True).file("heap")
    assert goalloc.cli.cli.main(["leak", "goroutine", "-o", text, "--profile", "goroutine"]) == 0
    assert (tmp_path / "goroutines.txt").read_text().startswith(f"goroutine profile: total {1 + 20 * ROUNDS}\n{20 * ROUNDS} @ ")
    capsys.readouterr()
    for words, told in (
        (["-o", heap], "-o, --base: go with NAME"),
        (["map", "--profile", "goroutine"], "--profile: goes with -o or --base"),
        (["map", "-o", heap, "--base", heap], f"argument --base: {heap}: must be another file than -o/--output"),
        (["map", "-o", text], "-o: the heap's profile has no text"),
        (["map", "-o", "/nowhere/heap.pb.gz"], "No such file or directory"),
    ):
        assert goalloc.cli.cli.main(["leak", *words]) == 2 and told in capsys.readouterr().err


def test_a_map_that_was_large_keeps_its_buckets(measured):
    leaking, mended = (measured("map", which) for which in (False, True))
    assert leaking.rounds[-1]["HeapAlloc"] - mended.rounds[-1]["HeapAlloc"] > 48 << 10
    assert leaking.rounds[0] == mended.rounds[0]


def test_a_small_part_retains_the_whole(measured):
    for name in ("slice", "substring"):
        row = next(row for row in measured(name, False).retained if row["kind"] == "global")
        assert row["retained"] >= LEAKS[name].per * LEAKS[name].units * ROUNDS


def test_threads_cost_memory_that_the_heap_does_not_show(measured):
    one = measured("threads", False)
    assert growth(one, "RSS") > growth(one, "HeapAlloc") + 8192 * LEAKS["threads"].units * (ROUNDS - 1)


def test_the_command_lists_and_refuses(capsys):
    assert goalloc.cli.cli.main(["leak"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:] if line[:1].strip()] == list(LEAKS)
    assert goalloc.cli.cli.main(["leak", "x"]) == 2 and "'x' is none of global, goroutine" in capsys.readouterr().err
    assert goalloc.cli.cli.main(["faults", "x"]) == 2 and "'x' is none of leak, wild-pointer" in capsys.readouterr().err


# Faults of C


@pytest.fixture(scope="module")
def one_core():
    return Machine(MachineConfig().replace(cores=1))


WORDS = {  # glibc 2.36's, and what Linux sends; the numbers are the real library's, below
    "wild-pointer": ("kernel", "SIGSEGV, SEGV_MAPERR"),
    "dangling-pointer-large": ("kernel", "SIGSEGV, SEGV_MAPERR"),
    "double-free": ("glibc", "free(): double free detected in tcache 2"),
    "double-free-large": ("glibc", "double free or corruption (!prev)"),
    "free-other-address": ("glibc", "free(): invalid pointer"),
    "overflow": ("glibc", "double free or corruption (out)"),
    "overflow-into-top": ("glibc", "malloc(): corrupted top size"),
    "dangling-pointer": ("nobody", "same: 1, reads 42"),
    "double-free-unseen": ("nobody", "same: 1"),
    "overflow-unseen": ("nobody", "reads 42"),
    "leak": ("nobody", "1008656 bytes in use"),
    "external-fragmentation": ("nobody", "203248 bytes free, 233472 more for 100000"),
    "internal-fragmentation": ("nobody", "24 40 56 1032 200688"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_as_it_does_in_glibc(one_core, name):
    assert outcome(name, one_core) == WORDS[name]


@pytest.mark.live
def test_the_real_library_and_kernel_say_the_same(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to ask the host's C library")
    version = subprocess.run(["getconf", "GNU_LIBC_VERSION"], capture_output=True, text=True).stdout.split()
    if version != ["glibc", "2.36"]:
        pytest.skip(f"the host's C library is {' '.join(version) or 'not glibc'}, not glibc 2.36")
    (tmp_path / "faults.c").write_text(source())
    subprocess.run(["gcc", "-O0", "-fno-builtin", "-w", "-o", tmp_path / "faults", tmp_path / "faults.c"], check=True)
    for i, name in enumerate(FAULTS):
        done = subprocess.run([tmp_path / "faults", str(i)], capture_output=True, text=True, env={})
        who, words = WORDS[name]
        if who == "nobody":
            assert (done.returncode, done.stdout.strip()) == (0, words), name
        else:
            assert done.returncode == (-6 if who == "glibc" else -11), name
            assert who == "kernel" or done.stderr.strip() == words, name


def test_go_s_size_classes_waste_what_the_table_says():
    words = FAULTS["internal-fragmentation"].collector
    small = [class_to_size[size_class(n)] for n in (1, 25, 41, 1025)]
    large = -(-200_000 // 8192) * 8192
    assert words.endswith(f"give {', '.join(map(str, small))} and {large}")


def test_a_collector_prevents_leaks_and_dangling_pointers(runtime):
    rt = runtime(gomaxprocs=1)
    rt.gc()
    before = rt.memstats()["HeapAlloc"]
    rt.malloc_many([1000] * 1000)
    assert rt.memstats()["HeapAlloc"] > before + 1_000_000
    root, x = rt.globals(1), rt.mallocgc(24)
    rt.write_pointer(root, x)
    rt.gc()
    assert rt.memstats()["HeapAlloc"] < before + 1024
    assert rt.is_live(x) and rt.mallocgc(24) != x
