"""Where a trace misses: tables by line, page, size, thread and instruction, whose sums are the program's counters."""

import json

import numpy as np
import pytest

from hwmem.cli.cli import main
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.machine.player import Player
from hwmem.machine.where import new_places, tables
from hwmem.runs.job import replay
from hwmem.runs.result import load_result
from hwmem.trace import Trace, open_trace


def program(counters, name):
    return sum(core["program"][name] for core in counters["cores"])


@pytest.mark.parametrize("settings", [{}, {"thp": "always"}, {"protocol": "msi", "cores": 2}])
def test_every_table_adds_up_to_the_programs_counters(recorded, settings):
    result = replay(open_trace(recorded), MachineConfig().replace(**settings))
    where = result.where
    assert [kind for kind in where if kind != "top"] == ["line", "page", "size", "thread", "instruction"]
    for kind in ("line", "page", "size", "thread", "instruction"):
        assert where[kind]["misses"] == program(result.counters, "l1d.misses") > 0
        assert where[kind]["faults"] == sum(core["faults.minor"] for core in result.counters["cores"])
        assert where[kind]["dropped"] == 0
        assert [row["misses"] for row in where[kind]["rows"]] == sorted((row["misses"] for row in where[kind]["rows"]), reverse=True)


def test_counters_are_those_of_a_replay_that_nobody_looks_at(recorded):
    trace = open_trace(recorded)
    watched, plain = replay(trace), replay(trace, top=0)
    assert watched.counters == plain.counters == Machine().replay(trace) and plain.where is None


def test_misses_are_where_a_plain_lru_has_them():
    """One set of a two-way L1; lines, pages, threads' and sizes' misses counted by hand in Python."""
    rng = np.random.default_rng(11)
    addresses = 4096 * rng.integers(0, 5, 400) + 8 * rng.integers(0, 8, 400)
    sizes, stores = rng.choice([1, 2, 4, 8], 400), rng.random(400) < 0.3
    lru, misses = [], {}
    for address, size in zip(addresses.tolist(), sizes.tolist()):
        line = address // 64
        if line not in lru:
            for key in (("line", line * 64), ("page", address // 4096 * 4096), ("size", size), ("thread", 0)):
                misses[key] = misses.get(key, 0) + 1
        lru = ([line] + [x for x in lru if x != line])[:2]
    machine = Machine(MachineConfig().replace(mmu=False, cores=1, l1d={"size": "8KiB", "ways": 2}))
    places = new_places(True)
    Player(machine, machine.stand_in(), None, places).play(Trace.from_arrays(addresses, stores, sizes))
    found = {(kind, row["at"]): row["misses"] for kind, table in tables(places, 100).items() for row in table["rows"]}
    assert found == misses


def test_hitms_are_the_stores_of_the_other_thread():
    n = 50
    trace = Trace.from_arrays(np.where(np.arange(2 * n) % 2, 0x1008, 0x1000), np.ones(2 * n, bool), thread=np.arange(2 * n) % 2)
    machine = Machine(MachineConfig())
    places = new_places(True)
    Player(machine, machine.stand_in(), None, places).play(trace)
    found = tables(places, 10)
    assert found["line"]["rows"] == [{"at": 0x1000, "misses": 2 * n, "hitms": 2 * n - 1, "faults": 1}]
    assert [(row["at"], row["misses"]) for row in found["thread"]["rows"]] == [(1, n), (0, n)]
    assert "instruction" not in found


def test_an_instruction_has_the_misses_of_its_references(tmp_path):
    (tmp_path / "t").write_text(
        "I  1000,3\n L 40000,8\nI  1010,3\n" + "".join(f" L {0x50000 + 64 * n:x},8\n" for n in range(9)) + " L 40000,8\n"
    )
    where = replay(open_trace(tmp_path / "t"), MachineConfig().replace(mmu=False)).where
    assert where["instruction"]["rows"] == [
        {"at": 0x1010, "misses": 9, "hitms": 0, "faults": 0},
        {"at": 0x1000, "misses": 1, "hitms": 0, "faults": 0},
    ]


def test_the_command_shows_keeps_and_draws_it(capsys, tmp_path):
    (tmp_path / "t").write_text("".join(f"P{n % 2} {'w' if n % 2 else 'r'} {0x1000 + 8 * (n % 2):#x}\n" for n in range(40)))
    kept, drawn = tmp_path / "r.hwm", tmp_path / "r.html"
    assert main(["trace", str(tmp_path / "t"), "--classify", "--events", "100", "--top", "1", "-o", str(kept)]) == 0
    shown = capsys.readouterr().out
    assert "0x1000" in shown and "contended line" in shown and "false" in shown and "and 1 more threads" in shown
    for section, told in (("where", "page of 4 KiB"), ("caches", "false sharing"), ("events", "GETX"), ("c2c", "0x1000")):
        assert main(["report", str(kept), section]) == 0
        assert told in capsys.readouterr().out
    assert main(["report", str(kept), "where", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["where"]["line"]["rows"][0]["at"] == 0x1000
    assert main(["trace-line", str(kept)]) == 0
    assert main(["html", str(kept), "-o", str(drawn)]) == 0
    assert "Where a trace misses" in drawn.read_text() and "page of 4 KiB" in drawn.read_text()
    capsys.readouterr()
    assert main(["trace", str(tmp_path / "t"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["where"]["line"]["rows"][0]["at"] == 0x1000 and load_result(kept).where["top"] == 1
    assert main(["trace", str(tmp_path / "t"), "--top", "-1"]) == 2
    assert capsys.readouterr().err.startswith("hwmem: --top must be an integer from 0")
