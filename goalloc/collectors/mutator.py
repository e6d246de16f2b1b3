"""What a program calls: objects, references, roots. The same calls whichever collector the process has.

new(m, t, refs, data)               an object of so many references and words of data, on the shadow stack's top; 0: the thread has ended
load_ref(m, t, x, i)                reference i of object x                     store_ref(m, t, x, i, y)    ... through the collector's barrier
load_word, store_word(m, t, x, k)   word k of object x: data begins at word 1 + refs
push(m, t, y)  pop(m, t, n)         the thread's shadow stack                   top(m, t, i)  set_top(m, t, i, y)   its i-th slot from the top
global_ref(m, t, i)  set_global     the program's global references
collect(m, t)                       a whole collection now

A loaded address is valid until the next `new` or `collect`, since a collector may move the object; and if no root and no field holds it any
more, until the next store of a reference, since counting may free it. Its slot of the shadow stack stays right: read it again. A collector's
work lies behind its door (P.HEAP_DOOR), so a program is compiled once for all of them, and without a barrier a store is just a store.
GC Handbook, 1.7: New, Read, Write of the mutator.
"""

from hwmem._jit import call_door, cold, kernel
from hwmem.core.access import load64, store64
from goalloc import params as P
from goalloc.collectors.model import COLLECT, FIELDS, GLOBALS, NEW, OPERATION_SHIFT, ROOT, ROOTS, SLOTS, STORE, WORD, enter, guest, leave
from goalloc.errors import STACK_EXHAUSTED, throw

FIRST_DATA = 1  # of an object without references; of another it is FIRST_DATA + refs


@kernel
def new(m, t, refs, data):
    registers = guest(m, t)
    enter(m, t, registers[P.HEAP])
    x = call_door(m, registers[P.HEAP_DOOR], t, NEW, refs, data)
    leave(m, t, registers[P.HEAP])
    if x:
        push(m, t, x)
    return x


@kernel
def collect(m, t):
    call_door(m, guest(m, t)[P.HEAP_DOOR], t, COLLECT, 0, 0)


@kernel
def load_ref(m, t, x, i):
    return load64(m, t, x + WORD * (1 + i))


@kernel
def store_ref(m, t, x, i, y):
    if guest(m, t)[P.HEAP_BARRIERS] & FIELDS:
        call_door(m, guest(m, t)[P.HEAP_DOOR], t, STORE | i << OPERATION_SHIFT, x, y)
    else:
        store64(m, t, x + WORD * (1 + i), y)


@kernel
def load_word(m, t, x, k):
    return load64(m, t, x + WORD * k)


@kernel
def store_word(m, t, x, k, value):
    store64(m, t, x + WORD * k, value)


@kernel
def set_root(m, t, slot, y):
    if guest(m, t)[P.HEAP_BARRIERS] & SLOTS:
        call_door(m, guest(m, t)[P.HEAP_DOOR], t, ROOT, slot, y)
    else:
        store64(m, t, slot, y)


@cold
def push(m, t, y):
    registers = m.thread[t].guest
    slot = registers[P.STACK_TOP]
    if slot == registers[P.STACK_END]:
        throw(m, t, STACK_EXHAUSTED, (slot - registers[P.STACK_BASE]) // WORD, 0)
        return
    store64(m, t, slot, 0)  # what was popped there is no reference any more
    registers[P.STACK_TOP] = slot + WORD
    set_root(m, t, slot, y)


@kernel
def pop(m, t, n):
    registers = m.thread[t].guest
    for _ in range(n):
        if guest(m, t)[P.HEAP_BARRIERS] & SLOTS:
            set_root(m, t, registers[P.STACK_TOP] - WORD, 0)
        registers[P.STACK_TOP] -= WORD


@kernel
def top(m, t, i):
    """The reference in the shadow stack's i-th slot from the top, 0 the topmost."""
    return load64(m, t, m.thread[t].guest[P.STACK_TOP] - WORD * (1 + i))


@kernel
def set_top(m, t, i, y):
    set_root(m, t, m.thread[t].guest[P.STACK_TOP] - WORD * (1 + i), y)


@kernel
def global_slot(m, t, i):
    return load64(m, t, guest(m, t)[P.HEAP] + ROOTS) + WORD * (i % GLOBALS)


@kernel
def global_ref(m, t, i):
    return load64(m, t, global_slot(m, t, i))


@kernel
def set_global(m, t, i, y):
    set_root(m, t, global_slot(m, t, i), y)
