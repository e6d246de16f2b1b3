"""Cases in forked children: a case that ends by a signal, hangs or raises what nobody may raise is a failure with its seed.

    parent ── fork ── child: case(random, note) ── exit 0
       └── looks at what the child has noted: no progress for HANG_SECONDS is a hang

The parent has compiled all that children need, so that a case costs what it does.
"""

import contextlib
import faulthandler
import mmap
import os
import random
import signal
import struct
import sys
import time
import traceback
from typing import NamedTuple

HANG_SECONDS = 10
POLL_SECONDS = 0.02
TEXT = 4096  # bytes of the shared page for what the child did last


class Failure(NamedTuple):
    seed: int
    what: str

    def __str__(self):
        return f"seed {self.seed}: {self.what}"


class Note:
    """What a child is doing: how many steps it has made, and the last one, in memory that the parent sees."""

    def __init__(self):
        self.page = mmap.mmap(-1, 8 + TEXT)

    def __call__(self, text):
        encoded = str(text).encode(errors="backslashreplace")[: TEXT - 1]
        self.page[8 : 8 + TEXT] = encoded.ljust(TEXT, b"\0")
        self.page[:8] = struct.pack("q", self.steps + 1)

    @property
    def steps(self):
        return struct.unpack("q", self.page[:8])[0]

    @property
    def text(self):
        return self.page[8:].rstrip(b"\0").decode(errors="replace")

    def clear(self):
        self.page[:8] = bytes(8)


def run_cases(case, seeds, wanted=None, progress=None):
    """Run `case(random.Random(seed), note)` for each seed, until `wanted` steps are made: (steps, failures)."""
    note, steps, failures = Note(), 0, []
    for seed in seeds:
        note.clear()
        what = in_child(case, seed, note)
        steps += note.steps
        if what:
            failures.append(Failure(seed, what))
            print(failures[-1], file=sys.stderr, flush=True)
        if progress:
            progress(steps)
        if wanted is not None and steps >= wanted:
            break
    return steps, failures


def in_child(case, seed, note):
    """What went wrong with the case, or None."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            faulthandler.enable()
            case(random.Random(seed), note)
            status = 0
        except BaseException:
            note(f"{note.text}\n{traceback.format_exc()[-TEXT // 2 :]}")
        finally:
            os._exit(status)
    try:
        status = end_of(child, note)
    except KeyboardInterrupt:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # its end may have been seen
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        raise
    if status is None:
        return f"hangs in {note.text}"
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)} in {note.text}"
    return note.text if os.WEXITSTATUS(status) else None


def end_of(child, note):
    """The child's status; None if it hung, and was ended."""
    seen, since = -1, time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if note.steps != seen:
            seen, since = note.steps, time.monotonic()
        elif time.monotonic() - since > HANG_SECONDS * slowness():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(POLL_SECONDS)


def slowness():
    """How much longer things take on a host with more to do than it has cores for."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0))) * (3 if os.nice(0) > 10 else 1)
