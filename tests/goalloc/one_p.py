"""A runtime with one P whose goroutines the test drives through the runtime's doors, in the order in which they run."""

from goalloc import params as P
from goalloc.sched.chan import CHANSEND, MAKECHAN
from goalloc.layout import p_
from goalloc.sched.proc import GOEXIT, NEWPROC, PC, SCHEDULE
from goalloc.heap.stack import HI, LO
from goalloc.types import int64


class OneP:
    """A runtime with one P whose goroutines are told what to do, in the order in which they run."""

    def __init__(self, rt):
        """`memory`: a page of global variables."""
        self.rt, self.memory = rt, rt.process.mmap(0, 4096)

    def proc(self, operation, a=0, b=0):
        return self.rt.call(0, P.DOOR_PROC, operation, a, b)

    def go(self, place):
        return self.proc(NEWPROC, place)

    def next(self):
        """The place in its program of the goroutine that runs next."""
        gp = self.proc(SCHEDULE)
        return gp and self.rt.process.load(gp + PC)

    def current(self):
        return int(self.rt.machine.state.thread[self.rt.process.thread_on(0)].guest[P.G])

    def chan(self, operation, a, b=0):
        return self.rt.call(0, P.DOOR_CHAN, operation, a, b)

    def makechan(self, size):
        return self.chan(MAKECHAN, self.rt.type_address(int64), size)

    def send(self, c, value, slot=0):
        self.rt.process.store(self.memory + 8 * slot, value)
        return self.chan(CHANSEND, c, self.memory + 8 * slot)

    def sync(self, operation, a, b=0):
        return self.rt.call(0, P.DOOR_SYNC, operation, a, b)

    def schedtick(self, ticks):
        self.rt.process.store(self.rt.ps[0] + p_.schedtick, ticks, size=4)

    def end(self):
        """The current goroutine ends."""
        self.proc(GOEXIT, self.current())

    def stack(self, gp):
        """(lower end, upper end) of a goroutine's stack."""
        return self.rt.process.load(gp + LO), self.rt.process.load(gp + HI)
