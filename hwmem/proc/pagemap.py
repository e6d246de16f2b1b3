"""/proc/PID/pagemap: the state of single pages, by name and as the kernel's 64-bit words.

    | present 63 | swapped 62 | file or shared 61 | ... | guard 58 | . | exclusive 56 | soft-dirty 55 |  frame number (54-0)         |
                                                                                                     |  slot (54-5), device (4-0)   |   swapped

Soft-dirty bits are reported from a process's first clear_refs(4) on; before that all pages would be dirty, and bit 55 is 0,
as on a kernel without CONFIG_MEM_SOFT_DIRTY. `scan` is the ioctl PAGEMAP_SCAN, without what needs userfaultfd.
Source: fs/proc/task_mmu.c (pte_to_pagemap_entry, pagemap_page_category, pagemap_scan_output),
Documentation/admin-guide/mm/pagemap.rst.
"""

from typing import NamedTuple

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.page_table import frame_at, is_mapped, is_swapped, look_up
from hwmem.linux.pages import head_of
from hwmem.linux.swap import slot_at
from hwmem.linux.vma_tree import vma_at

NAMES = ("present", "swapped", "dirty", "accessed", "writable", "exclusive", "anon", "file", "zero", "huge", "soft_dirty", "guard")
(PRESENT, SWAPPED, DIRTY, ACCESSED, WRITABLE, EXCLUSIVE, ANON, FILE, ZERO, HUGE, SOFT_DIRTY, GUARD) = (1 << k for k in range(len(NAMES)))
WORD_BITS = ((PRESENT, 63), (SWAPPED, 62), (FILE, 61), (GUARD, 62), (GUARD, 58), (EXCLUSIVE, 56), (SOFT_DIRTY, 55))
ENTRY_DIRTY = 1 << 20  # flags: the entry's own soft-dirty bit, whatever the VMA says
NOT_THERE = 1 << 21  # flags: no VMA is there
CATEGORIES = (
    (P.PAGE_IS_PRESENT, PRESENT),
    (P.PAGE_IS_FILE, FILE),
    (P.PAGE_IS_SWAPPED, SWAPPED | GUARD),
    (P.PAGE_IS_PFNZERO, ZERO),
    (P.PAGE_IS_HUGE, HUGE),
    (P.PAGE_IS_SOFT_DIRTY, ENTRY_DIRTY),
    (P.PAGE_IS_GUARD, GUARD),
)
SLOT_SHIFT = 5


class Page(dict):
    """The state of a page: pfn (or None), slot (or None), and NAMES as bools; keys are attributes too.

    `exclusive`: this is the only entry that leads to the frame; `dirty`: the hardware's bit; `zero`: the zero page.
    """

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(f"a page has no {name!r}: {', '.join(self)}")
        return self[name]


@kernel
def read_pages(m, p, va, found):
    """Row i of `found`: the flags, and the frame or slot, of the i-th page from `va` on."""
    for i in range(len(found)):
        here = va + i * P.PAGE
        entry = look_up(m, p, here)
        if entry and is_mapped(entry):
            frame = frame_of(entry, here)
            found[i, 0], found[i, 1] = flags_of(m, entry, frame), frame
        elif is_swapped(entry):
            found[i, 0], found[i, 1] = SWAPPED, slot_at(entry)
        elif entry:
            found[i, 0] = GUARD
        v = vma_at(m, p, here)
        if v < 0:
            found[i, 0] = NOT_THERE
        elif m.process[p].tracked:
            clean = entry & P.PTE_CLEARED or found[i, 0] & (PRESENT | SWAPPED) == 0
            found[i, 0] |= 0 if clean else ENTRY_DIRTY | SOFT_DIRTY
            found[i, 0] |= 0 if m.vma[v].vm_flags & P.VM_CLEARED else SOFT_DIRTY


@kernel
def frame_of(entry, va):
    """The frame of the page at `va`, which a mapped entry of 4 KiB or 2 MiB leads to."""
    frame = (entry & P.PTE_FRAME) >> P.PAGE_SHIFT
    return frame + (va >> P.PAGE_SHIFT & P.HUGE_FRAMES - 1) if entry & P.PTE_PS else frame


@kernel
def flags_of(m, entry, frame):
    flags = PRESENT
    flags |= (DIRTY if entry & P.PTE_D else 0) | (ACCESSED if entry & P.PTE_A else 0)
    flags |= (WRITABLE if entry & P.PTE_RW else 0) | (HUGE if entry & P.PTE_PS else 0)
    if frame_at(entry) == 0:
        return flags | ZERO | (FILE if entry & P.PTE_PS else 0)  # the huge one counts as a page that is not anonymous
    head = head_of(m, frame)
    if m.frame[frame].maps + m.frame[head].huge_maps == 1:
        flags |= EXCLUSIVE
    return flags | (ANON if m.frame[head].state & P.FRAME_ANON else FILE)


def pages(process, address, n):
    """(flags, frame or slot) of each page of [address, address + n), an int64 array of two columns."""
    first = address // P.PAGE
    found = np.zeros((-(-(address + n) // P.PAGE) - first, 2), np.int64)
    read_pages(process.machine.state, process.number, first * P.PAGE, found)
    return found


def page(process, address):
    """The Page that holds `address`."""
    flags, number = map(int, pages(process, address, 1)[0])
    return Page(
        {name: bool(flags >> k & 1) for k, name in enumerate(NAMES)},
        pfn=number if flags & PRESENT else None,
        slot=number if flags & SWAPPED else None,
    )


def words(process, address, n):
    """The kernel's words of the pages of [address, address + n), a uint64 array."""
    found = pages(process, address, n)
    flags, numbers = found[:, 0], found[:, 1]
    numbers = np.where(flags & SWAPPED, numbers << SLOT_SHIFT, numbers).astype(np.uint64)
    for flag, place in WORD_BITS:
        numbers |= (flags & flag != 0).astype(np.uint64) << np.uint64(place)
    return numbers


class Region(NamedTuple):
    """Pages [start, end) of the same `categories` (PAGE_IS_* bits), as PAGEMAP_SCAN reports them."""

    start: int
    end: int
    categories: int


def scan(process, start, end, masks, most):
    """The list of Region in [start, end). `masks`: (required, any_of, inverted, returned): pages of mappings whose categories, with those in
    `inverted` negated, include all of `required` and one of `any_of` (0: no condition). Only the categories in `returned` are reported.
    `most` pages at most, None: all."""
    required, any_of, inverted, returned = masks
    known = P.PAGE_IS_ANY
    for name, mask in (("required", required), ("any_of", any_of), ("inverted", inverted), ("returned", returned)):
        if mask & ~known:
            raise ValueError(f"{name}: {mask:#x} has bits that are not PAGE_IS_*")
    flags = pages(process, start, end - start)[:, 0]
    found = np.full(len(flags), P.PAGE_IS_WRITTEN, np.int64)  # not write-protected by userfaultfd, which there is not
    for category, of in CATEGORIES:
        found |= np.where(flags & of, category, 0)
    asked = found ^ inverted
    wanted = (asked & required == required) & ((asked & any_of != 0) if any_of else True) & (flags & NOT_THERE == 0)
    places = np.flatnonzero(wanted)[:most]
    return joined(start, places.tolist(), (found & returned)[places].tolist())


def joined(start, places, categories):
    """Neighbours of the same categories as one Region each."""
    regions = []
    for place, category in zip(places, categories):
        va = start + place * P.PAGE
        if regions and regions[-1].end == va and regions[-1].categories == category:
            regions[-1] = regions[-1]._replace(end=va + P.PAGE)
        else:
            regions.append(Region(va, va + P.PAGE, category))
    return regions
