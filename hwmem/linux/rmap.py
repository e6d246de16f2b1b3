"""Reverse mappings: from a frame to the page-table entries that lead to it.

Faults and fork add, unmapping removes, reclaim.py walks. The first mapping is in the frame's own record, the others in
a chain of records of the pool `m.rmap` (as Linux 2.5's pte_chain; today's anon_vma trees find the same entries).

    frame.process, frame.va ── chain ──> (process, va) ──> (process, va) ──> 0

The va of a 2 MiB mapping has bit 0 set; it belongs to the huge page's first frame.
Invariant: maps + huge_maps = mappings recorded. The pool cannot be exhausted before RAM and swap are.
"""

from hwmem._jit import cold, kernel

HUGE_MAPPING = 1


@kernel
def add_mapping(m, frame, p, va):
    """Process `p` maps `frame` at `va` (bit 0: by a 2 MiB entry)."""
    f = m.frame[frame]
    if f.maps + f.huge_maps == 0:
        f.process = p
        f.va = va
    else:
        chain_mapping(m, frame, p, va)
    if va & HUGE_MAPPING:
        f.huge_maps += 1
    else:
        f.maps += 1


@cold
def chain_mapping(m, frame, p, va):
    if m.rmap_free:
        n = m.rmap_free - 1
        m.rmap_free = m.rmap[n].next
    else:
        n = m.rmap_fresh
        m.rmap_fresh += 1
    m.rmap[n].process = p
    m.rmap[n].va = va
    m.rmap[n].next = m.frame[frame].chain
    m.frame[frame].chain = n + 1


@kernel
def remove_mapping(m, frame, p, va):
    """Process `p` no longer maps `frame` at `va`."""
    f = m.frame[frame]
    if va & HUGE_MAPPING:
        f.huge_maps -= 1
    else:
        f.maps -= 1
    if f.chain:
        unchain_mapping(m, frame, p, va)


@cold
def unchain_mapping(m, frame, p, va):
    f = m.frame[frame]
    n = f.chain - 1
    if f.process == p and f.va == va:  # the chain's first takes its place
        f.process = m.rmap[n].process
        f.va = m.rmap[n].va
        f.chain = m.rmap[n].next
    else:
        before = -1
        while m.rmap[n].process != p or m.rmap[n].va != va:
            before, n = n, m.rmap[n].next - 1
        if before < 0:
            f.chain = m.rmap[n].next
        else:
            m.rmap[before].next = m.rmap[n].next
    m.rmap[n].next = m.rmap_free
    m.rmap_free = n + 1
