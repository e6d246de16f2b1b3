"""A run over time: its rows follow from the run, add up to its counters, say what /proc says, and change nothing."""

import numpy as np
import pytest

import hwmem
from hwmem.kernels import fetch_add64, finish, next_thread, sleep_until, store64
from hwmem.layout import SAMPLES
from hwmem.runs import series
from hwmem.sched.thread import clock

PAGE = 4096


def grows(w, space):
    w.pages = space.map("pages", w.n * PAGE, touch=False)
    w.count = space.map("count", PAGE)
    space.probe("counted", w.count)


@hwmem.workload(
    "test-grows",
    "touches page after page, counts them, and sleeps now and then",
    setup=grows,
    values=lambda w, space: {"operations": w.n, "status": space.process.status(), "counted": space.load(w.count)},
    n=hwmem.parameter(300, "pages", 1, 100_000),
    threads=hwmem.parameter(3, "threads", 1, 16),
)
def grow(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        i = r[1] * w.threads + r[0]
        if i >= w.n:
            finish(m, t)
            continue
        store64(m, t, w.pages + i * 4096, i)
        fetch_add64(m, t, w.count, 1)
        r[1] += 1
        if i % 7 == 0:
            sleep_until(m, t, clock(m, t) + 500)


CROWDED = hwmem.MachineConfig().with_overrides(["cores=2", "kernel.time_slice=3000"])


def run(step, monkeypatch, **parameters):
    monkeypatch.setattr(series, "FIRST_STEP", step)
    return hwmem.run("test-grows", CROWDED, events=1000, **parameters)


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_looking_changes_nothing_of_the_run(threads, monkeypatch):
    seldom, often = (run(step, monkeypatch, threads=threads) for step in (1 << 40, 7))
    assert len(seldom.series) <= 3 < len(often.series)
    assert (seldom.cycles, seldom.counters, seldom.values) == (often.cycles, often.counters, often.values)
    assert np.array_equal(seldom.events, often.events)


@pytest.mark.parametrize("step", [1, 1000])
def test_the_last_row_is_the_run_and_the_rows_before_it_lead_there(step, monkeypatch):
    r = run(step, monkeypatch)
    s, cores = r.series, r.counters["cores"]
    assert s["cycle"][-1] == r.cycles and len(s) <= SAMPLES
    for column, names in {
        "accesses": ("loads", "stores", "atomics"),
        "l1_misses": ("l1d.misses",),
        "llc_misses": ("llc.misses",),
        "hitm": ("interventions_hit_modified",),
        "walks": ("walks",),
        "faults": ("faults.minor", "faults.major"),
    }.items():
        assert s[column][-1] == sum(core[name] for core in cores for name in names) and (np.diff(s[column]) >= 0).all(), column
    assert (np.diff(s["cycle"]) >= 0).all()


def test_rows_are_thinned_evenly(monkeypatch):
    s = run(1, monkeypatch, n=3000).series
    steps = np.diff(s["cycle"])[:-1]
    assert SAMPLES // 3 < len(s) and np.median(steps) * (len(s) - 1) == pytest.approx(s["cycle"][-1], rel=0.3)


def test_pages_are_those_of_proc(monkeypatch):
    r = run(500, monkeypatch, n=2000)
    s, status = r.series, r.values["status"]
    assert s["anon"][-1] * PAGE == status["RssAnon"] and s["vm"][-1] * PAGE == status["VmSize"] and s["swapped"][-1] == 0
    assert s["anon"][-1] - s["anon"][0] == s["faults"][-1] == 2000, "each touch is a fault and brings a page"


def lazy_pages(process):
    """What the sampler says now, and smaps."""
    machine = process.machine
    series.start(machine, process.number, [], 0)
    return int(series.stop(machine, process.thread_on(0), 1, [])["lazy"][-1]), process.smaps_rollup()["LazyFree"] // PAGE


def test_pages_that_are_lazily_free_are_smaps():
    p = hwmem.Machine(hwmem.MachineConfig().replace(memory="64MiB")).spawn()
    a, b = (p.mmap(0, 64 * PAGE) for _ in range(2))
    p.touch(a, 64 * PAGE, write=True), p.touch(b, 64 * PAGE, write=True)
    assert lazy_pages(p) == (0, 0)
    p.madvise(a, 40 * PAGE, hwmem.MADV_FREE)
    assert lazy_pages(p) == (40, 40)
    p.touch(a, 7 * PAGE, write=True)
    p.touch(a + 7 * PAGE, 5 * PAGE, write=False)
    assert lazy_pages(p) == (33, 33), "what is written to is the program's again"
    q = p.fork()
    assert lazy_pages(p) == (33, 33) and lazy_pages(q) == (33, 33)
    p.munmap(a, 20 * PAGE)
    q.touch(a, 30 * PAGE, write=True)
    assert lazy_pages(p)[0] == lazy_pages(p)[1] == 20 and lazy_pages(q)[0] == lazy_pages(q)[1] == 10
    p.madvise(b, 64 * PAGE, hwmem.MADV_FREE)
    assert lazy_pages(p)[0] == lazy_pages(p)[1] > 20


def test_a_probe_shows_a_word_of_the_program(monkeypatch):
    r = run(500, monkeypatch)
    counted = r.series["counted"]
    assert counted[0] == 0 and counted[-1] == r.values["counted"] == 300 and (np.diff(counted) >= 0).all()
    assert (counted <= r.series["faults"]).all(), "a page is counted after it was touched"


@pytest.mark.parametrize(
    "name, address, said",
    [("cycle", 4096, "is taken"), ("x", 4090, "lie in two pages"), ("", 4096, "is not a name"), ("a", 4096, "is taken")],
)
def test_a_probe_that_cannot_be_is_refused(name, address, said):
    space = hwmem.programs.Space(hwmem.Machine().spawn(), None)
    space.probe("a", 0)
    with pytest.raises(ValueError, match=said):
        space.probe(name, address)


def test_a_result_keeps_its_series(tmp_path, monkeypatch):
    r = run(500, monkeypatch)
    r.save(tmp_path / "r.hwm")
    back = hwmem.load_result(tmp_path / "r.hwm")
    assert np.array_equal(back.series, r.series) and back.space == r.space and back.start == r.start
