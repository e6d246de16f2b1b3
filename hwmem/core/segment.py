"""Segments of a 32-bit process: base, limit and rights, applied before paging.

    load_segment(m, t, FS, offset, size) ── rights, limit ── base + offset modulo 2^32 ── load: TLB, page tables, caches
                                               └─ no: #GP, for SS #SS: the thread ends by a signal

A segment register holds what its descriptor says (SDM vol. 3A, 3.4.5, figure 3-8), two doublewords:

     31       24 23  22 21  20  19     16 15 14  13 12 11   8 7        0
    | base 31-24 | G |D/B| L |AVL| lim 19-16 | P | DPL | S | type | base 23-16 |    + 4
    |          base 15-0               |           limit 15-0              |    + 0

    type of data   0 | expand down | writable | accessed        G    the limit counts 4 KiB units, its last byte included
    type of code   1 | conforming  | readable | accessed        D/B  of expand-down data: offsets end at 4 GiB, not 64 KiB

In the machine (process.segment_base, _limit, _rights) the limit is in bytes and the rights are the upper doubleword's bits 8-15 and 20-23,
closed up as in a virtual machine's state (vol. 3C, 24.4.1), with bit 16 for a null selector. Rights of 0 mean a register that was never
set: flat, as Linux starts a program. Long mode has no such segments: 32-bit processes only.

An access beyond the limit or against the rights raises SIGSEGV, in the stack segment SIGBUS, with SI_KERNEL and address 0
(arch/x86/kernel/traps.c, exc_general_protection, exc_stack_segment). Sources: SDM vol. 3A, 5.3 and 5.5.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.core.access import load, store
from hwmem.core.signal import end_by_signal

CS, DS, ES, FS, GS, SS = range(6)
NAMES = ("cs", "ds", "es", "fs", "gs", "ss")

ACCESSED, WRITABLE, EXPAND_DOWN, CODE = 1, 2, 4, 8  # bits of the type; of code, bit 1 is "readable"
READABLE = WRITABLE
APPLICATION, DPL_3, PRESENT, BIG, GRANULAR, UNUSABLE = 1 << 4, 3 << 5, 1 << 7, 1 << 14, 1 << 15, 1 << 16
USER = PRESENT | DPL_3 | APPLICATION | ACCESSED | BIG
FLAT_CODE, FLAT_DATA = USER | CODE | READABLE, USER | WRITABLE
LAST = (1 << 32) - 1  # the last linear address
LAST_16 = (1 << 16) - 1
RIGHTS_MASK = 0xF0FF  # of the rights, what a descriptor holds


@kernel
def load_segment(m, t, s, offset, size):
    """`size` bytes at `offset` of segment register `s` (CS ... SS), as `load` gives them."""
    va = linear_address(m, t, s, offset & LAST, size, 0)
    return load(m, t, va, size) if va >= 0 else 0


@kernel
def store_segment(m, t, s, offset, size, value):
    """Write `size` bytes there, as `store` does."""
    va = linear_address(m, t, s, offset & LAST, size, 1)
    if va >= 0:
        store(m, t, va, size, value)


@kernel
def linear_address(m, t, s, offset, size, write):
    """The linear address of an access to segment `s`; -1 after a fault."""
    process = m.process[m.thread[t].process]
    base, limit, rights = process.segment_base[s], process.segment_limit[s], process.segment_rights[s]
    if rights == 0:
        base, limit, rights = 0, LAST, FLAT_CODE if s == CS else FLAT_DATA
    if not is_allowed(rights, write) or not is_within(rights, limit, offset, offset + size - 1):
        return end_by_signal(m, t, 0, write, P.STACK_FAULT if s == SS else P.GENERAL_PROTECTION)
    return base + offset & LAST


@kernel
def is_allowed(rights, write):
    """Whether the type lets memory be read, or written."""
    if not rights & PRESENT or rights & UNUSABLE:
        return False
    if rights & CODE:
        return write == 0 and rights & READABLE != 0
    return write == 0 or rights & WRITABLE != 0


@kernel
def is_within(rights, limit, first, last):
    """Whether offsets `first` to `last` lie in the segment: up to the limit, or above it where it expands down."""
    if rights & (CODE | EXPAND_DOWN) == EXPAND_DOWN:
        return first > limit and last <= (LAST if rights & BIG else LAST_16)
    return last <= limit


def descriptor(base, limit, rights):
    """The 64 bits of a descriptor; `limit` in bytes. Raises ValueError for what it cannot hold."""
    if not 0 <= base <= LAST:
        raise ValueError(f"base: {base:#x} does not fit 32 bits")
    if not 0 <= limit <= LAST or (limit >> 20 and limit & P.PAGE - 1 != P.PAGE - 1):
        raise ValueError(f"limit: {limit:#x} is neither below 1 MiB nor the last byte of a 4 KiB unit below 4 GiB")
    rights &= ~GRANULAR
    if limit >> 20:
        limit, rights = limit >> P.PAGE_SHIFT, rights | GRANULAR
    high = base & 0xFF00_0000 | (rights & 0xF000) << 8 | limit & 0xF_0000 | (rights & 0xFF) << 8 | base >> 16 & 0xFF
    return high << 32 | (base & 0xFFFF) << 16 | limit & 0xFFFF


def parts(bits):
    """(base, limit in bytes, rights) of a descriptor's 64 bits."""
    high = bits >> 32
    base, limit = high & 0xFF00_0000 | (high & 0xFF) << 16 | bits >> 16 & 0xFFFF, high & 0xF_0000 | bits & 0xFFFF
    rights = high >> 8 & RIGHTS_MASK
    return base, limit << P.PAGE_SHIFT | P.PAGE - 1 if rights & GRANULAR else limit, rights
