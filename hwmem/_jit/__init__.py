"""The one way code becomes machine code here: `@kernel`, doors, and a compile cache that follows edits.

    stamp.py         which files a kernel's code depends on, as one hash
    cache.py         compiled kernels on disk: checked, and no error of the disk stops a run
    alone.py         of several processes one compiles a kernel, the others wait for it
    compiler.py      numba's compiler, bent: what a kernel calls is linked into it and optimised once
    calls.py         what a call of one kernel by another costs
    decorators.py    @kernel, @cold, @apart, @hot
    doors.py         kernels that are called through the machine record, bound at their first call
    crew.py, second_compiler.py    other processes that help on a first run
    progress.py      what is said meanwhile

With HWMEM_CHECK=1 in the environment kernels are compiled checked (and cached apart): an index out of an array, a thread's number
out of range, a host address outside the machine's memory (memory/ranges.py) end in a MachineError.
"""

from hwmem._jit.compiler import CHECKED, JIT_DISABLED
from hwmem._jit.decorators import apart, cold, hot, kernel
from hwmem._jit.doors import DOORS, call_door
from hwmem._jit.stamp import source_stamp

__all__ = ["CHECKED", "DOORS", "JIT_DISABLED", "apart", "call_door", "cold", "hot", "kernel", "source_stamp"]
