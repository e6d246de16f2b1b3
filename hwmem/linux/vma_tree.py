"""The VMAs of a process as a balanced tree: by address, with the widest gap below each subtree.

vma.py keeps what the VMAs say right; here is how they are found. A treap: a binary search tree that is a heap by a
weight that a VMA's record number gives it, so its depth is logarithmic whatever the order of insertions. `gap` is the
free room between a VMA and its predecessor (a growing stack's guard taken off), `widest` the most of any VMA in its
subtree: so the highest gap of a wanted length is found on one way down, as Linux did by the same figures until 6.0
(rb_subtree_gap; now its maple tree). A list by address (`prev`, `next`) goes with it. Links are record numbers + 1. What a
look-up reads on its way down, a VMA's end and its children, lies together in m.vma_node, four VMAs to a line of the
host's cache. The last answer is remembered, with the addresses for which it is the answer (the gap below it included),
until a VMA comes, goes or changes its bounds.

Cost: O(log n) for each of them; 65,530 VMAs are about 40 steps deep.
"""

from hwmem import params as P
from hwmem._jit import cold, kernel


@kernel
def find_vma(m, p, va):
    """The lowest VMA of process `p` that ends above `va`, or -1 (Linux: find_vma)."""
    process = m.process[p]
    if process.found_low <= va < process.found_high:
        return process.found_vma - 1
    n, best, low, high = process.tree, 0, 0, 0
    while n:
        node = m.vma_node[n - 1]
        end, above = node.end, node.end > va
        best = n if above else best
        low, high = low if above else end, end if above else high
        n = node.left if above else node.right
    process.found_vma, process.found_low, process.found_high = best, low, high
    return best - 1


@kernel
def vma_at(m, p, va):
    """The VMA that holds `va`, or -1."""
    v = find_vma(m, p, va)
    return v if v >= 0 and m.vma[v].start <= va else -1


@kernel
def last_vma(m, p):
    """The highest VMA, or -1."""
    n = m.process[p].tree
    while n and m.vma_node[n - 1].right:
        n = m.vma_node[n - 1].right
    return n - 1


@kernel
def link_vma(m, p, v):
    """Put record `v`, its start and end set, into the tree and the list of process `p`."""
    process = m.process[p]
    vma = m.vma[v]
    vma.process = p
    vma.weight = weigh(v)
    m.vma_node[v].left = m.vma_node[v].right = 0
    up, n, before, after = 0, process.tree, 0, 0
    while n:
        up = n
        if m.vma[n - 1].start > vma.start:
            after = n
            n = m.vma_node[n - 1].left
        else:
            before = n
            n = m.vma_node[n - 1].right
    vma.up, vma.prev, vma.next = up, before, after
    if before:
        m.vma[before - 1].next = v + 1
    else:
        process.first_vma = v + 1
    if after:
        m.vma[after - 1].prev = v + 1
    if up == 0:
        process.tree = v + 1
    elif up == after:
        m.vma_node[up - 1].left = v + 1
    else:
        m.vma_node[up - 1].right = v + 1
    process.vma_count += 1
    process.found_high = 0
    measure(m, v)
    while vma.up and m.vma[vma.up - 1].weight < vma.weight:
        rotate_up(m, p, v)
    widen(m, v)
    if after:
        changed(m, after - 1)


@kernel
def unlink_vma(m, p, v):
    """Take record `v` out of the tree and the list."""
    process = m.process[p]
    vma, node = m.vma[v], m.vma_node[v]
    while node.left or node.right:  # down to a leaf: the heavier child comes up
        left, right = node.left, node.right
        if right == 0 or (left and m.vma[left - 1].weight > m.vma[right - 1].weight):
            rotate_up(m, p, left - 1)
        else:
            rotate_up(m, p, right - 1)
    up = vma.up
    if up == 0:
        process.tree = 0
    elif m.vma_node[up - 1].left == v + 1:
        m.vma_node[up - 1].left = 0
    else:
        m.vma_node[up - 1].right = 0
    if vma.prev:
        m.vma[vma.prev - 1].next = vma.next
    else:
        process.first_vma = vma.next
    if vma.next:
        m.vma[vma.next - 1].prev = vma.prev
    process.vma_count -= 1
    process.found_high = 0
    if up:
        widen(m, up - 1)
    if vma.next:
        changed(m, vma.next - 1)


@kernel
def changed(m, v):
    """A VMA's bounds, or its predecessor's end, are others now: the gaps follow."""
    measure(m, v)
    widen(m, v)


@kernel
def measure(m, v):
    vma = m.vma[v]
    m.vma_node[v].end = vma.end
    vma.gap = max(0, room_end(m, v) - (m.vma[vma.prev - 1].end if vma.prev else 0))


@kernel
def room_end(m, v):
    """Where the free room below VMA `v` ends (Linux: vm_start_gap)."""
    return m.vma[v].start - (P.STACK_GUARD if m.vma[v].vm_flags & P.VM_GROWSDOWN else 0)


@kernel
def widen(m, v):
    """Bring `widest` up to date from `v` up to the root."""
    n = v + 1
    while n:
        widest_here(m, n - 1)
        n = m.vma[n - 1].up


@kernel
def widest_here(m, v):
    node = m.vma_node[v]
    widest = m.vma[v].gap
    if node.left:
        widest = max(widest, m.vma[node.left - 1].widest)
    if node.right:
        widest = max(widest, m.vma[node.right - 1].widest)
    m.vma[v].widest = widest


@kernel
def rotate_up(m, p, v):
    """`v` and its parent change places; the order by address stays."""
    vma, node = m.vma[v], m.vma_node[v]
    u = vma.up - 1
    parent = m.vma_node[u]
    if parent.left == v + 1:
        parent.left, node.right = node.right, u + 1
        if parent.left:
            m.vma[parent.left - 1].up = u + 1
    else:
        parent.right, node.left = node.left, u + 1
        if parent.right:
            m.vma[parent.right - 1].up = u + 1
    vma.up, m.vma[u].up = m.vma[u].up, v + 1
    if vma.up == 0:
        m.process[p].tree = v + 1
    elif m.vma_node[vma.up - 1].left == u + 1:
        m.vma_node[vma.up - 1].left = v + 1
    else:
        m.vma_node[vma.up - 1].right = v + 1
    widest_here(m, u)
    widest_here(m, v)


@kernel
def weigh(v):
    """A weight that looks random, the same for the same record."""
    z = (v + 1) * 0x9E3779B1 & 0x7FFF_FFFF
    z = (z ^ z >> 15) * 0x45D9F3B & 0x7FFF_FFFF
    return z ^ z >> 16


@kernel
def highest_gap(m, p, length, low, high):
    """Start of the highest free range of `length` bytes within [low, high), at its upper end; -1: none.

    Linux: unmapped_area_topdown. The room above the last VMA is looked at first, then the tree from the right.
    """
    last = last_vma(m, p)
    floor = max(low, m.vma[last].end if last >= 0 else 0)
    if high - floor >= length:
        return high - length
    n = m.process[p].tree
    if n == 0 or m.vma[n - 1].widest < length:
        return -1
    while True:  # the rightmost VMA whose gap will do
        right = m.vma_node[n - 1].right
        if right and m.vma[right - 1].widest >= length and m.vma[n - 1].end < high:
            n = right
            continue
        while True:
            vma = m.vma[n - 1]
            ceiling = min(room_end(m, n - 1), high)
            floor = max(room_end(m, n - 1) - vma.gap, low)
            if ceiling - floor >= length:
                return ceiling - length
            left = m.vma_node[n - 1].left
            if left and m.vma[left - 1].widest >= length and room_end(m, n - 1) - vma.gap > low:
                n = left
                break
            while m.vma[n - 1].up and m.vma_node[m.vma[n - 1].up - 1].left == n:  # back up, out of left subtrees
                n = m.vma[n - 1].up
            n = m.vma[n - 1].up
            if n == 0:
                return -1


@cold
def lowest_gap(m, p, length, low, high):
    """Start of the lowest free range of `length` bytes within [low, high); -1: none. Linux: unmapped_area. VMA by VMA: such requests are
    rare, and few VMAs are that low."""
    start = low
    v = find_vma(m, p, low)
    while v >= 0 and room_end(m, v) - start < length:
        start = max(start, m.vma[v].end)
        v = m.vma[v].next - 1
    return start if start + length <= high else -1
