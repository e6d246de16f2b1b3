"""A goroutine as Python drives it: frames and words on its stack, which grows under them."""

from hwmem.machine.lock import one_at_a_time
from goalloc import params as P
from goalloc.errors import FatalError
from goalloc.layout import g_
from goalloc.sched.proc import GOEXIT
from goalloc.heap.stack import CALL, HI, LO, SHRINK, SP


@one_at_a_time(lambda self: self.rt.machine)
class Goroutine:
    """Made by Runtime.go. `.address`: of its g. Its calls run on the core of the P that made it."""

    def __init__(self, rt, address, core):
        self.rt, self.address, self.core, self.frames = rt, address, core, []

    def _field(self, at):
        self._alive()
        return self.rt.process.load(self.address + at, core=self.core)

    def _alive(self):
        if self.frames is None:
            raise FatalError("fatal error: this goroutine has exited")

    @property
    def stack(self):
        """(lower end, upper end) of its stack."""
        return self._field(LO), self._field(HI)

    @property
    def sp(self):
        return self._field(SP)

    def call(self, frame):
        """Call a function with a frame of `frame` bytes, a multiple of 8; the stack grows if necessary."""
        self._alive()
        if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame < 1 << 63 or frame % 8:
            raise ValueError(f"frame: takes a multiple of 8 bytes below 2^63, got {frame!r:.60}")
        self.rt.call(self.core, P.DOOR_STACK, CALL, self.address, frame)
        self.frames.append(frame + 8)

    def ret(self):
        """Return from the last call."""
        if not self.frames:
            raise ValueError("ret: no call to return from")
        self._move(self.frames.pop())

    def push(self, value):
        """A local variable: a word in a frame of its own; the slot's address."""
        self.call(0)
        self.rt.process.store(self.sp, value, core=self.core)
        return self.sp

    def pop(self):
        """The value of the last variable, which is gone."""
        if not self.frames:
            raise ValueError("pop: nothing was pushed")
        value = self.rt.process.load(self.sp, core=self.core)
        self._move(self.frames.pop())
        return value

    def _move(self, nbytes):
        self.rt.process.store(self.address + SP, self.sp + nbytes, core=self.core)

    def shrink(self):
        """Half the stack, if less than a quarter is in use, as a collection does it."""
        self._alive()
        self.rt.call(self.core, P.DOOR_STACK, SHRINK, self.address, 0)

    def exit(self):
        """The goroutine ends; its g and a stack of the starting size are used again."""
        self._alive()
        self.rt.call(self.core, P.DOOR_PROC, GOEXIT, self.address, 0)
        self.frames = None

    @property
    def goid(self):
        return self._field(g_.goid)
