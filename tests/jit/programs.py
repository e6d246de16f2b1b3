"""Programs in processes of their own, and a copy of the package to edit."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(code_or_file, *arguments, cwd=None, tree=ROOT, **environment):
    """Run a program in a process of its own with `tree`'s packages; its standard output's JSON, and its standard error."""
    command = [sys.executable, *(["-c", textwrap.dedent(code_or_file)] if "\n" in str(code_or_file) else [str(code_or_file)])]
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(tree), str(ROOT / "tests")])}
    done = subprocess.run([*command, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, env=paths | environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def printed(folder, *words):
    """What `hwmem` prints in `folder`: as plain Python, without a warning of numpy's, the same as compiled."""
    said = []
    for flag in "10":
        done = subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-m", "hwmem", *words],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": flag},
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1]
    return said[0]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    stamp = path.stat()
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1_000_000_000))  # Python's own cache sees the edit too


def copy_package(folder):
    shutil.copytree(ROOT / "hwmem", folder / "hwmem", ignore=shutil.ignore_patterns("__pycache__"))
