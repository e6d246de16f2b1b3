"""`run --live`: a run as it goes, twice a second. On a terminal a table on stderr that is rewritten; elsewhere a line every few seconds.

    false-sharing, 3.5 s
                         now      a second
    cycles        93,120,448    26,593,021
    ...
    hottest lines  counters[0..3]  1,204,511 HITM

It reads the machine while that runs: counts are of one moment, give or take some accesses. It changes nothing, so a run's result does not
depend on whether somebody looks.
"""

import shutil
import sys
import time
from contextlib import contextmanager

import numpy as np

from hwmem import params as P
from hwmem.observe import c2c
from hwmem.printable import printable
from hwmem.report.table import table, text

DRAW_SECONDS, PRINT_SECONDS = 0.5, 2.0
HOTTEST = 3  # lines
HITMS = [P.FROM_HITM, P.FROM_REMOTE_HITM]


@contextmanager
def live(job):
    """What Job.run takes as `progress`: gives a function to call now and then."""
    view = View(job, sys.stderr)
    try:
        yield view.tick
    finally:
        view.end()


class View:
    """`job`: the running job; `stream`: where it is shown."""

    def __init__(self, job, stream, clock=time.monotonic):
        self.job, self.stream, self.clock = job, stream, clock
        self.terminal = stream.isatty()
        self.began = self.last = clock()
        self.every = DRAW_SECONDS if self.terminal else PRINT_SECONDS
        self.before, self.drawn = self.figures(), 0
        self.first = self.before

    def tick(self):
        now = self.clock()
        if now - self.last >= self.every:
            self.show(now)

    def show(self, now):
        figures, since = self.figures(), max(now - self.last, 1e-9)
        rates = {name: (figures[name] - self.before[name]) / since for name in figures if name != "resident"}
        self.before, self.last = figures, now
        passed = {name: n - self.first[name] for name, n in figures.items()} | {"resident": figures["resident"]}
        self.rewrite(self.lines(now, passed, rates)) if self.terminal else self.say(now, passed, rates)

    def figures(self):
        m = self.job.machine.state
        cores = m.core[: int(m.cores)]
        task = m.process[self.job.space.process.number]
        return {
            "cycles": int(cores["cycles"].max()),
            "accesses": int(cores["loads"].sum() + cores["stores"].sum() + cores["atomics"].sum()),
            "L1D misses": int(cores["l1d"]["misses"].sum()),
            "HITM": int(cores["interventions_hit_modified"].sum()),
            "faults": int(cores["faults_minor"].sum() + cores["faults_major"].sum()),
            "resident": int(task.anon + task.file + task.shared) * P.PAGE,
        }

    def lines(self, now, passed, rates):
        width = shutil.get_terminal_size().columns - 1
        rows = [[name, n, round(rates[name]) if name in rates else None] for name, n in passed.items() if name != "resident"]
        rows.append(["resident, KiB", passed["resident"] >> 10, None])
        shown = [f"{self.job.workload.name}, {now - self.began:.1f} s", *table(["", "now", "a second"], rows).splitlines()]
        shown += [f"{'hottest line' if k == 0 else '':12}  {name}  {n:,} HITM" for k, (name, n) in enumerate(self.hottest())]
        return [printable(line)[:width] for line in shown]

    def hottest(self):
        """[(variable or address, HITMs)] of the lines with most of them."""
        cells = c2c.snapshot(self.job.machine)
        if not len(cells):
            return []
        numbers, where = np.unique(cells["line"], return_inverse=True)
        hitms = np.bincount(where.reshape(-1), cells["served"][:, :, HITMS].sum(axis=(1, 2)))
        names = c2c.Names([(s.start, s.start + s.size, s.name, *[s.element] * (s.element < s.size)) for s in self.job.space.symbols])
        found = []
        for k in np.argsort(-hitms, kind="stable")[:HOTTEST].tolist():
            va = int(cells["va"][cells["line"] == numbers[k]][0]) & -P.LINE
            if hitms[k]:
                found.append((names.of(va, va + P.LINE) or f"{va:#x}", int(hitms[k])))
        return found

    def rewrite(self, lines):
        back = f"\x1b[{self.drawn}A\x1b[J" if self.drawn else ""
        self.stream.write(back + "".join(f"{line}\n" for line in lines))
        self.stream.flush()
        self.drawn = len(lines)

    def say(self, now, passed, rates):
        hottest = "".join(f"; hottest {name}" for name, _ in self.hottest()[:1])
        said = (
            f"{self.job.workload.name} {now - self.began:.1f} s: {passed['cycles']:,} cycles, {passed['accesses']:,} accesses "
            f"({text(rates['accesses'])} a second), {passed['L1D misses']:,} L1D misses, {passed['HITM']:,} HITM, "
            f"{passed['resident'] >> 10:,} KiB resident{hottest}"
        )
        self.stream.write(f"hwmem: {printable(said)}\n")
        self.stream.flush()

    def end(self):
        """A terminal is left as it was; elsewhere the last line says how far it came."""
        if self.terminal:
            self.rewrite([])
        else:
            self.show(self.clock())
