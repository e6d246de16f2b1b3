"""Which memory of the host belongs to machines. Consulted only in checked mode (HWMEM_CHECK=1), at every peek and poke of ram.py.

    hwmem_ranges ──>  | address, size: refused | most ranges so far | start, end | start, end | 0, 0 | ...

The table lies where jitted code finds it by its name, so that code in the cache finds it in every process. A machine's mappings
are in it as long as they exist; what else jitted code may reach by address is entered with `permit`.
"""

import ctypes
import weakref

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hwmem._jit import CHECKED, kernel
from hwmem.errors import MachineError

RANGES = 4096
ADDRESS, SIZE, COUNT, FIRST = range(4)
_table = (ctypes.c_int64 * (FIRST + 2 * RANGES))()
llvm.add_symbol("hwmem_ranges", ctypes.addressof(_table))


class OutsideTheMachine(MachineError):
    """Checked mode: a kernel's access to host memory that is no machine's, as `demand` has noted it."""

    def __init__(self):
        super().__init__(f"an access of {_table[SIZE]} bytes at host address {_table[ADDRESS]:#x}, which is no machine's memory")


def permit(owner, address, size):
    """Jitted code may reach `size` bytes at `address` while the object `owner` lives."""
    if not CHECKED:
        return
    free = next((i for i in range(RANGES) if _table[FIRST + 2 * i] == 0), None)
    if free is None:
        raise MachineError(f"checked mode keeps track of {RANGES} ranges of memory, and all are in use")
    _table[FIRST + 2 * free], _table[FIRST + 1 + 2 * free] = address, address + size
    _table[COUNT] = max(_table[COUNT], free + 1)
    weakref.finalize(owner, _forget, free)


def _forget(i):
    _table[FIRST + 2 * i] = _table[FIRST + 1 + 2 * i] = 0


def _place(builder, i):
    """Pointer to word `i` of the table."""
    of = ir.IntType(64)
    table = builder.module.globals.get("hwmem_ranges") or ir.GlobalVariable(builder.module, of, "hwmem_ranges")
    return builder.gep(table, [i])


@intrinsic
def word(typingctx, i):
    """Word `i` of the table."""
    return types.int64(types.int64), lambda context, builder, signature, args: builder.load(_place(builder, args[0]))


@intrinsic
def set_word(typingctx, i, value):
    def generate(context, builder, signature, args):
        builder.store(args[1], _place(builder, args[0]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@kernel
def demand(address, size):
    """Raise OutsideTheMachine unless the bytes are a machine's."""
    for i in range(word(COUNT)):
        if 0 <= size and word(FIRST + 2 * i) <= address <= word(FIRST + 1 + 2 * i) - size:
            return
    set_word(ADDRESS, address)
    set_word(SIZE, size)
    raise OutsideTheMachine
