"""The streams under valgrind's cachegrind, with the L1 and the L3 of the others (it has two levels).

walk.c makes a stream with as few instructions as will do, since cachegrind looks at those too: eight loads in twenty
instructions where addresses are arithmetic; elsewhere it reads them from a file. Its rate is

    the stream's own references / (CPU time of the run - CPU time of a run of no accesses)

and that the stream is what was counted is checked against cachegrind's own sum of data references.
"""

import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from benchmarks.measure import run_child
from benchmarks.traffic import LINE, SHAPES

SOURCE = pathlib.Path(__file__).with_name("walk.c")
ACCESSES = 16_000_000  # long beside valgrind's own start
STRAY_REFERENCES = 10_000  # of the program outside its loop


def missing():
    """Why there is no cachegrind here; "" if there is."""
    gone = [tool for tool in ("valgrind", "gcc") if shutil.which(tool) is None]
    return f"not installed: {', '.join(gone)}" if gone else ""


class Cachegrind:
    """walk.c compiled in a folder of its own; use with `with`."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        subprocess.run(["gcc", "-O2", "-o", self.folder / "walk", SOURCE], check=True)
        return self

    def __exit__(self, *unused):
        self._folder.cleanup()

    def rate(self, stream, repeats):
        """The stream's accesses a CPU second."""
        arguments, references = self.arguments(stream)
        started, ran = [], []
        for _ in range(repeats):
            started.append(self.run(0, arguments))
            ran.append(self.run(ACCESSES, arguments))
        counted = ran[0][1] - started[0][1]
        if abs(counted - ACCESSES * references) > STRAY_REFERENCES:
            raise RuntimeError(f"cachegrind counted {counted} data references, not {ACCESSES * references}")
        return ACCESSES / (min(cpu for cpu, _ in ran) - min(cpu for cpu, _ in started))

    def arguments(self, stream):
        """walk's words after the count, and its data references an access."""
        if stream.arithmetic:
            return list(map(str, stream.arithmetic)), 1
        (stream.addresses | stream.is_store).astype(np.int64).tofile(self.folder / "addresses")
        return [str(self.folder / "addresses")], 2

    def run(self, accesses, arguments):
        """(CPU seconds, data references) of one run."""
        caches = [f"--{name}={sets * ways * LINE},{ways},{LINE}" for name, (sets, ways) in (("D1", SHAPES[0]), ("LL", SHAPES[2]))]
        out = self.folder / "counts"
        used = run_child(
            [
                "valgrind",
                "--tool=cachegrind",
                "--vgdb=no",  # it would leave pipes behind where it is ended
                "--cache-sim=yes",
                *caches,
                f"--cachegrind-out-file={out}",
                "--log-file=/dev/null",
                self.folder / "walk",
                str(accesses),
                *arguments,
            ]
        )
        totals = dict(line.split(": ", 1) for line in out.read_text().splitlines() if line.startswith(("events: ", "summary: ")))
        counts = dict(zip(totals["events"].split(), map(int, totals["summary"].split())))
        return used.cpu, counts["Dr"] + counts["Dw"]
