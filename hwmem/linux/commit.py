"""Overcommit: how much memory processes may be promised.

mmap, brk, mremap, mprotect and fork charge the pages of private writable mappings (VM_ACCOUNT) here; unmapping gives
them back.

    vm.overcommit_memory   0   a single promise beyond RAM and swap together is refused
                           1   nothing is
                           2   all promises together keep to overcommit_ratio percent of RAM and all of swap

Mode 2 holds back a part for the administrator (admin_reserve), which root's processes may take too, and keeps every process
from taking the last (user_reserve). Source: mm/util.c (__vm_enough_memory, vm_commit_limit).
"""

from hwmem import params as P
from hwmem._jit import kernel

HEURISTIC, ALWAYS, NEVER = range(3)
ADMIN_RESERVE = (8 << 20) // P.PAGE  # pages
USER_RESERVE = (128 << 20) // P.PAGE  # pages; of a smaller machine a 32nd (vm.user_reserve_kbytes)


@kernel
def charge(m, p, pages):
    """Promise `pages` more pages to process `p`; False where policy refuses."""
    mm = m.mm
    if mm.overcommit == HEURISTIC and pages > m.frames.total + m.swap.slots:
        return False
    if mm.overcommit == NEVER and mm.committed + pages >= commit_limit(m) - admin_reserve(m, p) - user_reserve(m, p):
        return False
    mm.committed += pages
    return True


@kernel
def uncharge(m, pages):
    m.mm.committed -= pages


@kernel
def admin_reserve(m, p):
    """Pages of the limit that an ordinary user's process `p` must leave to root's: 3 %, 8 MiB at most (vm.admin_reserve_kbytes)."""
    return 0 if m.process[p].privileged else min(m.frames.total // 32, ADMIN_RESERVE)


@kernel
def user_reserve(m, p):
    """Pages of the limit that process `p`, given its own size, must leave alone."""
    return min(m.process[p].total_vm, m.frames.total, USER_RESERVE * 32) // 32


@kernel
def commit_limit(m):
    """Pages that mode 2 promises at most (CommitLimit of /proc/meminfo)."""
    return m.frames.total * m.mm.overcommit_ratio // 100 + m.swap.slots
