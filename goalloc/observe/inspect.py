"""The emulated program's memory as a debugger sees it: read without an access, so that looking changes nothing."""

import ctypes
import struct

from hwmem import params as H
from hwmem.linux.page_table import look_up


class Inspector:
    """Reads of one process's memory. Pages that no access has touched read as zeros. Keep it no longer than one look."""

    def __init__(self, process):
        _ = process.record  # ValueError once the process has exited
        self.state, self.number, self.host = process.machine.state, process.number, {}

    def page(self, va):
        """The 4 KiB at page-aligned `va`."""
        if va not in self.host:
            entry = int(look_up(self.state, self.number, va))
            self.host[va] = ctypes.string_at(self.place(entry, va), H.PAGE) if entry else bytes(H.PAGE)
        return self.host[va]

    def place(self, entry, va):
        """Host address of the page `va`, whose page-table entry is `entry`: in RAM, or in its swap slot."""
        if entry & H.PTE_SWAP and not entry & H.PTE_P:
            return int(self.state.disk.host) + (entry & H.PTE_FRAME)
        if entry & H.PTE_PS:
            return int(self.state.ram_base) + (entry & H.PTE_FRAME & ~(H.HUGE_PAGE - 1)) + (va & H.HUGE_PAGE - 1)
        return int(self.state.ram_base) + (entry & H.PTE_FRAME)

    def read(self, va, n):
        """`n` bytes."""
        out = []
        while n > 0:
            start = va & H.PAGE - 1
            piece = self.page(va - start)[start : start + n]
            out.append(piece)
            va, n = va + len(piece), n - len(piece)
        return b"".join(out)

    def word(self, va, size=8):
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.read(va, size), "little")

    def words(self, va, n):
        """`n` unsigned 8-byte numbers."""
        return struct.unpack(f"<{n}Q", self.read(va, 8 * n))
