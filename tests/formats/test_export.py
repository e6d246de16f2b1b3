"""What is exported is what the result has, in the form that its readers expect."""

import csv
import io
import json

import numpy as np
import pytest

import hwmem
from hwmem.cli.cli import main
from hwmem.formats import export
from hwmem.formats.chrome import MOST
from hwmem.observe import c2c
from hwmem.proc.residency import residency
from hwmem.runs.frame import TABLES, rows
from page.pages import HOSTILE, event_log, result

GC = {"n": 1, "forced": False, "at_ns": [1_000_000, 1_004_000, 2_000_000, 2_001_000], "pauses_ns": [4000, 1000]}


@pytest.fixture
def r():
    return result(start=3000, values={"operations": 1, "gc": [GC]})


def test_trace_events_are_the_requests_with_their_times(r):
    document = json.loads(export(r, "chrome"))
    slices = [e for e in document["traceEvents"] if e["ph"] == "X" and e["pid"] == 1]
    assert len(slices) == len(r.events) == document["otherData"]["requests told"]
    assert [e["tid"] for e in slices] == r.events["core"].tolist()
    assert [round(e["ts"] * 3000) + 3000 for e in slices] == r.events["cycle"].tolist(), "3,000 cycles are a microsecond"
    assert [round(e["dur"] * 3000) for e in slices] == r.events["latency"].tolist()
    resident = [e["args"]["bytes"] for e in document["traceEvents"] if e["ph"] == "C" and e["name"] == "resident (bytes)"]
    assert resident == (r.series["anon"] * 4096).tolist()
    collector = [(e["name"], e["ts"], e["dur"]) for e in document["traceEvents"] if e["ph"] == "X" and e["pid"] == 3]
    assert collector == [("sweep termination", 999.0, 4.0), ("marking", 1003.0, 996.0), ("mark termination", 1999.0, 1.0)]


def test_every_trace_event_has_what_its_phase_needs(r):
    needs = {"M": {"name", "pid", "args"}, "X": {"name", "pid", "tid", "ts", "dur"}, "C": {"name", "pid", "ts", "args"}}
    for event in json.loads(export(r, "chrome"))["traceEvents"]:
        assert needs[event["ph"]] <= event.keys() and event.get("dur", 0) >= 0
        assert event["ph"] != "C" or all(isinstance(n, int) for n in event["args"].values())


def test_a_long_log_is_cut_and_says_so(r):
    r.events = event_log(MOST + 50, 4, 3)
    other = json.loads(export(r, "chrome"))["otherData"]
    assert (other["requests logged"], other["requests told"]) == (MOST + 50, MOST)


@pytest.mark.parametrize("table", TABLES)
def test_tables_come_back_from_csv_and_parquet(r, table):
    expected = rows(r, table)
    back = list(csv.DictReader(io.StringIO(export(r, "csv", table).decode(), newline="")))
    assert [[row.get(name, "") for name in expected[0]] for row in back] == [
        ["" if row.get(name) is None else str(row[name]) for name in expected[0]] for row in expected
    ]
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    typed = parquet.read_table(io.BytesIO(export(r, "parquet", table))).to_pylist()
    assert [{k: v for k, v in row.items() if v is not None} for row in typed] == [
        {k: v for k, v in row.items() if v is not None} for row in expected
    ]


def test_arrays_come_back_from_npz(r):
    with np.load(io.BytesIO(export(r, "npz"))) as kept:
        assert np.array_equal(kept["events"], r.events) and np.array_equal(kept["series"], r.series) and kept["start"] == 3000


def test_smaps_is_what_the_machine_itself_prints_of_the_same_lines():
    machine = hwmem.Machine(hwmem.MachineConfig().replace(memory="16MiB", swap="64MiB"))
    p = machine.spawn()
    p.touch(p.mmap(0, 20 << 20), 20 << 20)
    a = p.mmap(0, 1 << 20)
    p.touch(a, 1 << 20)
    p.madvise(a, 1 << 18, hwmem.MADV_FREE)
    own = export(result(space=residency(p)), "smaps").decode().splitlines()
    theirs = p.smaps_text().splitlines()
    names = {line.split()[0] for line in own}
    assert own == [line for line in theirs if line.split()[0] in names] and any("Swap:" in line and " 0 kB" not in line for line in own)


def test_c2c_is_the_whole_table(r):
    assert export(r, "c2c").decode() == c2c.text(r.c2c(), lines=len(r.c2c()), width=200)


@pytest.mark.parametrize("form", ["chrome", "csv", "c2c", "smaps"])
def test_names_are_data_in_every_form(form):
    data = export(result(names=HOSTILE, lines=len(HOSTILE), cores=8), form).decode()
    if form == "chrome":
        assert {e["args"]["line"] for e in json.loads(data)["traceEvents"] if e["ph"] == "X"} <= set(HOSTILE)
    elif form != "csv":
        assert "\x1b" not in data and "\u202e" not in data and "\\x1b[31m" in data
    else:
        assert HOSTILE[0] in {row["symbol"] for row in csv.DictReader(io.StringIO(data, newline=""))}


@pytest.mark.parametrize(
    "words, said",
    [
        ("npz", "it kept no arrays"),
        ("chrome", "nothing in it has a time"),
        ("csv --table gc", "its table 'gc' has no rows"),
        ("smaps", "its address space is not in the result"),
        ("pprof", "invalid choice: 'pprof'"),
        ("csv --table threads", "invalid choice: 'threads'"),
    ],
)
def test_what_is_not_there_is_one_line(tmp_path, capsys, words, said):
    result(events=0, samples=0, space=None).save(tmp_path / "r.hwm")
    assert main(["export", str(tmp_path / "r.hwm"), *words.split(), "-o", str(tmp_path / "f")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err and not (tmp_path / "f").exists()
