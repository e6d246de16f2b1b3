"""What the walks over allocators' structures share (walk.py)."""

from hwmem.errors import MachineError
from goalloc import params as P


def holds(condition, *what):
    if not condition:
        raise MachineError("allocator: " + " ".join(hex(w) if isinstance(w, int) else w for w in what))


def totals(mapped, blocks, used, free):
    return {"mapped": mapped, "blocks": blocks, "used": used, "free": free, "other": mapped - used - free}


def data_of(allocator):
    return int(allocator.process.record.guest[P.DATA])
