"""Ctrl-C is neither lost nor reported twice.

The interpreter raises KeyboardInterrupt wherever its main thread is. In a callback from C (LLVM's, a finalizer's) it cannot be caught:
sys.unraisablehook prints it, and the work continues without the callback's effect.
"""

import contextlib
import sys
import threading


@contextlib.contextmanager
def none_lost():
    """Within this context such a KeyboardInterrupt is not printed, but raised at the end, in place of any error that resulted from it. Only
    the main thread is interrupted; in others nothing changes."""
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
