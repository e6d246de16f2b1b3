"""The collector as a program uses it. A part of Runtime (runtime.py); what it takes is imported when it is first asked (collect.py)."""

import contextlib

from hwmem.machine.lock import its_machine, one_at_a_time
from goalloc.runtime.arguments import as_int32, check_core, check_gogc, check_limit, is_negative


@one_at_a_time(its_machine)
class Collecting:
    """The collections of a Runtime."""

    def set_gc_percent(self, percent, core=0):
        """debug.SetGCPercent: the heap's goal changes at once. Negative or "off": no collection but for the memory limit's sake, and
        those asked for; one that marks comes to its end first. The old value, -1 for off. The percentage is taken as an int32, as Go does."""
        from goalloc.runtime.collect import set_gc_percent

        return set_gc_percent(self, check_gogc(as_int32(percent), "percent"), check_core(core, self.gomaxprocs))

    def set_memory_limit(self, limit, core=0):
        """debug.SetMemoryLimit: bytes, or a size such as "1GiB"; None or "off" for none; a negative number only asks. The old limit, in
        bytes (2^63 - 1 if there was none)."""
        from goalloc.gc.mgcpacer_commit import set_memory_limit

        return self._run(core, set_memory_limit, -1 if is_negative(limit) else check_limit(limit, "limit"))

    def gc(self, core=0):
        """runtime.GC(), then the sweeper's and the finalizers' goroutines have their turns."""
        from goalloc.runtime.collect import gc

        gc(self, check_core(core, self.gomaxprocs))

    def free_os_memory(self, core=0):
        """debug.FreeOSMemory(): a collection, and every free page goes back to the kernel."""
        from goalloc.runtime.collect import free_os_memory

        free_os_memory(self, check_core(core, self.gomaxprocs))

    def set_finalizer(self, address, callback, core=0):
        """runtime.SetFinalizer: once the object is not reached any more, `callback(address)` is called; None takes it away. FatalError with
        Go's words for what has no beginning there, or has one already."""
        from goalloc.runtime.collect import set_finalizer

        set_finalizer(self, address, callback, check_core(core, self.gomaxprocs))

    @contextlib.contextmanager
    def keep_alive(self, address, core=0):
        """`with rt.keep_alive(address): ...` is a function that has runtime.KeepAlive(address) as its last line: until then the object lives,
        as if a variable of a frame pointed to it."""
        from goalloc.runtime.collect import hold, let_go

        slot = hold(self, address, check_core(core, self.gomaxprocs))
        try:
            yield address
        finally:
            let_go(self, slot, core)

    def pin(self, address, core=0):
        """Pinner.Pin: the object stays, and lives, until it is unpinned as often."""
        from goalloc.runtime.collect import pin

        pin(self, address, True, check_core(core, self.gomaxprocs))

    def unpin(self, address, core=0):
        """Undo the last `pin` of the object at `address`."""
        from goalloc.runtime.collect import pin

        pin(self, address, False, check_core(core, self.gomaxprocs))

    def pinner(self, core=0):
        """A runtime.Pinner: pin(address) as often as wanted, unpin() for all; drop(): the variable is gone."""
        from goalloc.runtime.pinner import Pinner

        return Pinner(self, check_core(core, self.gomaxprocs))

    def is_live(self, address):
        """Whether an address points into an object that is allocated."""
        from goalloc.runtime.collect import is_live

        return is_live(self, address)

    def color(self, address):
        """ "white", "grey" or "black": what a running collection knows of the object."""
        from goalloc.runtime.collect import color

        return color(self, address)
