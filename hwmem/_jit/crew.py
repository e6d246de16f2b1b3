"""Other processes that compile doors into the cache on a first run: one for each idle core, and one on a busy machine, too.

    doors to make, the longest first ──> helper 1, helper 2, ...      over their standard inputs, one at a time
                                    └──> this process: what it needs and no helper has begun

A process that needs a door which a helper is compiling compiles another one meanwhile. A helper that dies costs only time.
"""

import atexit
import contextlib
import os
import subprocess
import sys
import threading

from hwmem._jit.progress import name_of, progress
from hwmem._jit.stamp import ROOT

WAIT_SECONDS = 0.2


def helpers_wanted():
    """One for each core that is idle right now, this process's own not counted; where all are busy one nevertheless, unless there is but
    one core: a first run waits for nothing else."""
    cores = len(os.sched_getaffinity(0))
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            running = int(file.read().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        running = round(os.getloadavg()[0]) + 1
    return max(min(1, cores - 1), cores - max(1, running))


class Crew:
    """The helpers of this process."""

    def __init__(self):
        self.changed = threading.Condition()
        self.parts, self.queue, self.busy, self.helpers = {}, [], set(), 0

    def add(self, parts, helpers):
        """`parts`: {number: (module, seconds)} that are to be compiled, and are not in the cache. `helpers`: as many more processes,
        where none is at work already."""
        with self.changed:
            new = sorted(parts.keys() - self.parts.keys(), key=lambda n: parts[n][1], reverse=True)
            self.parts |= parts
            self.queue += new
            start = 0 if self.helpers else min(helpers, len(self.queue) - 1)
            self.helpers += max(0, start)
        progress.expect([(name_of(parts[n][0]), parts[n][1]) for n in new], 1 + self.helpers)
        for _ in range(start):
            threading.Thread(target=self._lead, args=(self._start(),), daemon=True, name="hwmem-crew").start()

    def other(self, number):
        """Before `number` is compiled here: another door to compile while a helper makes this one, or None: go on."""
        with self.changed:
            if number in self.queue:
                self.queue.remove(number)
            if number not in self.busy:
                return None
            if self.queue:
                return self.queue.pop()  # the shortest of what came last
            progress.begin(name_of(self.parts[number][0]))
            try:
                while number in self.busy:
                    self.changed.wait(WAIT_SECONDS)
            finally:
                progress.end()
        return None

    def _start(self):
        command = [sys.executable, "-m", "hwmem._jit.second_compiler"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
        helper = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        atexit.register(helper.kill)
        return helper

    def _lead(self, helper):
        answer = True
        while True:
            with self.changed:
                if not self.queue or not answer:
                    self.helpers -= 1
                    break
                number = self.queue.pop(0)
                self.busy.add(number)
            try:
                helper.stdin.write(f"{self.parts[number][0]}:{number}\n")
                helper.stdin.flush()
                answer = helper.stdout.readline()
            except OSError:
                answer = ""
            with self.changed:
                self.busy.discard(number)
                self.changed.notify_all()
            progress.done(name_of(self.parts[number][0]))
        with contextlib.suppress(OSError):  # it has died, with something still unsent
            helper.stdin.close()
        helper.wait()
        atexit.unregister(helper.kill)
