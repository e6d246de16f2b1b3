"""The end of a process: everything it owns goes back.

Called by SYS_EXIT, by a fork that failed half-way, and by the OOM killer, which takes the memory at once and leaves the rest until the
process is reaped. Source: mm/mmap.c exit_mmap, mm/oom_kill.c.
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.linux.commit import uncharge
from hwmem.linux.exec import task_end
from hwmem.linux.frames import give_frame
from hwmem.linux.pages import free_tables, zap_range
from hwmem.linux.shmem import put_file
from hwmem.linux.shootdown import finish_stores, shoot_down
from hwmem.linux.vma import drop_vma, pages_of


@cold
def release_address_space(m, c, p):
    """All pages, tables and VMAs of process `p` but its root table."""
    process = m.process[p]
    top = task_end(process.layout)
    finish_stores(m, p)
    if m.mmu:
        zap_range(m, c, p, 0, top, 1)
        free_tables(m, c, p, 0, top)
        shoot_down(m, c, p, 0, top)
    while process.first_vma:
        v = process.first_vma - 1
        if m.vma[v].vm_flags & P.VM_ACCOUNT:
            uncharge(m, pages_of(m, v))
        if m.vma[v].file:
            put_file(m, c, m.vma[v].file - 1)
        drop_vma(m, p, v)
    process.total_vm = process.locked_vm = 0


@cold
def end_process(m, c, p):
    """Process `p` ends; its number is free."""
    process = m.process[p]
    if process.root >= 0:
        release_address_space(m, c, p)
        if m.mmu:
            give_frame(m, c, process.root >> P.PAGE_SHIFT)
            process.table_pages -= 1
    process.alive = 0


@kernel
def exit_process(m, t):
    end_process(m, m.thread[t].core, m.thread[t].process)
    return 0
