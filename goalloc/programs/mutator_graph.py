"""Graphs on any collector.

graph    nodes of four edges in a table: edges are moved at random, and now and then a node is replaced by a new one; the old one dies only when the
         last edge to it has moved. Full of cycles
shared   threads store references into objects of their own: to objects that they share, or each to its own. Where references are counted, the counts'
         lines go from core to core
"""

from hwmem.kernels import finish, kernel
from hwmem.programs.registry import parameter
from goalloc.collectors.mutator import FIRST_DATA, global_ref, load_ref, load_word, new, pop, set_global, store_ref, store_word, top
from goalloc.programs.mutators import RANK, STEP, begin_walk, count_step, end_walk, mutator, next_mutator, place

EDGES, NUMBER = 4, FIRST_DATA + 4
TABLE = 0  # a global
MADE = 2  # a thread's register: nodes, at the beginning
REPLACE, EDGE_SHIFT, FROM_SHIFT, TO_SHIFT = 1, 1, 4, 24
REPLACED = 8  # a step in so many


def place_graph(w, space):
    n, random = w.steps, space.random
    replace = random.integers(REPLACED, size=n) == 0
    edge, a, b = random.integers(EDGES, size=n), random.integers(w.nodes, size=n), random.integers(w.nodes, size=n)
    place(w, space, replace | edge << EDGE_SHIFT | a << FROM_SHIFT | b << TO_SHIFT, shapes=((EDGES, 1), (w.nodes, 0)))


@mutator(
    "graph",
    "a graph full of cycles whose edges move and whose nodes are replaced",
    place_graph,
    nodes=parameter(2000, "nodes in the table", 1, 4000),
    steps=parameter(40_000, "moves of an edge and new nodes", 1),
)
def graph(m, w):
    while True:
        t = next_mutator(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        if global_ref(m, t, TABLE) == 0:
            if new(m, t, w.nodes, 0):
                set_global(m, t, TABLE, top(m, t, 0))
                pop(m, t, 1)
        elif r[MADE] < w.nodes:
            r[MADE] += replace_node(m, t, r[MADE], r[MADE])
        elif r[STEP] == w.steps:
            begin_walk(m, t, w)
            end_walk(m, t, w, numbers_of_graph(m, t, w))
        else:
            change(m, t, w.drawn[r[STEP]], w.nodes + r[STEP])
            count_step(m, t, w, r)


@kernel
def replace_node(m, t, i, number):
    if not new(m, t, EDGES, 1):
        return False
    store_word(m, t, top(m, t, 0), NUMBER, number)
    store_ref(m, t, global_ref(m, t, TABLE), i, top(m, t, 0))
    pop(m, t, 1)
    return True


@kernel
def change(m, t, one, number):
    i, edge = one >> FROM_SHIFT & 0xFFFFF, one >> EDGE_SHIFT & 3
    if one & REPLACE:
        x = load_ref(m, t, global_ref(m, t, TABLE), i)
        for edge in range(EDGES):
            store_ref(m, t, x, edge, 0)
        replace_node(m, t, i, number)
    else:
        table = global_ref(m, t, TABLE)
        store_ref(m, t, load_ref(m, t, table, i), edge, load_ref(m, t, table, one >> TO_SHIFT))


@kernel
def numbers_of_graph(m, t, w):
    found, table = 0, global_ref(m, t, TABLE)
    for i in range(w.nodes):
        x = load_ref(m, t, table, i)
        for edge in range(EDGES):
            y = load_ref(m, t, x, edge)
            if y:
                found += load_word(m, t, y, NUMBER)
    return found


def place_shared(w, space):
    place(w, space, space.random.integers(w.objects, size=w.stores), w.threads)


@mutator(
    "shared",
    "threads store references to objects that they share",
    place_shared,
    threads=parameter(4, "threads; thread i runs on core i", 1, 16),
    stores=parameter(2000, "stores of each thread", 1),
    objects=parameter(8, "objects that are referred to", 1, 4000),
    own=parameter(False, "whether each thread refers to objects of its own"),
)
def shared(m, w):
    while True:
        t = next_mutator(m, w)
        if t < 0:
            return
        r = m.thread[t].local
        slot = r[RANK] if w.own else 0
        if global_ref(m, t, slot) == 0:
            make_objects(m, t, w, slot)
        elif r[MADE] == 0:
            r[MADE] = new(m, t, EDGES, 27) != 0  # whose fields no other thread has on their line
        elif r[STEP] == w.steps:
            finish(m, t)
        else:
            store_ref(m, t, top(m, t, 0), r[STEP] % EDGES, load_ref(m, t, global_ref(m, t, slot), w.drawn[r[STEP]]))
            count_step(m, t, w, r)


@kernel
def make_objects(m, t, w, slot):
    """A table of objects, each on lines of its own, as the global `slot`."""
    if not new(m, t, w.objects, 8):
        return
    for i in range(w.objects):
        if new(m, t, 0, 15):
            store_ref(m, t, top(m, t, 1), i, top(m, t, 0))
            pop(m, t, 1)
    set_global(m, t, slot, top(m, t, 0))
    pop(m, t, 1)
