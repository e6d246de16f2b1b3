"""Long work that Ctrl-C can end: kernels run in a host thread, so that the interpreter can receive the signal meanwhile.

    run_interruptibly(m, kernel, ...)
        a thread:      the kernel, without the interpreter's lock
        the caller:    waits ── KeyboardInterrupt ── m.until = 0, every slice ends now ── the kernel returns ── raised again

Kernels that ask next_thread end there (sched/scheduler.py), loops over many accesses at `is_over`. After it the machine is whole: each
thread stands between two steps. Nothing of this needs the main thread; KeyboardInterrupt comes wherever the interpreter raises it, in a
notebook too. A kernel that does not end soon (it never asks, or its doors are being compiled) is left running: the next call on the machine
waits for its end (lock.py), and can be interrupted as well.
"""

import ctypes
import threading
import time

import numpy as np

from hwmem._jit import JIT_DISABLED
from hwmem.ctrl_c import heard, none_lost

TICK_SECONDS = 0.1  # between two calls of `tick`, and what a part of a long loop may take
POKE_SECONDS = 0.005  # between two reminders to a kernel that is to stop
PATIENCE_SECONDS = 0.8  # for how long it is reminded
on_interrupt: list = []  # functions to be called as soon as somebody has heard of one
running: dict = {}  # what has not ended: the event that it sets -> the place of the machine that it runs on, None: none
_left: dict = {}  # of those, what nobody waits for: -> m.until, as it was before the interruption
_leaving = threading.Lock()


def run_interruptibly(m, kernel, *arguments, tick=None):
    """The kernel's result; what it raises. `tick`: called now and then while it runs."""
    wait_for_left(m)
    return run(kernel, arguments, tick, lambda done: stop(m, done), m)


def run(function, arguments, tick, end, m=None):
    """Call the function in a thread of the host's, and wait for it; `end(done)` when something ends the waiting before. `m`: the machine
    on which it runs."""
    if JIT_DISABLED:  # the interpreter itself runs it, and can be interrupted anywhere
        return function(*arguments)
    with none_lost():
        return wait_for(function, arguments, tick, end, m)


def wait_for(function, arguments, tick, end, m):
    """See run. The thread's own end is a callback, too, by which the interpreter forgets it."""
    done, outcome, is_main = threading.Event(), [], threading.current_thread() is threading.main_thread()

    def work():
        try:
            outcome.append((function(*arguments), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            with _leaving:
                if done in _left:
                    m.until = _left.pop(done)
                running.pop(done, None)
                done.set()

    worker = threading.Thread(target=work, daemon=True)
    try:
        running[done] = None if m is None else place_of(m)
        worker.start()
        while not done.wait(TICK_SECONDS):
            if heard and is_main:
                raise KeyboardInterrupt
            if tick:
                tick()
    except BaseException:
        for listener in on_interrupt:
            listener()
        time.sleep(POKE_SECONDS)  # interrupted while it starts, it may not know yet that it has
        if worker.ident is None:
            running.pop(done, None)
        else:
            end(done)
        raise
    result, error = outcome[0]
    if error:
        raise error
    return result


def place_of(m):
    """The host's address of a machine's record: two names of it are one machine. (The record's own array interface would spell its whole
    format out, a millisecond's work.)"""
    return np.frombuffer(m.data, np.uint8, 1).ctypes.data


def is_left(m):
    """Whether an interrupted kernel is still running, abandoned, on the machine."""
    return place_of(m) in running.copy().values()


def wait_for_left(m):
    """Wait for the end of what was left running on the machine."""
    for done, place in running.copy().items():
        if place == place_of(m):
            while not done.wait(TICK_SECONDS):
                continue


def run_aside(function, *arguments):
    """The result of work that cannot be stopped, such as compiling; after KeyboardInterrupt it keeps running, abandoned."""
    return run(function, arguments, None, lambda done: None)


def in_time(seconds, function, otherwise):
    """function()'s result; `otherwise` if it raises, or has none after `seconds`: then it is ended at its next step of Python's."""
    outcome = []

    def work():
        try:
            outcome.append(function())
        except BaseException:  # `otherwise` it is
            return

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(KeyboardInterrupt))
    return outcome[0] if outcome else otherwise


def in_parts(n, first=1 << 18):
    """(start, end) of parts of range(n), short enough that the interpreter can receive Ctrl-C between them ten times a second."""
    start, part = 0, first
    while start < n:
        began, end = time.perf_counter(), min(start + part, n)
        yield start, end
        start = end
        spent = time.perf_counter() - began
        if spent < TICK_SECONDS / 2:
            part *= 2
        elif spent > 2 * TICK_SECONDS and part > 1:
            part //= 2


def stop(m, done):
    """See that the kernel which sets `done` ends, and that the machine can go on after it; or leave it."""
    until, m.until = int(m.until), 0
    asked = time.perf_counter()
    while not done.wait(POKE_SECONDS):
        if time.perf_counter() - asked > PATIENCE_SECONDS:
            with _leaving:
                if not done.is_set():
                    _left[done] = until
                    return
        for c in range(m.cores):  # the kernel may write a later one meanwhile: again, until it sees
            m.core[c].slice_end = 0
    m.until = until
