"""Linked structures, slices and strings: what programs build, an allocation a step.

linked-list     nodes of a list a P, pushed at the front, then garbage, then the list is walked
binary-trees    a tree a P that is kept, then trees, each built level by level in place of the one before
slices          append one element at a time, from empty, again and again
maps            m[key] = value, with random keys
strings         s += "x": each string is a new one, with the old one's bytes copied
"""

import numpy as np

from hwmem.kernels import finish, kernel, load64, store64
from hwmem.params import MAX_CORES
from hwmem.programs.registry import parameter
from goalloc.kernels import concatstrings, growslice, mallocgc, read_pointer, write_pointer
from goalloc.values.map import mapassign
from goalloc.programs.process import BACKGROUND, start_collected
from goalloc.programs.start import COUNT, GOMAXPROCS, RANK, count_step, next_m, outcome, start
from goalloc.types import int64, pointer, struct
from goalloc.programs.registry import workload

HEAD, LENGTH, CAPACITY, SUM, TREE = range(2, 7)  # a thread's registers; LENGTH: of a list, its garbage
NODE = struct("node", left=pointer, right=pointer, key=int64)
LEFT, RIGHT, KEY = NODE.offsets["left"], NODE.offsets["right"], NODE.offsets["key"]
NODE_SIZE, WORD = NODE.size, 8
LIST_NODE = struct("list node", next=pointer, value=int64)
NEXT, VALUE, LIST_NODE_SIZE, GARBAGE_SIZE = LIST_NODE.offsets["next"], LIST_NODE.offsets["value"], LIST_NODE.size, 1024


def place_nodes(w, space, node=NODE, roots=2):
    """`roots`: of each P, global pointers."""
    rt = start_collected(w, space)
    w.node = rt.type_address(node)
    w.roots = rt.globals(roots * w.gomaxprocs)
    space.symbol("roots", w.roots, 8 * roots * w.gomaxprocs)


def read_list(w, space):
    heads = [space.load(w.roots + 8 * i) for i in range(w.gomaxprocs)]
    return outcome(w, space, w.gomaxprocs * w.nodes) | {"sum": w.sum, "lists": sum(head != 0 for head in heads)}


def place_list(w, space):
    place_nodes(w, space, LIST_NODE, 1)
    w.sum = 0


@workload(
    "linked-list",
    "every P pushes nodes to a list of its own, makes garbage, then walks the list",
    setup=place_list,
    values=read_list,
    operation="node",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    nodes=parameter(10_000, "nodes of 16 bytes of each list"),
    garbage=parameter(0, "objects of 1 KiB that each P then drops", 0),
    background=BACKGROUND,
)
def linked_list(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[COUNT] < w.nodes:
            push_node(m, t, w, r)
        elif r[LENGTH] < w.garbage:
            r[LENGTH] += mallocgc(m, t, GARBAGE_SIZE, 0) != 0
        elif r[HEAD] == 0:
            w.sum += r[SUM]
            finish(m, t)
        else:
            r[SUM] += load64(m, t, r[HEAD] + VALUE)
            r[HEAD] = read_pointer(m, t, r[HEAD] + NEXT)


@kernel
def push_node(m, t, w, r):
    x = mallocgc(m, t, LIST_NODE_SIZE, w.node)
    if x == 0:
        return
    write_pointer(m, t, x + NEXT, r[HEAD])
    store64(m, t, x + VALUE, r[COUNT])
    write_pointer(m, t, w.roots + 8 * r[RANK], x)
    r[HEAD] = x
    r[COUNT] += 1


def place_trees(w, space):
    place_nodes(w, space)


def read_tree(w, space):
    return outcome(w, space, w.gomaxprocs * ((1 << w.kept) - 1 + w.trees * ((1 << w.depth) - 1)))


@workload(
    "binary-trees",
    "every P builds complete binary trees, top down: one that it keeps, then one after another",
    setup=place_trees,
    values=read_tree,
    operation="node",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    depth=parameter(12, "levels of each tree", 1, 24),
    kept=parameter(0, "levels of the tree that is built first and kept", 0, 24),
    trees=parameter(1, "trees, each in place of the one before"),
    background=BACKGROUND,
)
def binary_trees(m, w):
    while True:
        t = next_m(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[TREE] == 0 and w.kept == 0:
            r[TREE] = 1  # there is none to keep
        if not add_leaf(m, t, w, r):
            finish(m, t)
        elif r[COUNT] == (1 << (w.depth if r[TREE] else w.kept)) - 1:
            r[TREE] += 1
            r[COUNT] = 0
            if r[TREE] > w.trees:
                finish(m, t)


@kernel
def add_leaf(m, t, w, r):
    """Node number COUNT + 1 of a complete tree: the bits of the number below its highest are the way to it."""
    x = mallocgc(m, t, NODE_SIZE, w.node)
    if x == 0:
        return False
    r[COUNT] += 1
    store64(m, t, x + KEY, r[COUNT])
    slot, level = w.roots + 8 * (2 * r[RANK] + (r[TREE] > 0)), 0
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


@workload(
    "slices",
    "every P appends elements to a slice, one by one, and begins again",
    setup=place_only,
    values=read_appends,
    operation="append",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    elements=parameter(1_000, "elements of a slice"),
    slices=parameter(10, "slices that each P fills"),
)
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
    w.maps = np.zeros(MAX_CORES, np.int64)
    w.maps[: w.gomaxprocs] = [rt.make_map(core=i).address for i in range(w.gomaxprocs)]
    w.maptype = rt.maptype()
    w.drawn = space.random.permutation(w.keys)


def read_maps(w, space):
    held = [space.load(h) for h in w.maps[: w.gomaxprocs].tolist()]
    return outcome(w, space, w.gomaxprocs * w.keys) | {"held": sum(held)}


@workload(
    "maps",
    "every P fills a map of its own, from integers to integers, which grows",
    setup=place_maps,
    values=read_maps,
    operation="assignment",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    keys=parameter(2_000, "keys of each map, in random order", 2, 1 << 22),
)
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


@workload(
    "strings",
    "every P adds a byte to a string, again and again",
    setup=place_letter,
    values=read_strings,
    operation="concatenation",
    scale="gomaxprocs",
    gomaxprocs=GOMAXPROCS,
    length=parameter(500, "bytes of the last string"),
)
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
