"""/proc/PID/pagemap: what stands behind single pages, by name and as the kernel's 64-bit words.

    | present 63 | swapped 62 | file or shared 61 | ... | exclusive 56 | ... |  frame number (54-0)         |
                                                                             |  slot (54-5), device (4-0)   |   swapped

Source: fs/proc/task_mmu.c (pte_to_pagemap_entry), Documentation/admin-guide/mm/pagemap.rst.
"""
import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.page_table import frame_at, is_mapped, look_up
from hwmem.linux.pages import head_of
from hwmem.linux.swap import slot_at

NAMES = ("present", "swapped", "dirty", "accessed", "writable", "exclusive", "anon", "file", "zero", "huge")
PRESENT, SWAPPED, DIRTY, ACCESSED, WRITABLE, EXCLUSIVE, ANON, FILE, ZERO, HUGE = (1 << k for k in range(len(NAMES)))
WORD_BITS = ((PRESENT, 63), (SWAPPED, 62), (FILE, 61), (EXCLUSIVE, 56))
SLOT_SHIFT = 5


class Page(dict):
    """What stands behind a page: pfn (or None), slot (or None), and NAMES as bools; keys are attributes too.

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
        elif entry:
            found[i, 0], found[i, 1] = SWAPPED, slot_at(entry)


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
        return flags | ZERO | (FILE if entry & P.PTE_PS else 0)         # the huge one counts as a page that is not anonymous
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
    return Page({name: bool(flags >> k & 1) for k, name in enumerate(NAMES)},
                pfn=number if flags & PRESENT else None, slot=number if flags & SWAPPED else None)


def words(process, address, n):
    """The kernel's words of the pages of [address, address + n), a uint64 array."""
    found = pages(process, address, n)
    flags, numbers = found[:, 0], found[:, 1]
    numbers = np.where(flags & SWAPPED, numbers << SLOT_SHIFT, numbers).astype(np.uint64)
    for flag, place in WORD_BITS:
        numbers |= (flags & flag != 0).astype(np.uint64) << np.uint64(place)
    return numbers
