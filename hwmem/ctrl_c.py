"""Ctrl-C is neither lost nor reported twice.

The interpreter raises KeyboardInterrupt wherever its main thread is, and there it may not arrive:

    in a callback from C (LLVM's, a finalizer's)     it cannot be caught: sys.unraisablehook prints it, and the work goes on without
                                                     the callback's effect
    in C that makes an error of its own of it        a module that is being imported, a class that is being made, compiled code

So the handler of the signal notes it in `heard` before it raises. Whoever waits for something in the main thread looks there, and who catches
a KeyboardInterrupt to go on clears it.
"""

import contextlib
import signal
import sys
import threading

heard: list = []  # what has come, and has not been raised out of none_lost yet


def hear(number, _):
    heard.append(number)
    raise KeyboardInterrupt


@contextlib.contextmanager
def none_lost():
    """Within this context no KeyboardInterrupt is printed, and what was lost is raised at the end, in place of any error that resulted from
    it. Only the main thread is interrupted, in others nothing changes; nor does a handler of the signal's that is not the interpreter's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lost: list = []
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGINT)
    outermost = handler is signal.default_int_handler

    def keep(unraisable):
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            lost.append(True)
        else:
            hook(unraisable)

    try:
        if outermost:
            signal.signal(signal.SIGINT, hear)
        sys.unraisablehook = keep
        yield
    except KeyboardInterrupt:
        heard.clear()
        raise
    except Exception:
        if not (lost or heard):
            raise
        heard.clear()
        raise KeyboardInterrupt from None
    finally:
        sys.unraisablehook = hook
        if outermost:
            signal.signal(signal.SIGINT, handler)
    if lost or (heard and outermost):
        heard.clear()
        raise KeyboardInterrupt
