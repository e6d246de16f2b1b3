"""After `hwmem warmup` the commands that the documents show compile nothing: minutes of compiling, so a program and not a test.

python -m tests.warmup          in a cache of its own; prints the commands that compile nevertheless, and ends with 1 if there are any
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from tests.documents import ROOT, blocks, commands, fill, sessions

COMPILES = ": compiling, once"


def main():
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": os.path.join(folder, "cache"), "PYTHONPATH": str(ROOT)}
        desk = pathlib.Path(folder) / "desk"
        desk.mkdir()
        fill(desk)

        def said(words):
            print(" ".join(words), file=sys.stderr, flush=True)
            done = subprocess.run([sys.executable, "-m", *words], cwd=desk, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-500:]}")
            return done.stderr

        said(["hwmem", "warmup"])
        shown = [words for block in blocks("console") for line, _ in sessions(block.text) for words in commands(line)]
        found = [" ".join(words) for words in [["hwmem", "warmup"], *shown] if COMPILES in said(words)]
    print("\n".join(found) or "no command compiles anything")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
