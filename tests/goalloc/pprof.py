"""The real `go tool pprof`, where it is installed: what it says of a profile."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


def go():
    """The go command with its pprof, or None."""
    tool = shutil.which("go") or str(Path(sys.executable).with_name("go"))
    try:
        done = subprocess.run([tool, "tool", "pprof", "-h"], capture_output=True, text=True, timeout=60)
    except OSError:
        return None
    return tool if "pprof" in done.stderr + done.stdout else None


PPROF = go()


def ask(path, *words):
    """What pprof prints of a profile."""
    env = {**os.environ, "PPROF_TMPDIR": str(path.parent)}
    done = subprocess.run([PPROF, "tool", "pprof", *words, str(path)], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def top(path, *options):
    """{function: bytes or objects} that `pprof -top` shows."""
    rows = re.findall(
        r"^\s*(-?\d+)B?\s+\S+%\s+\S+%\s+-?\d+B?\s+\S+%\s+(.*)$",
        ask(path, "-top", "-unit=B", "-nodecount=100", "-nodefraction=0", *options),
        re.M,
    )
    return {name.strip(): int(flat) for flat, name in rows}


def total(path):
    """The sum of all samples of a profile of counts."""
    return int(re.search(r" of (\d+) total$", ask(path, "-top"), re.M)[1])


def traces(path):
    """{frames, the innermost first: count} of a profile of counts."""
    found = {}
    for block in re.split(r"^-+\+-+$", ask(path, "-traces"), flags=re.M)[1:-1]:
        count, *frames = block.replace(" (inline)", "").split()
        found[tuple(frames)] = found.get(tuple(frames), 0) + int(count)
    return found
