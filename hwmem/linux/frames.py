"""Page frames: 4 KiB pieces of RAM, handed out one at a time.

fault.py and page_table.py take frames here. Frames never used come in address order; freed ones are a stack
threaded through the frames themselves. Frame 0 is never handed out, so physical address 0 means none.

Invariant: fresh <= total; free + used = fresh - 1.
"""
from hwmem import params as P
from hwmem._jit import kernel
from hwmem.memory.ram import peek64, poke64


@kernel
def take_frame(m):
    """Physical address of a frame whose bytes are zero, or -1 when RAM is exhausted."""
    f = m.frames
    if f.free_head != 0:
        pa = f.free_head
        f.free_head = peek64(m.ram_base + pa)
        f.free -= 1
        for offset in range(0, P.PAGE, 8):
            poke64(m.ram_base + pa + offset, 0)
    elif f.fresh < f.total:
        pa = f.fresh * P.PAGE
        f.fresh += 1
    else:
        return -1
    f.used += 1
    return pa


@kernel
def give_frame(m, pa):
    f = m.frames
    poke64(m.ram_base + pa, f.free_head)
    f.free_head = pa
    f.free += 1
    f.used -= 1
