"""The kernels that runtime.py enters: one operation, or many in a loop, as thread `t`."""
from hwmem._jit import kernel
from hwmem.core.access import load64, store64
from hwmem.core.service import drain_all
from goalloc import params as P
from goalloc.gostring import concatstrings, convT, convTstring, slicebytetostring, stringtoslicebyte
from goalloc.malloc import mallocgc
from goalloc.memory_block import memclr
from goalloc.slice import growslice


@kernel
def malloc_one(m, t, size, typ, needzero):
    x = mallocgc(m, t, size, typ, needzero)
    drain_all(m, m.thread[t].core)
    return x


@kernel
def malloc_all(m, t, sizes, types, addresses):
    """addresses[i] = mallocgc(sizes[i], types[i]); `types` may have one element for all. Stops at a fatal error."""
    core = m.core[m.thread[t].core]
    counts = m.process[m.thread[t].process].guest
    start = core.cycles
    for i in range(len(sizes)):
        addresses[i] = mallocgc(m, t, sizes[i], types[i if len(types) > 1 else 0])
        if addresses[i] == 0:
            break
    counts[P.MALLOCS] += len(sizes)
    counts[P.MALLOC_CYCLES] += core.cycles - start
    drain_all(m, core.id)


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
    store64(m, t, va, value)
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
