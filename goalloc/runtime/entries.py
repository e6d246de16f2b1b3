"""The kernels that runtime.py enters: one operation, or many in a loop, as thread `t`."""

from hwmem._jit import kernel
from hwmem.core.access import load64
from hwmem.core.service import drain_all
from hwmem.sched.scheduler import is_over
from goalloc import params as P
from goalloc.values.string import concatstrings, convT, convTstring, slicebytetostring, stringtoslicebyte
from goalloc.heap.malloc import mallocgc
from goalloc.kernels import write_pointer
from goalloc.base.memclr import memclr
from goalloc.values.slice import growslice


@kernel
def account(m, t, n, start):
    """`n` objects have been allocated since the cycle `start` of the thread's core (Runtime.cycles_of)."""
    counts = m.process[m.thread[t].process].guest
    counts[P.MALLOCS] += n
    counts[P.MALLOC_CYCLES] += m.core[m.thread[t].core].cycles - start


@kernel
def malloc_one(m, t, size, typ, needzero):
    start = m.core[m.thread[t].core].cycles
    x = mallocgc(m, t, size, typ, needzero)
    account(m, t, x != 0, start)
    drain_all(m, m.thread[t].core)
    return x


@kernel
def malloc_all(m, t, sizes, types, addresses):
    """addresses[i] = mallocgc(sizes[i], types[i]); `types` may have one element for all. Stops at a fatal error."""
    start, done = m.core[m.thread[t].core].cycles, 0
    while done < len(sizes) and not is_over(m, t):
        addresses[done] = mallocgc(m, t, sizes[done], types[done if len(types) > 1 else 0])
        if addresses[done] == 0:
            break
        done += 1
    account(m, t, done, start)
    drain_all(m, m.thread[t].core)


@kernel
def slice_grow(m, t, old, needed, element, typ):
    x, capacity = growslice(m, t, old, needed, element, typ)
    drain_all(m, m.thread[t].core)
    return x, capacity


@kernel
def clear(m, t, x, nbytes):
    memclr(m, t, x, nbytes)
    drain_all(m, m.thread[t].core)


@kernel
def store_word(m, t, va, value):
    write_pointer(m, t, va, value)
    drain_all(m, m.thread[t].core)


@kernel
def load_word(m, t, va):
    return load64(m, t, va)


@kernel
def concat_one(m, t, a, a_len, b, b_len):
    x = concatstrings(m, t, a, a_len, b, b_len)
    drain_all(m, m.thread[t].core)
    return x


@kernel
def box_one(m, t, value, size):
    x = convT(m, t, value, size)
    drain_all(m, m.thread[t].core)
    return x


@kernel
def box_string(m, t, s, n, typ):
    x = convTstring(m, t, s, n, typ)
    drain_all(m, m.thread[t].core)
    return x


@kernel
def to_bytes(m, t, s, n):
    x, capacity = stringtoslicebyte(m, t, s, n)
    drain_all(m, m.thread[t].core)
    return x, capacity


@kernel
def to_string(m, t, b, n):
    x = slicebytetostring(m, t, b, n)
    drain_all(m, m.thread[t].core)
    return x
