"""Ctrl-C is neither lost nor reported twice.

The interpreter raises KeyboardInterrupt wherever its main thread is, and there it may not arrive:

    in a callback from C (LLVM's, a finalizer's)     it cannot be caught: sys.unraisablehook prints it, and the work goes on without
                                                     the callback's effect
    in C that makes an error of its own of it        a module that is being imported, a class that is being made, compiled code
    in the middle of what has to be done whole       llvmlite has given a module away and not noted it, which is then freed twice; a
                                                     registry of numba's has been read and not installed; half a module is imported

So the handler of the signal notes it in `heard` before it raises. Whoever waits for something in the main thread looks there, and who catches
a KeyboardInterrupt to go on clears it. In the middle of such work it does not raise: it is called again soon.
"""

import contextlib
import signal
import sys
import threading

SOON_SECONDS = 0.003
WHOLE_MODULES = ("llvmlite.binding",)  # each of its functions
WHOLE_FUNCTIONS = {(f"numba.core.{module}", name) for module in ("base", "typing.context") for name in ("refresh", "install_registry")}
IMPORTED_WHOLE = ("", "hwmem", "goalloc", "numba", "llvmlite", "numpy")  # packages
heard: list = []  # what has come, and has not been raised out of none_lost yet


def hear(number, frame):
    heard.append(number)
    if not is_amid(frame):
        raise KeyboardInterrupt
    again = threading.Timer(SOON_SECONDS, hear_again, (number, len(heard)))
    again.daemon = True
    again.start()


def hear_again(number, count):
    """Unless it has been raised, or has come once more, meanwhile, or none_lost has ended, and raised it."""
    if len(heard) == count and signal.getsignal(signal.SIGINT) is hear:
        signal.pthread_kill(threading.main_thread().ident, number)


def is_amid(frame):
    """Whether the work of a frame, or of one that has called it, has to be done whole."""
    imported = ""  # the module whose code the frame has called that was looked at last
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(WHOLE_MODULES) or (module, frame.f_code.co_name) in WHOLE_FUNCTIONS:
            return True
        if not module.startswith("importlib."):
            imported = module
        elif imported.partition(".")[0] in IMPORTED_WHOLE:
            return True
        frame = frame.f_back
    return False


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
