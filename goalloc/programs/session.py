"""The Runtime that users start: one that collects begins as a small Go process does, for its goals count what the process has of its own.

Without them a heap of a few megabytes is collected a quarter less often than the real one's: the globals and stacks that every cycle scans make the
runway, and so the distance of the trigger from the goal. Programs of the command have a main of their own (process.py). The process's garbage is
left out: a real program's small objects soon take the pages, which otherwise a P keeps for itself, even in FreeOSMemory.
"""

from goalloc.layout import slice_, variables as V
from goalloc.observe.inspect import Inspector
from goalloc.programs.process import fill_process
from goalloc.runtime import runtime
from goalloc.sched.proc import PC

THE_RUNTIMES = -9  # where a goroutine of the process's is in its program: below 0, it is no user's


class Runtime(runtime.Runtime):
    __doc__ = runtime.Runtime.__doc__

    def _has_begun(self, collects):
        if collects:
            fill_process(self, self.go().address, started=())
            look = Inspector(self.process)
            for gp in look.words(look.word(V.allgs), look.word(V.allgs + slice_.len)):
                if look.word(gp + PC) == 0:  # neither the sweeper nor the scavenger
                    self.process.store(gp + PC, THE_RUNTIMES)
