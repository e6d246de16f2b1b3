"""Files that commands read and write: nothing that is read is written over, and what cannot be written costs nothing that was computed."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import goalloc.cli.cli
import hwmem
from hwmem.cli import files
from hwmem.cli.cli import main
from hwmem.cli.warmup import LITMUS

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRACE = ROOT / "tests" / "trace" / "data" / "gzip.lackey.xz"
COMMANDS = {"hwmem": main, "goalloc": goalloc.cli.cli.main}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A result of a run, with its events."""
    path = tmp_path_factory.mktemp("kept") / "r.hwm"
    assert main(["run", "false-sharing", "--alone", "--events", "30", "--set", "iterations=20", "-o", str(path)]) == 0
    return path


@pytest.fixture
def folder(kept, tmp_path, monkeypatch):
    """A folder to be in, with a file of each kind under several names."""
    monkeypatch.chdir(tmp_path)
    for name in ("r.hwm", "other.hwm"):
        shutil.copy(kept, name)
    (tmp_path / "w.py").write_text("import hwmem\n")
    (tmp_path / "m.toml").write_text("cores = 2\n")
    (tmp_path / "f.trace").write_text(" L 1000,8\n")
    (tmp_path / "prog.trace").write_text("somebody's")
    os.symlink("r.hwm", "by_symlink")
    os.link("r.hwm", "by_link")
    return tmp_path


@pytest.mark.parametrize(
    "words, option, name",
    [
        ("hwmem run w.py -o w.py", "-o/--output", "WORKLOAD"),
        ("hwmem run false-sharing --config m.toml -o m.toml", "-o/--output", "--config"),
        ("hwmem trace f.trace -o f.trace", "-o/--output", "FILE"),
        ("hwmem trace r.hwm f.trace -o f.trace", "-o/--output", "FILE"),
        ("hwmem trace f.trace --pprof f.trace", "--pprof", "FILE"),
        ("hwmem trace f.trace --callgrind ./f.trace", "--callgrind", "FILE"),
        ("hwmem html r.hwm -o r.hwm", "-o/--output", "R.hwm"),
        ("hwmem html r.hwm -o by_symlink", "-o/--output", "R.hwm"),
        ("hwmem html by_link -o r.hwm", "-o/--output", "R.hwm"),
        ("hwmem export r.hwm csv --table lines -o r.hwm", "-o/--output", "R.hwm"),
        ("hwmem trace-line r.hwm -o ./r.hwm", "-o/--output", "R.hwm"),
        ("hwmem diff r.hwm other.hwm --html r.hwm", "--html", "A.hwm"),
        ("hwmem diff r.hwm other.hwm --html other.hwm", "--html", "B.hwm"),
        ("hwmem record -o f.trace -- cat f.trace", "-o/--output", "the program's command line"),
        ("hwmem record -- ./prog prog.trace", "-o/--output", "the program's command line"),
        ("goalloc run w.py -o w.py", "-o/--output", "WORKLOAD"),
        ("goalloc report r.hwm -o by_link", "-o/--output", "R.hwm"),
        ("goalloc html r.hwm -o r.hwm", "-o/--output", "R.hwm"),
    ],
)
def test_no_file_that_is_read_is_written_over(capsys, folder, words, option, name):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    command, *words = words.split()
    assert COMMANDS[command](words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"{command}: argument {option}: ") and f": would overwrite what {name} names" in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "words, option, name",
    [
        ("hwmem run false-sharing -o a.svg --plot a.svg", "-o/--output", "--plot"),
        ("hwmem trace f.trace --pprof p --callgrind ./p", "--pprof", "--callgrind"),
        ("hwmem trace f.trace --pprof other.hwm -o other.hwm", "-o/--output", "--pprof"),
        ("hwmem experiment pad --plot a.svg --html ../{}/a.svg", "--html", "--plot"),
        ("goalloc leak map -o heap --base heap", "--base", "-o/--output"),
    ],
)
def test_two_files_that_are_written_are_not_one(capsys, folder, words, option, name):
    command, *words = words.format(folder.name).split()
    assert COMMANDS[command](words) == 2
    assert f"argument {option}: {words[words.index(option.split('/')[0]) + 1]}: must be another file than {name}" in capsys.readouterr().err


def test_a_workloads_name_is_no_file_and_a_device_may_be_written_twice(capsys, folder):
    words = ["run", "false-sharing", "--alone", "--set", "iterations=20"]
    for _ in range(2):
        assert main([*words, "-o", "false-sharing"]) == 0
    files.check_apart([("FILE", os.devnull)], [("-o", os.devnull), ("--html", os.devnull)])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is full")
@pytest.mark.parametrize(
    "words",
    [
        "hwmem run false-sharing --alone --set iterations=20 -o /dev/full",
        f"hwmem trace {TRACE} -o /dev/full",
        "hwmem trace-line r.hwm -o /dev/full",
        "hwmem diff r.hwm other.hwm --html /dev/full",
        "hwmem classroom -o /dev/full",
        "hwmem experiment isolation --html /dev/full",
        "goalloc run garbage --alone --set count=50 -o /dev/full",
    ],
)
def test_what_cannot_be_written_on_a_full_disk_is_shown_all_the_same(capsys, folder, words):
    command, *words = words.split()
    assert COMMANDS[command](words) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") >= 1 and err.endswith(f"{command}: /dev/full: No space left on device\n")
    assert COMMANDS[command](words[:-2]) == 0
    assert shown(capsys.readouterr().out) == shown(out)


def shown(out):
    """What does not hang on the host's time."""
    return [line for line in out.splitlines() if " on the host" not in line and " s)" not in line]


@pytest.mark.parametrize(
    "path, said",
    [
        ("r.hwm/x", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
        ("nowhere/x", "No such file or directory"),
        ("new/", "Is a directory"),
        ("", "No such file or directory"),
        (".", "Is a directory"),
    ],
)
def test_what_cannot_be_written_is_refused_before_in_the_systems_words(capsys, folder, path, said):
    os.symlink("loop", "loop")
    assert main(["run", "false-sharing", "-o", path]) == 2
    assert f"argument -o/--output: {path}: {said}" in capsys.readouterr().err
    with pytest.raises(OSError, match=said):
        open(path, "wb")


@pytest.mark.parametrize("flag, said", [(os.ST_RDONLY, "Read-only file system"), (0, "Permission denied")])
def test_a_file_system_that_is_read_only_is_called_so(capsys, folder, monkeypatch, flag, said):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result([0] * 8 + [flag, 255]))
    for words in (["run", "false-sharing", "-o", "r"], ["experiments", "--all", "-o", "r"]):
        assert main(words) == 2
        assert f"argument -o/--output: r: {said}" in capsys.readouterr().err


def without(streams, *words, **options):
    """The command in a process that was started without these streams (0, 1, 2)."""
    closing = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in streams)
    line = ["sh", "-c", f'exec "$0" -m "$@" {closing}', sys.executable, *words]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **options)


@pytest.mark.parametrize(
    "words",
    [
        "hwmem run false-sharing --alone --set iterations=20",
        "hwmem run false-sharing --alone --live --set iterations=20",
        "hwmem run false-sharing --sweep threads=1,2 --set iterations=20",
        f"hwmem trace {TRACE}",
        "hwmem litmus SB.litmus",
        "hwmem experiment isolation",
        "goalloc run garbage --alone --set count=50",
    ],
)
def test_a_process_without_stderr_does_what_others_do(tmp_path, words):
    if "--sweep" in words:
        pytest.importorskip("joblib", reason="sweeps need joblib")
    (tmp_path / "SB.litmus").write_text(LITMUS)
    done = without([2], *words.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout
    assert shown(done.stdout) == shown(without([], *words.split(), cwd=tmp_path).stdout)


def test_a_refusal_without_stderr_does_not_go_to_stdout(tmp_path):
    assert without([2], "hwmem", "trace", "nowhere").stdout == ""
    file = tmp_path / "r.hwm"
    done = without([0, 1, 2], "hwmem", "run", "false-sharing", "--alone", "--set", "iterations=20", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "") and hwmem.load_result(file).workload == "false-sharing"


def test_a_prompt_without_stdin_is_at_its_end():
    done = without([0], "hwmem", "classroom", "--walk")
    assert (done.returncode, done.stderr) == (0, "")
