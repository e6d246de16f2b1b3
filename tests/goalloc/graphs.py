"""Random programs for live/collect/main.go, and the same program on ours: what is left after each collection, which finalizers ran."""

import goalloc
from hwmem import MachineConfig

NEW, LINK, ROOT, FINALIZER, COLLECT = range(5)
KINDS = (
    goalloc.array(goalloc.pointer, 2),
    goalloc.struct("finalized", a=goalloc.pointer, b=goalloc.pointer, tag=goalloc.int64),
    goalloc.array(goalloc.pointer, 8),
    goalloc.array(goalloc.pointer, 100),
    goalloc.array(goalloc.pointer, 6000),
    goalloc.array(goalloc.uint8, 48),
    goalloc.array(goalloc.uint8, 5000),
    goalloc.array(goalloc.uint8, 100_000),
)
POINTERS = (2, 2, 8, 100, 6000, 0, 0, 0)
OFTEN = (6, 4, 4, 1, 0.1, 4, 1, 0.1)
FINALIZED, ROOTS = 1, 64


def make(rng):
    """Operations, as tuples: (NEW, object, kind), (LINK, object, slot, object or -1), (ROOT, k, object or -1), (FINALIZER, object), (COLLECT,). An
    object is only named while variables lead to it, so that no pointer is to what has been freed."""
    ops, kinds, fields, roots = [], {}, {}, {}
    for i in range(rng.randrange(200, 2000)):
        live = sorted(reachable(fields, roots))
        choice = rng.random()
        if choice < 0.5 or not live:
            kind = rng.choices(range(len(KINDS)), OFTEN)[0]
            kinds[i], fields[i] = kind, {}
            ops.append((NEW, i, kind))
            if kind == FINALIZED and rng.random() < 0.4:
                ops.append((FINALIZER, i))
            owners = [x for x in live if POINTERS[kinds[x]]]
            if owners and rng.random() < 0.6:
                link(rng, ops, kinds, fields, rng.choice(owners), i)
            elif rng.random() < 0.8:
                roots[k := rng.randrange(ROOTS)] = i
                ops.append((ROOT, k, i))
        elif choice < 0.85:
            owners = [x for x in live if POINTERS[kinds[x]]]
            if owners:
                link(rng, ops, kinds, fields, rng.choice(owners), rng.choice([*live, -1]))
        elif choice < 0.97:
            k = rng.randrange(ROOTS)
            roots.pop(k, None)
            ops.append((ROOT, k, -1))
        else:
            ops.append((COLLECT,))
    return [*ops, (COLLECT,), (COLLECT,)]


def link(rng, ops, kinds, fields, x, y):
    slot = rng.randrange(POINTERS[kinds[x]])
    fields[x][slot] = y
    ops.append((LINK, x, slot, y))


def reachable(fields, roots):
    seen, todo = set(), list(roots.values())
    while todo:
        x = todo.pop()
        if x not in seen and x >= 0:
            seen.add(x)
            todo += fields[x].values()
    return seen


def ours(ops):
    """What live/collect/main.go prints, of ours: finalizers sorted."""
    rt = goalloc.Runtime(config=MachineConfig().replace(cores=1), gomaxprocs=1, gogc="off")
    roots, address, ran, told = rt.globals(ROOTS), {}, [], []
    rt.set_finalizer(rt.new(KINDS[FINALIZED]), lambda x: None)
    for _ in range(4):  # what the runtime makes once, as there; the scavenger sleeps first in the third
        rt.gc()
    before = rt.memstats()
    for operation, *a in ops:
        if operation == NEW:
            address[a[0]] = rt.new(KINDS[a[1]])
        elif operation == LINK:
            rt.write_pointer(address[a[0]] + 8 * a[1], address[a[2]] if a[2] >= 0 else 0)
        elif operation == ROOT:
            rt.write_pointer(roots + 8 * a[0], address[a[1]] if a[1] >= 0 else 0)
        elif operation == FINALIZER:
            rt.set_finalizer(address[a[0]], lambda x, tag=a[0]: ran.append(tag))
        else:
            rt.gc()
            now = rt.memstats()
            told.append([now[name] - before[name] for name in ("Mallocs", "Frees", "HeapObjects", "NumGC")] + [sorted(ran)])
            ran.clear()
    rt.process.exit()
    return told


def theirs(text):
    """The numbers that live/collect/main.go has printed, likewise."""
    words, told = list(map(int, text.split())), []
    while words:
        n = words[4]
        told.append([*words[:4], sorted(words[5 : 5 + n])])
        words = words[5 + n :]
    return told
