"""Which of the words that threads share need no order of their own: counters, free locks, and what free locks guard.

    classify   counter    between its first and last modification only instructions that commute touch it (lock add, inc m)
               lock       its writes read as: taken by a compare-exchange or exchange of a thread, freed by that thread's next write, failed
                          attempts of others in between; two threads take it
    hold       ... and it is free, if no critical section has a system call or an atomic on another shared word that is no counter
    guard      words that are only touched inside the critical sections of one free lock, between its first taking and last freeing

Three passes over the uses (uses.py) in the recorded order, for `--order clock` alone. Mutual exclusion holds where the recorded order of critical
sections is dropped: a thread that takes a free lock waits while another has it in the replay (machine/weave.py).
"""

import numpy as np

from hwmem._jit import hot, kernel
from hwmem.layout import rows
from hwmem.machine.records import ATOMIC, CALL, LOAD, MODIFY_LOAD, MODIFY_STORE, STORE, find, hash_table
from hwmem.trace.elf import COMMUTES, COMPARE_EXCHANGE, EXCHANGE, OTHER_LOCKED, PLAIN

MOST_HELD = 8  # locks of a thread at a time

# What a use does to a lock: nothing, takes it, frees it
NOTHING, TAKES, FREES = range(3)

WORD = rows(
    "first_modified",  # the use, counted from 1
    "last_modified",
    "read_since",  # touched otherwise after a modification
    "no_counter",
    "holder",
    "no_lock",
    "taker",
    "several",  # threads take it
    "not_free",
    "guard",  # the free lock that guards it, counted from 1
    "first_guarded",
    "last_guarded",
    "left",  # touched outside the critical sections after it was inside
    "not_guarded",
)


@kernel
def op_of(ops, pc):
    places, values, kinds = ops
    place = find(places, pc)
    return kinds[values[place]] if places[place] == pc else OTHER_LOCKED


@kernel
def turn(word, use, op):
    """What a use makes of a lock word; `no_lock` if it is none."""
    if use.kind == LOAD or use.kind == MODIFY_LOAD:
        return NOTHING
    if word.holder == use.thread:
        word.holder = 0
        return FREES
    if use.kind == ATOMIC and (op == COMPARE_EXCHANGE or op == EXCHANGE):
        if word.holder == 0:
            word.holder = use.thread
            return TAKES
        return NOTHING
    if word.holder != 0 or use.kind != STORE or word.taker != 0:  # a plain store before all sets it up
        word.no_lock = 1
    return NOTHING


@kernel
def classify(words, uses, base, ops):
    for i in range(len(uses)):
        use = uses[i]
        if use.kind >= CALL:
            continue
        word, number = words[use.slot], base + i + 1
        op = op_of(ops, use.pc) if use.kind == ATOMIC else PLAIN
        count_as_counter(word, use.kind, op, number)
        if word.no_lock == 0 and turn(word, use, op) == TAKES:
            word.several |= word.taker != 0 and word.taker != use.thread
            word.taker = use.thread


@hot
def count_as_counter(word, kind, op, number):
    if kind == ATOMIC or kind == MODIFY_LOAD or kind == MODIFY_STORE:
        if word.first_modified == 0:
            word.first_modified = number
        if word.read_since or (kind == ATOMIC and op != COMMUTES):
            word.no_counter = 1
        word.last_modified = number
    elif word.first_modified:
        word.read_since = 1


@kernel
def hold(words, uses, held, ops):
    """`held`: of each thread, how many locks it has, and which."""
    for i in range(len(uses)):
        use = uses[i]
        if use.kind > CALL:
            continue
        mine = held[use.thread]
        if use.kind == CALL:
            for k in range(1, mine[0] + 1):
                words[mine[k]].not_free = 1
            continue
        word = words[use.slot]
        if use.kind == ATOMIC and word.no_counter:
            for k in range(1, mine[0] + 1):
                if mine[k] != use.slot:
                    words[mine[k]].not_free = 1
        if word.no_lock:
            continue
        does = turn(word, use, op_of(ops, use.pc) if use.kind == ATOMIC else PLAIN)
        if does == TAKES:
            if mine[0] == MOST_HELD:
                word.not_free = 1
            else:
                mine[0] += 1
                mine[mine[0]] = use.slot
        elif does == FREES:
            drop(mine, use.slot)


@kernel
def drop(mine, slot):
    for k in range(1, mine[0] + 1):
        if mine[k] == slot:
            mine[k] = mine[mine[0]]
            mine[0] -= 1
            return


@kernel
def guard(words, uses, base, inside, ops):
    """`inside`: of each thread, the free lock that it has, counted from 1 (it can have one: taking another would be an atomic)."""
    for i in range(len(uses)):
        use = uses[i]
        if use.kind >= CALL:
            continue
        word, number = words[use.slot], base + i + 1
        if is_free(word):
            does = turn(word, use, op_of(ops, use.pc) if use.kind == ATOMIC else PLAIN)
            if does != NOTHING:
                inside[use.thread] = use.slot + 1 if does == TAKES else 0
        elif inside[use.thread] and word.guard == 0:
            word.guard, word.first_guarded, word.last_guarded = inside[use.thread], number, number
        elif word.guard and inside[use.thread] == word.guard:
            word.not_guarded |= word.left
            word.last_guarded = number
        elif word.guard:
            word.left = 1


@hot
def is_free(word):
    """Whether the word is a free lock."""
    return word.no_lock == 0 and word.not_free == 0


@hot
def is_loose(word, number):
    """Whether use `number`, counted from 1, of the word is not ordered among its like."""
    counted = word.no_counter == 0 and word.first_modified != 0 and word.first_modified <= number <= word.last_modified
    return counted or (word.guard != 0 and word.not_guarded == 0 and word.first_guarded <= number <= word.last_guarded)


def strict(uses):
    """Words that are all ordered as recorded."""
    words = np.zeros(max(len(uses.granules), 1), WORD)
    words["no_counter"] = words["no_lock"] = 1
    return words


def loose(uses, ops, threads):
    """What can be said of each shared word, an array of WORD. `ops`: see ops_of."""
    words = np.zeros(max(len(uses.granules), 1), WORD)
    for base, chunk in based(uses.chunks):
        classify(words, chunk, base, ops)
    words["no_counter"] |= words["first_modified"] == 0
    words["no_lock"] |= (words["holder"] != 0) | (words["several"] == 0) | (words["no_counter"] == 0)
    words["holder"] = words["taker"] = 0
    held = np.zeros((threads + 1, MOST_HELD + 1), np.int64)
    for _, chunk in based(uses.chunks):
        hold(words, chunk, held, ops)
    words["holder"] = words["taker"] = 0
    inside = np.zeros(threads + 1, np.int64)
    for base, chunk in based(uses.chunks):
        guard(words, chunk, base, inside, ops)
    words["holder"] = words["taker"] = 0
    return words


def based(chunks):
    """Each chunk with the number of uses before it."""
    base = 0
    for chunk in chunks:
        yield base, chunk
        base += len(chunk)


def ops_of(uses, kind_of):
    """(places, values, kinds): a hash table of the instructions that make atomics, and what each is (elf.py). `kind_of(pc)`: None where
    that is not known."""
    pcs = np.unique(np.concatenate([np.zeros(0, np.int64), *(chunk["pc"][chunk["kind"] == ATOMIC] for chunk in uses.chunks)]))
    kinds = np.array([*(kind_of(int(pc)) or OTHER_LOCKED for pc in pcs), OTHER_LOCKED], np.int64)
    return *hash_table(pcs), kinds
