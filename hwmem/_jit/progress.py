"""Progress of compiling: a line on stderr, as soon as it is clear that it will take a while.

    compiling, once (kept in ~/.cache/hwmem): 3 of 7, core.memory_door, about 14 s left     rewritten twice a second

A line that changes on a terminal; elsewhere plain lines, one at the start and one every few seconds. A thread of its own
draws it, since the compiler calls nothing back. Estimates come from the table of doors (params.py), scaled by how long the finished
parts took.
"""

import os
import sys
import threading
import time

from hwmem._jit.cache import cache_folder

DRAW_EVERY, PRINT_EVERY, LINGER = 0.5, 10.0, 3.0  # seconds
SHORT = 1.0  # what is over within this many seconds is not spoken of
UNKNOWN = 2.0  # seconds that a kernel takes of which the table says nothing


class Progress:
    """One of a process. `expect` what will be compiled; `begin` and `end` around each part; `done` for another process's."""

    def __init__(self, clock=time.monotonic):
        self.clock, self.lock = clock, threading.Lock()
        self.waiting, self.workers = [], 1  # (name, seconds) of what has not begun
        self.now, self.finished = [], 0  # (name, seconds, when it began): the inner ones last
        self.spent = self.estimated = 0  # seconds, of what this process has finished
        self.thread = None

    def expect(self, parts, workers=1):
        """`parts`: (name, seconds) to come, besides what begins by itself; `workers`: processes that share them."""
        with self.lock:
            self.waiting += parts
            self.workers = workers

    def begin(self, name):
        with self.lock:
            self.now.append((name, self._taken(name) or UNKNOWN, self.clock()))
            if self.thread is None:
                self.thread = threading.Thread(target=self._tell, daemon=True, name="hwmem-progress")
                self.thread.start()

    def end(self):
        with self.lock:
            _, estimate, began = self.now.pop()
            self.finished += 1
            if not self.now:  # an inner part's time is its outer one's as well
                self.spent += self.clock() - began
                self.estimated += estimate

    def done(self, name):
        with self.lock:
            if self._taken(name):
                self.finished += 1

    def line(self):
        """What is to be said now; "" if nothing is being compiled."""
        with self.lock:
            if not self.now:
                return ""
            pace = self.spent / self.estimated if self.spent > SHORT else 1.0
            name, seconds, began = self.now[-1]
            left = max(0.0, seconds * pace - (self.clock() - began)) + sum(s for _, s in self.waiting) * pace / self.workers
            return (
                f"compiling, once (kept in {shown_folder()}): {self.finished + 1} of {self.finished + 1 + len(self.waiting)}, {name}, "
                f"about {max(1, round(left))} s left"
            )

    def _taken(self, name):
        """The seconds of a part that waited, which it does no longer; None if it did not."""
        for part in self.waiting:
            if part[0] == name:
                self.waiting.remove(part)
                return part[1]
        return None

    def _tell(self):
        """Say what is going on until nothing has gone on for a while."""
        drawn, printed, last = False, -PRINT_EVERY, self.clock()
        time.sleep(0 if self.waiting else SHORT)
        while self.clock() - last < LINGER:
            text = self.line()
            if text:
                last = self.clock()
            if sys.stderr.isatty():
                if text or drawn:
                    sys.stderr.write(f"\r\x1b[K{text[: columns() - 1]}")
                drawn = bool(text)
            elif text and self.clock() - printed >= PRINT_EVERY:
                sys.stderr.write(f"hwmem: {text}\n")
                printed = self.clock()
            sys.stderr.flush()
            time.sleep(DRAW_EVERY)
        with self.lock:
            self.thread = None
            self.finished = self.spent = self.estimated = 0


def name_of(module):
    """What a part is called that module `module` has."""
    return module.removeprefix("hwmem.")


def columns():
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80


def shown_folder():
    folder, home = str(cache_folder()), os.path.expanduser("~")
    return f"~{folder[len(home) :]}" if folder.startswith(f"{home}/") else folder


progress = Progress()
