"""The first run: idle cores help, what goes on is said, and nothing of that changes what comes out."""

import os
import pty
import select
import subprocess
import sys

import pytest

from hwmem._jit import JIT_DISABLED
from hwmem._jit.progress import Progress
from jit.programs import ROOT, run

HELPED = """
    import json, sys
    from hwmem import params as P
    from hwmem._jit import DOORS, doors
    from hwmem._jit.crew import Crew
    from hwmem.machine.machine import RECORD
    numbers = P.DOOR_SCHEDULE, P.DOOR_PAGE_FAULT
    helpers = int(sys.argv[1])
    doors.helpers_wanted = lambda: helpers
    if sys.argv[2] == "dies":
        Crew._start = lambda self, start=Crew._start: [helper := start(self), helper.kill()][0]
    DOORS.prepare(numbers, RECORD)
    for n in reversed(numbers):
        DOORS.compile(n, RECORD)
    made = [sum(DOORS._dispatchers[n].stats.cache_misses.values()) for n in numbers]
    print(json.dumps([all(DOORS._addresses[n] for n in numbers), sum(made)]))
"""


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
@pytest.mark.parametrize("helpers, fate, most", [(1, "lives", 1), (0, "lives", 2), (1, "dies", 2)])
def test_what_a_helper_compiles_is_loaded_and_what_it_does_not_is_compiled_here(tmp_path, helpers, fate, most):
    [bound, made_here], said = run(HELPED, helpers, fate, NUMBA_CACHE_DIR=str(tmp_path))
    assert bound and made_here <= most
    assert made_here == most or (helpers, fate) == (1, "lives")
    assert "Traceback" not in said, said


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def said():
    """A Progress whose thread does not run, and its clock."""
    clock = Clock()
    progress = Progress(clock)
    progress.thread = "none"
    return progress, clock


def test_the_line_says_which_part_of_how_many_how_long_and_where_it_is_kept(said):
    progress, clock = said
    progress.expect([("big", 10), ("small", 4)])
    assert progress.line() == "", "nothing has begun"
    progress.begin("big")
    assert "once (kept in " in progress.line() and "1 of 2, big, about 14 s left" in progress.line()
    clock.now = 6.0
    assert "1 of 2, big, about 8 s left" in progress.line()
    clock.now = 20.0
    assert "1 of 2, big, about 4 s left" in progress.line(), "a part that takes longer than thought"
    progress.end()
    assert progress.line() == ""
    progress.begin("small")
    assert "2 of 2, small, about 8 s left" in progress.line(), "this machine takes twice as long"


def test_what_a_helper_makes_counts_and_is_shared_out(said):
    progress, clock = said
    progress.expect([("a", 8), ("b", 8), ("c", 8)], workers=2)
    progress.begin("a")
    assert "about 16 s left" in progress.line()
    progress.done("b")
    assert "2 of 3, a, about 12 s left" in progress.line()


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_on_a_terminal_a_line_is_drawn_again_and_again_and_goes_in_the_end(tmp_path):
    master, slave = pty.openpty()
    code = (
        "from hwmem import params as P\nfrom hwmem._jit import DOORS, progress\nfrom hwmem.machine.machine import RECORD\nimport time\n"
        "progress.SHORT, progress.DRAW_EVERY = 0, 0.05\n"
        "DOORS.prepare([P.DOOR_MLOCK], RECORD); DOORS.compile(P.DOOR_MLOCK, RECORD); time.sleep(1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=slave, cwd=ROOT, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)})
    os.close(slave)
    drawn = b""
    while select.select([master], [], [], 60)[0]:
        try:
            drawn += os.read(master, 4096)
        except OSError:  # the other side is closed
            break
    assert process.wait() == 0
    assert drawn.count(b"linux.mlock") >= 2 and drawn.endswith(b"\r\x1b[K"), drawn


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_in_a_file_there_are_plain_lines(tmp_path):
    _, said = run(
        """
        from hwmem import params as P
        from hwmem._jit import DOORS, progress
        from hwmem.machine.machine import RECORD
        progress.SHORT = 0  # a quick host may be done within the second that is not spoken of
        DOORS.prepare([P.DOOR_SYSCALL], RECORD)
        DOORS.compile(P.DOOR_SYSCALL, RECORD)
        print("null")
    """,
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert said.startswith("hwmem: compiling, once (kept in ") and said.endswith(" s left\n")
    assert "\r" not in said and "\x1b" not in said


@pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")
def test_what_is_in_the_cache_is_loaded_without_a_word(tmp_path):
    program = """
        from hwmem import params as P
        from hwmem._jit import DOORS
        from hwmem.machine.machine import RECORD
        DOORS.prepare([P.DOOR_SCHEDULE], RECORD)
        DOORS.compile(P.DOOR_SCHEDULE, RECORD)
        print(sum(DOORS._dispatchers[P.DOOR_SCHEDULE].stats.cache_hits.values()))
    """
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path))[0] == 0
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)) == (1, "")
