"""The machine at the prompt: what wrong arguments raise, and that they leave it as it was."""

import numpy as np
import pytest

from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.runs.frame import flat


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=2, memory="8MiB"))


@pytest.fixture(scope="module")
def process(machine):
    process = machine.spawn()
    process.base = process.mmap(0, 8192)
    return process


WRONG = {
    "a width that no access has": (ValueError, "size", lambda m, p: p.load(p.base, 3)),
    "a width that no store has": (ValueError, "size", lambda m, p: p.store(p.base, 1, 16)),
    "a width that no load of many has": (ValueError, "size", lambda m, p: p.load_many(np.array([p.base]), size=0)),
    "a core that is not there": (ValueError, "core", lambda m, p: p.load(p.base, core=2)),
    "a core below zero": (ValueError, "core", lambda m, p: p.fetch_add(p.base, 1, core=-1)),
    "the clock of no core": (ValueError, "core", lambda m, p: m.cycles(7)),
    "an address that is text": (TypeError, "address", lambda m, p: p.load("0x1000")),
    "an address that is a fraction": (TypeError, "address", lambda m, p: p.store(4096.0, 1)),
    "a value of more than 64 bits": (ValueError, "value", lambda m, p: p.store(p.base, 1 << 64)),
    "a value below what 64 bits hold": (ValueError, "value", lambda m, p: p.exchange(p.base, -(1 << 63) - 1)),
    "a fence that x86 lacks": (ValueError, "kind", lambda m, p: p.fence("isb")),
    "a layout that Linux lacks": (ValueError, "layout", lambda m, p: m.spawn("linux-m68k")),
    "a trace that is none": (TypeError, "trace", lambda m, p: m.replay(5)),
    "arrays of unequal length": (ValueError, "is_store", lambda m, p: m.replay((np.arange(5), np.zeros(4, bool)))),
    "a replay on no core": (ValueError, "core", lambda m, p: m.replay((np.arange(5), False), core=2)),
    "a replay on cores of which one is none": (ValueError, "core", lambda m, p: m.replay((np.arange(2), False), core=np.array([0, 2]))),
    "a replay on a fraction of a core": (TypeError, "core", lambda m, p: m.replay((np.arange(5), False), core=1.5)),
    "a replay in somebody's memory": (TypeError, "process", lambda m, p: m.replay((np.arange(5), False), process="p")),
    "a replay in another machine's memory": (ValueError, "process", lambda m, p: m.replay((np.arange(5), False), process=stranger())),
    "the line of nobody": (TypeError, "process", lambda m, p: m.line(p.base, process=3)),
    "a core that is a fraction": (TypeError, "core", lambda m, p: p.load(p.base, core=1.5)),
    "a core that is a truth": (TypeError, "core", lambda m, p: p.load(p.base, core=True)),
    "a core that is text": (TypeError, "core", lambda m, p: m.cycles("0")),
    "a width that is a fraction": (ValueError, "size", lambda m, p: p.load(p.base, size=8.0)),
    "a width that is an array": (ValueError, "size", lambda m, p: p.store(p.base, 1, size=np.array([8, 8]))),
    "a layout that is a list": (ValueError, "layout", lambda m, p: m.spawn([])),
    "addresses that are fractions": (TypeError, "addresses", lambda m, p: p.load_many(np.array([p.base + 0.5]))),
    "addresses in two dimensions": (ValueError, "addresses", lambda m, p: p.load_many(np.array([[p.base]]))),
    "addresses of more than 64 bits": (TypeError, "addresses", lambda m, p: p.load_many([1 << 64])),
    "addresses in rows of unequal length": (ValueError, "addresses", lambda m, p: p.load_many([[1], [1, 2]])),
    "a trace of fractions": (TypeError, "addresses", lambda m, p: m.replay(([1.5], True))),
    "stores that are words": (TypeError, "is_store", lambda m, p: m.replay((np.arange(2), ["load", "store"]))),
    "too many stores": (ValueError, "is_store", lambda m, p: m.replay((np.arange(2), [True, False, True]))),
    "sizes that are fractions": (TypeError, "sizes", lambda m, p: m.replay((np.arange(2), True, [8.5, 8]))),
    "sizes of nothing": (ValueError, "sizes", lambda m, p: m.replay((np.arange(2), True, np.zeros(2, np.uint16)))),
    "data that are a number": (TypeError, "data", lambda m, p: p.write(p.base, 8)),
    "data that are text": (TypeError, "data", lambda m, p: p.write(p.base, "text")),
    "data that are no bytes": (ValueError, "data", lambda m, p: p.write(p.base, [1, 256])),
    "more bytes than a host has": (ValueError, "n", lambda m, p: p.read(p.base, 1 << 60)),
    "a machine of a name": (TypeError, "config", lambda m, p: Machine("generic")),
    "a seed that is text": (TypeError, "seed", lambda m, p: Machine(seed="1")),
    "a seed below zero": (ValueError, "seed", lambda m, p: Machine(seed=-1)),
    "fewer cores than accesses": (ValueError, "core", lambda m, p: m.replay((np.arange(5), False), core=np.array([0, 1]))),
}


def stranger():
    return Machine(MachineConfig().replace(cores=1, memory="2MiB")).spawn()


def accesses(machine):
    return [{name: core[name] for name in ("loads", "stores", "atomics", "fences")} for core in machine.counters()["cores"]]


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_argument_is_refused_by_name_and_accesses_nothing(machine, process, what):
    error, name, operation = WRONG[what]
    process.store(process.base, 42)
    alive = len(machine.processes)
    before = accesses(machine)
    with pytest.raises(error, match=f"^{name}"):
        operation(machine, process)
    assert accesses(machine) == before
    assert len(machine.processes) == alive
    assert process.load(process.base, core=1) == 42
    machine.check()


def test_nothing_to_read_or_write_is_no_access(machine, process):
    before = accesses(machine)
    assert process.read(process.base, 0) == b""
    process.write(process.base, b"")
    assert process.load_many(np.zeros(0, np.int64)).tolist() == []
    assert accesses(machine) == before


def test_a_touch_makes_one_access_a_page(machine):
    process = machine.spawn()
    base = process.mmap(0, 10 * 4096)
    before = machine.counters()["cores"][1]
    process.touch(base + 100, 3 * 4096, write=False, core=1)
    process.touch(base + 5 * 4096, 4 * 4096, core=1)
    after = machine.counters()["cores"][1]
    assert (after["loads"] - before["loads"], after["stores"] - before["stores"]) == (4, 4)
    assert after["faults.minor"] - before["faults.minor"] == 8
    process.exit()


def test_counters_begin_again_and_caches_and_clocks_do_not(machine, process):
    process.load(process.base)
    clock = machine.cycles(0)
    machine.reset_counters()
    assert not any(flat(machine.counters()["cores"][0]).values())
    process.load(process.base)
    core = machine.counters()["cores"][0]
    assert (core["loads"], core["l1d.hits"], core["l1d.misses"]) == (1, 1, 0)
    assert machine.cycles(0) == clock + core["cycles"] > clock


def test_machines_do_not_share_anything(process):
    other = Machine(process.machine.config)
    stranger = other.spawn()
    assert stranger.mmap(process.base, 8192) == process.base
    process.store(process.base, 1)
    stranger.store(process.base, 2)
    assert (process.load(process.base), stranger.load(process.base)) == (1, 2)
    before = process.machine.counters()
    stranger.touch(process.base, 8192)
    assert process.machine.counters() == before


def test_a_machine_and_a_process_say_what_they_are():
    m = Machine(MachineConfig().replace(cores=2, memory="8MiB"))
    assert repr(m) == "<Machine: generic, 2 cores, 8MiB of RAM, 0 processes>"
    p = m.spawn()
    a = p.mmap(0, 1 << 20)
    p.touch(a, 1 << 20)
    assert p.smaps_rollup()["Rss"] == 1 << 20
    assert repr(m).endswith("1 process>")
    assert repr(p) == f"<Process {p.number}: linux-x86_64, {len(p.maps())} mappings, 1MiB in RAM>"
    before = m.counters()
    repr(p)
    assert m.counters() == before
    p.exit()
    assert repr(p).endswith(": exited>") and "0 processes" in repr(m)


def test_a_record_has_its_fields_as_attributes_and_no_others_can_be_set(machine, process):
    core = machine.state.core[1]
    for record, name in ((machine.state, "typo"), (core, "typo"), (core.l1d, "typo")):
        assert not hasattr(record, name)
        with pytest.raises(AttributeError, match="typo"):
            setattr(record, name, 1)
    before = int(core.cycles)
    core.cycles = before + 5
    assert machine.cycles(1) == machine.state["core"][1]["cycles"] == before + 5
    core["cycles"] = before
    assert machine.state.core[1].cycles == before and core.l1d["ways"] == core.l1d.ways == machine.config.l1d.ways
