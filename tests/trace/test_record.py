"""`hwmem record` on live programs: what it keeps of the program's own ways, and recordings made afresh."""

import json
import lzma
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

import tools
from hwmem.cli.cli import main
from hwmem.runs.job import replay
from hwmem.runs.recorded import Wishes
from hwmem.trace import open_trace
from recordings import SOURCES

ROOT = pathlib.Path(__file__).parents[2]
MISSING = tools.missing("valgrind", "cc")
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]
INTERPRETER = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else os.path.realpath(sys.executable)
THREADS = "void *work(void *p) { for (int i = 0; i < 300; i++) ++*(volatile long *)p; return 0; }"

CPP = """
#include <atomic>
#include <barrier>
#include <mutex>
#include <thread>
#include <vector>
std::atomic<long> all; std::mutex lock; long guarded; struct { std::atomic<long> one, two; } near_by;
int main() {
    std::barrier start(2); std::vector<std::thread> threads;
    for (int n = 0; n < 2; n++)
        threads.emplace_back([&, n] {
            start.arrive_and_wait();
            for (int i = 0; i < 300; i++) { (n ? near_by.two : near_by.one)++; all++; std::lock_guard<std::mutex> held(lock); guarded++; }
        });
    for (auto &thread : threads) thread.join();
    return guarded == 600 ? 0 : 1;
}
"""
PYTHON = """
import _thread

ended = [_thread.allocate_lock() for _ in range(2)]


def work(n):
    for i in range(2000):
        pass
    ended[n].release()


for n in range(2):
    ended[n].acquire()
    _thread.start_new_thread(work, (n,))
for lock in ended:
    lock.acquire()
print("done")
"""
GO = """package main

import "sync"

var pair struct{ left, right int64 }

//go:noinline
func raise(p *int64) {
	for i := 0; i < 500; i++ {
		*p++
	}
}

func main() {
	var all sync.WaitGroup
	all.Add(2)
	go func() { raise(&pair.left); all.Done() }()
	go func() { raise(&pair.right); all.Done() }()
	all.Wait()
	println(pair.left, pair.right)
}
"""


def built(folder, source, name="prog", compiler=("cc", "-O1", "-g", "-pthread")):
    if not isinstance(source, pathlib.Path):
        (folder / f"{name}.c").write_text(source)
        source = folder / f"{name}.c"
    subprocess.run([*compiler, source, "-o", folder / name], check=True)
    return folder / name


def recorded(*words, folder, **options):
    """A finished `hwmem record`, and its recording's path."""
    words = [sys.executable, "-m", "hwmem", "record", "-o", folder / "prog.trace", *words]
    done = subprocess.run(
        words, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=400, **options
    )
    return done, folder / "prog.trace"


def plainly(path):
    """Loads, stores and instructions of each thread, from the text: the plain way."""
    threads, slots, current, before = [], {}, None, None
    for line in lzma.open(path, "rt", encoding="latin-1"):
        if "SCHED[" in line and "acquired lock" in line:
            slot = line.partition("SCHED[")[2].partition("]")[0]
            if "starting new thread" in line:
                slots[slot] = len(threads)
                threads.append([0, 0, 0])
            current = slots[slot]
        elif line.startswith("I  "):
            threads[current][2] += 1
            before = None
        elif line[:3] in (" L ", " S ", " M "):
            atomic = line[1] == "M" and before == line[3:]
            threads[current][0] += line[1] in "LM" and not atomic
            threads[current][1] += line[1] in "SM"
            before = line[3:] if line[1] == "L" else None
    return [tuple(t) for t in threads]


def held_to_its_text(path, folder=None):
    """The Program of a replay under both orders, whose threads are those of the text."""
    for order in ("conflict", "clock"):
        program = replay(open_trace(path), top=0, wishes=Wishes(order, folder and str(folder))).program
        assert [(t.loads, t.stores, t.instructions) for t in program.threads] == plainly(path)
        assert all(call.result is not None for call in program.memory_calls) and not any("gave" in note for note in program.notes)
    return program


def test_the_program_keeps_its_input_output_and_exit_status(tmp_path):
    program = built(
        tmp_path,
        '#include <stdio.h>\nint main(void) { int c; while ((c = getchar()) != EOF) putchar(c + 1); fputs("told", stderr); return 7; }',
    )
    done, path = recorded("--", str(program), folder=tmp_path, input="HAL")
    assert (done.returncode, done.stdout) == (7, "IBM")
    assert "told" in done.stderr and f"{path}: " in done.stderr and "the program ended with 7" in done.stderr
    assert held_to_its_text(path).process == {"children": 0, "exit": 7}


def test_a_crash_leaves_a_recording_that_says_so(tmp_path):
    program = built(tmp_path, "int main(void) { *(volatile int *)8 = 1; return 0; }")
    done, path = recorded("--", str(program), folder=tmp_path)
    assert done.returncode == 128 + signal.SIGSEGV and "SIGSEGV" in done.stderr
    assert held_to_its_text(path).process["exit"] == -signal.SIGSEGV


def test_heap_blocks_are_told_with_their_callers(tmp_path):
    program = built(
        tmp_path,
        "#include <stdlib.h>\nint main(void) { char *p = malloc(1000); p = realloc(p, 3000); char *q = calloc(7, 11); free(p); return !q; }",
    )
    done, path = recorded("--heap", "--", str(program), folder=tmp_path)
    assert done.returncode == 0
    blocks = held_to_its_text(path).blocks
    assert {(b.size, b.freed is None) for b in blocks} >= {(1000, False), (3000, False), (77, True)}


def test_children_have_recordings_of_their_own(tmp_path):
    program = built(
        tmp_path,
        "#include <sys/wait.h>\n#include <unistd.h>\nint main(void) { if (!fork()) return 5; int s; wait(&s); return WEXITSTATUS(s); }",
    )
    done, path = recorded("--children", "--", str(program), folder=tmp_path)
    assert done.returncode == 5
    children = list(tmp_path.glob("prog.trace.*"))
    assert len(children) == 1
    assert replay(open_trace(path), top=0).program.process == {"children": 1, "exit": 5}
    assert replay(open_trace(children[0]), top=0).program.process["exit"] == 5


def test_a_full_disk_is_one_line(tmp_path):
    program = built(tmp_path, THREADS + "int main(void) { long x = 0; for (int i = 0; i < 400; i++) work(&x); return 0; }")
    words = [sys.executable, "-m", "hwmem", "record", "-o", "/dev/full", "--", program]
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and done.stderr.strip() == "hwmem: /dev/full: No space left on device"
    assert pathlib.Path("/dev/full").is_char_device()


@pytest.mark.parametrize("words, said", [([], "record needs a program"), (["./nothing"], "no such program")])
def test_what_cannot_be_recorded_is_one_line(words, said, capsys):
    assert main(["record", "--", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_valgrind_it_says_how_to_install_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["record", "-o", str(tmp_path / "t"), "--", "/bin/true"]) == 2
    assert "apt install valgrind" in capsys.readouterr().err and not (tmp_path / "t").exists()


def test_false_sharing_is_found_where_it_is(tmp_path):
    program = built(tmp_path, SOURCES / "counters.c")
    done, path = recorded("--", str(program), "2", "2000", folder=tmp_path)
    worst = [line for line in held_to_its_text(path).lines if line.sharing == "false" and line.hitm > 500]
    assert done.returncode == 0 and len(worst) == 1


def test_ctrl_c_is_the_programs_and_what_it_did_is_kept(tmp_path):
    program = built(
        tmp_path, '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("on"); fflush(stdout); for (;;) usleep(1000); }'
    )
    words = [sys.executable, "-m", "hwmem", "record", "-o", tmp_path / "prog.trace", "--", program]
    child = subprocess.Popen(
        words, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout.readline() == "on\n"
    time.sleep(0.3)
    os.killpg(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=200)
    assert child.returncode == 128 + signal.SIGINT and "SIGINT" in told and "Traceback" not in told
    assert held_to_its_text(tmp_path / "prog.trace").process["exit"] == -signal.SIGINT


@pytest.mark.parametrize("children", [[], ["--children"]])
@pytest.mark.parametrize(
    "ends, status, words",
    [("exit 1", 2, "true: nothing was recorded: valgrind did not start it"), ("kill -INT $$", 130, "interrupted")],
)
def test_an_older_recording_stays_where_nothing_is_recorded(tmp_path, monkeypatch, capsys, children, ends, status, words):
    (tmp_path / "valgrind").write_text(f"#!/bin/sh\n{ends}\n")
    (tmp_path / "valgrind").chmod(0o755)
    (tmp_path / "prog.trace").write_bytes(b"older")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["record", "-o", str(tmp_path / "prog.trace"), *children, "--", "true"]) == status
    assert capsys.readouterr().err == f"hwmem: {words}\n"
    assert (tmp_path / "prog.trace").read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(bool(tools.missing("g++")), reason="no g++")
def test_threads_of_cpp_20_take_turns_at_a_lock(tmp_path):
    """Who frees a lock lets a waiter have it, though it asks again itself at once."""
    program = built(tmp_path, CPP, compiler=("g++", "-std=c++20", "-x", "c++", "-O1", "-g", "-pthread"))
    done, path = recorded("--", str(program), folder=tmp_path)
    told = held_to_its_text(path)
    assert done.returncode == 0 and len(told.threads) == 3 and told.lines[0].hitm > 300


@pytest.mark.skipif(not shutil.which("xz"), reason="no xz")
def test_xz_with_two_threads(tmp_path):
    (tmp_path / "text").write_bytes(bytes(range(256)) * 48)
    done, path = recorded("--", "xz", "-0", "-k", "-T2", "--block-size=6144", "text", folder=tmp_path)
    assert done.returncode == 0 and len(held_to_its_text(path).threads) == 3


def test_python_with_two_threads(tmp_path):
    """Thirty million lines, most of them its start (a distribution's, which was built by a profile, makes a quarter fewer). Instructions are as many as Valgrind counted, and the interpreter's lock goes round."""
    (tmp_path / "program.py").write_text(PYTHON)
    done, path = recorded("--", INTERPRETER, "-I", "-S", "program.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n")
    told = replay(open_trace(path), top=0).program
    assert len(told.threads) == 3 and told.forced_steps == 0 and not any("gave" in note for note in told.notes)
    assert sum(thread.instructions for thread in told.threads) == instructions_as_valgrind_says(path)
    assert any(line.sharing in ("true", "both") and set(line.written) >= {2, 3} and line.hitm for line in told.lines)


def instructions_as_valgrind_says(path):
    """Of lackey's counts, which stand at the end of its log."""
    end = b""
    with lzma.open(path) as text:
        while more := text.read(1 << 20):
            end = (end + more)[-8192:]
    return int(end.partition(b"guest instrs:")[2].split()[0].replace(b",", b""))


def test_a_program_of_go(tmp_path):
    go = shutil.which("go") or str(pathlib.Path(sys.executable).with_name("go"))
    if not os.path.exists(go):
        pytest.skip("no Go")
    (tmp_path / "main.go").write_text(GO)
    environment = os.environ | {"GOFLAGS": "", "GO111MODULE": "off"}
    subprocess.run([go, "build", "-o", tmp_path / "prog", tmp_path / "main.go"], check=True, env=environment)
    done, path = recorded("--", str(tmp_path / "prog"), folder=tmp_path)
    told = held_to_its_text(path)
    assert done.returncode == 0 and len(told.threads) > 2 and told.forced_steps == 0
    json.dumps(told.to_dict())
