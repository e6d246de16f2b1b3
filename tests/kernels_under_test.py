"""The jitted loops of the tests: few and general, since each costs compile time.

run_script      accesses by given threads in given order, results kept
run_programs    threads under next_thread, each running its own list of instructions, every step logged
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.kernels import (
    clock,
    compare_exchange64,
    compute,
    exchange64,
    fetch_add64,
    finish,
    futex_wait,
    futex_wake,
    load,
    mfence,
    next_thread,
    sleep_until,
    store,
)
from hwmem.machine.enter import place_thread
from hwmem.sched.block import enqueue

LOAD, STORE, ADD, EXCHANGE, COMPARE_EXCHANGE, FENCE, UNMAP = range(7)


@kernel
def run_script(m, threads, script, results):
    """Rows (thread index, operation, address, size, value, expected); results[i] is what operation i returned."""
    for i in range(len(script)):
        t, va, size, value = threads[script[i, 0]], script[i, 2], script[i, 3], script[i, 4]
        operation = script[i, 1]
        if operation == LOAD:
            results[i] = load(m, t, va, size)
        elif operation == STORE:
            store(m, t, va, size, value)
        elif operation == ADD:
            results[i] = fetch_add64(m, t, va, value)
        elif operation == EXCHANGE:
            results[i] = exchange64(m, t, va, value)
        elif operation == COMPARE_EXCHANGE:
            results[i] = compare_exchange64(m, t, va, script[i, 5], value)
        elif operation == FENCE:
            mfence(m, t)
        else:
            m.sys[0] = va
            m.sys[1] = value
            results[i] = call_door(m, P.DOOR_SYSCALL, t, P.SYS_MUNMAP, 0, 0)
        if m.thread[t].state == P.KILLED:
            return i
    return len(script)


COMPUTE, INCREMENT, SLEEP, WAIT, WAKE, FINISH, READ, RELEASE = range(8)


@kernel
def run_programs(m, threads, program, start, log):
    """Start `threads`; thread k's instructions are rows start[k] .. of `program`, (operation, a, b), to FINISH.

    Rows of `log`: thread, core, the core's clock before the step, after the step, the step's result. Ends when no
    thread can run or the log is full; returns the number of steps.
    """
    if m.current_core < 0:
        for k in range(len(threads)):
            m.thread[threads[k]].state = P.RUNNABLE
            m.thread[threads[k]].local[0] = start[k]
            enqueue(m, threads[k])
    for step in range(len(log)):
        t = next_thread(m)
        if t < 0:
            return step
        core = m.core[m.thread[t].core]
        log[step, 0], log[step, 1], log[step, 2] = t, core.id, core.cycles
        pc = m.thread[t].local[0]
        m.thread[t].local[0] = pc + 1
        operation, a, b = program[pc, 0], program[pc, 1], program[pc, 2]
        if operation == COMPUTE:
            compute(m, t, a)
        elif operation == INCREMENT:
            log[step, 4] = fetch_add64(m, t, a, b)
        elif operation == SLEEP:
            sleep_until(m, t, clock(m, t) + a)
        elif operation == WAIT:
            log[step, 4] = futex_wait(m, t, a, b)
        elif operation == WAKE:
            log[step, 4] = futex_wake(m, t, a, b)
        elif operation == READ:
            log[step, 4] = load(m, t, a, 8)
        elif operation == RELEASE:
            m.sys[0], m.sys[1] = a, b
            log[step, 4] = call_door(m, P.DOOR_SYSCALL, t, P.SYS_MUNMAP, 0, 0)
        else:
            finish(m, t)
        log[step, 3] = core.cycles
    return len(log)


def threads_of(process):
    """The process's prompt threads, one a core, each set up on its core; an int64 array."""
    threads = process.threads_on_all()
    for c, t in enumerate(threads):
        place_thread(process.machine.state, t, c)
    return threads


def script_results(process, rows):
    """Run a script on a process's prompt threads (row's thread index: core); the results, an int64 array."""
    script = np.array(rows, dtype=np.int64).reshape(-1, 6)
    results = np.zeros(len(script), np.int64)
    threads = threads_of(process)
    done = run_script(process.machine.state, threads, script, results)
    for t in threads:
        process.machine.raise_fault(t)
    assert done == len(script)
    return results


def run_threads(m, process, programs, cores=None, steps=200_000):
    """Run a program a thread, thread k on core k (or cores[k]); the log's rows, as a list of lists."""
    cores = cores or [k % m.config.cores for k in range(len(programs))]
    threads = np.array([m.new_thread(process.number, core) for core in cores], np.int64)
    start = np.cumsum([0] + [len(p) + 1 for p in programs])[:-1]
    rows = np.array([row for p in programs for row in [*p, (FINISH, 0, 0)]], np.int64)
    log = np.zeros((steps, 5), np.int64)
    n = run_programs(m.state, threads, rows, start, log)
    for t in threads:
        m.raise_fault(t)
    assert n < steps, "the programs did not end"
    log = log[:n].tolist()
    number = {int(t): k for k, t in enumerate(threads)}
    return [[number[row[0]], *row[1:]] for row in log]
