"""The command: exit status, one line for a refusal, tables on stdout and nothing else there."""

import csv
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

import goalloc.cli.cli
import hwmem
from hwmem.cli.cli import SECTIONS, main
from hwmem.cli.parser import command_line, positionals_first
from hwmem.page.run import TITLES
from hwmem.programs import WORKLOADS
from hwmem.report import SECTIONS as REPORT_SECTIONS
from page.pages import data_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRACE = ROOT / "tests" / "trace" / "data" / "gzip.lackey.xz"
SMALL = ["--set", "iterations=300"]


@pytest.fixture(autouse=True, scope="module")
def compiled():
    """The first run of all says on stderr that it compiles."""
    hwmem.run("false-sharing", threads=1, iterations=10)


def called(capsys, *words):
    """Exit status, stdout, stderr but for what is said while the compiler takes long."""
    status = main([str(w) for w in words])
    out, err = capsys.readouterr()
    return status, out, "".join(line for line in err.splitlines(keepends=True) if not line.startswith("hwmem: compiling, once"))


def test_run_prints_the_comparison_the_cores_and_the_contended_line(capsys):
    status, out, err = called(capsys, "run", "false-sharing", *SMALL)
    assert (status, err) == (0, "")
    for words in (
        "stride=8  stride=64  slowdown",
        "L1D hit",
        "counters[0..3]  false",
        "0" * 8 + "1" * 8 + "2" * 8 + "3" * 8 + "." * 32,
        "100% of the HITMs are false sharing",
    ):
        assert words in out


@pytest.mark.parametrize(
    "name, settings",
    [
        ("spin-lock", "iterations=20"),
        ("stream", "size=4KiB"),
        ("memory-mountain", "largest=32KiB"),
        ("linear-regression", "points=50"),
        ("matrix-multiply", "n=8"),
    ],
)
def test_tables_fit_a_terminal_of_100_columns(capsys, name, settings):
    _, out, _ = called(capsys, "run", name, "--set", settings)
    assert max(map(len, out.splitlines()[2:])) <= 100


def test_json_is_one_document_with_everything_in_it(capsys):
    status, out, _ = called(capsys, "run", "false-sharing", *SMALL, "threads=2", "--alone", "--json", "--seed", 4, "--with", "cores=2")
    document = json.loads(out)
    assert status == 0
    assert document["parameters"] == {"threads": 2, "stride": 8, "iterations": 300, "atomic": False}
    assert (document["seed"], document["config"]["cores"], len(document["counters"]["cores"])) == (4, 2, 2)
    assert document["values"]["counters"] == [300, 300] and document["lines"] and document["comparison"] is None


def test_a_kept_result_reports_what_the_run_printed_and_every_section(capsys, tmp_path):
    file = tmp_path / "r.hwm"
    _, printed, _ = called(capsys, "run", "false-sharing", *SMALL, "--classify", "--events", 30, "-o", file)
    assert called(capsys, "report", file) == (0, printed, "")
    assert SECTIONS == tuple(REPORT_SECTIONS)
    texts = {section: called(capsys, "report", file, section)[1] for section in SECTIONS}
    assert "Shared data: contended lines" in texts["c2c"] and "false sharing misses" in texts["caches"]
    assert "walks" in texts["tlb"] and "minor faults" in texts["faults"] and "row hits" in texts["memory"]
    assert "buffered" in texts["ordering"] and texts["events"].count("\n") == 34
    assert json.loads(called(capsys, "report", file, "--json")[1])["workload"] == "false-sharing"


def test_a_result_that_is_older_than_a_counter_is_reported_without_it():
    r = hwmem.run("false-sharing", threads=1, iterations=10)
    with_all = REPORT_SECTIONS["ordering"](r)
    for counts in r.counters["cores"]:
        del counts["invalidation_queue.loads"]
    before, after = (text.split() for text in (with_all, REPORT_SECTIONS["ordering"](r)))
    assert [a for a, b in zip(after, before) if a != b] == ["-"]


def test_a_trace_is_replayed_and_its_result_kept(capsys, tmp_path):
    file = tmp_path / "t.hwm"
    status, out, err = called(capsys, "trace", TRACE, "--core", 1, "-o", file)
    assert (status, err) == (0, "")
    trace = hwmem.open_trace(TRACE)
    r = hwmem.load_result(file)
    core = r.counters["cores"][1]
    assert (core["loads"], core["stores"]) == (trace.counts.loads, trace.counts.stores)
    assert r.cores == [1] and r.parameters["format"] == "lackey" and f"{core['loads'] + core['stores']:,}" in out


def test_the_printed_configuration_is_one_that_config_reads(capsys, tmp_path):
    _, out, _ = called(capsys, "config", "--preset", "zen3", "--with", "cores=4", "sockets=2", "l1d.latency=5")
    (tmp_path / "box.toml").write_text(out)
    config = hwmem.MachineConfig.preset("zen3").replace(cores=4, sockets=2, l1d={"latency": 5})
    assert hwmem.MachineConfig.load(tmp_path / "box.toml") == config
    _, out, _ = called(capsys, "run", "false-sharing", *SMALL, "--alone", "--json", "--config", tmp_path / "box.toml")
    assert hwmem.MachineConfig.from_dict(json.loads(out)["config"]) == config


def test_list_shows_workloads_and_presets_or_one_workloads_parameters(capsys):
    _, out, _ = called(capsys, "list")
    assert all(name in out for name in [*hwmem.workloads(), *hwmem.presets()])
    _, out, _ = called(capsys, "list", "spin-lock")
    assert "one of test-and-set, ttas, ticket, mcs" in out
    assert json.loads(called(capsys, "list", "--json")[1])["workloads"].keys() == hwmem.workloads().keys()


OWN = """
import goalloc.cli.cli
import hwmem
from hwmem.kernels import finish, next_thread

@hwmem.workload("own", "does nothing", threads=hwmem.parameter(3, "threads"))
def own(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        finish(m, t)
"""


def test_a_python_file_runs_as_the_workload_it_registers(capsys, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    status, out, _ = called(capsys, "run", tmp_path / "mine.py", "--set", "threads=2", "--json")
    assert status == 0 and json.loads(out)["workload"] == "own"
    (tmp_path / "empty.py").write_text("")
    assert called(capsys, "run", tmp_path / "empty.py") == (2, "", f"hwmem: {tmp_path}/empty.py: registers no workload\n")


@pytest.mark.parametrize(
    "text, said",
    [
        (b"import sys\nsys.exit(3)\n", ":2: SystemExit: 3"),
        (b"import sys\nsys.exit()\n", ":2: SystemExit"),
        (b"x = 1\0\n", ": SyntaxError: source code string cannot contain null bytes"),
    ],
)
def test_a_python_file_that_ends_or_cannot_be_read_is_refused_by_name(capsys, tmp_path, text, said):
    file = tmp_path / "mine.py"
    file.write_bytes(text)
    status, out, err = called(capsys, "run", file)
    assert (status, out) == (2, "") and err.startswith(f"hwmem: {file}{said}") and err.count("\n") == 1


@pytest.mark.parametrize("cycles", [0, -1, 10**30])
def test_max_cycles_that_cannot_be_are_refused_in_one_line(capsys, cycles):
    refused = f"hwmem: --max-cycles must be an integer from 1 to {10**18}, not {cycles}\n"
    assert called(capsys, "run", "false-sharing", "--max-cycles", cycles) == (2, "", refused)


@pytest.mark.parametrize("main, name", [(main, "false-sharing"), (goalloc.cli.cli.main, "garbage")])
def test_a_picture_that_cannot_be_drawn_costs_no_result(capsys, monkeypatch, tmp_path, main, name):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "p.svg")

    monkeypatch.setattr(hwmem.Result, "plot", full)
    kept, size = tmp_path / "r.hwm", "iterations=50" if name == "false-sharing" else "count=50"
    words = ["run", name, "--alone", "--set", size, "-o", str(kept), "--plot", str(tmp_path / "p.svg")]
    assert main(words) == 2 and "No space left on device" in capsys.readouterr().err
    assert hwmem.load_result(kept).workload == name


@pytest.mark.parametrize("option", ["--pprof", "--callgrind"])
def test_where_a_profile_cannot_be_written_nothing_is_replayed(capsys, tmp_path, option):
    status, _, err = called(capsys, "trace", "there-is-none.trace", option, tmp_path / "none" / "out")
    assert status == 2 and f"argument {option}: {tmp_path}/none/out: No such file or directory" in err


def test_a_trace_that_the_host_cannot_read_is_named(capsys):
    assert called(capsys, "trace", "/proc/self/mem") == (2, "", "hwmem: /proc/self/mem: Input/output error\n")


def run_with_a_mistake(capsys, tmp_path, line, wrong):
    """A user's file whose line `line` is `wrong`; the file, and what running it gives."""
    file = tmp_path / "broken.py"
    lines = [
        "import hwmem",
        "",
        "from hwmem.kernels import next_thread",
        "def setup(w, space):",
        "    pass",
        "@hwmem.workload('broken', 'does nothing', setup=setup)",
        "def broken(m, w):",
        "    pass",
    ]
    lines[line - 1] = wrong
    file.write_text("\n".join(lines))
    answer = called(capsys, "run", file)
    WORKLOADS.pop("broken", None)
    return file, answer


@pytest.mark.parametrize(
    "line, wrong, said",
    [
        (2, "import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (2, "def f(:", "SyntaxError: invalid syntax"),
        (5, "    1 // 0", "ZeroDivisionError: "),
        (6, "@hwmem.workload('broken', '', setup=3)", "TypeError: broken.setup: takes a function, not int"),
        (8, "    next_thread(m, m)", "next_thread takes (m), not 2 arguments"),
        (8, "    next_thread()", "next_thread takes (m), not 0 arguments"),
        (8, "    next_thred(m)", "'next_thred' is not defined; did you mean next_thread?"),
        (8, "    return w.missing", "w has no field 'missing'"),
        (8, "    m.thread[0].locl[1] = 2", "m.thread[0] has no field 'locl'; did you mean local?"),
        (8, "    return m.threds", "m has no field 'threds'; did you mean threads?"),
        (8, "    return m.cores + 'x'", "TypingError: add(int64, "),
        (
            8,
            "    hwmem.kernels.load(m, 0, 0, 3)",
            "hwmem.kernels.load(m, 0, 0, 3): there are loads and stores of 1, 2, 4, 8 bytes, not of 3",
        ),
    ],
)
def test_what_is_wrong_in_a_python_file_is_told_with_its_line(capsys, tmp_path, line, wrong, said):
    file, (status, out, err) = run_with_a_mistake(capsys, tmp_path, line, wrong)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"hwmem: {file}:{line}: {said}")


@pytest.mark.parametrize(
    "line, wrong, at, said",
    [
        (5, "    w.counter = 'many'", 4, "setup: w.counter: takes a number or an array of numbers, not str"),
        (7, "def broken(m):", 6, "TypeError: broken: a kernel takes (m, w), the machine and its own variables, not (m)"),
    ],
)
def test_what_shows_only_later_is_told_where_its_function_begins(capsys, tmp_path, line, wrong, at, said):
    file, (status, out, err) = run_with_a_mistake(capsys, tmp_path, line, wrong)
    assert (status, out, err) == (2, "", f"hwmem: {file}:{at}: {said}\n")


def test_a_workload_that_does_not_compile_is_the_same_refusal_from_python(capsys, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("import hwmem\n\n@hwmem.workload('broken', 'does nothing')\ndef broken(m, w):\n    m.current_core = w.missing\n")
    assert called(capsys, "run", file) == (2, "", f"hwmem: {file}:5: w has no field 'missing'\n")
    with pytest.raises(ValueError, match="broken.py:5: w has no field 'missing'"):
        hwmem.run("broken")
    WORKLOADS.pop("broken")


def test_a_page_holds_every_section_the_bytes_of_each_line_and_its_history(capsys, tmp_path):
    kept, file = tmp_path / "r.hwm", tmp_path / "r.html"
    called(capsys, "run", "false-sharing", *SMALL, "--events", 30, "--races", "-o", kept)
    assert called(capsys, "html", kept, "-o", file) == (0, "", "")
    blocks = [block for section in data_of(file.read_text())["sections"] for block in section["blocks"]]
    shown = {block["title"]: block["text"].rstrip("\n") for block in blocks if block["kind"] == "listing"}
    for section in SECTIONS:
        assert shown[TITLES[section]] == called(capsys, "report", kept, section)[1].split("\n\n", 1)[1].rstrip("\n")
    (lines,) = (block["lines"] for block in blocks if block["kind"] == "lines")
    assert lines[0]["bytes"] == [n // 8 if n < 32 else None for n in range(64)] and lines[0]["names"][9] == "counters[1]+1"
    assert {"tiles", "matrix", "history", "bars", "chart", "table"} <= {block["kind"] for block in blocks}


@pytest.mark.parametrize(
    "words, said",
    [
        ("", "the following arguments are required: COMMAND (see hwmem --help)"),
        ("walk", "argument COMMAND: invalid choice: 'walk'"),
        ("run", "the following arguments are required: WORKLOAD (see hwmem run --help)"),
        ("run false-sharing --sed 3", "unrecognized arguments: --sed 3"),
        ("run false-sharing --seed x", "argument --seed: invalid int value: 'x' (see hwmem run --help)"),
        ("run false-sharin", "workload 'false-sharin' does not exist; did you mean false-sharing?"),
        ("run false-sharing --set thread=4", "false-sharing.thread is not a setting; did you mean false-sharing.threads?"),
        ("run false-sharing --set threads", "'threads' must be parameter=value, such as threads=8"),
        ("run false-sharing --set stride=4", "false-sharing.stride must be an integer from 8 to 4096, not 4"),
        ("run stream --set size=1KB", 'stream.size must be bytes, such as 4096, "32KiB" or "4GiB", not \'1KB\''),
        ("run false-sharing --preset pentium", "preset must be one of"),
        ("run false-sharing --with cores=0", "cores must be an integer from 1 to 64, not 0"),
        ("run false-sharing --cores 0,7", "core: 7 is not one of the 4 cores, 0 to 3"),
        ("run false-sharing --cores one,two", "argument --cores: takes numbers, such as 0,1, not 'one,two'"),
        ("run false-sharing --events -1", "--events must be an integer from 0 to 1048576, not -1"),
        ("run false-sharing --events 1048577", "--events must be an integer from 0 to 1048576, not 1048577"),
        ("run false-sharing --sweep threads=1,2 --live", "--live is for one run"),
        ("run false-sharing -o /", "argument -o/--output: /: Is a directory"),
        ("classroom --walk --step 3", "it takes no --step and no -o"),
        ("classroom --walk -o a.svg", "it takes no --step and no -o"),
        ("classroom -o nowhere/a.svg", "argument -o/--output: nowhere/a.svg: No such file or directory"),
        (f"html {__file__} -o r.html", f"{__file__}: not a result of hwmem"),
        ("html r.hwm", "the following arguments are required: -o/--output"),
        ("run false-sharing --config nowhere.toml", "nowhere.toml: No such file or directory"),
        ("run nowhere.py", "nowhere.py: No such file or directory"),
        ("run false-sharing -o nowhere/r.hwm", "argument -o/--output: nowhere/r.hwm: No such file or directory (see hwmem run --help)"),
        ("trace nowhere.xz", "nowhere.xz: No such file or directory"),
        (f"trace {__file__}", f"{__file__}:1: neither lackey, din, xdin"),
        (f"trace {TRACE} --core 4", "--core takes 0 to 3, not 4"),
        (f"report {__file__}", f"{__file__}: not a result of hwmem"),
        ("report nowhere.hwm", "nowhere.hwm: No such file or directory"),
        ("report r.hwm heap", "argument SECTION: invalid choice: 'heap'"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line(capsys, words, said):
    status, out, err = called(capsys, *words.split())
    assert (status, out) == (2, "")
    assert err.startswith("hwmem: ") and err.count("\n") == 1 and said in err


def test_a_malformed_trace_is_refused_where_it_is_malformed(capsys, tmp_path):
    (tmp_path / "x.lackey").write_text(" L 1000,8\n S 1008,8\n X 10,8\n")
    status, out, err = called(capsys, "trace", tmp_path / "x.lackey")
    assert (status, out) == (2, "") and err.startswith(f"hwmem: {tmp_path}/x.lackey:3: ")


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "\x1b[31mred", "\u202egnp.exe", "\x9b31m", "half \udcff"])
@pytest.mark.parametrize(
    "words", [["report"], ["run"], ["trace"], ["run", "false-sharing", "--plot"], ["run", "false-sharing", "--sweep"], []]
)
def test_a_name_says_nothing_to_the_terminal_and_stays_on_its_line(capsys, words, name):
    assert main([*words, name]) == 2
    told = capsys.readouterr().err
    assert told.endswith("\n") and told[:-1].isprintable() and name.encode("unicode_escape").decode() in told


def test_a_program_that_fails_ends_with_1_and_one_line(capsys):
    status, out, err = called(capsys, "run", "false-sharing", "--set", "stride=12", "threads=6", "iterations=9", "atomic=true", "--alone")
    assert (status, out) == (1, "")
    assert err.startswith("hwmem: bus error") and err.count("\n") == 1


def test_every_subcommand_has_help(capsys):
    for words in (
        [],
        ["list"],
        ["run"],
        ["trace"],
        ["report"],
        ["litmus"],
        ["trace-line"],
        ["classroom"],
        ["config"],
        ["warmup"],
        ["html"],
    ):
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert end.value.code == 0 and capsys.readouterr().out.startswith("usage: hwmem")


def command(*words, **options):
    return subprocess.Popen([sys.executable, "-m", "hwmem", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_the_module_is_the_command_and_a_closed_pipe_is_no_error():
    process = command("list", "--json")
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 0
    assert command("--version").communicate()[0] == f"hwmem {hwmem.__version__}\n"


@pytest.mark.parametrize("seconds, last", [(0, "at the end\n"), (5, "of a thread\nat the end\n")])
def test_a_process_ends_at_once_but_not_before_what_is_left_for_the_end(tmp_path, seconds, last):
    """Functions of atexit and what they print; a thread that goes on for longer than the run."""
    (tmp_path / "late.py").write_text(
        "import atexit, threading, time, hwmem\n"
        "atexit.register(print, 'at the end')\n"
        f"threading.Thread(target=lambda: (time.sleep({seconds}), print('of a thread'))).start()\n"
        "@hwmem.workload('late', '')\ndef late(m, w): pass\n"
    )
    command = [sys.executable, "-m", "hwmem", "run", str(tmp_path / "late.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith(last)


def test_help_and_refusals_do_not_wait_for_the_compiler():
    for words in (["--help"], ["run"], ["report", "nowhere.hwm"], ["config"]):
        code = f"import sys; from hwmem.cli.cli import main\ntry: main({words})\nexcept SystemExit: pass\nprint('numba' in sys.modules)"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        assert out.endswith("False\n"), words


def test_the_benchmarks_are_those_of_the_checkout_and_nothing_imports_them():
    code = "import sys; from hwmem.cli.cli import main; main(['bench', '--help']); print('goalloc' in sys.modules or 'benchmarks' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "--repeats" in done.stdout and done.stdout.endswith("False\n")
    refused = subprocess.run([sys.executable, "-m", "hwmem", "bench", "--nope"], cwd=ROOT, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("alone", [True, False])
def test_an_interruption_reaches_the_benchmarks_once(alone, monkeypatch):
    """A terminal interrupts both processes; who interrupts this one alone means both."""
    told = []

    class Child:
        def __init__(self, *_, **__):
            self.interrupted = False

        def wait(self, timeout=None):
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            if alone and not told:
                raise subprocess.TimeoutExpired("benchmarks", timeout)
            return 130

        def send_signal(self, number):
            told.append(number)

    monkeypatch.setattr(subprocess, "Popen", Child)
    assert main(["bench"]) == 130 and told == [signal.SIGINT] * alone


def test_where_the_benchmarks_are_not_one_line_says_where_they_are(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("hwmem.cli.cli.__file__", str(tmp_path / "hwmem" / "cli" / "cli.py"))
    status, out, err = called(capsys, "bench")
    assert (status, out, err.count("\n")) == (2, "", 1) and "python -m benchmarks" in err


def test_settings_may_stand_before_the_workload(capsys):
    first = called(capsys, "run", "--set", "iterations=50", "threads=2", "false-sharing", "--alone", "--json")
    last = called(capsys, "run", "false-sharing", "--set", "iterations=50", "threads=2", "--alone", "--json")
    assert first[0] == last[0] == 0 and json.loads(first[1])["cycles"] == json.loads(last[1])["cycles"]


@pytest.mark.parametrize(
    "words, ordered",
    [
        (["--with", "cores=8", "a.trace", "--top", "0"], "a.trace --with cores=8 --top 0"),
        (["--with", "cores=8", "l1d.size=64KiB", "a.trace", "b.trace"], "a.trace b.trace --with cores=8 l1d.size=64KiB"),
        (["a.trace", "--core", "1", "b.trace"], "a.trace b.trace --core 1"),
        (["--classify", "a.trace", "--with", "cores=2", "x"], "a.trace --classify --with cores=2 x"),
        (["--with", "cores=2", "--", "-a.trace"], "--with cores=2 -- -a.trace"),
        (["--with=cores=2", "-oR", "a.trace"], "a.trace --with=cores=2 -oR"),
        (["--nope", "a.trace"], "--nope a.trace"),
    ],
)
def test_a_list_of_settings_ends_where_a_word_is_none(words, ordered):
    top, command = command_line("hwmem", "")
    sub = command(None, "trace", "")
    sub.add_argument("files", nargs="+", metavar="FILE")
    for option, kind in (
        ("--with", {"nargs": "+", "metavar": "SETTING=VALUE"}),
        ("--top", {}),
        ("--core", {}),
        ("--classify", {"action": "store_true"}),
    ):
        sub.add_argument(option, **kind)
    sub.add_argument("-o", "--output")
    assert " ".join(positionals_first(sub, words)) == ordered


def test_settings_may_stand_before_a_trace(capsys):
    status, out, _ = called(capsys, "trace", "--with", "cores=8", TRACE, "--json")
    assert status == 0 and json.loads(out)["config"]["cores"] == 8


@pytest.mark.parametrize(
    "words, said",
    [
        (["run", "false-sharing", "--threads", "2"], "did you mean --set threads=2"),
        (["run", "false-sharing", "--cache.size=3"], "--set cache.size=3"),
        (["run", "false-sharing", "--sweep", "threads"], "--sweep: 'threads' must be name=values, such as threads=1..16"),
        (["run", "false-sharing", "--sweep", "threads=4..1"], "a range ascends"),
        (["run", "false-sharing", "--sweep", "thread=1,2"], "did you mean threads?"),
        (["diff", "a.hwm", "b.hwm"], "a.hwm: No such file or directory"),
    ],
)
def test_what_was_probably_meant_is_said_in_one_line(capsys, words, said):
    status, out, err = called(capsys, *words)
    assert (status, out, err.count("\n")) == (2, "", 1) and said in err


def test_help_behind_a_workload_shows_its_parameters(capsys):
    for words in (["run", "spin-lock", "--help"], ["run", "spin-lock", "-h"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        out = capsys.readouterr().out
        assert ended.value.code == 0 and "--set" in out and "test-and-set" in out and "lock" in out


def test_a_sections_json_is_that_section(capsys, tmp_path):
    called(capsys, "run", "false-sharing", *SMALL, "--events", 9, "--races", "-o", tmp_path / "r.hwm", "--alone")
    whole = len(called(capsys, "report", tmp_path / "r.hwm", "--json")[1])
    for section in SECTIONS:
        document = json.loads(called(capsys, "report", tmp_path / "r.hwm", section, "--json")[1])
        assert document["section"] == section and len(json.dumps(document)) < whole
    lines = json.loads(called(capsys, "report", tmp_path / "r.hwm", "c2c", "--json")[1])["lines"]
    assert lines and set(lines[0]) >= {"address", "hitm", "sharing", "offsets"}
    tlb = json.loads(called(capsys, "report", tmp_path / "r.hwm", "tlb", "--json")[1])["cores"][0]
    assert "dtlb.hits" in tlb and "l1d.hits" not in tlb


@pytest.mark.parametrize("words", [["--sweep", "threads=1,2"], ["--sweep", "threads=1,2", "--cluster", "127.0.0.1:9"]])
def test_an_extra_that_is_missing_is_one_line_that_names_it(capsys, monkeypatch, words):
    monkeypatch.setitem(sys.modules, "distributed" if "--cluster" in words else "joblib", None)
    assert main(["run", "false-sharing", *words]) == 2
    assert re.fullmatch(r"hwmem: a \w+ needs \w+: pip install 'hwmem\[\w+\]'\n", capsys.readouterr().err)


def test_a_sweep_is_a_table_a_file_and_a_document(capsys, tmp_path):
    pytest.importorskip("joblib", reason="sweeps need joblib")
    words = ["run", "false-sharing", "--sweep", "threads=1..3", "stride=8,64", "--set", "iterations=50"]
    status, out, err = called(capsys, *words, "-o", tmp_path / "s.csv")
    assert (status, err) == (0, "") and len(out.splitlines()) == 7 and len((tmp_path / "s.csv").read_text().splitlines()) == 7
    assert [row["threads"] for row in json.loads(called(capsys, *words, "--json")[1])] == [1, 1, 2, 2, 3, 3]


def test_a_sweep_that_is_interrupted_keeps_its_rows_in_the_file(capsys, tmp_path, monkeypatch):
    joblib = pytest.importorskip("joblib", reason="sweeps need joblib")

    class Parallel:
        def __init__(self, **_):
            """One run, then Ctrl-C."""

        def __call__(self, calls):
            function, words, named = next(iter(calls))
            yield function(*words, **named)
            raise KeyboardInterrupt

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    words = ["run", "false-sharing", "--sweep", "threads=1..3", "--set", "iterations=50"]
    assert called(capsys, *words) == (130, "", "hwmem: interrupted\n")
    path = tmp_path / "s.csv"
    assert called(capsys, *words, "-o", path) == (130, "", f"hwmem: interrupted; what was measured so far is in {path}\n")
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["threads"], row["error"], bool(row["cycles"])) for row in rows] == [
        ("1", "", True),
        ("2", "interrupted", False),
        ("3", "interrupted", False),
    ]


def test_a_sweeps_seed_is_that_of_each_run(capsys):
    pytest.importorskip("joblib", reason="sweeps need joblib")
    words = ["run", "false-sharing", "--sweep", "threads=2,3", "--set", "iterations=50", "--json"]
    rows = json.loads(called(capsys, *words, "--seed", "3")[1])
    assert [row["seed"] for row in rows] == [3, 3] and rows != json.loads(called(capsys, *words)[1])


@pytest.mark.parametrize(
    "words, says",
    [
        (["--sweep", "threads=1", "--live"], "--live is for one run"),
        (["--sweep", "threads=1", "--max-cycles", "9"], "--max-cycles is for one run"),
        (["--sweep", "threads=1", "--cores", "0"], "--cores is for one run"),
        (["--sweep", "threads=1", "--classify"], "--classify is for one run"),
        (["--sweep", "threads=1", "-o", "s.hwm"], "-o: what a sweep writes is a .csv"),
        (["--sweep", "threads=1", "--jobs", "0"], "jobs must be an integer from 1 to"),
        (["--jobs", "2"], "--jobs, --cluster: go with --sweep"),
    ],
)
def test_what_does_not_go_with_a_sweep_is_refused(words, says, capsys):
    status, out, err = called(capsys, "run", "false-sharing", *words)
    assert (status, out) == (2, "") and err.startswith(f"hwmem: {says}") and err.count("\n") == 1


def test_two_results_are_told_apart(capsys, tmp_path):
    for name, stride in (("a", 8), ("b", 64)):
        called(capsys, "run", "false-sharing", "--set", f"stride={stride}", "iterations=300", "--alone", "-o", tmp_path / f"{name}.hwm")
    status, out, _ = called(capsys, "diff", tmp_path / "a.hwm", tmp_path / "b.hwm")
    assert status == 0 and "stride" in out and "cycles" in out
    document = json.loads(called(capsys, "diff", tmp_path / "a.hwm", tmp_path / "b.hwm", "--json")[1])
    assert document["settings"] == [{"name": "stride", "a": 8, "b": 64}]
    assert called(capsys, "diff", tmp_path / "a.hwm", tmp_path / "a.hwm")[1] == "Nothing differs.\n"


def test_a_screen_of_ascii_gets_ascii():
    done = subprocess.run(
        [sys.executable, "-m", "hwmem", "run", "false-sharing", *SMALL],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0 and done.stdout.isascii() and b"####" in done.stdout


def test_no_bar_reaches_a_file():
    done = subprocess.run([sys.executable, "-m", "hwmem", "run", "false-sharing", *SMALL], cwd=ROOT, capture_output=True)
    assert done.returncode == 0 and b"\r" not in done.stderr and b"\x1b" not in done.stderr
