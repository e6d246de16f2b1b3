"""VMAs: the pieces of a process's address space, split and merged as Linux's are.

Everything that changes an address space comes here; vma_tree.py finds VMAs, this file keeps what they say. Neighbours
that touch become one when rights and flags agree, they are of the same file (or both anonymous) with page offsets that
go on, and their anonymous memory is, or can become, one:

    anon_vma   identity of the anonymous memory: given at the first fault that brings a page (or taken from a neighbour
               that could be merged with but for its rights); kept by both parts of a split
    inherited  it came by fork: then it is shared with the parent and the VMA merges only with its equals

An anonymous VMA's pgoff is the page number at which it was first mapped; mremap moves it without changing that.

Invariant: start < end <= the next one's start. Source: mm/vma.c (vma_merge_new_range, vma_merge_existing_range,
vma_modify, is_mergeable_anon_vma), mm/rmap.c.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.vma_tree import changed, find_vma, last_vma, link_vma, unlink_vma


@kernel
def take_record(m):
    """A free record's number, or -1."""
    if m.vma_free:
        v = m.vma_free - 1
        m.vma_free = m.vma[v].next
        return v
    if m.vma_fresh == len(m.vma):
        m.mm.full = P.FULL_VMAS
        return -1
    m.vma_fresh += 1
    return m.vma_fresh - 1


@kernel
def give_record(m, v):
    m.vma[v].next = m.vma_free
    m.vma_free = v + 1


@kernel
def drop_vma(m, p, v):
    """Remove the VMA; its pages are left alone."""
    unlink_vma(m, p, v)
    give_record(m, v)


@kernel
def pages_of(m, v):
    return m.vma[v].end - m.vma[v].start >> P.PAGE_SHIFT


@kernel
def copy_vma(m, v, start, end, pgoff):
    """A new mapping that takes over the memory of VMA `v`, for mremap: merged with its neighbours where they could share that memory. The
    number of the VMA that holds it, or -1. Linux: copy_vma, vma_merge_copied_range.
    """
    vma = m.vma[v]
    w = new_vma(m, start, end, vma.vm_flags, pgoff, vma.file)
    if w < 0:
        return -1
    link_vma(m, vma.process, w)
    m.vma[w].anon_vma, m.vma[w].inherited = vma.anon_vma, vma.inherited
    return modify_vma(m, vma.process, w, start, end, vma.vm_flags)


@kernel
def new_vma(m, start, end, vm_flags, pgoff, file):
    """A VMA that no process has yet (`file`: number + 1, 0: anonymous); its number, or -1. Linux: vm_area_alloc."""
    v = take_record(m)
    if v < 0:
        return -1
    vma = m.vma[v]
    vma.start, vma.end, vma.vm_flags, vma.pgoff, vma.file = start, end, vm_flags, pgoff, file
    vma.anon_vma = vma.inherited = 0
    vma.swap_va = vma.swap_window = vma.swap_hits = 0
    return v


@kernel
def insert_vma(m, p, v):
    """Process `p` gets the new VMA `v`, where nothing is mapped, merged with its neighbours where it can be.

    The number of the VMA that holds it. Linux: vma_merge_new_range.
    """
    start, end, vm_flags, pgoff, file = m.vma[v].start, m.vma[v].end, m.vma[v].vm_flags, m.vma[v].pgoff, m.vma[v].file
    after = find_vma(m, p, start)
    before = m.vma[after].prev - 1 if after >= 0 else last_vma(m, p)
    left = before >= 0 and m.vma[before].end == start and follows(m, before, vm_flags, pgoff, file) and joins(m, before, 0, 0)
    right = (
        after >= 0
        and goes_on(m, after, end, vm_flags, pgoff + (end - start >> P.PAGE_SHIFT), file)
        and joins(m, after, 0, 0)
        and (not left or can_be_one(m, before, after))
    )
    if not left and not right:
        link_vma(m, p, v)
        return v
    give_record(m, v)
    join_flags(m, before if left else after, vm_flags)
    if left and right:
        share_anon(m, before, after)
        join_flags(m, before, m.vma[after].vm_flags)
        end = m.vma[after].end
        drop_vma(m, p, after)
        stretch(m, before, m.vma[before].start, end)
        return before
    if left:
        stretch(m, before, m.vma[before].start, end)
        return before
    m.vma[after].pgoff = pgoff
    stretch(m, after, start, m.vma[after].end)
    return after


@kernel
def follows(m, before, vm_flags, pgoff, file):
    """Whether a mapping with these properties could go on where VMA `before` ends."""
    vma = m.vma[before]
    if (vma.vm_flags ^ vm_flags) & ~P.VM_MERGED or vm_flags & P.VM_HUGETLB:
        return False
    return vma.file == file and vma.pgoff + pages_of(m, before) == pgoff


@kernel
def goes_on(m, after, va, vm_flags, pgoff, file):
    """Whether VMA `after` is how a mapping with these properties, whose page at `va` would be `pgoff`, could go on there."""
    vma = m.vma[after]
    if vma.start != va or (vma.vm_flags ^ vm_flags) & ~P.VM_MERGED or vm_flags & P.VM_HUGETLB:
        return False
    return vma.file == file and vma.pgoff == pgoff


@kernel
def joins(m, v, anon_vma, inherited):
    """Whether VMA `v` may take in memory of the identity `anon_vma`, which came by fork or not. Linux: is_mergeable_anon_vma."""
    own = m.vma[v].anon_vma
    if own == 0 and anon_vma:
        return inherited == 0
    if own and anon_vma == 0:
        return m.vma[v].inherited == 0
    return own == anon_vma


@kernel
def can_be_one(m, before, after):
    a, b = m.vma[before].anon_vma, m.vma[after].anon_vma
    return a == 0 or b == 0 or a == b


@kernel
def join_flags(m, v, vm_flags):
    """`v` takes in pages of a VMA with these flags, which differ from its own in VM_MERGED at most."""
    m.vma[v].vm_flags |= vm_flags & P.VM_MAYBE_GUARD
    if not vm_flags & P.VM_CLEARED:
        m.vma[v].vm_flags &= ~P.VM_CLEARED


@kernel
def share_anon(m, v, other):
    """`v` takes in pages of `other`: it has that identity too, if it has none."""
    if m.vma[v].anon_vma == 0:
        m.vma[v].anon_vma = m.vma[other].anon_vma
        m.vma[v].inherited = m.vma[other].inherited


@kernel
def stretch(m, v, start, end):
    """Other bounds for VMA `v`, its place in the order unchanged."""
    vma = m.vma[v]
    vma.start, vma.end = start, end
    m.process[vma.process].found_high = 0
    changed(m, v)
    if vma.next:
        changed(m, vma.next - 1)


@kernel
def split_vma(m, p, v, va):
    """cut_vma, where vm.max_map_count allows one more."""
    return cut_vma(m, p, v, va) if m.process[p].vma_count < P.MAX_MAP_COUNT else -1


@kernel
def cut_vma(m, p, v, va):
    """Two VMAs, `v` below `va` and a new one from there; the new one's number, or -1 without a record."""
    upper = take_record(m)
    if upper < 0:
        return -1
    vma, new = m.vma[v], m.vma[upper]
    new.start, new.end, new.vm_flags, new.file = va, vma.end, vma.vm_flags, vma.file
    new.pgoff = vma.pgoff + (va - vma.start >> P.PAGE_SHIFT)
    new.anon_vma, new.inherited = vma.anon_vma, vma.inherited
    new.swap_va, new.swap_window, new.swap_hits = vma.swap_va, vma.swap_window, vma.swap_hits
    stretch(m, v, vma.start, va)
    link_vma(m, p, upper)
    return upper


@kernel
def modify_vma(m, p, v, start, end, vm_flags):
    """[start, end) of VMA `v` gets other flags: merged with its neighbours or split off.

    The number of the VMA that holds the range afterwards, or -1. Linux: vma_modify, vma_merge_existing_range.
    """
    vma = m.vma[v]
    at_start, at_end = start == vma.start, end == vma.end
    before, after = vma.prev - 1, vma.next - 1
    pgoff = vma.pgoff + (start - vma.start >> P.PAGE_SHIFT)
    left = (
        at_start
        and before >= 0
        and m.vma[before].end == start
        and follows(m, before, vm_flags, pgoff, vma.file)
        and joins(m, before, vma.anon_vma, vma.inherited)
    )
    right = (
        at_end
        and after >= 0
        and goes_on(m, after, end, vm_flags, pgoff + (end - start >> P.PAGE_SHIFT), vma.file)
        and joins(m, after, vma.anon_vma, vma.inherited)
        and (not left or can_be_one(m, before, after))
    )
    if left:
        return merge_left(m, p, v, end, right)
    if right:
        return merge_right(m, p, v, start, pgoff)
    if not at_start:
        v = split_vma(m, p, v, start)
        if v < 0:
            return -1
    if not at_end and split_vma(m, p, v, end) < 0:
        return -1
    m.vma[v].vm_flags = vm_flags
    return v


@kernel
def extend_vma(m, p, v, end):
    """VMA `v` goes on up to `end`, over free room; it takes in the next one where they now touch and agree.

    Linux: vma_merge_extend.
    """
    vma = m.vma[v]
    after = vma.next - 1
    if (
        after >= 0
        and goes_on(m, after, end, vma.vm_flags, vma.pgoff + (end - vma.start >> P.PAGE_SHIFT), vma.file)
        and joins(m, after, vma.anon_vma, 0)
    ):  # where it came from is not asked: it brings no memory
        share_anon(m, v, after)
        join_flags(m, v, m.vma[after].vm_flags)
        end = m.vma[after].end
        drop_vma(m, p, after)
    stretch(m, v, vma.start, end)


@kernel
def merge_left(m, p, v, end, right):
    """The VMA before `v` takes [v.start, end); with `right` also the one after it, which ends up inside."""
    before, after = m.vma[v].prev - 1, m.vma[v].next - 1
    join_flags(m, before, m.vma[v].vm_flags)
    if right:
        share_anon(m, before, after if m.vma[after].anon_vma else v)
        join_flags(m, before, m.vma[after].vm_flags)
        end = m.vma[after].end
        drop_vma(m, p, v)
        drop_vma(m, p, after)
    elif end == m.vma[v].end:
        share_anon(m, before, v)
        drop_vma(m, p, v)
    else:
        share_anon(m, before, v)
        m.vma[v].pgoff += end - m.vma[v].start >> P.PAGE_SHIFT
        stretch(m, v, end, m.vma[v].end)
    stretch(m, before, m.vma[before].start, end)
    return before


@kernel
def merge_right(m, p, v, start, pgoff):
    """The VMA after `v` takes [start, v.end), whose page offset is `pgoff`."""
    after = m.vma[v].next - 1
    share_anon(m, after, v)
    join_flags(m, after, m.vma[v].vm_flags)
    if start == m.vma[v].start:
        drop_vma(m, p, v)
    else:
        stretch(m, v, m.vma[v].start, start)
    m.vma[after].pgoff = pgoff
    stretch(m, after, start, m.vma[after].end)
    return after


@kernel
def prepare_anon(m, v):
    """VMA `v` is about to get an anonymous page: its identity, or one that a neighbour has which could be merged with
    but for its rights. Linux: __anon_vma_prepare, find_mergeable_anon_vma."""
    vma = m.vma[v]
    if vma.anon_vma:
        return
    after, before = vma.next - 1, vma.prev - 1
    if after >= 0 and reusable(m, v, after, after):
        vma.anon_vma = m.vma[after].anon_vma
    elif before >= 0 and reusable(m, before, v, before):
        vma.anon_vma = m.vma[before].anon_vma
    else:
        m.mm.anon_vmas += 1
        vma.anon_vma = m.mm.anon_vmas


@kernel
def reusable(m, a, b, owner):
    """Whether the anon_vma of `owner`, one of the neighbours `a` and `b`, may serve the other."""
    first, second = m.vma[a], m.vma[b]
    return (
        first.end == second.start
        and first.file == second.file
        and (first.vm_flags ^ second.vm_flags) & ~(P.VM_ACCESS | P.VM_MERGED) == 0
        and second.pgoff == first.pgoff + pages_of(m, a)
        and m.vma[owner].anon_vma != 0
        and m.vma[owner].inherited == 0
    )
