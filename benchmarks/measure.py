"""Measuring: CPU time, the best of several, and what a child process used.

CPU time, for the machine may be doing other things; the best, for what disturbs only ever adds. Contenders take turns:
each is prepared and run once, then all again, so that a ratio is never between a quiet minute and a busy one.
"""

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
MB = 10**6


def cpu_seconds(call):
    """CPU seconds of this process that `call()` takes."""
    began = time.process_time()
    call()
    return time.process_time() - began


def best_in_turn(contenders, repeats, step=lambda name: None):
    """{name: least CPU seconds} of `contenders`, {name: prepare}, where prepare() returns the call to measure.

    What prepare does, such as emptying caches, is not measured. `step(name)` is called with what comes next.
    """
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(repeats):
        for name, prepare in contenders.items():
            step(name)
            best[name] = min(best[name], cpu_seconds(prepare()))
    return best


class Used(NamedTuple):
    """What a child used, seconds by the clock and CPU seconds; and what it printed."""

    wall: float
    cpu: float
    output: str


def run_child(command, environment=None, folder=None):
    """Run `command` to its end; a Used. Raises RuntimeError, with its last words, if it fails."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    began = time.perf_counter()
    child = subprocess.Popen(
        command,
        env=variables | (environment or {}),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:  # interrupted: nothing goes on
        child.kill()
        child.wait()
        raise
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {child.returncode}: {output[-500:]}")
    return Used(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, output)


def python(module, *arguments):
    """The command that runs a module of this tree."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def last_json(output):
    """The JSON document on the last line."""
    return json.loads(output.rstrip().rpartition("\n")[2])
