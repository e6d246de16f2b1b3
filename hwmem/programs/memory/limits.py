"""memory-limit: what counts against a memory limit, and what of it can be reclaimed: killed below its limit?

A child in a memory group of its own (linux/group.py), as a container is, touches twice as much memory as the group may have,
in six ways. What is charged is more than its RSS: the page cache it brings in, shared memory that nobody maps any more, page
tables. Only page cache gives way, so "working set", what is charged without the inactive pages of files, shows
how near the end is, and RSS alone does not.

    own pages           RSS is all there is
    a file, read        the cache fills the limit and goes round; nobody dies
    a file, written     dirty pages go to the disk first
    a file, locked      the same pages, kept by mlock
    shared, unmapped    written, then unmapped; the parent's mapping keeps them
    sparse pages        one page of each 2 MiB costs a page table as well

Source: Documentation/admin-guide/cgroup-v2.rst.
"""

import numpy as np

from hwmem import params as P
from hwmem.kernels import (
    NOBODY,
    begin_thread,
    clock,
    exit_process,
    finish,
    fork,
    kernel,
    load8,
    mmap,
    mmap_file,
    munmap,
    next_thread,
    sleep_until,
    store8,
)
from hwmem.linux.exit import end_process
from hwmem.linux.stubs import call_with
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

WAYS = ("own pages", "a file, read", "a file, written", "a file, locked", "shared, unmapped", "sparse pages")
OWN, READ, WRITTEN, LOCKED, SHARED, SPARSE = range(6)
COLUMNS = ("touched", "RSS", "tables", "charged", "working set")
TOUCHED, RSS, TABLES, CHARGED, WORKING = range(5)
ROW, CHILD, ADDRESS = range(3)  # the parent's registers; CHILD: process number, plus one
PAGE_NUMBER, BASE = range(2)  # the child's
CHUNK = 16  # pages that the child locks, or unmaps, at a time
NAP = 1_000_000  # cycles between the parent's looks at the child
RW = P.PROT_READ | P.PROT_WRITE


def place(w, space):
    machine = space.process.machine
    w.limit = -(-w.limit // P.PAGE) * P.PAGE
    w.pages = 2 * w.limit // P.PAGE
    w.files = [machine.create_file(f"limit {way}", 2 * w.limit) if way in (READ, WRITTEN, LOCKED) else -1 for way in range(len(WAYS))]
    w.groups = [machine.group(f"limit {way}", max=w.limit, swap_max=0).number for way in WAYS]
    w.child = [machine.new_thread(space.process.number, space.core) for _ in WAYS]
    w.found = np.zeros((len(WAYS), len(COLUMNS)), np.int64)
    w.died = np.zeros(len(WAYS), np.int64)


def read(w, space):
    rows = [["killed" if died else "lives", *(format_size(int(n) * P.PAGE) for n in found)] for died, found in zip(w.died, w.found)]
    return {
        "ways": list(WAYS),
        "died": w.died,
        **{name.replace(" ", "_").lower(): w.found[:, k] for k, name in enumerate(COLUMNS)},
        "operations": int(w.found[:, TOUCHED].sum()),
        "grid": grid(
            f"twice a limit of {format_size(w.limit)}, in pages; as it was at the end", "way", list(WAYS), None, ["", *COLUMNS], rows
        ),
    }


@workload(
    "memory-limit",
    "killed below its limit? page cache, RSS and the working set of a group of processes at memory.max",
    setup=place,
    values=read,
    operation="page",
    needs_mmu=True,
    machine={"memory": "64MiB", "swap": "0"},
    limit=parameter("2MiB", "memory.max of each group, bytes", 64 * P.PAGE, 1 << 30),
)
def memory_limit(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        row = row_of(w, t)
        if row < 0:
            run_parent(m, t, w)
        else:
            run_child(m, t, w, row)


@kernel
def row_of(w, t):
    """The row of the table whose child thread `t` is, -1: the parent."""
    for row in range(len(WAYS)):
        if w.child[row] == t:
            return row
    return -1


@kernel
def run_parent(m, t, w):
    """One step: a child started, or looked at, or the row is over."""
    r = m.thread[t].local
    row = r[ROW]
    child = w.child[row]
    if r[CHILD] == 0:
        if row == SHARED:
            r[ADDRESS] = mmap(m, t, 0, 2 * w.limit, RW, P.MAP_SHARED)
        r[CHILD] = fork(m, t) + 1
        q = r[CHILD] - 1
        m.process[q].group = w.groups[row]
        m.process[q].limit_locked = P.UNLIMITED
        m.thread[child].local[BASE] = r[ADDRESS]
        begin_thread(m, child, q)
    elif m.thread[child].state == P.KILLED or m.thread[child].state == P.DONE:
        if m.thread[child].state == P.KILLED:
            note_death(m, w, row, r[CHILD] - 1)
            end_process(m, m.thread[t].core, r[CHILD] - 1)  # wait(2): nothing of it is left
            m.thread[child].fault_code = 0
        if row == SHARED:
            munmap(m, t, r[ADDRESS], 2 * w.limit)
        r[CHILD] = r[ADDRESS] = 0
        r[ROW] += 1
        if r[ROW] == len(WAYS):
            finish(m, t)
    else:
        sleep_until(m, t, clock(m, t) + NAP)


@kernel
def note_death(m, w, row, q):
    """What the killed child had: Linux's report has it too."""
    took, group = m.process[q].obituary, m.group[w.groups[row]]
    w.died[row] = 1
    w.found[row, TOUCHED] = m.thread[w.child[row]].local[PAGE_NUMBER]
    w.found[row, RSS] = took[1] + took[2] + took[3]
    w.found[row, TABLES] = took[4]
    w.found[row, CHARGED] = group.killed_usage
    w.found[row, WORKING] = group.killed_usage - group.killed_idle


@kernel
def run_child(m, t, w, row):
    """One step of the child: a page touched, or its end."""
    q, r = m.thread[t].process, m.thread[t].local
    n = r[PAGE_NUMBER]
    if n == w.pages:
        process, group = m.process[q], m.group[w.groups[row]]
        w.found[row, TOUCHED], w.found[row, RSS] = n, process.anon + process.file + process.shared
        w.found[row, TABLES], w.found[row, CHARGED] = process.table_pages, group.usage
        w.found[row, WORKING] = group.usage - group.pages[P.LRU_INACTIVE_FILE]
        exit_process(m, t, NOBODY)
        return
    if n == 0 and row != SHARED:
        r[BASE] = map_memory(m, t, w, row)
    touch(m, t, row, r[BASE], n)
    if m.thread[t].state != P.KILLED:
        r[PAGE_NUMBER] = n + 1


@kernel
def map_memory(m, t, w, row):
    if row == OWN:
        return mmap(m, t, 0, 2 * w.limit, RW, P.MAP_PRIVATE | P.MAP_NORESERVE)
    if row == SPARSE:
        return mmap(m, t, 0, w.pages * P.HUGE_PAGE, RW, P.MAP_PRIVATE | P.MAP_NORESERVE)
    return mmap_file(m, t, 0, 2 * w.limit, RW, P.MAP_SHARED, w.files[row])


@kernel
def touch(m, t, row, base, n):
    """Page `n` in the way of the row; what it has of a chunk is then locked, or unmapped."""
    va = base + n * (P.HUGE_PAGE if row == SPARSE else P.PAGE)
    if row == READ or row == LOCKED:
        load8(m, t, va)
    else:
        store8(m, t, va, 1)
    if n % CHUNK == CHUNK - 1 and m.thread[t].state != P.KILLED:
        start = va - (CHUNK - 1) * P.PAGE
        if row == LOCKED:
            call_with(m, t, P.SYS_MLOCK, start, CHUNK * P.PAGE, 0)
        elif row == SHARED:
            munmap(m, t, start, CHUNK * P.PAGE)
