"""What every access that leaves the hit filter begins with: it is counted, and gets its physical address.

count_access
known_place ── the page is one that the hit filter knows, or there is no MMU ──> physical address
    └─ NOT_KNOWN: place_of ── mmu/translate.py ──> physical address, which the filter notes; -1 after a fault
"""

from hwmem import params as P
from hwmem._jit import apart, hot, kernel
from hwmem.cache.hit_filter import known_frame, note_page
from hwmem.cache.private import expect_request
from hwmem.core.signal import kill
from hwmem.mmu.translate import translate

READ_KINDS = 3  # kinds with none of these bits read; a mask, for a replay knows the others of its kinds when it is compiled
NOT_KNOWN = -2  # no physical address is negative: they have 52 bits, without an MMU 63
LAST_PLACE = (1 << 63) - 1


@hot
def is_write(kind):
    """0 or 1."""
    return 1 if kind & READ_KINDS else 0


@kernel
def count_access(core, kind):
    core.slow_accesses += 1
    if kind == P.ATOMIC:
        core.atomics += 1
    elif is_write(kind):
        core.stores += 1
    else:
        core.loads += 1


@hot
def known_place(m, t, core, va, what):
    """Physical address of `va` where that can be told without a look into the TLBs; else NOT_KNOWN; -1 after a fault. `what`:
    size and kind, as the memory door gets them. Of a phantom access without an MMU the top bit is not looked at, so that wherever it
    goes it is made."""
    size, kind = what & P.SIZE_MASK, what >> P.KIND_SHIFT
    if not m.mmu:
        return va & LAST_PLACE if kind >= P.PHANTOM_LOAD else place_in_ram(m, t, va, size, is_write(kind))
    frame = known_frame(core, va, is_write(kind))
    if frame < 0:
        return NOT_KNOWN
    core.dtlb.hits += 1
    return frame + (va & P.PAGE - 1)


@apart
def place_in_ram(m, t, va, size, write):
    """Without an MMU `va` is the physical address, and data must lie in RAM; -1 after a fault."""
    return va if 0 <= va <= m.ram_size - size else kill(m, t, va, write, P.SEGV_MAPERR)


@hot
def place_of(m, t, c, va, kind):
    """Physical address of `va`, or -1 after a fault."""
    pa = translate(m, t, c, va, is_write(kind))
    if pa >= 0:
        if kind < P.PHANTOM_LOAD:  # a new page: a new line, as a rule
            expect_request(m, m.core[c], pa >> P.LINE_SHIFT)  # (a replay has looked ahead)
        note_page(m.core[c], va, pa)
    return pa


@apart
def find_place(m, t, c, va, kind):
    """place_of, as a call."""
    return place_of(m, t, c, va, kind)
