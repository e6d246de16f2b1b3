"""mlock and its relatives: what stays in RAM.

    mlock, mlock2      a range; what is not there is brought in, with MLOCK_ONFAULT when it is touched (VM_LOCKONFAULT)
    mlockall           CURRENT: every mapping; FUTURE: every one to come, which process.lock_future says
    munlock, munlockall

RLIMIT_MEMLOCK binds an ordinary user's process and not root's (process.privileged). Source: mm/mlock.c.
"""

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.linux.exec import task_end
from hwmem.linux.populate import lock_pages, mark_frames, mark_locked, populate
from hwmem.linux.vma_tree import find_vma
from hwmem.linux.ranges import range_end
from hwmem.linux.unmap import mapped_in, modify_mapping

LOCK_FLAGS = P.VM_LOCKED | P.VM_LOCKONFAULT
ALL_FLAGS = P.MCL_CURRENT | P.MCL_FUTURE | P.MCL_ONFAULT


@DOORS.door(P.DOOR_MLOCK)
def mlock_call(m, t, call, a, b):
    s = m.sys
    if call == P.SYS_MLOCK:
        return sys_mlock(m, t, s[0], s[1], 0)
    if call == P.SYS_MLOCK2:
        return sys_mlock(m, t, s[0], s[1], s[2] & P.UINT_MASK)
    if call == P.SYS_MUNLOCK:
        start, length = whole_pages(s[0], s[1])
        return apply_to_range(m, t, start, length, 0)
    if call == P.SYS_MLOCKALL:
        return sys_mlockall(m, t, s[0] & P.UINT_MASK)
    m.process[m.thread[t].process].lock_future = 0
    return apply_to_all(m, t, 0)


@kernel
def whole_pages(start, length):
    """(start, length) of the pages that the bytes lie in; the length is rounded up by range_end."""
    return start & ~(P.PAGE - 1), length + (start & P.PAGE - 1)


@kernel
def can_lock(m, p):
    return m.process[p].privileged != 0 or m.process[p].limit_locked != 0


@kernel
def sys_mlock(m, t, start, length, flags):
    """mlock(2), mlock2(2)."""
    p, c = m.thread[t].process, m.thread[t].core
    if flags & ~P.MLOCK_ONFAULT:
        return -P.EINVAL
    if not can_lock(m, p):
        return -P.EPERM
    start, length = whole_pages(start, length)
    end = range_end(start, length)
    if not m.process[p].privileged and exceeds_limit(m, p, start, end):
        return -P.ENOMEM
    failed = apply_to_range(m, t, start, length, P.VM_LOCKED | (P.VM_LOCKONFAULT if flags else 0))
    if failed or not m.mmu or start == end:
        return failed
    failed = lock_pages(m, c, p, start, end)
    return failed if failed == 0 else -P.EAGAIN if failed == -P.ENOMEM else -P.ENOMEM  # Linux: __mlock_posix_error_return


@kernel
def exceeds_limit(m, p, start, end):
    """Whether with [start, end), which may wrap (`end` below `start`), more is locked than the limit allows."""
    if m.process[p].limit_locked == P.UNLIMITED:
        return False
    wraps = end < start
    most = task_end(m.process[p].layout)
    pages = (1 << 51) if wraps else (end - start >> P.PAGE_SHIFT) - mapped_in(m, p, start, min(end, most), P.VM_LOCKED)
    return m.process[p].locked_vm + pages > m.process[p].limit_locked >> P.PAGE_SHIFT


@kernel
def apply_to_range(m, t, start, length, locked):
    """The VMAs of a range are locked as `locked` (LOCK_FLAGS) says: 0, or -errno. Linux: apply_vma_lock_flags."""
    p = m.thread[t].process
    end = range_end(start, length)
    if end < start:
        return -P.EINVAL
    at = start
    while at < end:
        v = find_vma(m, p, at)
        if v < 0 or m.vma[v].start > at:
            return -P.ENOMEM
        stop = min(end, m.vma[v].end)
        if not fix_up(m, t, v, at, stop, locked):
            return -P.ENOMEM
        at = stop
    return 0


@kernel
def fix_up(m, t, v, start, end, locked):
    """[start, end) of VMA `v` is locked as `locked` says; False where it would have to be split and cannot. Linux: mlock_fixup."""
    p, c = m.thread[t].process, m.thread[t].core
    old = m.vma[v].vm_flags
    new = old & ~LOCK_FLAGS | locked
    if new == old or old & (P.VM_SPECIAL | P.VM_HUGETLB | P.VM_DROPPABLE):
        return True
    if modify_mapping(m, c, v, start, end, new) < 0:
        return False
    pages = end - start >> P.PAGE_SHIFT
    if not locked:
        m.process[p].locked_vm -= pages
    elif not old & P.VM_LOCKED:
        m.process[p].locked_vm += pages
    if m.mmu and (old ^ new) & P.VM_LOCKED:
        mark_frames(m, c, p, start, end, 1 if locked else 0)
    return True


@kernel
def sys_mlockall(m, t, flags):
    """mlockall(2)."""
    p, c = m.thread[t].process, m.thread[t].core
    process = m.process[p]
    if flags & ~ALL_FLAGS or flags == 0 or flags == P.MCL_ONFAULT:
        return -P.EINVAL
    if not can_lock(m, p):
        return -P.EPERM
    if flags & P.MCL_CURRENT and not process.privileged and process.total_vm > process.limit_locked >> P.PAGE_SHIFT:
        return -P.ENOMEM
    locked = P.VM_LOCKED | (P.VM_LOCKONFAULT if flags & P.MCL_ONFAULT else 0)
    process.lock_future = locked if flags & P.MCL_FUTURE else 0
    if flags & P.MCL_CURRENT:
        apply_to_all(m, t, locked)
        if m.mmu:
            top = task_end(process.layout)
            populate(m, c, p, 0, top, True)
            mark_locked(m, c, p, 0, top)
    return 0


@kernel
def apply_to_all(m, t, locked):
    """Every VMA is locked as `locked` says; those that cannot be are passed over. 0. Linux: apply_mlockall_flags."""
    p = m.thread[t].process
    v = find_vma(m, p, 0)
    while v >= 0:
        end = m.vma[v].end
        fix_up(m, t, v, m.vma[v].start, end, locked)
        v = find_vma(m, p, end)
    return 0
