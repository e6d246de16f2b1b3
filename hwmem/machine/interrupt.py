"""Long work that Ctrl-C can end: kernels run in a thread of the host's, so that the interpreter can hear it meanwhile.

    run_interruptibly(m, kernel, ...)
        a thread:      the kernel, without the interpreter's lock
        the caller:    waits ── KeyboardInterrupt ── m.until = 0, every slice ends now ── the kernel returns ── raised again

Kernels that ask next_thread end there (sched/scheduler.py), loops over many accesses at `is_over`. After it the machine is
whole: each thread stands between two steps. Nothing of this needs the main thread; KeyboardInterrupt comes wherever the
interpreter raises it, in a notebook too. A kernel that never asks cannot be ended: a second KeyboardInterrupt leaves it
running, and the machine, to which it belongs, is not to be used any more.
"""

import threading
import time

from hwmem._jit import JIT_DISABLED

TICK_SECONDS = 0.1  # between two calls of `tick`, and what a part of a long loop may take
POKE_SECONDS = 0.005  # between two reminders to a kernel that is to stop
patience_seconds = float("inf")  # for how long; a command, which ends the process, has less
on_interrupt: list = []  # functions to be called as soon as somebody has heard of one
running: set = set()  # what has not ended yet; after KeyboardInterrupt, what nobody waits for


def run_interruptibly(m, kernel, *arguments, tick=None):
    """The kernel's result; what it raises. `tick`: called now and then while it runs."""
    return run(kernel, arguments, tick, lambda done: stop(m, done))


def run(function, arguments, tick, end):
    """Call the function in a thread of the host's, and wait for it; `end(done)` when something ends the waiting before."""
    if JIT_DISABLED:  # the interpreter itself runs it, and can be interrupted anywhere
        return function(*arguments)
    done, outcome = threading.Event(), []

    def work():
        try:
            outcome.append((function(*arguments), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            running.discard(done)
            done.set()

    worker = threading.Thread(target=work, daemon=True)
    try:
        running.add(done)
        worker.start()
        while not done.wait(TICK_SECONDS):
            if tick:
                tick()
    except BaseException:
        for told in on_interrupt:
            told()
        time.sleep(POKE_SECONDS)  # interrupted while it starts, it may not know yet that it has
        if worker.ident is None:
            running.discard(done)
        else:
            end(done)
        raise
    result, error = outcome[0]
    if error:
        raise error
    return result


def run_aside(function, *arguments):
    """The result of work that cannot be told to stop, such as compiling; after KeyboardInterrupt it goes on, for nobody."""
    return run(function, arguments, None, lambda done: None)


def in_parts(n, first=1 << 16):
    """(start, end) of parts of range(n), so long that the interpreter can hear Ctrl-C between them ten times a second."""
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
    """See that the kernel which sets `done` ends, and that the machine can go on after it."""
    until, m.until = int(m.until), 0
    asked = time.perf_counter()
    while not done.wait(POKE_SECONDS):
        if time.perf_counter() - asked > patience_seconds:
            return
        for c in range(m.cores):  # the kernel may write a later one meanwhile: again, until it sees
            m.core[c].slice_end = 0
    m.until = until
