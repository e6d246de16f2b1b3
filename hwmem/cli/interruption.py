"""Ctrl-C while the interpreter is busy in C, such as in the compiler: Python itself would notice it only seconds later.

    C's signal handler ── a byte ──> a thread here ── PATIENCE_SECONDS later, unless the command has heard of it ── the process ends

The interpreter writes the byte as soon as the signal comes, whatever its main thread does. For commands only, whose process may end.
"""

import atexit
import os
import signal
import sys
import threading
from contextlib import contextmanager

from hwmem.ctrl_c import none_lost
from hwmem.streams import open_missing

INTERRUPTED = 130  # exit status
PATIENCE_SECONDS = 0.8
_heard = threading.Event()


@contextmanager
def listening(prog):
    """Inside, Ctrl-C ends the process in time, with one line that begins with `prog`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _heard.clear()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(reader, prog), daemon=True)
    listener.start()
    try:
        with none_lost():
            yield
    finally:
        heard()
        signal.set_wakeup_fd(before)
        os.close(writer)  # the listener reads the end, and ends
        listener.join()
        os.close(reader)


def heard():
    """The command knows that it is to end, and is on its way."""
    _heard.set()


def whole_process(prog, command):
    """The exit status of `command()`, which is all that this process does. Ctrl-C is one line while it is being loaded, too, and none after
    its end."""
    open_missing()
    try:
        with none_lost():
            status = command()
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        status = INTERRUPTED
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started it has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    exec("")  # the interpreter remembers whether the last text that it executed was interrupted, and would end by the signal
    leave(status)
    return status


def leave(status):
    """End the process, if nothing but the interpreter is left to be taken apart: that takes a quarter of a second for all the kernels, whose
    memory the system takes back at once."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        return
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):  # closed: the interpreter says what it says then
        return
    os._exit(status or 0)


def _listen(reader, prog):
    while number := os.read(reader, 1):
        if number[0] == signal.SIGINT and not _heard.wait(PATIENCE_SECONDS):
            print(f"\r\x1b[K{prog}: interrupted" if sys.stderr.isatty() else f"{prog}: interrupted", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)
