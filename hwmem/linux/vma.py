"""VMAs: the pieces of a process's address space, a list sorted by address.

syscall.py maps and unmaps here; fault.py looks an address up. Records lie in one pool (`m.vma`); links are
record numbers + 1, so 0 ends a list. Neighbours that touch and agree in rights and flags are merged.

Invariant: start < end <= the next one's start.
"""
from hwmem import params as P
from hwmem._jit import kernel


@kernel
def find_vma(m, p, va):
    """Number of the VMA that holds `va`, or -1."""
    v = m.process[p].first_vma - 1
    while v >= 0 and m.vma[v].end <= va:
        v = m.vma[v].next - 1
    return v if v >= 0 and m.vma[v].start <= va else -1


@kernel
def take_record(m):
    """A free record's number, or -1."""
    if m.vma_free != 0:
        v = m.vma_free - 1
        m.vma_free = m.vma[v].next
        return v
    if m.vma_fresh == len(m.vma):
        return -1
    m.vma_fresh += 1
    return m.vma_fresh - 1


@kernel
def drop_record(m, v):
    m.vma[v].next = m.vma_free
    m.vma_free = v + 1


@kernel
def set_next(m, p, before, v):
    """Link record `v` (or -1: the end) after `before` (-1: at the front)."""
    if before < 0:
        m.process[p].first_vma = v + 1
    else:
        m.vma[before].next = v + 1


@kernel
def insert_vma(m, p, start, end, prot, flags):
    """Add a mapping where none is; merged with its neighbours. False when records are exhausted."""
    before, after = -1, m.process[p].first_vma - 1
    while after >= 0 and m.vma[after].start < start:
        before, after = after, m.vma[after].next - 1
    if before >= 0 and alike(m, before, end_of=start, prot=prot, flags=flags):
        v = before
        m.vma[v].end = end
    else:
        v = take_record(m)
        if v < 0:
            return False
        m.vma[v].start, m.vma[v].end, m.vma[v].prot, m.vma[v].vm_flags = start, end, prot, flags
        set_next(m, p, before, v)
        m.vma[v].next = after + 1
        m.process[p].vma_count += 1
    if after >= 0 and m.vma[after].start == end and m.vma[after].prot == prot and m.vma[after].vm_flags == flags:
        m.vma[v].end = m.vma[after].end
        m.vma[v].next = m.vma[after].next
        drop_record(m, after)
        m.process[p].vma_count -= 1
    return True


@kernel
def alike(m, v, end_of, prot, flags):
    return m.vma[v].end == end_of and m.vma[v].prot == prot and m.vma[v].vm_flags == flags


@kernel
def remove_range(m, p, start, end):
    """Take [start, end) out of every mapping; one that spans it is split. False when records are exhausted."""
    before, v = -1, m.process[p].first_vma - 1
    while v >= 0 and m.vma[v].start < end:
        vma = m.vma[v]
        after = vma.next - 1
        if vma.end <= start:
            before = v
        elif vma.start < start and vma.end > end:
            tail = take_record(m)
            if tail < 0:
                return False
            m.vma[tail].start, m.vma[tail].end, m.vma[tail].prot, m.vma[tail].vm_flags = end, vma.end, vma.prot, vma.vm_flags
            m.vma[tail].next = vma.next
            vma.end = start
            vma.next = tail + 1
            m.process[p].vma_count += 1
            return True
        elif vma.start < start:
            vma.end = start
            before = v
        elif vma.end > end:
            vma.start = end
            before = v
        else:
            set_next(m, p, before, after)
            drop_record(m, v)
            m.process[p].vma_count -= 1
        v = after
    return True


@kernel
def free_gap(m, p, length, hint):
    """Start of a free range: at `hint` if that is free, else the highest below the top of the mmap area; -1 if none."""
    layout = m.process[p].layout
    low, high = P.PAGE * 16, mmap_base(layout)
    best, at_hint = -1, hint >= low and hint + length <= task_end(layout)
    v = m.process[p].first_vma - 1
    floor = low
    while True:
        ceiling = min(m.vma[v].start, high) if v >= 0 else high
        if ceiling - floor >= length:
            best = ceiling - length
        if v < 0:
            break
        if at_hint and m.vma[v].start < hint + length and hint < m.vma[v].end:
            at_hint = False
        floor = max(floor, m.vma[v].end)
        v = m.vma[v].next - 1
    return hint if at_hint else best


@kernel
def mmap_base(layout):
    return P.MMAP_BASE[1] if layout == P.LINUX_I386 else P.MMAP_BASE[0]


@kernel
def task_end(layout):
    return P.TASK_END[1] if layout == P.LINUX_I386 else P.TASK_END[0]
