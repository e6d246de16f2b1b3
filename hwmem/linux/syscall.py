"""System calls by number: arguments in `m.sys`, result or -errno returned, as on x86-64.

Workload kernels and the Python facade come here through one door. What changes an address space also
invalidates TLBs: the calling core by page or whole, every other core that runs the process by an
interprocessor interrupt, which both pay for (a shootdown).
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.bits import test_bit
from hwmem.core.service import drain_all
from hwmem.linux.page_table import free_tables, new_table, unmap_range
from hwmem.linux.vma import drop_record, free_gap, insert_vma, remove_range, task_end
from hwmem.mmu.tlb import flush, invalidate_page
from hwmem.sched.block import futex_wait, futex_wake


@DOORS.door(P.DOOR_SYSCALL)
def system_call(m, t, number, a, b):
    m.core[m.thread[t].core].cycles += m.cost.syscall
    if number == P.SYS_MMAP:
        return sys_mmap(m, t, m.sys[0], m.sys[1], m.sys[2], m.sys[3])
    if number == P.SYS_MUNMAP:
        return sys_munmap(m, t, m.sys[0], m.sys[1])
    if number == P.SYS_FUTEX:
        return futex_wait(m, t, m.sys[0], m.sys[2]) if m.sys[1] == P.FUTEX_WAIT else futex_wake(m, t, m.sys[0], m.sys[2])
    if number == P.SYS_SPAWN:
        return spawn(m, t, a, b)
    if number == P.SYS_EXIT:
        return exit_process(m, t)
    return -P.ENOSYS


@kernel
def round_up(n):
    return (n + P.PAGE - 1) & ~(P.PAGE - 1)


@kernel
def sys_mmap(m, t, address, length, prot, flags):
    p = m.thread[t].process
    if length == 0:
        return -P.EINVAL
    length = round_up(length)
    if length <= 0:
        return -P.ENOMEM                                # it wrapped round
    if not flags & P.MAP_ANONYMOUS or bool(flags & P.MAP_PRIVATE) == bool(flags & P.MAP_SHARED):
        return -P.EINVAL
    if flags & P.MAP_FIXED:
        if address & (P.PAGE - 1):
            return -P.EINVAL
        if address < 0 or length > task_end(m.process[p].layout) - address:
            return -P.ENOMEM
        unmap(m, t, address, length)
    else:
        address = free_gap(m, p, length, round_up(address))
        if address < 0:
            return -P.ENOMEM
    if not insert_vma(m, p, address, address + length, prot, flags & ~P.MAP_FIXED):
        return -P.ENOMEM
    return address


@kernel
def sys_munmap(m, t, address, length):
    length = round_up(length)
    if address & (P.PAGE - 1) or length <= 0 or address < 0 or length > task_end(m.process[m.thread[t].process].layout) - address:
        return -P.EINVAL
    return unmap(m, t, address, length)


@kernel
def unmap(m, t, start, length):
    p, c = m.thread[t].process, m.thread[t].core
    if not remove_range(m, p, start, start + length):
        return -P.ENOMEM
    finish_stores(m, p)
    if m.mmu and unmap_range(m, c, p, start, start + length) > 0:
        shoot_down(m, c, p, start, length)
    return 0


@kernel
def finish_stores(m, p):
    """Stores that have retired reach the frames they were translated to, before those belong to somebody else."""
    mask = np.uint64(m.process[p].cores)
    for d in range(m.cores):
        if test_bit(mask, d):
            drain_all(m, d)


@kernel
def shoot_down(m, c, p, start, length):
    """Every core that ran the process forgets the range; the others are interrupted for it."""
    mask = np.uint64(m.process[p].cores)
    for d in range(m.cores):
        if test_bit(mask, d):
            forget_range(m, d, m.process[p].asid, start, length)
            if d != c:
                m.core[c].shootdowns_sent += 1
                m.core[c].cycles += m.cost.shootdown
                m.core[d].shootdowns_received += 1
                m.core[d].cycles += m.cost.shootdown_remote
                if m.key[d] != P.NEVER:
                    m.key[d] = m.core[d].cycles


@kernel
def forget_range(m, d, asid, start, length):
    core = m.core[d]
    if length // P.PAGE > P.FLUSH_CEILING:
        flush(m, d)
        return
    running = core.asid
    core.asid = asid
    for va in range(start, start + length, P.PAGE):
        invalidate_page(m, d, va)
    core.asid = running


@kernel
def spawn(m, t, layout, unused):
    """A process with an empty address space; its number, or -EAGAIN / -ENOMEM."""
    for p in range(len(m.process)):
        process = m.process[p]
        if process.alive == 0:
            process.alive = 1
            process.asid = p + 1
            process.layout = layout
            process.levels = 2 if layout == P.LINUX_I386 else 4
            process.first_vma = 0
            process.vma_count = 0
            process.cores = 0
            process.pages = 0
            process.table_pages = 0
            process.minflt = 0
            process.majflt = 0
            process.root = 0
            if m.mmu:
                root = new_table(m, m.thread[t].core, p)
                if root < 0:
                    process.alive = 0
                    return -P.ENOMEM
                process.root = root
            return p
    return -P.EAGAIN


@kernel
def exit_process(m, t):
    """Everything the process of thread `t` owns goes back."""
    p = m.thread[t].process
    process = m.process[p]
    finish_stores(m, p)
    v = process.first_vma - 1
    while v >= 0:
        after = m.vma[v].next - 1
        if m.mmu:
            unmap_range(m, m.thread[t].core, p, m.vma[v].start, m.vma[v].end)
        drop_record(m, v)
        v = after
    if m.mmu:
        shoot_down(m, m.thread[t].core, p, 0, task_end(process.layout))
        free_tables(m, p, process.root, process.levels - 1)
    process.first_vma = 0
    process.alive = 0
    return 0
