"""The real compiler's messages: asked live where Go 1.21 is installed, from a recording elsewhere.

`python tests/escape/compiler.py` records anew (Go 1.21.13 in PATH or in $GO).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDING = HERE.parent / "oracles" / "escape.json.gz"
PROGRAMS = sorted(p.name for p in HERE.glob("*.go"))
SEEDS = range(30)  # of generated programs that are recorded
KINDS = re.compile(r"moved to heap|escapes to heap|does not escape|leaking param|can inline|inlining call|devirtualizing|self-assignment")


@cache
def go() -> str | None:
    """The go command, if it is 1.21."""
    tool = os.environ.get("GO") or shutil.which("go") or str(Path(sys.executable).with_name("go"))
    try:
        version = subprocess.run([tool, "version"], capture_output=True, text=True, timeout=60).stdout
    except OSError:
        return None
    return tool if " go1.21" in version else None


def ask(source: str, inline: bool) -> list[str]:
    """What `go build -gcflags=-m` says of a file, as LINE:COL: message, without the lines of other files."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x.go").write_text(source)
        Path(folder, "empty.s").write_text("")  # so that functions may have no body
        Path(folder, "go.mod").write_text("module x\n\ngo 1.21\n")
        flags = "-gcflags=-m" if inline else "-gcflags=-m -l"
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GO111MODULE": "on"}
        done = subprocess.run([str(go()), "build", "-o", os.devnull, flags, "."], cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return [line.removeprefix("./x.go:") for line in done.stderr.splitlines() if line.startswith("./x.go:") and KINDS.search(line)]


@cache
def recording() -> dict:
    return json.loads(gzip.decompress(RECORDING.read_bytes()))


def record() -> None:
    from gofunctions import program

    said: dict = {"programs": {}, "generated": {}}
    for name in PROGRAMS:
        source = (HERE / name).read_text()
        said["programs"][name] = [ask(source, True), ask(source, False)]
    for seed in SEEDS:
        said["generated"][str(seed)] = [ask(program(seed), True), ask(program(seed), False)]
    RECORDING.write_bytes(gzip.compress(json.dumps(said, separators=(",", ":")).encode(), mtime=0))


if __name__ == "__main__":
    record()
