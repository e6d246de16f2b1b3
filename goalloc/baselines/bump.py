"""A bump allocator: a pointer that only moves on, by which the break follows a mebibyte at a time.

    malloc      fetch-and-add on the pointer, one compare with the end, the block's size in a word before it
    free        nothing: what was given out is never used again

    | size | block ... | size | block ...   next ──>        end, where the break is

All threads share the pointer, so its line moves at each call, and neighbours of one line go to whoever asks next.
"""

from hwmem._jit import DOORS, cold, kernel
from hwmem.core.access import fetch_add64, load64, store64
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.baselines.system import (
    FREE,
    HEADER,
    INIT,
    LARGEST,
    MALLOC,
    REALLOC,
    USABLE_SIZE,
    copy_block,
    data,
    header,
    move_break,
)

LOCK, NEXT, END, START = 0, 64, 72, 80  # the allocator's variables
GROWTH = 1 << 20


@DOORS.door(P.DOOR_BUMP)
def bump_door(m, t, operation, a, b):
    if operation == MALLOC:
        return take(m, t, a)
    if operation == FREE:
        return 0
    if operation == REALLOC:
        return resize(m, t, a, b)
    if operation == USABLE_SIZE:
        return header(m, t, a)
    if operation == INIT:
        start = (move_break(m, t, 0) + 15 & ~15) + HEADER  # a word in front of a multiple of 16
        for field in (NEXT, END, START):
            store64(m, t, data(m, t) + field, start)
    return 0


@kernel
def take(m, t, n):
    """The address of `n` bytes, a multiple of 16, or 0."""
    if not 0 <= n < LARGEST:
        return 0
    usable = (n + 7 & ~15) + 8  # with the word in front of it a multiple of 16
    here = fetch_add64(m, t, data(m, t) + NEXT, usable + HEADER)
    if here + usable + HEADER > load64(m, t, data(m, t) + END) and not grow(m, t, here + usable + HEADER):
        fetch_add64(m, t, data(m, t) + NEXT, -(usable + HEADER))
        return 0
    store64(m, t, here, usable)
    return here + HEADER


@cold
def grow(m, t, end):
    """Move the break to `end` or beyond; whether it is there."""
    lock(m, t, data(m, t) + LOCK)
    now = load64(m, t, data(m, t) + END)
    if now < end:
        wanted = end + GROWTH - 1 & -GROWTH
        now = move_break(m, t, wanted)
        store64(m, t, data(m, t) + END, now)
    unlock(m, t, data(m, t) + LOCK)
    return now >= end


@cold
def resize(m, t, block, n):
    if block and n <= header(m, t, block):
        return block
    new = take(m, t, n)
    if new and block:
        copy_block(m, t, new, block, header(m, t, block))
    return new
