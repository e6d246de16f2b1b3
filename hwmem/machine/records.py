"""A recording's references as words, and hash tables over them: shared by reading, ordering and replaying.

    what    | 0 0 | address 47 | size - 1: 12 | kind 3 |
             63    61       15  14           3  2     0         of a CALL the address is the call's number

Hash tables are arrays of keys, 0 or more, whose free places are NONE.

Passing an array to a kernel costs more than the call itself (numba counts references). The replay changes threads with every transfer of a
line, so it keeps the addresses of its int64 arrays in a record and reads them with `word`. The code that fills in such an address must keep
the array alive and check the index.
"""

import ctypes

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from hwmem._jit import hot, kernel
from hwmem.bits import hashed

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


def word(base, i):
    """Element `i` of the int64 array at the host's address `base`."""
    return ctypes.c_int64.from_address(int(base) + 8 * int(i)).value


def put_word(base, i, value):
    ctypes.c_int64.from_address(int(base) + 8 * int(i)).value = int(value)


def _pointer(builder, base, i):
    at = builder.add(base, builder.shl(i, ir.Constant(ir.IntType(64), 3)))
    return builder.inttoptr(at, ir.IntType(64).as_pointer())


@intrinsic
def _word(typingctx, base, i):
    return types.int64(types.int64, types.int64), lambda context, builder, signature, args: builder.load(_pointer(builder, *args), align=8)


@intrinsic
def _put_word(typingctx, base, i, value):
    def generate(context, builder, signature, args):
        builder.store(args[2], _pointer(builder, *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


overload(word)(lambda base, i: lambda base, i: _word(base, i))
overload(put_word)(lambda base, i, value: lambda base, i, value: _put_word(base, i, value))


@kernel
def find_word(base, n, key):
    """`find`, in a hash table of n places at the host's address `base`: whether `key` is there, and its place."""
    place = hashed(key, n)
    while True:
        there = word(base, place)
        if there == key or there == NONE:
            return there == key, place
        place = place + 1 & n - 1


@hot
def parts(what):
    """A reference's (kind, address, size in bytes)."""
    return what & KIND_MASK, what >> ADDRESS_SHIFT, (what >> KIND_BITS & SIZE_MASK) + 1


@kernel
def writes(kind):
    return kind & 1 == STORE or kind == ATOMIC


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
def seen(digest, slot, kind, last):
    """The digest of what a thread's loads read, after its use of word `slot`, whose last store is `last`, 0: none."""
    if kind == LOAD or kind == MODIFY_LOAD or kind == ATOMIC:
        digest = stirred(stirred(digest ^ slot) ^ last)
    return digest


@hot
def stirred(digest):
    """A step of a multiply-with-carry generator, which loses nothing: the lower 31 bits are the digit, the upper 32 the carry."""
    return (digest & 0x7FFF_FFFF) * 0x5A1F_0D33 + (digest >> 31)


@hot
def store_number(thread, pos):
    """What `seen` takes for a thread's store."""
    return np.int64(thread) << 48 | pos + 1
