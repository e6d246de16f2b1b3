"""What is given as a kept result may be anything: it is read as a result, or refused in one line; a result is written whole."""

import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

import hwmem
from hwmem.cli.cli import main
from hwmem.errors import ResultError
from hwmem.printable import printable
from hwmem.runs import result_file
from hwmem.whole_file import write_whole

ROOT = os.path.dirname(os.path.dirname(hwmem.__file__))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "r.hwm"
    hwmem.run("false-sharing", threads=2, iterations=60, events=30, races=True).save(path)
    return path.read_bytes()


@pytest.fixture
def kept(tmp_path, whole):
    path = tmp_path / "r.hwm"
    path.write_bytes(whole)
    return path


def refusal(path):
    with pytest.raises(ResultError) as refused:
        hwmem.load_result(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text


def test_every_bit_of_a_file_may_be_wrong(kept, whole, seed):
    r = np.random.default_rng(seed)
    for bit in r.integers(0, 8 * len(whole), 400).tolist():
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        kept.write_bytes(data)
        try:
            str(hwmem.load_result(kept))
        except ResultError as error:
            assert "\n" not in str(error)


def rewritten(path, change):
    with zipfile.ZipFile(path) as archive:
        document, events = json.loads(archive.read("result.json")), archive.read("events.npy")
    change(document)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("result.json", json.dumps(document))
        archive.writestr("events.npy", events)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["counters"].update(cores=[]),
        lambda d: d["counters"].update(cores=None),
        lambda d: d["counters"]["cores"][0].clear(),
        lambda d: d["counters"]["cores"][0].update(loads="many"),
        lambda d: d.update(lines=[1]),
        lambda d: d.update(lines=[{}]),
        lambda d: d.update(symbols=[["a"]]),
        lambda d: d.update(comparison={"title": 1}),
        lambda d: d["values"].update(grid=[]),
        lambda d: d["values"].update(operations="all"),
        lambda d: d.update(races=[None]),
        lambda d: d.update(cores="0,1"),
        lambda d: d["lines"][0].update(bytes=None),
        lambda d: d.update(parameters=[]),
        lambda d: d.update(stopped=5),
    ],
)
def test_values_of_another_kind_in_it_are_damage(kept, change):
    rewritten(kept, change)
    assert "damaged" in refusal(kept)


def test_a_log_of_something_else_is_damage(kept, whole):
    for array in (np.zeros(3), np.zeros((2, 2), np.int64), np.zeros(2, [("cycle", "i8")])):
        kept.write_bytes(whole)
        with zipfile.ZipFile(kept) as archive:
            document = archive.read("result.json")
        log = io.BytesIO()
        np.save(log, array)
        with zipfile.ZipFile(kept, "w") as archive:
            archive.writestr("result.json", document)
            archive.writestr("events.npy", log.getvalue())
        refusal(kept)


def test_a_small_file_that_unpacks_to_much_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(result_file, "MOST_JSON", 1 << 20)
    path = tmp_path / "bomb.hwm"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", b"[" + b"0," * (1 << 22) + b"0]")
    assert path.stat().st_size < 1 << 20
    assert "longer than 1048576 bytes" in refusal(path)


def test_a_document_as_deep_as_a_well_is_refused(tmp_path):
    path = tmp_path / "deep.hwm"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", "[" * 200_000)
    refusal(path)


def test_what_is_no_file_is_no_result(capsys):
    for name in ("/dev/zero", "/dev/null"):
        assert main(["report", name]) == 2
        assert capsys.readouterr().err == f"hwmem: {name}: not a result of hwmem (no ordinary file)\n"
    assert main(["report", "/"]) == 2


def test_a_name_does_nothing_to_the_terminal(kept, capsys):
    def change(document):
        document["workload"] = "\x1b]0;owned\x07\x9b31m\u202e"
        document["lines"][0]["symbol"] = "\x1b[2J"
        for offset in document["lines"][0]["offsets"]:
            offset["symbol"] = "\x1b[2J\ud800"

    rewritten(kept, change)
    for words in (["report"], ["report", "c2c"], ["trace-line"]):
        assert main([words[0], str(kept), *words[1:]]) == 0
    out = capsys.readouterr().out
    assert "\\x1b" in out and not any(c in out for c in "\x1b\x07\x9b\u202e\ud800")
    assert main(["report", "no\x1b[31m.hwm"]) == 2
    assert capsys.readouterr().err == "hwmem: no\\x1b[31m.hwm: No such file or directory\n"
    assert printable("tab\tline\nä█") == "tab\tline\nä█"


def test_devices_are_written_to_and_not_replaced(kept, tmp_path):
    r = hwmem.load_result(kept)
    r.save("/dev/null")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        r.save("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        r.to_csv("/dev/full")
    assert pathlib.Path("/dev/null").is_char_device() and pathlib.Path("/dev/full").is_char_device()
    link = tmp_path / "link.hwm"
    link.symlink_to(kept)
    r.save(link)
    assert link.is_symlink() and hwmem.load_result(kept).cycles == r.cycles


def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "hwmem", "list"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "hwmem: output: No space left on device\n")


def test_a_killed_writer_leaves_nothing(tmp_path):
    code = "import sys\nfrom hwmem.whole_file import write_whole\nwhile True: write_whole(sys.argv[1], bytes(30_000_000))"
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "r.hwm")], cwd=ROOT)
        time.sleep(0.4)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert len(list(tmp_path.glob(".*.tmp"))) == 0
    write_whole(tmp_path / "r.hwm", b"whole")
    assert (tmp_path / "r.hwm").read_bytes() == b"whole"


def test_numbers_too_small_to_divide_by_are_refused():
    for part in ("dram", "disk"):
        with pytest.raises(ValueError, match=rf"{part}\.bytes_per_cycle must be a number from 1e-06 to 1024, not 1e-300"):
            hwmem.MachineConfig().replace(**{part: {"bytes_per_cycle": 1e-300}})


def test_a_condition_may_not_be_a_well():
    program = "X86 deep\n{}\n P0 ;\n MOV [x],$1 ;\nexists "
    for condition in ("(" * 2000 + "x=1" + ")" * 2000, "~" * 2000 + "(x=1)", "not " * 2000 + "x=1"):
        with pytest.raises(hwmem.errors.LitmusError, match="nested more than 100 deep"):
            hwmem.litmus.parse(program + condition + "\n")
    hwmem.litmus.parse(program + "(" * 50 + "x=1" + ")" * 50 + "\n")
