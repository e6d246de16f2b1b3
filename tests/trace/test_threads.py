"""Who makes a trace's references: its threads, on cores of their own; several traces, as the cores' clocks say."""

import numpy as np
import pytest

from hwmem.cli.cli import main
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.trace import Trace, open_trace
from hwmem.trace import trace as trace_module

LINE = 0x10000040


def counted(counters, name):
    return [core[name] for core in counters["cores"]]


def test_each_threads_references_run_on_its_own_core():
    """Two threads store to one line in turn, ten times each: each store but the first takes the line from the other core."""
    c = Machine().replay(Trace.from_arrays([LINE] * 20, [True] * 20, thread=[0, 1] * 10))
    assert counted(c, "stores") == [10, 10, 0, 0]
    assert counted(c, "invalidations_received") == [10, 9, 0, 0]
    named = Machine().replay((np.full(20, LINE), True), core=[0, 1] * 10)
    assert counted(named, "invalidations_received") == [10, 9, 0, 0]
    one = Machine().replay(Trace.from_arrays([LINE] * 20, [True] * 20, thread=[0, 1] * 10), core=2)
    assert counted(one, "stores") == [0, 0, 20, 0]


@pytest.mark.parametrize(
    "thread, stores",
    [
        ([3, 1, 3], [0, 1, 0, 2]),
        ([4711, 4712, 4711, 0], [1, 0, 1, 2]),
        ([9, 3, 3], [0, 0, 2, 1]),
        ([5] * 3, [0, 0, 0, 3]),
        ([0, 1, 2, 3, 6, 6], [1, 1, 3, 1]),
    ],
)
def test_threads_have_a_core_each_while_there_are_cores(thread, stores):
    trace = Trace.from_arrays(64 * np.arange(len(thread)) + 4096, np.ones(len(thread)), thread=thread)
    first = counted(Machine().replay(trace), "stores")
    assert sorted(first) == sorted(stores)
    if max(thread) < 4:
        assert first == stores


def test_threads_keep_their_cores_from_block_to_block(monkeypatch):
    monkeypatch.setattr(trace_module.Trace.blocks, "__defaults__", (3,))
    trace = Trace.from_arrays([LINE] * 40, [True] * 40, thread=[7, 1, 1, 7] * 10)
    c = Machine().replay(trace)
    assert sorted(counted(c, "stores")) == [0, 0, 20, 20]
    assert counted(c, "stores")[1] == 20


def test_cores_may_be_named_for_more_references_than_a_block_holds():
    n = trace_module.BLOCK_RECORDS + 5
    trace = Trace.from_arrays(np.full(n, LINE), np.zeros(n, bool))
    assert counted(Machine().replay(trace, core=np.arange(n) % 4), "loads") == [n // 4 + 1, n // 4, n // 4, n // 4][:1] + [
        (n - k + 3) // 4 for k in (1, 2, 3)
    ]


@pytest.mark.parametrize("n", [0, 1, 3, 5])
def test_cores_that_are_too_few_or_too_many_are_refused_before_anything_runs(n, tmp_path):
    m = Machine()
    (tmp_path / "t").write_text("R 40\n" * 4)
    for trace in (Trace.from_arrays([64] * 4, [0] * 4), (np.full(4, 64), False), open_trace(tmp_path / "t")):
        with pytest.raises(ValueError, match="core: takes one core, or an array of 4 cores, not shape"):
            m.replay(trace, core=np.zeros(n, int))
    assert sum(counted(m.counters(), "loads")) == 0
    with pytest.raises(ValueError, match="core: takes cores 0 to 3, got 0 to 4"):
        m.replay((np.full(2, 64), False), core=[0, 4])


def test_a_text_with_cores_runs_on_them_in_its_order(tmp_path):
    (tmp_path / "t").write_text("P0 r 0x4000\nP1 w 0x4000\nP0 r 0x4000\n")
    c = Machine().replay(open_trace(tmp_path / "t"))
    assert counted(c, "loads") == [2, 0, 0, 0] and counted(c, "stores") == [0, 1, 0, 0]
    assert counted(c, "invalidations_received") == [1, 0, 0, 0]
    assert counted(c, "l1d.misses")[1] >= 1


def data_file(folder, name, text):
    (folder / name).write_text(text)
    return open_trace(folder / name)


def test_cycles_of_computing_pass_on_the_cores_clock(tmp_path):
    config = MachineConfig().replace(mmu=False)
    lines = "0 0x1000\n1 0x2000\n0 0x1000\n"
    plain = Machine(config).replay(data_file(tmp_path, "a.data", lines))["cores"][0]
    slow = Machine(config).replay(data_file(tmp_path, "b.data", "2 0x10\n0 0x1000\n2 5\n2 6\n1 0x2000\n0 0x1000\n2 0x100\n\n"))["cores"][0]
    assert slow["cycles"] - plain["cycles"] == 0x10 + 5 + 6 + 0x100
    assert (slow["loads"], slow["stores"], slow["l1d.misses"]) == (2, 1, 2)


def test_of_several_traces_the_one_whose_clock_is_least_comes_next(tmp_path):
    """Thread 0 computes until long after thread 1 has written the line that both use, and the other way round."""
    config = MachineConfig().replace(mmu=False)
    early, late = "1 0x1000\n", "2 0x10000\n1 0x1000\n"
    for texts, invalidated in (((early, late), [1, 0, 0, 0]), ((late, early), [0, 1, 0, 0])):
        traces = [data_file(tmp_path, f"{n}.data", text) for n, text in enumerate(texts)]
        c = Machine(config).replay(traces)
        assert counted(c, "stores") == [1, 1, 0, 0] and counted(c, "invalidations_received") == invalidated


def test_of_several_traces_no_reference_is_lost_or_made_twice(tmp_path, monkeypatch):
    from hwmem.machine import player

    monkeypatch.setattr(player, "SEVERAL_RECORDS", 4)
    rng = np.random.default_rng(5)
    traces, expected = [], []
    for n in range(4):
        stores = rng.random(int(rng.integers(1, 30))) < 0.5
        traces.append(data_file(tmp_path, f"{n}", "".join(f"{'W' if s else 'R'} {64 * k + 4096:#x}\n" for k, s in enumerate(stores))))
        expected.append((int((~stores).sum()), int(stores.sum())))
    c = Machine().replay(traces)
    assert list(zip(counted(c, "loads"), counted(c, "stores"))) == expected


def test_several_files_are_a_core_each_on_the_command_line(capsys, tmp_path):
    for n in range(5):
        (tmp_path / f"core_{n}.data").write_text("1 0x7000\n2 0x3\n0 0x5000\n\n")
    names = [str(tmp_path / f"core_{n}.data") for n in range(5)]
    assert main(["trace", *names[:4], "--json"]) == 0
    import json

    document = json.loads(capsys.readouterr().out)
    assert [core["stores"] for core in document["counters"]["cores"]] == [1, 1, 1, 1]
    assert document["cores"] == [0, 1, 2, 3] and document["values"]["operations"] == 8
    for line, told in (
        ([*names], "5 files need as many cores, and the machine has 4: --with cores=5"),
        ([*names[:2], "--core", "1"], "--core takes one file: several run on a core each"),
        ([names[0], "--core", "4"], "--core takes 0 to 3, not 4"),
    ):
        assert main(["trace", *line]) == 2
        assert capsys.readouterr().err == f"hwmem: {told}\n"
    (tmp_path / "p").write_text("P1 r 0x40\n")
    assert main(["trace", names[0], str(tmp_path / "p")]) == 2
    assert "names cores itself" in capsys.readouterr().err
