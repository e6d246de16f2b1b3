"""Faults on pages whose bytes are somewhere already: in a file, in shared memory, in swap.

    entry empty         filemap.py    the page from the cache, read from the disk if need be, or a copy of it
          a slot's      swapin.py     the page from swap
          read-only     filemap.py    a write to a shared page

handle_fault (fault.py) comes here through a door, so that programs of anonymous memory that fits into RAM do without.
"""

from hwmem import params as P
from hwmem._jit import DOORS
from hwmem.linux.filemap import FRESH, WRITE, file_fault, make_shared_writable
from hwmem.linux.page_table import drop_empty_leaf, read_entry
from hwmem.linux.swapin import do_swap_page


@DOORS.door(P.DOOR_BACKED_FAULT)
def backed_fault(m, c, v, what, place):
    """The fault on a page of VMA `v` whose entry is at `place`: 0 minor, 1 major, or -errno.

    `what`: the page's address, with the bits WRITE and FRESH (filemap.py); a fresh leaf table goes again if there is nothing to map.
    """
    p, va, write = m.vma[v].process, what & ~(P.PAGE - 1), what & WRITE
    entry = read_entry(m, p, place)
    if entry == 0:
        result = file_fault(m, c, v, what, place)
        if what & FRESH and result < 0:
            drop_empty_leaf(m, c, p, va)
        return result
    if entry & P.PTE_P:
        return make_shared_writable(m, c, v, va, place)
    return do_swap_page(m, c, v, va, place, write)
