"""A script of the mutator as an array, a row an operation: what tests and demonstrations drive a heap with, in one jitted call.

    NEW refs data id      an object; `id` into its first word of data, if it has one; onto the shadow stack
    LOAD k i              reference i of the object in slot k of the stack, onto the stack
    STORE k i j           reference i of slot k's object = slot j                SET k j      slot k = slot j
    CLEAR k i             reference i of slot k's object = nil                   DROP k       slot k = nil
    POP n                 slots fewer                                            COLLECT

Slots count from the stack's lower end. Source of the operations: GC Handbook 1.7.
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.core.access import load64
from hwmem.core.service import drain_all
from goalloc import params as P
from goalloc.collectors.model import WORD, guest
from goalloc.collectors.mutator import FIRST_DATA, collect, load_ref, new, pop, push, set_root, store_ref, store_word

NEW, LOAD, STORE, CLEAR, SET, DROP, POP, COLLECT = range(8)


def script(rows):
    """Rows of up to four numbers as the array that `carry_out` takes."""
    found = np.zeros((len(rows), 4), np.int64)
    for i, row in enumerate(rows):
        found[i, : len(row)] = row
    return found


@kernel
def carry_out(m, t, rows, first, until_collection):
    """Rows from `first` on, to the end, or no further than the first in which there was a collection. The number of the row to go on with."""
    collections = guest(m, t)[P.COLLECTIONS]
    for i in range(first, len(rows)):
        act(m, t, rows[i])
        if m.thread[t].fault_code or (until_collection and guest(m, t)[P.COLLECTIONS] != collections):
            drain_all(m, m.thread[t].core)
            return i + 1
    drain_all(m, m.thread[t].core)
    return len(rows)


@kernel
def act(m, t, row):
    operation, a, b, c = row
    base = m.thread[t].guest[P.STACK_BASE]
    if operation == NEW:
        x = new(m, t, a, b)
        if x and b:
            store_word(m, t, x, FIRST_DATA + a, c)
    elif operation == LOAD:
        push(m, t, load_ref(m, t, load64(m, t, base + WORD * a), b))
    elif operation == STORE:
        store_ref(m, t, load64(m, t, base + WORD * a), b, load64(m, t, base + WORD * c))
    elif operation == CLEAR:
        store_ref(m, t, load64(m, t, base + WORD * a), b, 0)
    elif operation == SET:
        set_root(m, t, base + WORD * a, load64(m, t, base + WORD * b))
    elif operation == DROP:
        set_root(m, t, base + WORD * a, 0)
    elif operation == POP:
        pop(m, t, a)
    else:
        collect(m, t)
