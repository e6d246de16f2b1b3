"""Ctrl-C is neither lost nor told twice.

The interpreter raises KeyboardInterrupt wherever its main thread is. Where that is a callback from C (LLVM's, a finalizer's) nobody can
catch it: sys.unraisablehook prints it, and the work goes on without what the callback was to do.
"""

import contextlib
import sys
import threading


@contextlib.contextmanager
def none_lost():
    """Inside, such a KeyboardInterrupt is not printed, but raised at the end, instead of whatever error came of it. Outside the main
    thread, which alone is interrupted, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lost, before = [], sys.unraisablehook

    def keep(unraisable):
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            lost.append(True)
        else:
            before(unraisable)

    sys.unraisablehook = keep
    try:
        yield
    except Exception:
        if not lost:
            raise
    finally:
        sys.unraisablehook = before
    if lost:
        raise KeyboardInterrupt
