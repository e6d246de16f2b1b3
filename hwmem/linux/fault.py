"""Page faults: what the kernel does when a walk ends without a translation.

Hardware comes here through a door (mmu/translate.py).

    VMA? ── none, but a stack that may grow: it grows      else SIGSEGV, MAPERR
      └─ rights? ── no: SIGSEGV, ACCERR
           └─ entry of 2 MiB: huge.py ── leaf entry: empty       anon.py, or backed.py: filemap.py
                                                    swapped out  backed.py: swapin.py
                                                    read-only    anon.py (copy on write), or backed.py

huge.py and backed.py have doors of their own: a program of small anonymous pages compiles neither.

A fault that reads a disk is major, any other minor. Zeroing, copying and the entries are real accesses; the kernel's own work is
`kernel.page_fault` cycles. In memory that existed before the run (VM_EXISTED: a trace's) the first touch finds a frame of its own; clearing
it and writing its entries are not charged to this fault, but reclaim and swap are. Source: arch/x86/mm/fault.c, mm/memory.c
(handle_pte_fault).
"""

from hwmem import params as P
from hwmem._jit import DOORS, call_door, kernel
from hwmem.core.signal import kill
from hwmem.linux.anon import anonymous_fault, write_fault
from hwmem.linux.commit import charge
from hwmem.linux.filemap import FRESH
from hwmem.linux.frames import take_zeroed
from hwmem.linux.group import uncharge_frames
from hwmem.linux.huge import GO_ON, may_be_huge, wake_khugepaged
from hwmem.linux.oom import bury
from hwmem.linux.populate import GUARDED, keep_page
from hwmem.linux.page_table import find_place, make_place, read_entry
from hwmem.linux.vma import prepare_anon, stretch
from hwmem.linux.vma_tree import find_vma

MINOR, MAJOR = 0, 1  # results of a fault; below zero: it failed, -ENOMEM, -EFAULT (beyond a file's end), or GUARDED


@DOORS.door(P.DOOR_PAGE_FAULT)
def page_fault(m, t, va, write, unused):
    """0: the access may be tried again; -1: the thread got a signal."""
    p, c = m.thread[t].process, m.thread[t].core
    m.core[c].cycles += m.cost.page_fault
    wake_khugepaged(m, c)
    v = find_vma(m, p, va)
    if v < 0 or (m.vma[v].start > va and not grow_stack(m, p, v, va)):
        return kill(m, t, va, write, P.SEGV_MAPERR)
    if not m.vma[v].vm_flags & (P.VM_WRITE if write else P.VM_ACCESS):
        return kill(m, t, va, write, P.SEGV_ACCERR)
    untold = m.mm.untold
    m.mm.untold = 1 if untold or m.vma[v].vm_flags & P.VM_EXISTED else 0
    result = call_door(m, P.DOOR_HANDLE_FAULT, c, v, va & ~(P.PAGE - 1), write)
    m.mm.untold = untold
    if m.mm.dying and bury(m, t):
        return kill(m, t, va, write, P.NO_MEMORY)
    if result < 0:
        return kill(m, t, va, write, P.SEGV_MAPERR if result == GUARDED else P.NO_MEMORY if result == -P.ENOMEM else P.BUS_ADRERR)
    if result == MAJOR:
        m.core[c].faults_major += 1
    else:
        m.core[c].faults_minor += 1
    return 0


@DOORS.door(P.DOOR_HANDLE_FAULT)
def handle_fault(m, c, v, va, write):
    """Make the page `va` of VMA `v` accessible (`write`: for a write): MINOR, MAJOR, or -errno. Counted as a fault.

    Linux: handle_mm_fault. What populates memory without an access (populate.py, direct.py) comes here as well.
    """
    p = m.vma[v].process
    m.vmstat.pgfault += 1
    if m.vma[v].vm_flags & P.VM_HUGETLB:
        return -P.EFAULT
    if m.frames.zero == 0 and not make_zero_page(m, c):
        return -P.ENOMEM
    result = huge_entry_fault(m, c, v, va, write) if m.process[p].levels == 4 else GO_ON
    if result == GO_ON:
        result = small_fault(m, c, v, va, write)
    if result == MAJOR:
        m.process[p].majflt += 1
        m.vmstat.pgmajfault += 1
    elif result == MINOR:
        m.process[p].minflt += 1
    if result >= 0 and m.vma[v].vm_flags & P.VM_LOCKED:
        keep_page(m, p, va)
    return result


@kernel
def make_zero_page(m, c):
    frame = take_zeroed(m, c)
    if frame < 0:
        return False
    m.frame[frame].state = P.FRAME_RESERVED
    uncharge_frames(m, frame, 1)
    m.frames.zero = frame
    return True


@kernel
def huge_entry_fault(m, c, v, va, write):
    """The fault, as far as it concerns a 2 MiB entry; GO_ON for the small pages' turn."""
    p = m.vma[v].process
    place = find_place(m, c, p, va, 1)
    if place < 0:
        if not may_be_huge(m, v, va):
            return GO_ON
        place = make_place(m, c, p, va, 1)
        if place < 0:
            return -P.ENOMEM
    entry = read_entry(m, p, place)
    if entry == 0:
        return call_door(m, P.DOOR_HUGE_FAULT, c, v, va | write, place) if may_be_huge(m, v, va) else GO_ON
    if not entry & P.PTE_PS:
        return GO_ON
    if write and not entry & P.PTE_RW:
        return call_door(m, P.DOOR_HUGE_FAULT, c, v, va | write, place)
    return MINOR  # another core was here first


@kernel
def small_fault(m, c, v, va, write):
    """The fault of a 4 KiB page."""
    p = m.vma[v].process
    tables = m.process[p].table_pages
    place = make_place(m, c, p, va, 0)
    if place < 0:
        return -P.ENOMEM
    entry = read_entry(m, p, place)
    if entry == 0 and m.vma[v].file == 0:
        return anonymous_fault(m, c, v, va, place, write)
    if entry == 0:
        fresh = FRESH if m.process[p].table_pages > tables else 0
        return call_door(m, P.DOOR_BACKED_FAULT, c, v, va | write | fresh, place)
    if entry == P.PTE_GUARD:
        return GUARDED
    major = MINOR
    if not entry & P.PTE_P:
        major = call_door(m, P.DOOR_BACKED_FAULT, c, v, va | write, place)
        entry = read_entry(m, p, place)
        if major < 0 or not entry & P.PTE_P:
            return major
    if write and not entry & P.PTE_RW:
        shared = m.vma[v].vm_flags & P.VM_SHARED
        failed = call_door(m, P.DOOR_BACKED_FAULT, c, v, va | write, place) if shared else write_fault(m, c, v, va, place)
        return failed if failed < 0 else major
    return major


@kernel
def grow_stack(m, p, v, va):
    """VMA `v`, above `va`, takes the page of `va` in if it is a stack with room below and within its limit.

    Linux: expand_downwards; RLIMIT_STACK, stack_guard_gap.
    """
    vma = m.vma[v]
    start = va & ~(P.PAGE - 1)
    if not vma.vm_flags & P.VM_GROWSDOWN or start < P.MMAP_MIN or vma.end - start > m.process[p].limit_stack:
        return False
    below = vma.prev - 1
    if below >= 0 and guards(m, below) and start - m.vma[below].end < P.STACK_GUARD:
        return False
    grown = vma.start - start >> P.PAGE_SHIFT
    locked = grown if vma.vm_flags & P.VM_LOCKED else 0
    if m.process[p].total_vm + grown > m.process[p].limit_space >> P.PAGE_SHIFT:
        return False
    if locked and not m.process[p].privileged and m.process[p].locked_vm + locked > m.process[p].limit_locked >> P.PAGE_SHIFT:
        return False
    if vma.vm_flags & P.VM_ACCOUNT and not charge(m, p, grown):
        return False
    prepare_anon(m, v)
    m.process[p].total_vm += grown
    m.process[p].locked_vm += locked
    vma.pgoff -= grown
    stretch(m, v, start, vma.end)
    return True


@kernel
def guards(m, v):
    """Whether a stack needs its guard gap above VMA `v` below it: not above another stack, nor above an inaccessible mapping."""
    return m.vma[v].vm_flags & P.VM_ACCESS != 0 and not m.vma[v].vm_flags & P.VM_GROWSDOWN
