"""Random programs of goroutines, and how they are run on ours: the same as live/order/main.go runs on the real Go.

A program: {"Rooms": of channels (-1: nil), "Mutexes": how many, "Groups": what WaitGroups wait for, "Scripts": steps of each
goroutine}. What comes of it: [goroutine, step, outcome] in the order in which the steps ended.
"""

from goalloc import params as P
from goalloc.sched.chan import CHANRECV, CHANSEND, CLOSECHAN, CLOSED, DEFAULT, DONE, PARKED, YIELDED
from goalloc.errors import FatalError
from goalloc.layout import m_, scase, variables as V
from goalloc.sched.proc import GOSCHED
from goalloc.sched.select import BLOCK, NRECVS
from goalloc.sched.sync import ADD, LOCK_SLOW, UNLOCK, WAIT

GO, SEND, RECEIVE, CLOSE, LOCK, UNLOCK_STEP, DONE_STEP, WAIT_STEP, YIELD, SELECT, PAUSE = range(11)
PANICKED, CLOSED_NOW, NOTHING, CHOSEN = -9, -1, -2, 1_000_000
ROUNDS, MAIN = 60, 99
MILLISECOND, PAUSE_CYCLES = 1 << 40, 3 << 40  # of a clock that stands still but for pauses
MOST_SCRIPTS, MOST_CASES = 12, 5
MUTEXES, GROUPS, CASES = 1024, 1536, 2048  # in the page of variables; a script's received value at 8 * its number


KINDS = SEND, RECEIVE, CLOSE, DONE_STEP, WAIT_STEP, YIELD, SELECT, PAUSE
MESSAGES, LOCKING = (30, 30, 0.7, 4, 1.5, 12, 20, 0.3), (1, 1, 0, 4, 1.5, 30, 1, 2)  # how often: two sorts of programs

# Who waits for the mutex meanwhile finds it taken again after more than a millisecond: it is starving
HOG = [LOCK, 0], [YIELD, 0], [PAUSE, 0], [UNLOCK_STEP, 0], [LOCK, 0], [YIELD, 0], [UNLOCK_STEP, 0], [LOCK, 0], [UNLOCK_STEP, 0]


def random_program(rng):
    """A program whose WaitGroups count as far as they may, and whose goroutines unlock what they have locked."""
    n, rooms = rng.randrange(2, MOST_SCRIPTS), rng.choices((-1, 0, 1, 2, 5), (1, 6, 6, 4, 3), k=rng.randrange(1, 5))
    weights = rng.choices((MESSAGES, LOCKING), (3, 1))[0]
    scripts = [[random_step(rng, len(rooms), weights) for _ in range(rng.randrange(3, 16))] for _ in range(n)]
    for script in scripts:
        for mutex in rng.choices((0, 1), k=rng.choice((0, 1, 1, 2) if weights is MESSAGES else (2, 3, 4))):
            a, b = sorted(rng.sample(range(len(script) + 1), 2))
            if rng.random() < 0.8 or all(step != [LOCK, mutex] for step in script):  # else it might wait for itself
                script.insert(b, [UNLOCK_STEP, mutex])
                script.insert(a, [LOCK, mutex])
    for step in [step for script in scripts for step in script if step[0] == PAUSE][1:]:
        step[0] = YIELD
    if weights is LOCKING:
        scripts[0] = [step[:] for step in HOG] + scripts[0]
    groups = [sum(step == [DONE_STEP, i] for script in scripts for step in script) for i in range(2)]
    for k in range(1, n):  # started by one before it, mostly early
        parent = scripts[rng.randrange(k)]
        parent.insert(rng.randrange(min(len(parent), 4)), [GO, k])
    return {"Rooms": rooms, "Mutexes": 2, "Groups": groups, "Scripts": scripts}


def random_step(rng, rooms, weights):
    kind = rng.choices(KINDS, weights)[0]
    if kind == SELECT:
        n = rng.randrange(0 if rng.random() < 0.1 else 2, MOST_CASES + 1)
        channels = [rng.randrange(rooms) for _ in range(n)]
        return [SELECT, int(rng.random() < 0.6), rng.randrange(1 << 62), rng.randrange(n + 1), *channels]
    return [kind, rng.randrange(rooms if kind in (SEND, RECEIVE, CLOSE) else 2)]


class Run:
    """One program on a runtime whose main runs and has nothing else to do."""

    def __init__(self, one, program, answer):
        """`answer`: the real one's, which tells where its choices stood and how its channels' addresses follow one another."""
        self.one, self.scripts, self.notes = one, program["Scripts"], []
        self.memory = one.rt.process.mmap(0, 4096)  # of its own: goroutines of earlier programs may wait for ever
        self.at, self.begun = [0] * len(self.scripts), [False] * len(self.scripts)  # whether the step has been tried
        self.channels = self.make_channels(program["Rooms"], answer["Channels"] or ())
        for i, n in enumerate(program["Groups"]):
            self.store(GROUPS + 16 * i, n << 32)
        one.schedtick(answer["Schedtick"])
        one.rt.machine.state.process[one.rt.process.number].guest[P.MILLISECOND] = MILLISECOND

    def make_channels(self, rooms, order):
        """Channels whose addresses follow one another in an order: new ones of a size lie ever higher."""
        channels, last = [0] * len(rooms), 0
        for i in order:
            while channels[i] <= last:
                channels[i] = self.one.makechan(rooms[i])
            last = channels[i]
        return channels

    def store(self, at, value, size=8):
        self.one.rt.process.store(self.memory + at, value, size=size)

    def load(self, at):
        return self.one.rt.process.load(self.memory + at)

    def go_through(self):
        """The notes, when main has yielded often enough."""
        self.one.go(0)
        for _ in range(ROUNDS):
            self.one.proc(GOSCHED)
            while (k := self.one.next()) != MAIN:
                self.go_on(k)
        return self.notes

    def go_on(self, k):
        """Goroutine `k` runs until it waits, yields or ends."""
        while self.at[k] < len(self.scripts[k]):
            step = self.scripts[k][self.at[k]]
            if self.begun[k] in (YIELD, YIELDED):  # what it called is over
                outcome = 0
            else:
                try:
                    outcome = self.do(k, step)
                except FatalError as error:
                    assert str(error).startswith("panic: ")
                    outcome = PANICKED
            if outcome is None:
                return
            self.begun[k] = False
            self.notes.append([k, self.at[k], outcome])
            self.at[k] += 1
        self.one.end()

    def do(self, k, step):
        """The step's outcome, or None: the goroutine does not run any more."""
        again, self.begun[k] = self.begun[k], True
        kind, a = step[:2]
        value = 100 * k + self.at[k]
        if kind == GO:
            self.one.go(a)
        elif kind == SEND:
            if self.send(k, self.channels[a], value) == PARKED:
                return None
        elif kind == RECEIVE:
            status = self.one.chan(CHANRECV, self.channels[a], self.memory + 8 * k)
            return {PARKED: None, CLOSED: CLOSED_NOW, DONE: self.load(8 * k)}[status]
        elif kind == CLOSE:
            self.one.chan(CLOSECHAN, self.channels[a])
        elif kind == LOCK:
            if self.one.sync(LOCK_SLOW, self.memory + MUTEXES + 8 * a) == PARKED:
                return None
        elif kind == UNLOCK_STEP:
            if self.one.sync(UNLOCK, self.memory + MUTEXES + 8 * a) == YIELDED:
                self.begun[k] = YIELDED
                return None
        elif kind == DONE_STEP:
            self.one.sync(ADD, self.memory + GROUPS + 16 * a, -1)
        elif kind == WAIT_STEP:
            if self.one.sync(WAIT, self.memory + GROUPS + 16 * a) == PARKED:
                return None
        elif kind == YIELD:
            self.begun[k] = YIELD
            self.one.proc(GOSCHED)
            return None
        elif kind == SELECT:
            return self.choose(k, value, step, again)
        elif kind == PAUSE:
            self.one.rt.machine.state.core[0].cycles += PAUSE_CYCLES
        return 0

    def send(self, k, c, value):
        self.store(8 * k, value)
        return self.one.chan(CHANSEND, c, self.memory + 8 * k)

    def choose(self, k, value, step, again):
        _, block, random, nsends, *of = step
        at = CASES + k * 160  # five cases, and the values they send or get
        values, order = at + MOST_CASES * scase.sizeof, at + MOST_CASES * (scase.sizeof + 8)
        if not again:
            self.one.rt.process.store(V.m0 + m_.fastrand, random)
            for i, c in enumerate(of):
                self.store(at + i * scase.sizeof + scase.c, self.channels[c])
                self.store(at + i * scase.sizeof + scase.elem, self.memory + values + 8 * i)
                self.store(values + 8 * i, value)
        counts = nsends | len(of) - nsends << NRECVS | block << BLOCK
        status = self.one.rt.call(0, P.DOOR_SELECT, self.memory + at, self.memory + order, counts)
        if status in (PARKED, DEFAULT):
            return None if status == PARKED else NOTHING
        state = self.one.rt.machine.state
        case = int(state.thread[self.one.rt.process.thread_on(0)].guest[P.SECOND])
        got = 0 if case < nsends else CLOSED_NOW if status == CLOSED else self.load(values + 8 * case)
        return CHOSEN * (case + 1) + got


def run_all(one, programs, answers):
    """Our notes of each program, begun as the real one was according to its answer."""
    one.go(MAIN)
    one.next()
    return [Run(one, program, answer).go_through() for program, answer in zip(programs, answers)]
