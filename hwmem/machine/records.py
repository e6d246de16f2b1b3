"""A recording's references as words, and the tables by which they are asked about: what reading, ordering and replaying have in common.

    what    | 0 0 | address 47 | size - 1: 12 | kind 3 |
             63    61       15  14           3  2     0         of a CALL the address is the call's number

Hash tables are arrays of keys, 0 or more, whose free places are NONE.
"""

import numpy as np

from hwmem._jit import hot, kernel

# Kinds of record; of the first four the lowest bit says that it writes, the next that it is half of a modify
LOAD, STORE, MODIFY_LOAD, MODIFY_STORE, ATOMIC, CALL = range(6)
KIND_BITS, SIZE_BITS, ADDRESS_BITS = 3, 12, 47
KIND_MASK, SIZE_MASK = (1 << KIND_BITS) - 1, (1 << SIZE_BITS) - 1
ADDRESS_SHIFT = KIND_BITS + SIZE_BITS

# Kinds of stop beside a thread that is waited for: a free lock is taken, freed
TAKE, FREE = -1, -2

GRANULE_SHIFT = 2  # what is shared is told apart by words of 4 bytes
NONE = -1
FILTER_BITS = 15


@kernel
def writes(kind):
    return kind & 1 == STORE or kind == ATOMIC


@hot
def hashed(key, n):
    """Where the search for a key begins in a table of n places, a power of two."""
    return ((key ^ key >> 17) * 0x9E3779B1 >> 11) & n - 1


@kernel
def find(keys, key):
    """The place of `key` in a hash table; where it would be, if it is not there."""
    place = hashed(key, len(keys))
    while keys[place] != key and keys[place] != NONE:
        place = place + 1 & len(keys) - 1
    return place


@kernel
def enter(places, values, keys):
    """Key n gets the value n."""
    for n in range(len(keys)):
        place = find(places, keys[n])
        places[place], values[place] = keys[n], n


def hash_table(keys):
    """(places, values): a hash table of int64 `keys`, in which key n has the value n."""
    size = 1 << max(4, (2 * len(keys)).bit_length())
    places, values = np.full(size, NONE, np.int64), np.zeros(size, np.int64)
    enter(places, values, keys)
    return places, values


def filter_of(keys):
    """A byte for each of 2^15 hashes of keys: whether any of `keys` has it."""
    bits = np.zeros(1 << FILTER_BITS, np.uint8)
    bits[hashed(keys, 1 << FILTER_BITS) if len(keys) else []] = 1
    return bits


@hot
def seen(digest, slot, kind, thread, pos, state):
    """The digest of what a thread's loads read, after its use of word `slot`; `state[slot]`: the last store to it, 0: none."""
    if kind == LOAD or kind == MODIFY_LOAD or kind == ATOMIC:
        digest = (digest ^ slot) * 0x100000001B3
        digest = (digest ^ state[slot]) * 0x100000001B3
        digest ^= digest >> 29
    if writes(kind):
        state[slot] = thread << 48 | pos + 1
    return digest
