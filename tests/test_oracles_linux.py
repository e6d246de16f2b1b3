"""The emulated kernel against Linux: scripts of memory calls and accesses, every figure of every answer equal.

oracles/linux holds what Linux 6.18 answered; where a compiler, and a kernel of that age, are here, fresh scripts are asked
of it as well. A figure on which runs of Linux differ (None) is not compared.

LazyFree is the one figure that may differ, and this is how far. Linux moves a page that MADV_FREE has named to the lazily
freed ones when its core's batch of 31 is full or is drained (mm/swap.c, folio_mark_lazyfree, folio_batch_add_and_move;
a huge page at once, with the whole batch); until then smaps does not show it, and madvise drains what earlier calls left.
Here pages move at once. So up to 30 pages of one core may be missing from Linux's figures, and none may be too many: of each
VMA ours >= Linux's, and over all of them ours - Linux's <= 30 pages. The live scripts stay on one core: pages that wait in
another core's batches are not on a list yet and would not be marked at all.
"""

import gzip
import json
import os
import pathlib
import platform
import random
import subprocess

import pytest

import hwmem
from linux.host_memory import need_linux
from oracles.linux import scripts

KINDS = ("basic", "thp", "swap")
RECORDED = [json.loads(line) for kind in KINDS for line in gzip.decompress((scripts.FOLDER / f"{kind}.jsonl.gz").read_bytes()).splitlines()]
LAZYFREE = 5  # of a VMA's figures
BATCHED_KIB = 30 * 4
LIVE_SCRIPTS, LIVE_STEPS = 12, 120


def differences(ours, theirs, place=()):
    """(place, ours, theirs) wherever they differ and theirs is known, LazyFree left out."""
    if theirs is None or ours == theirs or (len(place) == 3 and place[2] == LAZYFREE):
        return []
    if isinstance(theirs, dict):
        return [d for key in theirs for d in differences(ours.get(key), theirs[key], (*place, key))]
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        return [d for k in range(len(theirs)) for d in differences(ours[k], theirs[k], (*place, k))]
    return [(place, ours, theirs)]


def too_lazy(ours, theirs):
    """Whether LazyFree differs by more than Linux's batches explain."""
    known = [(a[LAZYFREE], b[LAZYFREE]) for a, b in zip(ours["vmas"], theirs["vmas"] or ()) if b is not None and b[LAZYFREE] is not None]
    return any(a < b for a, b in known) or sum(a - b for a, b in known) > BATCHED_KIB


def compare(lines, theirs):
    ours = hwmem.answer_script(lines)
    assert len(ours) == len(theirs)
    for step, (mine, linux) in enumerate(zip(ours, theirs)):
        found = differences(mine, linux)
        if not found and too_lazy(mine, linux):
            found = [("LazyFree", mine["vmas"], linux["vmas"])]
        assert not found, f"step {step}, {lines[step]!r} after {lines[max(0, step - 5) : step]}: (place, ours, Linux's) {found[:5]}"


@pytest.mark.oracle
@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"{r['kind']}-{r['seed']}")
def test_every_answer_is_the_one_that_linux_gave(recorded):
    compare([answer["op"] for answer in recorded["answers"]], recorded["answers"])


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The C program that asks the host's kernel; skipped where that cannot be, or would be another kernel's answers."""
    need_linux()
    try:
        program = scripts.build(tmp_path_factory.mktemp("linux"))
        scripts.answers(program, ["map 0 4096 3"])
    except (OSError, subprocess.CalledProcessError) as failure:
        pytest.skip(f"linux_oracle does not build or run here: {failure}")
    return program


@pytest.fixture
def one_core():
    """This process and its children on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


def need(kind, program):
    """Skip where the host is set up otherwise than the emulated machine, or answers otherwise than the recorded kernel."""
    if kind == "thp" and "[madvise]" not in pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        pytest.skip("the host's transparent huge pages are not in madvise mode")
    if kind == "swap" and len(pathlib.Path("/proc/swaps").read_text().splitlines()) < 2:
        pytest.skip("the host has no swap")
    known = next(recorded["answers"] for recorded in RECORDED if recorded["kind"] == kind)
    if any(here is not None for _, here, _ in differences(scripts.settled(program, [answer["op"] for answer in known]), known)):
        pytest.skip(f"Linux {platform.release()} does not answer a recorded script as Linux 6.18 did")


@pytest.mark.live
@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
def test_fresh_scripts_are_answered_as_this_hosts_kernel_answers_them(kind, program, one_core, seed):
    need(kind, program)
    rng = random.Random(seed)
    for number in (rng.randrange(1 << 30) for _ in range(LIVE_SCRIPTS)):
        print(f"{kind} script {number}")
        lines = list(scripts.script(number, LIVE_STEPS, kind))
        compare(lines, scripts.settled(program, lines))


@pytest.mark.parametrize(
    "line, words",
    [
        ("jump 0 1", "line 2: 'jump' is none of map, any"),
        ("map 0 4096", "line 2: map takes 3 numbers, got 2"),
        ("read 0 x", "line 2: 'read 0 x' holds what is no whole number"),
        (f"brk {1 << 80}", "line 2: a number beyond"),
    ],
)
def test_a_malformed_line_is_named(line, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        hwmem.answer_script(["# the second line is wrong", line])
