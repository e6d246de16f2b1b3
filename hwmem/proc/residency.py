"""The state of each page of an address space: its VMAs as a map, for reports.

    VMA    ┌──────────┬──────────┬─ ... ─┐     BUCKETS stretches, or a page each where there are fewer pages
           │ resident │ resident │       │     pages of each that are in memory, and in swap

The page tables are read as they lie in emulated RAM, a table at a time, without an access and without the machine's code: results are built
from it, and building one should not wait for a compiler. proc/maps.py has the kernel's own figures, to the byte.
"""

import ctypes

import numpy as np

from hwmem import params as P
from hwmem.proc.maps import DISK_DEVICE, NO_DEVICE, RIGHTS, SHARED_DEVICE, SHARED_MEMORY, name_of, space_of

BUCKETS = 96
MOST_VMAS = 1000  # of a map
KINDS = ("anon", "lazy", "file", "zero", "huge", "swap")  # pages; huge: of those before, how many a 2 MiB entry maps
ANON, LAZY, FILE, ZERO, HUGE, SWAP = range(len(KINDS))


def residency(process, most=MOST_VMAS):
    """A dict a VMA, by address: "start", "end", "perms", "offset", "device", "inode", "name" as in maps, "pages" {kind: pages}, "resident" and "swapped" (of each bucket's pages
    the share, 0 to 1 in steps of 1/9, as a digit of a string). Of more than `most` VMAs the first. Empty without an MMU, and of a process that has ended."""
    m = process.machine.state
    task = m.process[process.number]
    if not m.mmu or not task.alive or task.killed:
        return []
    space, found = space_of(process), []
    v = int(task.first_vma) - 1
    while v >= 0 and len(found) < most:
        found.append(row(m, space, task, m.vma[v]))
        v = int(m.vma[v].next) - 1
    return found


def row(m, space, task, vma):
    start, end, flags = int(vma.start), int(vma.end), int(vma.vm_flags)
    n = (end - start) // P.PAGE
    edges = np.linspace(0, n, min(n, BUCKETS) + 1).astype(np.int64)
    kinds, present, swapped = np.zeros(len(KINDS), np.int64), np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for first, entries, huge in leaves(m, task, start, end):
        here = (np.arange(len(entries)) + (first - start) // P.PAGE)[entries != 0]
        entries = entries[entries != 0]
        mapped = entries & (P.PTE_P | P.PTE_PROTNONE) != 0
        out = ~mapped & (entries & P.PTE_SWAP != 0)
        kinds += counted(m, entries[mapped], huge)
        kinds[SWAP] += int(out.sum())
        present += np.histogram(here[mapped], edges)[0]
        swapped += np.histogram(here[out], edges)[0]
    file, name = int(vma.file), name_of(space, start, end, flags, int(vma.file))
    device = NO_DEVICE if not file else SHARED_DEVICE if name == SHARED_MEMORY else DISK_DEVICE
    rights = "".join(letter if flags & right else "-" for right, letter in RIGHTS) + ("s" if flags & P.VM_SHARED else "p")
    width = np.maximum(np.diff(edges), 1)
    return {
        "start": start,
        "end": end,
        "perms": rights,
        "offset": int(vma.pgoff) * P.PAGE if file else 0,
        "device": device,
        "inode": file,
        "name": name,
        "pages": dict(zip(KINDS, kinds.tolist())),
        "resident": digits(present / width),
        "swapped": digits(swapped / width),
    }


def counted(m, entries, huge):
    """How many of mapped `entries` are of each kind. A 2 MiB entry, which stands here once for each page, leads to the head, which has the state."""
    zero = entries & P.PTE_ZERO != 0
    state = m.frame["state"][(entries & P.PTE_FRAME) >> P.PAGE_SHIFT]
    anon = ~zero & (state & P.FRAME_ANON != 0)
    lazy = anon & (state & P.FRAME_SWAPBACKED == 0)
    sums = [anon & ~lazy, lazy, ~zero & ~anon, zero, np.full(len(entries), huge)]
    return np.array([int(part.sum()) for part in sums] + [0])


def leaves(m, task, start, end):
    """(first address, leaf entries of the pages from there on, whether one 2 MiB entry maps them all) of what has a table."""
    width = 8 if task.levels == 4 else 4
    yield from below(m, int(task.root), int(task.levels) - 1, width, start, end)


def below(m, table, level, width, start, end):
    bits = 9 if width == 8 else 10
    span = P.PAGE << bits * level
    entries = entries_of(m, table, width)
    first = (start // span) & (1 << bits) - 1
    last = ((end - 1) // span) & (1 << bits) - 1
    if level == 0:
        yield start, entries[first : last + 1], False
        return
    for k in np.flatnonzero(entries[first : last + 1]).tolist():
        base = (start // span + k) * span
        begin, stop, entry = max(start, base), min(end, base + span), int(entries[first + k])
        if level == 1 and width == 8 and entry & P.PTE_PS:
            yield begin, np.full((stop - begin) // P.PAGE, entry), True
        else:
            yield from below(m, entry & P.PTE_FRAME, level - 1, width, begin, stop)


def entries_of(m, table, width):
    """A table's entries as int64. The host's copy is read at once: a page."""
    page = ctypes.string_at(int(m.ram_base) + table, P.PAGE)
    return np.frombuffer(page, np.int64 if width == 8 else np.uint32).astype(np.int64)


def digits(shares):
    return "".join(map(str, np.ceil(np.clip(shares, 0, 1) * 9).astype(int).tolist()))
