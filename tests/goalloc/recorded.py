"""What the real Go 1.21.13 answered (tests/oracles/go), and the programs whose allocations it recorded, run on ours; pointer bits."""

import functools
import gzip
import json
import pathlib

import numpy as np

from one_p import OneP

from goalloc.sched.chan import CHANRECV
from goalloc.observe.inspect import Inspector
from goalloc.layout import heapArena, mheap, variables as V
from goalloc.params import heapArenaBytes
from goalloc.sched.proc import GOSCHED
from goalloc.sizeclasses import class_to_size
from goalloc.types import int64, pointer, struct, uint8

ORACLES = pathlib.Path(__file__).resolve().parent.parent / "oracles" / "go"


@functools.cache
def oracle(name):
    with gzip.open(ORACLES / f"{name}.json.gz", "rt") as file:
        return json.load(file)


@functools.cache
def scenarios():
    return {scenario["scenario"]: scenario for scenario in oracle("sequences")["scenarios"]}


def run_lengths(deltas):
    """[[value, count], ...] of an array."""
    deltas = np.asarray(deltas)
    starts = np.flatnonzero(np.r_[True, deltas[1:] != deltas[:-1]])
    return [[int(deltas[i]), int(n)] for i, n in zip(starts, np.diff(np.r_[starts, len(deltas)]))]


def fnv1a(offsets):
    """FNV-1a, 64 bits, over the offsets as little-endian int64."""
    h = 0xCBF29CE484222325
    for byte in np.asarray(offsets, "<i8").tobytes():
        h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{h:#018x}"


# The programs: each takes a Runtime that begins as recorded and returns the addresses the recording program noted


def many(sizes):
    return lambda rt: rt.malloc_many(np.array(sizes, np.int64))


def tiny_random_sizes():
    x, sizes = 88172645463325252, []
    for _ in range(100_000):
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        x ^= x << 17 & (1 << 64) - 1
        sizes.append(x % 15 + 1)
    return sizes


LARGE = [33000, 40960, 65537, 100000, 131073, 262144, 524289, 1048576, 1572865, 4194304, 10485760] * 20


def nodes(rt):
    node = struct("node", a=pointer, b=pointer, c=int64)
    return rt.malloc_many([node.size] * 100_000, type=node)


def append(element, total, row_bytes):
    """Append one element at a time; whenever the array moves, the program notes it in a row of its own."""

    def program(rt):
        s, addresses = rt.make_slice(element, 0), []
        while s.cap < total:
            s = rt.append(s, n=s.cap - s.len + 1)
            addresses.append(s.array)
            rt.mallocgc(row_bytes)
        return addresses

    return program


def append_chunks(rt):
    s, addresses = rt.make_slice(uint8, 0), []
    for k in range(1, 201):
        grown = rt.append(s, n=k)
        if grown.array != s.array:
            addresses.append(grown.array)
            rt.mallocgc(24)
        s = rt.make_slice(uint8, 0) if k % 20 == 0 else grown
    return addresses


def strings(rt):
    rt.mallocgc(16)  # the program's row, before the first
    letter, addresses = (rt.process.mmap(0, 4096), 1), []
    rt.process.store(letter[0], ord("x"), size=1)
    s = letter  # "" + "x" is "x" itself
    while s[1] < 4000:
        s = rt.concat(s, letter)
        addresses.append(s[0])
    assert rt.process.read(*s) == b"x" * 4000
    return addresses


def all_classes(rt):
    sizes = np.repeat(class_to_size[1:], 5)
    return np.r_[rt.malloc_many(sizes), rt.malloc_many(sizes, noscan=False)]


def box_ints(rt):
    addresses = []
    for i in range(400):
        x = rt.box(i)
        if i >= 256:  # smaller ones are in a static table
            addresses.append(x)
        rt.mallocgc(16)
    return addresses


class Goroutines(list):
    """The g of each goroutine in the order in which they begin; `rows`: offsets of g and stack from the first's, stack size."""

    rows = ()


def goroutines(rt, schedtick):
    """main starts goroutines and yields after each; a goroutine notes itself in a row of three words and waits for a channel.

    var c chan int
    first, firstStack := uintptr(0), uintptr(0)
    for i := 0; i < 1000; i++ { go func() { ...note, using first and firstStack...; <-c }(); runtime.Gosched() }
    """
    one, started = OneP(rt), Goroutines()
    one.schedtick(schedtick)
    rt.malloc_many([8, 8])  # the two variables, which the closures share
    main, c = one.current(), one.memory  # what c points to has no room and no sender
    for _ in range(1000):
        rt.mallocgc(24, noscan=False)  # the closure
        one.go(0)
        one.proc(GOSCHED)
        while one.next() is not None and one.current() != main:
            started.append(one.current())
            rt.mallocgc(24)
            one.chan(CHANRECV, c)
    stacks = [one.stack(gp) for gp in started]
    started.rows = [[gp - started[0], lo - stacks[0][0], hi - lo] for gp, (lo, hi) in zip(started, stacks)]
    return started


def first_turn_out_of_order(recorded):
    """How many goroutines ran before main was taken out of turn for the first time, every 61st choice being the global queue's.
    (The real program's count stands at 4, and the finalizers' goroutine, which has not run yet, takes the next choice.)"""
    offsets = [row[0] for row in recorded["extra"]]
    return next(i for i in range(len(offsets)) if offsets[i] - offsets[i + 1] == class_to_size[23])


def program(name):
    mib = 1 << 20
    return {
        "n16_noscan": many([16] * 100_000),
        "n24_ptr": nodes,
        "tiny_cycle": many([1, 2, 3, 5, 8, 12] * 16667),
        "tiny_random": many(tiny_random_sizes()),
        "tiny_each": many([k for k in range(1, 16) for _ in range(64)]),
        "large_noscan": many(LARGE),
        "large_scan": lambda rt: rt.malloc_many(np.array(LARGE) // 8 * 8, noscan=False),
        "append_int": append(int64, 1_000_000, 32),
        "append_byte": append(uint8, 2_000_000, 32),
        "append_chunks": append_chunks,
        "string_concat": strings,
        "all_classes": all_classes,
        "arena_cross": many([mib] * 300),
        "arena_big": many([70 * mib, mib, 130 * mib, mib, 200 * mib, 8192, 64 * mib]),
        "box_ints": box_ints,
        "goroutines": lambda rt: goroutines(rt, -first_turn_out_of_order(scenarios()[name]) % 61),
    }[name]


def pointer_bits(rt, a, size):
    """Offsets of the words of [a, a + size) that the heap's bitmap calls pointers."""
    look = Inspector(rt.process)
    arena = look.word(look.word(V.mheap_ + mheap.arenas) + (a + (1 << 47)) // heapArenaBytes * 8)
    return [
        offset
        for offset in range(0, size, 8)
        if look.word(arena + heapArena.bitmap + (a + offset) // 512 % (heapArenaBytes // 512) * 8) >> (a + offset) // 8 % 64 & 1
    ]
