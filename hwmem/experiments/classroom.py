"""The MESI lesson, step by step, forwards and backwards, on the preset "classroom".

Three cores with a direct-mapped cache of two lines each share four lines, a0 to a3: a0 and a2 fall in set 0, a1 and a3 in
set 1. The steps show every transition that Jones's animation teaches (VivioJS, MESI cache coherency protocol,
scss.tcd.ie/Jeremy.Jones/VivioJS/caches/MESIHelp.htm; the order of the steps is ours). Two things differ from there: a
directory takes the place of the bus, with a last-level cache that stands for the animation's memory; and a write to a
shared line makes it M here, where the animation writes it through and makes it E.

    lesson = Classroom(); lesson.forward(); lesson.back(); print(lesson.text())

A step back is the lesson begun again and stopped one step earlier: the machine always does the same.
"""

from typing import NamedTuple

from hwmem.cache.protocol import PUTX, REQUEST_NAMES
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.observe import events, switches
from hwmem.report.table import table

BASE, LINE = 0x1000, 64
LINES = ("a0", "a1", "a2", "a3")
CORES = 3
LOG = 200  # more requests than the lesson makes
READ, WRITE = "reads", "writes"


class Step(NamedTuple):
    core: int
    does: str
    line: str
    teaches: str


LESSON = (
    Step(0, READ, "a0", "nobody else has it: exclusive"),
    Step(0, READ, "a0", "a hit"),
    Step(0, WRITE, "a0", "exclusive becomes modified in silence; memory is stale"),
    Step(0, WRITE, "a0", "modified stays modified"),
    Step(1, READ, "a0", "the modified copy answers; memory is current again; both share"),
    Step(2, READ, "a0", "shared lines are read from below"),
    Step(1, WRITE, "a0", "a shared line is written: the others' copies go"),
    Step(0, READ, "a0", "an invalidated copy misses; core 1 answers"),
    Step(2, WRITE, "a0", "a write miss takes the line from all"),
    Step(1, WRITE, "a0", "modified moves from core to core"),
    Step(1, READ, "a2", "a2 falls in a0's set: the modified a0 is written back"),
    Step(1, WRITE, "a2", "exclusive again, then modified"),
    Step(0, READ, "a2", "shared between cores 0 and 1"),
    Step(0, READ, "a0", "a shared copy of a2 is dropped in silence; a0 is nobody's, so exclusive"),
    Step(2, WRITE, "a1", "a1 falls in set 1: nothing makes room"),
    Step(2, READ, "a3", "a3 does: a1 is written back"),
    Step(1, READ, "a1", "from below, exclusive"),
)


class Seen(NamedTuple):
    """After a step: the request and its responder, and the state of every line in every core ("." none)."""

    step: Step | None
    requests: str
    answered: str
    cycles: int
    states: dict
    value: int | None


class Classroom:
    """`at`: how many steps have been made; `seen`: what they showed, seen[0] before the first."""

    def __init__(self, protocol="mesi"):
        self.config = MachineConfig.preset("classroom").replace(protocol=protocol)
        self._begin()

    def _begin(self):
        self.machine = Machine(self.config)
        self.process = self.machine.spawn()
        switches.start(self.machine, events=LOG)
        self.at, self.written = 0, 0
        self.seen = [self._look(None, 0, 0, None)]

    def forward(self):
        """Make the next step; False at the end."""
        if self.at == len(LESSON):
            return False
        step, before = LESSON[self.at], len(self.log())
        address, clock = BASE + LINE * LINES.index(step.line), max(map(self.machine.cycles, range(CORES)))
        self.machine.state.core[step.core].cycles = clock  # a step begins when the one before has ended
        if step.does == WRITE:
            self.written += 1
            self.process.store(address, self.written, core=step.core)
            value = self.written
        else:
            value = self.process.load(address, core=step.core)
        self.at += 1
        self.seen.append(self._look(step, before, self.machine.cycles(step.core) - clock, value))
        return True

    def back(self):
        """Undo the last step; False at the beginning."""
        if self.at == 0:
            return False
        steps = self.at - 1
        self._begin()
        for _ in range(steps):
            self.forward()
        return True

    def log(self):
        return events.events(self.machine)[0]

    def _look(self, step, before, cycles, value):
        new = self.log()[before:]
        requests = [f"{REQUEST_NAMES[e['request']]} {LINES[int(e['line']) - BASE // LINE]}" for e in new]
        asked = [e for e in new if e["request"] != PUTX]
        answered = "" if not asked else f"core {asked[0]['responder']}" if asked[0]["responder"] >= 0 else "below"
        held = {name: self.machine.line(BASE + LINE * n)["state"] for n, name in enumerate(LINES)}
        states = {name: "".join(holders.get(c, ".") for c in range(CORES)) for name, holders in held.items()}
        return Seen(step, ", ".join(requests), answered, cycles, states, value)

    def text(self):
        """The steps so far as a table, the last one last, with what it teaches."""
        rows = []
        for n, seen in enumerate(self.seen):
            told = "(start)" if seen.step is None else f"core {seen.step.core} {seen.step.does} {seen.step.line}={seen.value}"
            rows.append(
                [
                    str(n),
                    told,
                    seen.requests,
                    seen.answered,
                    seen.cycles if n else "",
                    *(cell(seen.states, c) for c in range(CORES)),
                    " ".join(name for name in LINES if "M" in seen.states[name] or "O" in seen.states[name]),
                ]
            )
        heads = ["step", "", "requests", "answered by", "cycles", *(f"core {c}" for c in range(CORES)), "stale below"]
        last = self.seen[-1].step
        return table(heads, rows) + (f"\n\n{self.at} of {len(LESSON)}: {last.teaches}" if last else "")


def cell(states, core):
    """What a core's cache holds: set 0, then set 1."""
    return " ".join(f"{name}:{letters[core]}" for name, letters in states.items() if letters[core] != ".") or "-"


def walk(lesson, lines, show=print):
    """Step through at the prompt: an empty line forward, b back, q the end."""
    show(f"{lesson.text()}\n\nEnter: the next step    b: one back    q: the end")
    for line in lines:
        word = line.strip().lower()
        if word == "q":
            return
        moved = lesson.back() if word == "b" else lesson.forward()
        show(f"\n{lesson.text()}" if moved else f"that is the {'beginning' if word == 'b' else 'end'}")
