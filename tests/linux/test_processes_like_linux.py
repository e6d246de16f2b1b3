"""Several processes that share, lock and move memory, against Linux: every figure of every process's window after every call.

oracles/linux/processes.jsonl.gz holds what Linux 6.18 answered; where a compiler and a kernel of that age are, fresh scripts
are asked of it as well. A figure on which runs differ (None) is not compared. LazyFree and Referenced are left out of a
script that calls MADV_FREE, for Linux moves such pages in batches of 31 a core (test_oracles_linux.py says how far that goes),
of one that locks pages of files (munlock has such batches too, and what waits in one is not marked as used again), and of one
that clears references: no TLB is flushed then, and what the host's TLB happens to keep decides what it sees again.
"""

import gzip
import json
import random
import subprocess

import pytest

import process_answers
from host_memory import huge_pages, lies_on_a_disk, need_linux
from oracles.linux import process_scripts, scripts

RECORDED = [json.loads(line) for line in gzip.decompress((scripts.FOLDER / "processes.jsonl.gz").read_bytes()).splitlines()]
LOOSE = [4 + process_answers.FIGURES.index(name) for name in ("referenced", "lazyfree")]
FREE = f" {process_scripts.FREE}"
LIVE_SCRIPTS, STEPS = 4, 60


def differences(ours, theirs, place=()):
    """(place, ours, theirs) wherever they differ and theirs is known."""
    if theirs is None or ours == theirs:
        return []
    if isinstance(theirs, dict):
        return [d for key in theirs for d in differences(ours.get(key), theirs[key], (*place, key))]
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        return [d for k in range(len(theirs)) for d in differences(ours[k], theirs[k], (*place, k))]
    return [(place, ours, theirs)]


def locks_files(lines):
    ops = {line.split()[1] for line in lines}
    return "file" in ops and bool(ops & {"lock", "lockall"})


def compare(theirs):
    lines = [answer["op"] for answer in theirs]
    loose = any((" advise " in line and line.endswith(FREE)) or " refs " in line for line in lines) or locks_files(lines)
    for step, (mine, linux) in enumerate(zip(process_answers.answer_script(lines), theirs)):
        found = [d for d in differences(mine, linux) if not (loose and len(d[0]) == 5 and d[0][4] in LOOSE)]
        assert not found, f"step {step}, {lines[step]!r} after {lines[max(0, step - 5) : step]}: (place, ours, Linux's) {found[:5]}"


@pytest.mark.oracle
@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"{r['kind']}-{r['seed']}")
def test_every_answer_is_the_one_that_linux_gave(recorded):
    compare(recorded["answers"])


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The C program that asks the host's kernel; skipped where that cannot be, or would be another kernel's answers."""
    need_linux()
    if "[madvise]" not in huge_pages():
        pytest.skip("the host's transparent huge pages are not in madvise mode")
    try:
        program = scripts.build(tmp_path_factory.mktemp("linux"), "processes_oracle")
        known = RECORDED[0]["answers"]
        here = scripts.settled(program, [answer["op"] for answer in known])
    except (OSError, subprocess.CalledProcessError) as failure:
        pytest.skip(f"processes_oracle does not build or run here: {failure}")
    if any(ours is not None for _, ours, _ in differences(here, known)):
        pytest.skip("this Linux does not answer a recorded script as Linux 6.18 did")
    return program


@pytest.mark.live
@pytest.mark.oracle
@pytest.mark.parametrize("kind", process_scripts.KINDS)
def test_fresh_scripts_are_answered_as_this_hosts_kernel_answers_them(kind, program, seed, tmp_path):
    file = tmp_path / "mapped"
    file.write_bytes(bytes(process_scripts.FILE_PAGES * process_scripts.PAGE))
    if kind == "files" and not lies_on_a_disk(tmp_path):
        pytest.skip("temporary files do not lie on a disk's file system")
    rng = random.Random(seed)
    for number in (rng.randrange(1 << 30) for _ in range(LIVE_SCRIPTS)):
        print(f"{kind} script {number}")
        compare(scripts.settled(program, list(process_scripts.script(number, STEPS, kind)), file))
