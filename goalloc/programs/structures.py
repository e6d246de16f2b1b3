"""Linked structures, slices and strings: what programs build, an allocation a step.

    linked-list     nodes of a list a P, pushed at the front and then walked
    binary-trees    a tree a P, built level by level
    slices          append one element at a time, from empty, again and again
    maps            m[key] = value, with random keys
    strings         s += "x": each string is a new one, with the old one's bytes copied
"""
import numpy as np

from hwmem.kernels import finish, kernel, load64, store64
from hwmem.programs.registry import parameter
from goalloc.kernels import concatstrings, growslice, mallocgc, read_pointer, write_pointer
from goalloc.values.map import mapassign
from goalloc.programs.start import COUNT, GOMAXPROCS, RANK, count_step, next_m, outcome, start
from goalloc.types import int64, pointer, struct
from goalloc.programs.registry import workload

HEAD, LENGTH, CAPACITY, SUM = range(2, 6)                       # a thread's registers
NODE = struct("node", left=pointer, right=pointer, key=int64)
LEFT, RIGHT, KEY = NODE.offsets["left"], NODE.offsets["right"], NODE.offsets["key"]
NODE_SIZE, WORD = NODE.size, 8


def place_nodes(w, space):
    rt = start(w, space)
    w.node = rt.type_address(NODE)
    w.roots = rt.globals(w.gomaxprocs)
    space.symbol("roots", w.roots, 8 * w.gomaxprocs)


def read_list(w, space):
    heads = [space.load(w.roots + 8 * i) for i in range(w.gomaxprocs)]
    return outcome(w, space, w.gomaxprocs * w.nodes) | {"sum": w.sum, "lists": sum(head != 0 for head in heads)}


def place_list(w, space):
    place_nodes(w, space)
    w.sum = 0


@workload("linked-list", "every P pushes nodes to a list of its own, then walks it", setup=place_list, values=read_list, operation="node",
          scale="gomaxprocs", gomaxprocs=GOMAXPROCS, nodes=parameter(10_000, "nodes of each list"))
def linked_list(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[COUNT] < w.nodes:
            push_node(m, t, w, r)
        elif r[HEAD] == 0:
            w.sum += r[SUM]
            finish(m, t)
        else:
            r[SUM] += load64(m, t, r[HEAD] + KEY)
            r[HEAD] = read_pointer(m, t, r[HEAD] + LEFT)


@kernel
def push_node(m, t, w, r):
    x = mallocgc(m, t, NODE_SIZE, w.node)
    if x == 0:
        return
    write_pointer(m, t, x + LEFT, r[HEAD])
    store64(m, t, x + KEY, r[COUNT])
    write_pointer(m, t, w.roots + 8 * r[RANK], x)
    r[HEAD] = x
    r[COUNT] += 1


def read_tree(w, space):
    return outcome(w, space, w.gomaxprocs * ((1 << w.depth) - 1))


@workload("binary-trees", "every P builds a complete binary tree, top down", setup=place_nodes, values=read_tree, operation="node",
          scale="gomaxprocs", gomaxprocs=GOMAXPROCS, depth=parameter(12, "levels of each tree", 1, 24))
def binary_trees(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if not add_leaf(m, t, w, r) or r[COUNT] == (1 << w.depth) - 1:
            finish(m, t)


@kernel
def add_leaf(m, t, w, r):
    """Node number COUNT + 1 of a complete tree: the bits of the number below its highest are the way to it."""
    x = mallocgc(m, t, NODE_SIZE, w.node)
    if x == 0:
        return False
    r[COUNT] += 1
    store64(m, t, x + KEY, r[COUNT])
    slot, level = w.roots + 8 * r[RANK], 0
    while r[COUNT] >> level + 1:
        level += 1
    for bit in range(level - 1, -1, -1):
        slot = read_pointer(m, t, slot) + (RIGHT if r[COUNT] >> bit & 1 else LEFT)
    write_pointer(m, t, slot, x)
    return True


def place_only(w, space):
    start(w, space)


def read_appends(w, space):
    return outcome(w, space, w.gomaxprocs * w.elements * w.slices)


@workload("slices", "every P appends elements to a slice, one by one, and begins again", setup=place_only, values=read_appends,
          operation="append", scale="gomaxprocs", gomaxprocs=GOMAXPROCS, elements=parameter(1_000, "elements of a slice"),
          slices=parameter(10, "slices that each P fills"))
def slices(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[LENGTH] == r[CAPACITY]:
            r[HEAD], r[CAPACITY] = growslice(m, t, (r[HEAD], r[LENGTH], r[CAPACITY]), r[LENGTH] + 1, WORD, 0)
            if r[HEAD] == 0:
                continue
        store64(m, t, r[HEAD] + r[LENGTH] * WORD, r[LENGTH])
        r[LENGTH] += 1
        if r[LENGTH] == w.elements:
            r[HEAD] = r[LENGTH] = r[CAPACITY] = 0
            count_step(m, t, w.slices)


def place_maps(w, space):
    rt = start(w, space)
    w.maps = np.array([rt.make_map(core=i).address for i in range(w.gomaxprocs)] + [0])
    w.maptype = rt.maptype()
    w.drawn = space.random.permutation(w.keys)


def read_maps(w, space):
    held = [space.load(h) for h in w.maps[:-1].tolist()]
    return outcome(w, space, w.gomaxprocs * w.keys) | {"held": sum(held)}


@workload("maps", "every P fills a map of its own, from integers to integers, which grows", setup=place_maps, values=read_maps,
          operation="assignment", scale="gomaxprocs", gomaxprocs=GOMAXPROCS,
          keys=parameter(2_000, "keys of each map, in random order", 2, 1 << 22))
def maps(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        value = mapassign(m, t, w.maptype, w.maps[r[RANK]], w.drawn[r[COUNT]])
        if value == 0:
            continue
        store64(m, t, value, r[COUNT])
        count_step(m, t, w.keys)


def place_letter(w, space):
    start(w, space)
    w.letter = space.map("x", 64, element=1)


def read_strings(w, space):
    return outcome(w, space, w.gomaxprocs * w.length)


@workload("strings", "every P adds a byte to a string, again and again", setup=place_letter, values=read_strings,
          operation="concatenation", scale="gomaxprocs", gomaxprocs=GOMAXPROCS, length=parameter(500, "bytes of the last string"))
def strings(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        x = concatstrings(m, t, r[HEAD], r[LENGTH], w.letter, 1)
        if x == 0:
            continue
        r[HEAD] = x
        r[LENGTH] += 1
        count_step(m, t, w.length)
