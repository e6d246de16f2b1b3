"""What jitted code imports: the program's operations as kernels. `m` is the machine, `t` the thread (of an M with a P).

    mallocgc(m, t, size, typ)           an object, zeroed; `typ`: address of its type, 0 for no pointers    malloc.py
    growslice                           append's new array                                                  slice.py
    memclr, memmove                                                                                         memory_block.py
    write_pointer(m, t, slot, value)    *slot = value                                                       here
    read_pointer(m, t, slot)
"""
from hwmem._jit import kernel
from hwmem.core.access import load64, store64
from goalloc.malloc import mallocgc
from goalloc.memory_block import memclr, memmove
from goalloc.slice import growslice

__all__ = ["kernel", "mallocgc", "growslice", "memclr", "memmove", "write_pointer", "read_pointer"]


@kernel
def write_pointer(m, t, slot, value):
    """Store a pointer. The write barrier's place, which is off while no collection runs."""
    store64(m, t, slot, value)


@kernel
def read_pointer(m, t, slot):
    return load64(m, t, slot)
