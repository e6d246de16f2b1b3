"""The OOM killer: when nothing can be reclaimed, one process dies so that the others live.

The victim is the process that gives back most: pages mapped, pages in swap slots, page tables, and a thousandth of all memory for each
point of oom_score_adj. A group at its limit (group.py) looks among its own processes, and may let all of them die together. Its threads
never run again, its memory goes back at once; what it had is noted in its record (`obituary`) for the report. The process itself stays,
empty, until it is reaped (exit.py).

If the victim is the process that asked for memory, or a child that is being made, its address space is in use: the
allocation fails, and the memory goes back when the kernel is left (`bury`).
Source: mm/oom_kill.c (oom_badness, select_bad_process, __oom_kill_process).
"""

from hwmem import params as P
from hwmem._jit import call_door, cold, kernel
from hwmem.linux.exit import release_address_space
from hwmem.linux.group import ON_KILL, ON_KILL_ALL
from hwmem.sched.block import dequeue

NEVER_KILLED = -1000  # oom_score_adj
BURY = -1  # what DOOR_TASK (tasks.py) is asked beside system calls: so page faults and calls do not each compile how a process ends


@cold
def out_of_memory(m, c, g):
    """Kill a process for an allocation on core `c`, or of group `g`, which has as much as it may; False when there is none to kill."""
    victim = most_expensive(m, g)
    if victim < 0:
        return False
    m.mm.oom_process = victim + 1
    m.mm.oom_pages = badness(m, victim)
    its = m.process[victim].group
    if its:
        m.group[its].killed_usage, m.group[its].killed_idle = m.group[its].usage, m.group[its].pages[P.LRU_INACTIVE_FILE]
    kill(m, c, victim, g)
    if its and m.group[its].together:
        m.group[its].event[ON_KILL_ALL] += 1
        for p in range(len(m.process)):
            if m.process[p].alive and not m.process[p].killed and m.process[p].group == its and m.process[p].oom_adj > NEVER_KILLED:
                kill(m, c, p, g)
    return True


@kernel
def kill(m, c, victim, g):
    """Process `victim` dies, for group `g` or for want of RAM; its memory goes back, at once or when the kernel is left."""
    m.vmstat.oom_kill += 1
    m.group[m.process[victim].group].event[ON_KILL] += 1
    kill_process(m, victim, 2 if g else 1)
    running = m.core[c].process
    if victim == running or m.process[victim].parent == running:
        m.mm.dying = victim + 1
    else:
        release_address_space(m, c, victim)


@kernel
def most_expensive(m, g):
    """The living process (of group `g`, if not 0) that would give back most, the youngest among equals; -1: none."""
    victim, most = -1, -P.NO_LIMIT_PAGES
    total = m.frames.total + m.swap.slots if g == 0 else min(m.group[g].most, m.frames.total) + min(m.group[g].swap_most, m.swap.slots)
    for p in range(len(m.process)):
        process = m.process[p]
        if process.alive and not process.killed and (g == 0 or process.group == g) and process.oom_adj > NEVER_KILLED and badness(m, p):
            points = badness(m, p) + process.oom_adj * (total // 1000)
            if points >= most:
                victim, most = p, points
    return victim


@kernel
def badness(m, p):
    """Pages that process `p` would give back."""
    process = m.process[p]
    return process.anon + process.file + process.shared + process.swapped + process.table_pages


@kernel
def kill_process(m, p, how):
    """SIGKILL: none of the process's threads runs again. `how`: what process.killed is from now on."""
    process = m.process[p]
    process.killed = how
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
        call_door(m, P.DOOR_TASK, t, BURY, p, 0)
    return p == m.thread[t].process
