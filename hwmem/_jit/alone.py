"""One process compiles a kernel; others that need the same one wait for it, then load what it made.

    a kernel that is not in the cache ── alone(path) ── another compiles it: wait ── is it there now? load it, else compile it

The lock is a file beside the code's own, held by flock, which the host's kernel releases when its holder dies. A process that has waited for
PATIENCE (for one that was stopped, say) goes on without it; and where no lock can be had, each compiles for itself, which costs time and
nothing else.
"""

import contextlib
import fcntl
import os
import threading
import time

PATIENCE, LOOK_EVERY = 120.0, 0.1  # seconds
_held = threading.local()


@contextlib.contextmanager
def alone(path):
    """While no other process is within this for the same `path`. A thread that is within already is let through: it may hold one lock
    only, or two processes could wait for each other."""
    if getattr(_held, "lock", False):
        yield
        return
    lock = f"{path}.lock"
    file = _locked(lock)
    _held.lock = True
    try:
        yield
    finally:
        _held.lock = False
        if file is not None:
            with contextlib.suppress(OSError):
                os.unlink(lock)  # who waits for it finds the code in the cache
            os.close(file)


def _locked(lock):
    """The lock's file descriptor, as soon as it can be had; None: it cannot."""
    try:
        os.makedirs(os.path.dirname(lock), exist_ok=True)
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return None
    end = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                if time.monotonic() > end:
                    break
            time.sleep(LOOK_EVERY)
    except OSError:  # of a file system that has none
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None
