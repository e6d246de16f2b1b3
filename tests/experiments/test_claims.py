"""Every claim holds, with three seeds, and does not hold on a machine, or for a program, of which it is not true."""

import pathlib
import signal

import pytest

import hwmem.experiments.memory
from hwmem.cli.cli import main
from hwmem.config.machine import MachineConfig
from hwmem.experiments.claims import EXPERIMENTS, ORDER
from hwmem.experiments.experiment import Lab, Table, Unmeasured, perform, perform_if_possible
from hwmem.programs import WORKLOADS

FAILS = {  # (--with, --set) under which a claim does not hold, and what is missing there
    "brk-mmap": (["kernel.syscall=0"], []),  # calls that cost something
    "isolation": (["mmu=false"], []),  # address spaces
    "page-faults": (["thp=never"], []),  # huge pages
    "fork-storm": (["kernel.syscall=1000000"], []),  # a fork that is cheaper than copies
    "tlb-reach": (["thp=never"], []),
    "oversubscription": (["disk.latency=0", "disk.bytes_per_cycle=1024"], []),  # a slow disk
    "segments-pages": ([], ["load=10"]),  # memory that is in use
    "mmap-threshold": ([], ["threshold=65536"]),  # glibc's threshold
    "madvise-return": ([], ["size=64KiB"]),  # memory that the kernel needs
    "pointer-chase": (["l2=none"], []),  # a level
    "true-sharing": ([], ["threads=1"]),  # somebody to share with
    "ping-pong": (["interconnect.forward=4"], []),  # a distance between cores
    "protocols": (["protocol=msi"], []),  # E, O and F
    "reordering": (["ordering=sc"], []),  # store buffers
    "fence-costs": (["ordering=sc"], []),
    "false-sharing": ([], ["stride=64"]),  # one line
    "recorded-program": ([], ["padded=true"]),  # counters that are neighbours
    "overlay": ([], ["modules=1"]),  # modules that take each other's place
    "address-space": ([], ["layout=linux-x86_64"]),  # 3 GiB
    "memory-limit": ([], ["limit=60MiB"]),  # a limit that is below what the machine has
}


def made(name, *lab):
    """The outcome; skips where this host lacks what the experiment takes."""
    try:
        return perform(EXPERIMENTS[name], Lab(*lab))
    except Unmeasured as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_claim_holds(name, seed):
    outcome = made(name, seed)
    assert outcome.verdict.holds, outcome.verdict.says
    assert all(len(row) == len(outcome.table.columns) for row in outcome.table.rows)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_claim_does_not_hold_where_it_is_not_true(name):
    settings, parameters = FAILS[name]
    outcome = made(name, 0, None, settings, parameters)
    assert not outcome.verdict.holds and outcome.decided == "does not hold"


def test_every_experiment_is_in_the_list_and_says_what_it_lets_pass():
    assert tuple(EXPERIMENTS) == ORDER and len(set(ORDER)) == len(ORDER) == 20
    for one in EXPERIMENTS.values():
        assert one.claim.endswith(".") and one.tolerance and len(one.source) == 2
        assert set(one.workloads) <= set(WORKLOADS)
        assert one.figure is None or {one.figure.x, *one.figure.ys} <= set(one.columns)
    documents = [one.source[0] for one in EXPERIMENTS.values()]
    assert [d for d, before in zip(documents, [None, *documents]) if d != before] == list(dict.fromkeys(documents))


def test_an_experiment_is_named_as_the_workload_that_it_runs():
    assert {name for name in EXPERIMENTS if name in WORKLOADS} == {
        one.name for one in EXPERIMENTS.values() if one.name in one.workloads
    }  # none has a workload's name and does not run it


@pytest.mark.parametrize("tool", ["gcc", "valgrind"])
def test_what_this_host_lacks_is_one_line_and_the_others_are_made(tool, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("hwmem.experiments.recorded.shutil.which", lambda name: None if name == tool else f"/usr/bin/{name}")
    assert main(["experiment", "recorded-program"]) == 2
    assert f"needs {tool}, which is not installed" in capsys.readouterr().err
    outcome = perform_if_possible(EXPERIMENTS["recorded-program"], Lab(0))
    assert outcome.decided == "not measured" and outcome.to_dict()["holds"] is None and outcome.table.rows == []
    monkeypatch.setattr("hwmem.experiments.claims.EXPERIMENTS", {n: EXPERIMENTS[n] for n in ("address-space", "recorded-program")})
    assert main(["experiments", "--all", "-o", str(tmp_path / "site")]) == 0
    told = capsys.readouterr().out
    assert "not measured" in told and told.endswith("1 of 2 claims hold\n") and (tmp_path / "site" / "recorded-program.html").exists()


def test_an_interruption_while_its_program_is_recorded_ends_the_experiment(monkeypatch):
    """It is passed on to the program, which ends by it."""
    monkeypatch.setattr("hwmem.experiments.recorded.ready", lambda: None)
    monkeypatch.setattr("hwmem.experiments.recorded.built", lambda folder, name, *flags: pathlib.Path(folder) / name)
    monkeypatch.setattr("hwmem.experiments.recorded.record", lambda command, output: 128 + signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        perform_if_possible(EXPERIMENTS["recorded-program"], Lab(0))


def swap_rows(**changes):
    """Rows of oversubscription as they must be, two of them changed."""
    names = EXPERIMENTS["oversubscription"].columns
    rows = []
    for ratio in hwmem.experiments.memory.RATIOS:
        over = max(0.0, 1 - 1 / ratio)
        row = dict(zip(names, [f"{ratio:g}", True, 40_000 if over else 50, float(over > 0), 50, over, over]))
        rows.append(list((row | (changes if ratio == 1.5 else {})).values()))
    return Table(names, rows)


@pytest.mark.parametrize(
    "changes, holds",
    [
        ({}, True),
        ({"right": False}, False),
        ({"in order: read": 0.8}, False),
        ({"at random: read": 0.5}, False),
        ({"at random: read": 0.4}, True),
    ],
)
def test_each_part_of_a_verdict_decides(changes, holds):
    assert EXPERIMENTS["oversubscription"].judge(swap_rows(**changes)).holds is holds


def test_what_is_changed_changes_every_run_and_is_told():
    lab = Lab(5, MachineConfig.preset("zen3"), ["cores=2"], ["rounds=50"])
    outcome = perform(EXPERIMENTS["ping-pong"], lab)
    pings = [command for command in outcome.commands if "ping-pong" in command]
    assert len(pings) == 2 and all("rounds=50" in c and "--preset zen3" in c and "cores=2" in c and "--seed 5" in c for c in pings)
    assert outcome.changes == (("--with", ("cores=2",)), ("--set", ("rounds=50",)))


@pytest.mark.parametrize("word", ["strides=8", "stride", "", "=8"])
def test_what_an_experiment_has_not_cannot_be_set(word):
    with pytest.raises(ValueError, match="^--set .*: false-sharing has atomic, iterations, stride, threads"):
        perform(EXPERIMENTS["false-sharing"], Lab(0, None, [], [word]))


def test_an_option_of_the_wrong_kind_is_refused():
    with pytest.raises(TypeError, match="^mmap-threshold.threshold must be an integer from 0 to 33554432, not 'x'$"):
        perform(EXPERIMENTS["mmap-threshold"], Lab(0, None, [], ["threshold=x"]))
