"""A process's page tables as an observer reads them: one walk gives every VMA's figures, without side effects.

/proc's readers (maps.py, smaps.py, pagemap.py) come here. No access is made and no cursor is moved: caches, clocks and
counters stay what they were. `measure` fills one row a VMA, in the order of addresses:

    start end vm_flags pgoff file | rss pss ... swap_pss locked      columns START ... FILE, then FIGURES in smaps' order

Figures are bytes, the proportional ones (columns PROPORTIONAL) in units of 2^-12 byte, as the kernel adds them up: a
page of n mappings counts 4096 * 4096 // n. The zero page has no owner and is not counted.
Cost: an entry read for each page of memory that has a leaf table; whole tables that are missing are stepped over.
Source: fs/proc/task_mmu.c (smaps_account, smaps_pte_entry, smaps_pmd_entry).
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.page_cache import find_page
from hwmem.linux.page_table import entry_place, entry_width, frame_at, is_huge, is_mapped, is_swapped, read_entry, span_of
from hwmem.linux.pages import head_of
from hwmem.linux.swap import slot_at
from hwmem.linux.vma import pages_of

START, END, VM_FLAGS, PGOFF, FILE = range(5)
FIGURES = (
    "Rss",
    "Pss",
    "Pss_Dirty",
    "Pss_Anon",
    "Pss_File",
    "Pss_Shmem",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Referenced",
    "Anonymous",
    "KSM",
    "LazyFree",
    "AnonHugePages",
    "ShmemPmdMapped",
    "FilePmdMapped",
    "Shared_Hugetlb",
    "Private_Hugetlb",
    "Swap",
    "SwapPss",
    "Locked",
)
(
    RSS,
    PSS,
    PSS_DIRTY,
    PSS_ANON,
    PSS_FILE,
    PSS_SHMEM,
    SHARED_CLEAN,
    SHARED_DIRTY,
    PRIVATE_CLEAN,
    PRIVATE_DIRTY,
    REFERENCED,
    ANONYMOUS,
    KSM,
    LAZYFREE,
    ANONHUGE,
    SHMEM_HUGE,
    FILE_HUGE,
    SHARED_HUGETLB,
    PRIVATE_HUGETLB,
    SWAP,
    SWAP_PSS,
    LOCKED,
) = range(FILE + 1, FILE + 1 + len(FIGURES))
COLUMNS = LOCKED + 1
PROPORTIONAL = (PSS, PSS_DIRTY, PSS_ANON, PSS_FILE, PSS_SHMEM, SWAP_PSS, LOCKED)
PSS_SHIFT = 12
HUGE = -64  # place_of: a 2 MiB entry maps the address


@kernel
def place_of(m, p, va, level):
    """Physical address of `va`'s entry of `level`; -1 - the level of the entry that lacks a table; HUGE."""
    table = m.process[p].root
    for above in range(m.process[p].levels - 1, level, -1):
        entry = read_entry(m, p, entry_place(m, p, table, above, va))
        if entry == 0:
            return -1 - above
        if is_huge(m, p, above, entry):
            return HUGE
        table = entry & P.PTE_FRAME
    return entry_place(m, p, table, level, va)


@kernel
def measure(m, p, rows):
    """Fill `rows`, zeroed, of shape (VMAs of process `p`, COLUMNS)."""
    v = m.process[p].first_vma - 1
    n = 0
    while v >= 0:
        vma = m.vma[v]
        rows[n, START], rows[n, END], rows[n, VM_FLAGS] = vma.start, vma.end, vma.vm_flags
        rows[n, PGOFF], rows[n, FILE] = vma.pgoff, vma.file
        if m.mmu:
            measure_range(m, p, vma.start, vma.end, rows, n)
            if vma.file and m.files.swapped and m.file[vma.file - 1].shared:
                rows[n, SWAP] += P.PAGE * shared_in_swap(m, vma.file - 1, vma.pgoff, pages_of(m, v))
        v = vma.next - 1
        n += 1


@kernel
def shared_in_swap(m, file, index, n):
    """Of `n` pages of shared memory from `index` on, those in a swap slot: no page-table entry refers to them. Linux: shmem_swap_usage."""
    found = 0
    for k in range(index, index + n):
        found += find_page(m, file, k) < 0
    return found


@kernel
def measure_range(m, p, va, end, rows, i):
    """Add up what the entries of [va, end) lead to."""
    width, table_span = entry_width(m, p), span_of(m, p, 1)
    while va < end:
        place = place_of(m, p, va, 0)
        if place == HUGE:
            add_huge(m, read_entry(m, p, place_of(m, p, va, 1)), rows, i)
            va = (va | P.HUGE_PAGE - 1) + 1
        elif place < 0:
            missing = span_of(m, p, -1 - place)
            va = (va // missing + 1) * missing
        else:
            stop = min(end, (va // table_span + 1) * table_span)
            for here in range(va, stop, P.PAGE):
                entry = read_entry(m, p, place + (here - va >> P.PAGE_SHIFT) * width)
                if entry:
                    add_entry(m, entry, rows, i)
            va = stop


@kernel
def add_entry(m, entry, rows, i):
    if is_swapped(entry):
        rows[i, SWAP] += P.PAGE
        rows[i, SWAP_PSS] += (P.PAGE << PSS_SHIFT) // m.swap_map[slot_at(entry)]
    if not is_mapped(entry):
        return
    frame = frame_at(entry)
    if frame:
        head = head_of(m, frame)
        add_kind(m, head, entry, P.PAGE, rows, i)
        add_shares(m, frame, head, entry, rows, i)


@kernel
def add_huge(m, entry, rows, i):
    head = frame_at(entry)
    if head == 0:
        return
    rows[i, ANONHUGE] += P.HUGE_PAGE
    add_kind(m, head, entry, P.HUGE_PAGE, rows, i)
    for frame in range(head, head + P.HUGE_FRAMES):
        add_shares(m, frame, head, entry, rows, i)


@kernel
def is_dirty(m, head, entry):
    return entry & P.PTE_D != 0 or m.frame[head].state & P.FRAME_DIRTY != 0


@kernel
def add_kind(m, head, entry, n, rows, i):
    """What depends on the page as a whole, of `n` bytes."""
    state = m.frame[head].state
    rows[i, RSS] += n
    if state & P.FRAME_ANON:
        rows[i, ANONYMOUS] += n
        if not state & P.FRAME_SWAPBACKED and not is_dirty(m, head, entry):
            rows[i, LAZYFREE] += n
    if entry & P.PTE_A or state & P.FRAME_REFERENCED:
        rows[i, REFERENCED] += n


@kernel
def add_shares(m, frame, head, entry, rows, i):
    """What depends on how many entries lead to a frame."""
    f = m.frame[frame]
    maps = f.maps + m.frame[head].huge_maps
    share = (P.PAGE << PSS_SHIFT) // max(maps, 1)
    rows[i, PSS] += share
    if m.frame[head].state & P.FRAME_ANON:
        rows[i, PSS_ANON] += share
    elif f.file and m.file[f.file - 1].shared:
        rows[i, PSS_SHMEM] += share
    else:
        rows[i, PSS_FILE] += share
    if rows[i, VM_FLAGS] & P.VM_LOCKED:
        rows[i, LOCKED] += share
    if is_dirty(m, head, entry):
        rows[i, PSS_DIRTY] += share
        rows[i, SHARED_DIRTY if maps > 1 else PRIVATE_DIRTY] += P.PAGE
    else:
        rows[i, SHARED_CLEAN if maps > 1 else PRIVATE_CLEAN] += P.PAGE


@kernel
def mapping_kinds(m, p, pages):
    """Pages of process `p`'s VMAs: pages[0] data, pages[1] stack, pages[2] executable. Linux: mm/vma.c, vm_stat_account."""
    v = m.process[p].first_vma - 1
    while v >= 0:
        vma = m.vma[v]
        n = vma.end - vma.start >> P.PAGE_SHIFT
        kind = vma.vm_flags & (P.VM_WRITE | P.VM_EXEC | P.VM_SHARED | P.VM_GROWSDOWN)
        if kind & P.VM_GROWSDOWN:
            pages[1] += n
        elif kind & (P.VM_WRITE | P.VM_SHARED) == P.VM_WRITE:
            pages[0] += n
        elif kind & (P.VM_WRITE | P.VM_EXEC) == P.VM_EXEC:
            pages[2] += n
        v = vma.next - 1
