"""VMAs: each process's list and tree (linux/vma_tree.py) are the same mappings in the same order, and sum up right."""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.readahead import pages_in
from hwmem.linux.shmem import ON_DEMAND, PROMISED
from hwmem.observe.checks.faults import COMMITTED, VMA_COUNTS, VMA_FOUND, VMA_ORDER, VMA_TREE, fault


@kernel
def check_all_vmas(m, found):
    promised = 0
    for p in range(P.MAX_PROCESSES):
        if m.process[p].alive:
            code = check_vmas(m, p, found)
            if code:
                return code
            promised += found[0]
    promised += shared_promises(m)
    return fault(found, COMMITTED, m.mm.committed, promised, 0, 0) if promised != m.mm.committed else 0


@kernel
def shared_promises(m):
    """Pages of shared anonymous memory that are accounted for: all of an object, or those that are there."""
    promised = 0
    for file in range(m.files.fresh):
        f = m.file[file]
        if f.alive and f.shared:
            promised += pages_in(m, file) if f.shared == PROMISED else f.cached
    for slot in range(m.swap.fresh):
        file = np.int64(m.swap_owner[slot].file) - 1
        promised += file >= 0 and m.file[file].shared == ON_DEMAND
    return promised


@kernel
def check_vmas(m, p, found):
    """The list of process `p` against its tree; leaves the pages that are accounted for in found[0]."""
    process = m.process[p]  # locked_vm may be more: MREMAP_DONTUNMAP leaves it so
    end = count = pages = locked = promised = 0
    n, before, in_tree = process.first_vma, 0, leftmost(m, process.tree)
    remembered = process.found_high == 0
    while n:
        vma = m.vma[n - 1]
        if not end <= vma.start < vma.end or (vma.start | vma.end) & P.PAGE - 1 or vma.prev != before or vma.process != p:
            return fault(found, VMA_ORDER, p, n - 1, vma.start, vma.end)
        guard = P.STACK_GUARD if vma.vm_flags & P.VM_GROWSDOWN else 0
        if in_tree != n or vma.gap != max(vma.start - guard - end, 0) or not fits(m, n):
            return fault(found, VMA_TREE, p, n - 1, vma.start, vma.end)
        remembered |= n == process.found_vma and end == process.found_low and vma.end == process.found_high
        size = vma.end - vma.start >> P.PAGE_SHIFT
        pages += size
        locked += size if vma.vm_flags & P.VM_LOCKED else 0
        promised += size if vma.vm_flags & P.VM_ACCOUNT else 0
        end, before, count = vma.end, n, count + 1
        n, in_tree = vma.next, successor(m, n)
    if in_tree or (process.tree and m.vma[process.tree - 1].up):
        return fault(found, VMA_TREE, p, in_tree - 1, 0, 0)
    if count != process.vma_count or pages != process.total_vm or locked > process.locked_vm:
        return fault(found, VMA_COUNTS, p, count, pages, locked)
    if not remembered:
        return fault(found, VMA_FOUND, p, process.found_vma - 1, process.found_low, process.found_high)
    found[0] = promised
    return 0


@kernel
def fits(m, n):
    """Whether VMA n - 1 and its children know each other, are a heap by weight, and it knows the widest gap below it."""
    vma = m.vma[n - 1]
    widest = vma.gap
    for child in (m.vma_node[n - 1].left, m.vma_node[n - 1].right):
        if child:
            below = m.vma[child - 1]
            if below.up != n or below.weight > vma.weight:
                return False
            widest = max(widest, below.widest)
    return vma.widest == widest and m.vma_node[n - 1].end == vma.end


@kernel
def leftmost(m, n):
    while n and m.vma_node[n - 1].left:
        n = m.vma_node[n - 1].left
    return n


@kernel
def successor(m, n):
    """The next VMA by address, as the tree has it; 0: none."""
    if m.vma_node[n - 1].right:
        return leftmost(m, m.vma_node[n - 1].right)
    up = m.vma[n - 1].up
    while up and m.vma_node[up - 1].right == n:
        n, up = up, m.vma[up - 1].up
    return up
