"""Programs that stress the collector: main makes what is expensive to mark, or makes it faster than it can be marked.

    recursive-trees     complete binary trees, built from the leaves up: many short lives of small objects beside one that stays
    allocation-burst    a list that is kept, and then a slice of objects, as fast as main can: assists decide
    pointer-arrays      arrays of pointers of any length: long ones are scanned in oblets, by whoever is free
    map-churn           maps that grow and are dropped: buckets have no pointers, so overflow buckets are kept alive by a slice

They begin as a small Go process does (process.py); a step is one allocation, one assignment, or one turn of a call that waits.
"""

from hwmem._jit import call_door
from hwmem.kernels import kernel, load64, store64
from hwmem.programs.registry import parameter
from goalloc import params as P
from goalloc.heap.stack import CALL, HI, SP
from goalloc.kernels import DONE, gc, mallocgc, write_pointer
from goalloc.layout import DECLARED, pointer_words
from goalloc.programs.collected import CHURN, COLLECT, FILL, NOSCAN, SIZE, draw, end_main, fill_slot, make_slots, place, read_steady
from goalloc.programs.goroutines import MAIN, go_on, next_goroutine, variable, where
from goalloc.programs.process import BACKGROUND, OVERLAPPED
from goalloc.programs.registry import workload
from goalloc.programs.start import GOMAXPROCS
from goalloc.types import Type, array, pointer, struct
from goalloc.values.map import makemap, mapassign

TREE = struct("tree node", left=pointer, right=pointer)
LEFT, RIGHT, TREE_SIZE = TREE.offsets["left"], TREE.offsets["right"], TREE.size
KEPT = 1  # main's variable: the tree that is kept
BUILDER = 56  # bytes of the stack that a call of the function takes which builds trees, as Go compiles it
LEFT_BUILT, RIGHT_BUILT = 16, 24  # where in it the subtrees are
HEAD, LAST = 1, 2  # main's variables: the list
HMAP = Type("hmap", DECLARED["hmap"].size, 8, pointer_words("hmap"))
HMAP_SIZE, KEY_BITS = HMAP.size, (1 << 40) - 1
DROP = 8  # a place in a program, beside those of collected.py


# recursive-trees


def place_recursion(w, space):
    place(w, space)
    w.tree, w.level, w.leaf, w.depth, w.left, w.used = space.runtime.type_address(TREE), 0, 0, w.kept, 1, 0


@kernel
def build_node(m, t, w, gp):
    """The call at height `level` returns a leaf, or the node above its two subtrees: if the tree is complete, its address, else 0."""
    store64(m, t, gp + SP, load64(m, t, gp + HI) - w.used - BUILDER * (w.depth - w.level + 1))
    x = mallocgc(m, t, TREE_SIZE, w.tree)
    if x == 0:
        return 0
    w.done += 1
    frame = load64(m, t, gp + SP)
    if w.level:
        write_pointer(m, t, x + LEFT, load64(m, t, frame + LEFT_BUILT))
        write_pointer(m, t, x + RIGHT, load64(m, t, frame + RIGHT_BUILT))
        store64(m, t, frame + LEFT_BUILT, 0)  # dead from here on, as a stack map would say
        store64(m, t, frame + RIGHT_BUILT, 0)
    if w.level == w.depth:
        w.level = w.leaf = 0
        return x
    if w.leaf >> w.level & 1:
        store64(m, t, frame + BUILDER + RIGHT_BUILT, x)
        w.level += 1
    else:
        store64(m, t, frame + BUILDER + LEFT_BUILT, x)
        w.leaf, w.level = w.leaf + 1, 0
    return 0


@kernel
def next_tree(w, depth):
    """A tree is done; whether there is another, which after the last of its depth has `depth` levels: so many that all have as many leaves."""
    w.left -= 1
    if w.left == 0:
        w.depth = depth
        if depth <= w.deepest:
            w.left = 1 << w.deepest - depth + w.least
    return w.left > 0


@workload(
    "recursive-trees",
    "main builds a tree that it keeps, then trees of several depths, from the leaves up, each in place of the last in a global",
    setup=place_recursion,
    values=read_steady,
    operation="node",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    kept=parameter(12, "levels above the leaves of the tree that is kept", 0, 22),
    least=parameter(4, "levels of the smallest trees that are dropped", 0, 22),
    step=parameter(4, "levels more from one size of tree to the next", 1, 22),
    deepest=parameter(12, "levels of a tree at most", 0, 22),
    background=BACKGROUND,
)
def recursive_trees(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        step = where(m, t, gp)
        if step == MAIN:
            w.used = load64(m, t, gp + HI) - load64(m, t, gp + SP)
            call_door(m, P.DOOR_STACK, t, CALL, gp, BUILDER * (max(w.kept, w.deepest) + 1))  # as deep as it gets
            go_on(m, t, gp, FILL)
            continue
        if step == COLLECT:
            end_main(m, t, w)
            continue
        x = build_node(m, t, w, gp)
        if x == 0:
            continue
        if step == FILL:
            store64(m, t, variable(m, t, gp, KEPT), x)
            go_on(m, t, gp, DROP)
        else:
            write_pointer(m, t, w.root, x)
        if not next_tree(w, w.least if step == FILL else w.depth + w.step):
            go_on(m, t, gp, COLLECT)


# allocation-burst


def place_burst(w, space):
    place(w, space)
    w.tree, w.filled = space.runtime.type_address(TREE), 0


@kernel
def append_node(m, t, w, gp):
    """Another node after the list's last; its first and last are main's variables."""
    x = mallocgc(m, t, TREE_SIZE, w.tree)
    if x:
        last = load64(m, t, variable(m, t, gp, LAST))
        if last:
            write_pointer(m, t, last + RIGHT, x)
        else:
            store64(m, t, variable(m, t, gp, HEAD), x)
        store64(m, t, variable(m, t, gp, LAST), x)
        w.done += 1


@workload(
    "allocation-burst",
    "main builds a list, calls runtime.GC(), and fills a slice with objects, keeping all",
    setup=place_burst,
    values=read_steady,
    operation="object",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    nodes=parameter(400_000, "nodes of 16 bytes of the list"),
    burst=parameter(100_000, "objects then"),
    size=SIZE,
    noscan=NOSCAN,
    background=BACKGROUND,
)
def allocation_burst(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        step = where(m, t, gp)
        if step == MAIN:
            append_node(m, t, w, gp)
            if w.done == w.nodes:
                go_on(m, t, gp, COLLECT)
        elif step == COLLECT:
            if gc(m, t) == DONE:
                go_on(m, t, gp, FILL)
        elif step == FILL:
            make_slots(m, t, w, w.burst)
            go_on(m, t, gp, CHURN)
        elif w.filled < w.burst:
            fill_slot(m, t, w, w.filled)
            w.filled = w.done - w.nodes
        else:
            end_main(m, t, w)


# pointer-arrays


def place_arrays(w, space):
    w.size, w.noscan = 8 * w.width, False
    place(w, space)
    w.typ = space.runtime.type_address(array(pointer, w.width))


@workload(
    "pointer-arrays",
    "main replaces arrays of pointers, each of which points to others",
    setup=place_arrays,
    values=read_steady,
    operation="array",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    arrays=parameter(32, "arrays that live"),
    width=parameter(32_768, "pointers of an array", 1, 1 << 24),
    churn=parameter(200, "arrays that each replace a random one", 0),
    links=parameter(4, "pointers to other arrays that each has", 0, 64),
    background=BACKGROUND,
)
def pointer_arrays(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        if where(m, t, gp) == MAIN:
            make_slots(m, t, w, w.arrays)
            go_on(m, t, gp, CHURN)
        elif w.done < w.arrays + w.churn:
            i, before = w.done if w.done < w.arrays else draw(w) % w.arrays, w.done
            fill_slot(m, t, w, i)
            if w.done > before:
                link(m, t, w, load64(m, t, load64(m, t, w.root) + 8 * i))
        else:
            end_main(m, t, w)


@kernel
def link(m, t, w, x):
    """Random words of the array at `x` point to others."""
    for _ in range(w.links):
        other = load64(m, t, load64(m, t, w.root) + 8 * (draw(w) % w.arrays))
        write_pointer(m, t, x + 8 * (draw(w) % w.width), other)


# map-churn


def place_maps(w, space):
    place(w, space)
    w.hmap, w.maptype, w.entries = space.runtime.type_address(HMAP), space.runtime.maptype(), w.keys


@workload(
    "map-churn",
    "main fills maps from integers to integers, one after another, and keeps the last ones",
    setup=place_maps,
    values=read_steady,
    operation="assignment",
    machine=OVERLAPPED,
    gomaxprocs=GOMAXPROCS,
    maps=parameter(4, "maps that live"),
    keys=parameter(20_000, "random keys of each", 1, 1 << 24),
    made=parameter(12, "maps in all"),
    background=BACKGROUND,
)
def map_churn(m, w):
    while True:
        t, gp = next_goroutine(m, w)
        if t < 0:
            return
        if where(m, t, gp) == MAIN:
            make_slots(m, t, w, w.maps)
            go_on(m, t, gp, CHURN)
        elif w.done == w.keys * w.made:
            end_main(m, t, w)
        else:
            assign_next(m, t, w)


@kernel
def assign_next(m, t, w):
    """A random key of the map that is being filled; a full one is followed by a new one, in the slot of the oldest."""
    slot = load64(m, t, w.root) + 8 * (w.done // w.keys % w.maps)
    if w.done % w.keys == 0 and w.entries == w.keys:
        h = mallocgc(m, t, HMAP_SIZE, w.hmap)
        if h == 0:
            return
        write_pointer(m, t, slot, h)
        makemap(m, t, h)
        w.entries = 0
    value = mapassign(m, t, w.maptype, load64(m, t, slot), draw(w) & KEY_BITS)
    if value:
        store64(m, t, value, w.done)
        w.done += 1
        w.entries += 1
