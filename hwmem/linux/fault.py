"""Page faults: what the kernel does when a walk ends without a translation.

Hardware comes here through a door (mmu/translate.py). A fault inside a mapping with the right gets a zeroed
frame (demand-zero); any other ends the thread with SIGSEGV: MAPERR outside every mapping, ACCERR where the
rights forbid it (arch/x86/mm/fault.c). Clearing the frame and writing the entry are real accesses.

Cost: `kernel.page_fault` cycles, 64 line stores, up to four table entries.
"""
from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.core.signal import kill
from hwmem.core.service import kernel_access
from hwmem.linux.frames import give_frame, take_frame
from hwmem.linux.page_table import set_leaf
from hwmem.linux.vma import find_vma


@DOORS.door(P.DOOR_PAGE_FAULT)
def page_fault(m, t, va, write, error):
    """0: the access may be tried again; -1: the thread got a signal."""
    p = m.thread[t].process
    core = m.core[m.thread[t].core]
    core.cycles += m.cost.page_fault
    v = find_vma(m, p, va)
    if v < 0:
        return kill(m, t, va, write, P.SEGV_MAPERR)
    prot = m.vma[v].prot
    if not prot & (P.PROT_WRITE if write else P.PROT_READ | P.PROT_WRITE | P.PROT_EXEC):
        return kill(m, t, va, write, P.SEGV_ACCERR)
    if not demand_zero(m, m.thread[t].core, p, va, prot, write):
        return kill(m, t, va, write, P.NO_MEMORY)
    core.faults_minor += 1
    m.process[p].minflt += 1
    return 0


@kernel
def demand_zero(m, c, p, va, prot, write):
    """Map a zeroed frame at `va`; False when RAM is exhausted."""
    pa = take_frame(m)
    if pa < 0:
        return False
    kernel_access(m, c, pa, P.PAGE, 1)
    entry = pa | P.PTE_P | P.PTE_US | P.PTE_A
    if prot & P.PROT_WRITE:
        entry |= P.PTE_RW | (P.PTE_D if write else 0)
    if not set_leaf(m, c, p, va, entry):
        give_frame(m, pa)
        return False
    m.process[p].pages += 1
    return True
