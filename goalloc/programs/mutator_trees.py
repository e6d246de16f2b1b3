"""Trees on any collector: binary-trees (the Computer Language Benchmarks Game's) and GCBench (Ellis, Kovac, Boehm), one kernel for both.

    a stretch tree, dropped     what is kept: a tree, and of gcbench an array        then trees of growing depth, each dropped at once

A tree is built bottom up: leaves and half-built trees wait on the shadow stack; or top down, level by level from a root (gcbench builds both ways).
A step makes one object. Smaller than the originals: depths are parameters, and counts of trees follow from them as there.
"""

import numpy as np

from hwmem.kernels import kernel
from hwmem.programs.registry import parameter
from goalloc.collectors.mutator import global_ref, load_ref, new, pop, push, set_global, set_top, store_ref, top
from goalloc.programs.mutators import begin_walk, count_step, end_walk, mutator, next_mutator, place
from goalloc import params as P

TREE, MADE, PENDING = range(2, 5)  # a thread's registers: how many trees, objects or leaves of this one, joins that are due
UP, DOWN, ARRAY = range(3)
DROPPED, LONG_LIVED, THE_ARRAY = range(3)  # where a tree goes: nowhere, or a global
SMALLEST = 4  # depth


def plan(kind, depth, goes=DROPPED):
    """A tree, or an array of `depth` words, as a number."""
    return kind | goes << 4 | depth << 8


def place_binary_trees(w, space):
    w.data = 0
    trees = [plan(UP, w.depth + 1), plan(UP, w.depth, LONG_LIVED)]
    for depth in range(SMALLEST, w.depth + 1, 2):
        trees += [plan(UP, depth)] * (1 << w.depth - depth + SMALLEST)
    place(w, space, np.array(trees), shapes=((2, w.data),))


def size(depth):
    return (1 << depth + 1) - 1


def place_gcbench(w, space):
    w.data = 2
    trees = [plan(UP, w.depth + 2), plan(DOWN, w.depth, LONG_LIVED), plan(ARRAY, 1 << w.depth, THE_ARRAY)]
    for depth in range(SMALLEST, w.depth + 1, 2):
        n = max(size(w.depth + 2) // size(depth), 1)
        trees += [plan(DOWN, depth)] * n + [plan(UP, depth)] * n
    place(w, space, np.array(trees), shapes=((2, w.data),))


def trees(m, w):
    while True:
        t = next_mutator(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if r[TREE] == w.steps:
            begin_walk(m, t, w)
            end_walk(m, t, w, nodes_below(m, t, w))
            continue
        one = w.drawn[r[TREE]]
        kind, depth = one & 15, one >> 8
        if kind == ARRAY:
            done = new(m, t, 0, depth) != 0
        else:
            done = grow_up(m, t, w, r, depth) if kind == UP else grow_down(m, t, w, r, depth)
        count_step(m, t, w, r)
        if done:
            set_global(m, t, one >> 4 & 15, top(m, t, 0) if one >> 4 & 15 else 0)
            pop(m, t, 1)
            r[MADE] = r[PENDING] = 0
            r[TREE] += 1


@kernel
def grow_up(m, t, w, r, depth):
    """A leaf, or a node above the two topmost trees; whether it is the root."""
    if not new(m, t, 2, w.data):
        return False
    if r[PENDING]:
        store_ref(m, t, top(m, t, 0), 0, top(m, t, 2))
        store_ref(m, t, top(m, t, 0), 1, top(m, t, 1))
        set_top(m, t, 2, top(m, t, 0))
        pop(m, t, 2)
        r[PENDING] -= 1
    else:
        r[MADE] += 1
        while r[PENDING] < depth and r[MADE] >> r[PENDING] & 1 == 0:
            r[PENDING] += 1
    return r[MADE] == 1 << depth and r[PENDING] == 0


@kernel
def grow_down(m, t, w, r, depth):
    """Node number MADE + 1, level by level: the bits of the number below its highest are the way to it."""
    if not new(m, t, 2, w.data):
        return False
    r[MADE] += 1
    level = 0
    while r[MADE] >> level + 1:
        level += 1
    if level > 0:
        x = top(m, t, 1)
        for bit in range(level - 1, 0, -1):
            x = load_ref(m, t, x, r[MADE] >> bit & 1)
        store_ref(m, t, x, r[MADE] & 1, top(m, t, 0))
        pop(m, t, 1)
    return r[MADE] == (2 << depth) - 1


@kernel
def nodes_below(m, t, w):
    """How many nodes the tree has that is kept, in depth-first order."""
    n, base = 0, m.thread[t].guest[P.STACK_TOP]
    push(m, t, global_ref(m, t, LONG_LIVED))
    while m.thread[t].guest[P.STACK_TOP] > base:
        x = top(m, t, 0)
        pop(m, t, 1)
        n += 1
        for side in (1, 0):
            y = load_ref(m, t, x, side)
            if y:
                push(m, t, y)
    return n


DEPTH = parameter(10, "levels below the root of the tree that is kept", SMALLEST, 12)
mutator("binary-trees", "trees of growing depth beside one that is kept", place_binary_trees, depth=DEPTH)(trees)
mutator("gcbench", "Boehm's GCBench: trees built bottom up and top down beside a tree and an array", place_gcbench, depth=DEPTH)(trees)
