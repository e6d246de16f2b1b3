"""A real program: compiled, recorded as it runs, its false sharing found by name, mended, and recorded again.

    neighbours.c ── gcc ──┬── as written ── hwmem record ── replay        the report: which variables share a line
                          │                     └── with those apart      the predicted gain of padding them
                          └── padded ────── hwmem record ── replay        the gain

It needs gcc and Valgrind, and the extra `symbols` for names; where they are missing the experiment cannot run, and says so.
"""

import contextlib
import io
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from hwmem.experiments.experiment import Experiment, Figure, Unmeasured, near, verdict
from hwmem.programs.registry import parameter
from hwmem.runs.recorded import Wishes, replay_recording
from hwmem.trace import open_trace
from hwmem.trace.program import false_hitms
from hwmem.trace.recorder import record

MODEL = "Golang Rumtime-内存模型"
SOURCE = Path(__file__).with_name("neighbours.c")
THREADS, ROUNDS = 2, 1_500
PADDED = "-DPAD=_Alignas(64)"
CLOSE = 0.15  # of the gain that is foretold: addresses of all else change with the program


def ready():
    """Raises Unmeasured, one line, if something that the experiment needs is missing."""
    for tool, package in (("gcc", "apt install gcc"), ("valgrind", "apt install valgrind")):
        if shutil.which(tool) is None:
            raise Unmeasured(f"recorded-program needs {tool}, which is not installed ({package})")
    if find_spec("elftools") is None:
        raise Unmeasured("recorded-program needs the names of variables: pip install 'hwmem[symbols]'")


def built(folder, name, *flags):
    program = Path(folder) / name
    done = subprocess.run(["gcc", "-g", "-O1", "-pthread", *flags, "-o", str(program), str(SOURCE)], capture_output=True, text=True)
    if done.returncode:
        raise Unmeasured(f"recorded-program: gcc: {(done.stderr.splitlines() or ['failed'])[0]}")
    return program


def recorded(folder, program, seed):
    """Its recording."""
    trace = Path(folder) / f"{program.name}.trace"
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        status = record([str(program), str(seed), str(THREADS), str(ROUNDS)], str(trace))
    if status == 128 + signal.SIGINT:  # passed on to the program; it is the experiment that is to end
        raise KeyboardInterrupt
    if status != 0:
        raise Unmeasured(f"recorded-program: {(told.getvalue().splitlines() or [f'status {status}'])[-1]}")
    return trace


def replayed(lab, trace, apart=()):
    result = replay_recording(open_trace(str(trace)), lab.config(), wishes=Wishes(apart=tuple(apart)))
    lab.tick()
    return result


def row(version, result):
    """Of the counters' lines alone: the loader's are the same in both programs."""
    own = [line for line in result.program.lines if "counters" in (line.symbol or "")]
    return [version, result.cycles, sum(line.hitm for line in own), sum(map(false_hitms, own))]


def measure_recorded(lab):
    ready()
    with tempfile.TemporaryDirectory() as folder:
        first = recorded(folder, built(folder, "neighbours", *([PADDED] if lab.option("padded") else [])), lab.seed)
        written = replayed(lab, first)
        worst = max(written.program.lines, key=lambda line: line.hitm, default=None)
        parts = [f"counters[{k}]" for k in range(THREADS)]
        named = bool(worst and worst.symbol and all(part in worst.symbol for part in parts))
        foretold = replayed(lab, first, parts)
        mended = replayed(lab, recorded(folder, built(folder, "padded", PADDED), lab.seed))
    return [
        [*row("as written", written), named, 1.0],
        [*row("counters apart, predicted", foretold), named, written.cycles / foretold.cycles],
        [*row("padded, recorded again", mended), named, written.cycles / mended.cycles],
    ]


def judge_recorded(table):
    written, foretold, mended = table.named()
    return verdict(
        (
            written["found by name"] and written["false"] >= 0.9 * written["HITMs"],
            f"the line with most HITMs {'is' if written['found by name'] else 'is not'} that of counters[0] and counters[1]: {written['HITMs']:,}, "
            f"of which {written['false']:,} are false sharing",
        ),
        (mended["HITMs"] <= 0.05 * written["HITMs"], f"padded it has {mended['HITMs']:,}"),
        (mended["times as fast"] >= 1.5, f"and runs {mended['times as fast']:.1f} times as fast"),
        (near(foretold["times as fast"], mended["times as fast"], CLOSE), f"{foretold['times as fast']:.1f} times was predicted"),
    )


EXPERIMENTS = [
    Experiment(
        "recorded-program",
        "A real program's recording says which of its variables falsely share a line, and what padding them would gain; padded, the program gains that.",
        (MODEL, "false sharing"),
        ("program", "cycles", "HITMs", "false", "found by name", "times as fast"),
        measure_recorded,
        judge_recorded,
        "half as long again at least, as for false sharing alone; nine HITMs in ten false, since the barrier at the start may lie on the line too; five "
        "in a hundred may be left, for the start and end of threads; the gain within 15 % of the prediction, since in the padded program everything "
        "else has moved too",
        "15 %",
        options={"padded": parameter(False, "whether it is padded from the start")},
        figure=Figure("program", ("cycles", "HITMs"), "cycles; HITMs"),
    )
]
