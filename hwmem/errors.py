"""What goes wrong, by whose fault: the emulated program's, the user's input's, or the emulator's own."""

import errno


class MachineError(Exception):
    """The emulated machine stopped or an invariant of it is broken; the message holds the values."""


class SegmentationFault(MachineError):
    """A bad access by an emulated thread.

    `.address`: virtual address; `.access`: "read", "write" or "exec"; `.code`: siginfo's si_code, "SEGV_MAPERR", "SEGV_ACCERR",
    or "SI_KERNEL" with address 0 where a segment did not allow it; `.thread`: the thread's number.
    """

    def __init__(self, address, access, code, thread):
        negative = (1 << 64) - address
        hint = f": -{errno.errorcode[negative]}, what a system call that failed returned" if negative in errno.errorcode else ""
        super().__init__(f"segmentation fault: {access} at {address:#x} ({code}), thread {thread}{hint}")
        self.address, self.access, self.code, self.thread = address, access, code, thread


class BusError(MachineError):
    """An access by an emulated thread that ended in SIGBUS.

    `.address`, `.access` and `.thread` as of SegmentationFault; `.code`: "BUS_ADRERR", nothing of the file is there; "BUS_ADRALN",
    a locked operation crosses a line; "SI_KERNEL", not in the stack segment.
    """

    REASONS = {
        "BUS_ADRERR": "nothing of the file is at {:#x}",
        "BUS_ADRALN": "a locked operation crosses a line, at {:#x}",
        "SI_KERNEL": "not in the stack segment (SI_KERNEL, address {:#x})",
    }

    def __init__(self, address, access, code, thread):
        super().__init__(f"bus error: {self.REASONS[code].format(address)}, thread {thread}")
        self.address, self.access, self.code, self.thread = address, access, code, thread


class Abort(MachineError):
    """An emulated thread aborted (SIGABRT): the C library found its heap corrupt.

    `.message`: the library's words, "double free or corruption (!prev)"; `.thread`: the thread's number.
    """

    def __init__(self, message, thread):
        super().__init__(f"{message}, thread {thread}")
        self.message, self.thread = message, thread


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a run. `.result`: what was measured until then, a Result whose `stopped` says so (of Machine.replay,
    the counters); None: nothing."""

    def __init__(self, result=None, message="interrupted"):
        super().__init__(message)
        self.result = result


class TraceError(ValueError):
    """A trace file that cannot be read: one line, "file:line: reason"."""


class LitmusError(ValueError):
    """A litmus test that cannot be read: one line, "file:line: reason"."""


class ResultError(ValueError):
    """A file that is not a saved result, or one this version cannot read."""


class WorkloadError(ValueError):
    """A workload that cannot be run: a Python file's, "file:line: reason"; one whose parameters do not fit the machine."""
