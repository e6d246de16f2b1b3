"""The OOM killer: when nothing can be reclaimed, one process dies so that the others live.

The victim is who gives back most: pages mapped, pages in swap slots, page tables. Its threads never run again, its memory
goes back at once; what it had is noted in its record (`obituary`) for the report. The process itself stays, empty, until it
is reaped (exit.py).

If the victim is the process that asked for memory, or a child that is being made, its address space is in use: the
allocation fails, and the memory goes back when the kernel is left (`bury`).
Source: mm/oom_kill.c (oom_badness, select_bad_process, __oom_kill_process).
"""
from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.exit import release_address_space
from hwmem.sched.block import dequeue


@cold
def out_of_memory(m, c):
    """Kill a process for an allocation on core `c`; False when there is none to kill."""
    victim = most_expensive(m)
    if victim < 0:
        return False
    m.mm.oom_process = victim + 1
    m.mm.oom_pages = badness(m, victim)
    m.vmstat.oom_kill += 1
    kill_process(m, victim)
    running = m.core[c].process
    if victim == running or m.process[victim].parent == running:
        m.mm.dying = victim + 1
    else:
        release_address_space(m, c, victim)
    return True


@kernel
def most_expensive(m):
    """The living process that would give back most, the youngest of equals; -1: none."""
    victim, most = -1, 0
    for p in range(len(m.process)):
        if m.process[p].alive and not m.process[p].killed and badness(m, p) >= max(most, 1):
            victim, most = p, badness(m, p)
    return victim


@kernel
def badness(m, p):
    process = m.process[p]
    return process.anon + process.file + process.shared + process.swapped + process.table_pages


@kernel
def kill_process(m, p):
    """SIGKILL: none of the process's threads runs again."""
    process = m.process[p]
    process.killed = 1
    process.obituary[0], process.obituary[1] = process.total_vm, process.anon
    process.obituary[2], process.obituary[3], process.obituary[4] = process.file, process.shared, process.table_pages
    for t in range(m.threads):
        thread = m.thread[t]
        if thread.process == p and thread.state != P.DONE and thread.state != P.KILLED:
            if thread.state == P.RUNNABLE:
                dequeue(m, t)
            thread.state = P.KILLED
            thread.fault_code = P.NO_MEMORY


@cold
def bury(m, t):
    """Thread `t` leaves the kernel, and a process died meanwhile: its memory goes back. True if it is the thread's own."""
    p = m.mm.dying - 1
    m.mm.dying = 0
    if m.process[p].alive:
        release_address_space(m, m.thread[t].core, p)
    return p == m.thread[t].process
