"""Shadow reachability: a random mutator runs on an emulated heap and on a plain model of the graph, and at every collection both must agree.

    random_script(rng, n)     rows for collectors/script.py          hold(heap, rows)     runs them on both

The model: a list of slots and a dict of objects, {id: Node(refs, data words)}; an object's id is in its first word of data. `hold` compares at every
collection (and at the end): the graphs from the roots are the same, object by object and reference by reference, whatever their addresses are; each object
has its id, and its other words are what they were; nothing that lives is outside; and what does not live is gone.

A heap may turn out to be too small: then what the collector had to keep must leave no room indeed, and the same script runs on one of twice the size.

Run as a script: 1,000 random mutators for each collector, `python -m tests.goalloc.shadow [MUTATORS [COLLECTOR ...]]`.
"""

import re
import sys

import numpy as np

from goalloc.collectors.heap import Heap
from goalloc.collectors.kinds import COLLECTORS
from goalloc.errors import FatalError
from goalloc.collectors.script import CLEAR, COLLECT, DROP, LOAD, NEW, POP, SET, STORE, script

SLOTS, LARGEST = 32, 8


class Model:
    """The graph as Python has it. `slots`: ids or None; `nodes`: {id: list of ids or None}, with those that are unreachable."""

    def __init__(self):
        self.slots, self.nodes, self.next = [], {}, 1

    def apply(self, row):
        operation, a, b, c = (int(v) for v in row)
        if operation == NEW:
            self.nodes[c] = [None] * a
            self.slots.append(c)
        elif operation == LOAD:
            self.slots.append(self.nodes[self.slots[a]][b])
        elif operation == STORE:
            self.nodes[self.slots[a]][b] = self.slots[c]
        elif operation == CLEAR:
            self.nodes[self.slots[a]][b] = None
        elif operation == SET:
            self.slots[a] = self.slots[b]
        elif operation == DROP:
            self.slots[a] = None
        elif operation == POP:
            del self.slots[len(self.slots) - a :]

    def counted(self):
        """The ids that counting references alone would not free: one after another loses its last."""
        counts = dict.fromkeys(self.nodes, 0)
        for x in [*self.slots, *(y for refs in self.nodes.values() for y in refs)]:
            if x is not None:
                counts[x] += 1
        free = [x for x, n in counts.items() if n == 0]
        while free:
            for y in self.nodes[free.pop()]:
                if y is not None:
                    counts[y] -= 1
                    if counts[y] == 0:
                        free.append(y)
        return {x for x, n in counts.items() if n > 0}


def random_script(rng, n, collects=0.01):
    """`n` rows that no mutator can fail at, and that leave few enough objects alive for a small heap."""
    model, rows = Model(), []
    for i in range(1, n + 1):
        full = [k for k, x in enumerate(model.slots) if x and model.nodes[x]]
        draw = rng.random()
        if len(model.slots) >= SLOTS:
            row = (POP, int(rng.integers(1, 4)))
        elif draw < collects:
            row = (COLLECT,)
        elif draw < 0.3 or not full:
            row = (NEW, int(rng.integers(0, LARGEST)), int(rng.integers(1, LARGEST)), i)
        elif draw < 0.4:
            k = int(rng.choice(full))
            row = (LOAD, k, int(rng.integers(len(model.nodes[model.slots[k]]))))
        elif draw < 0.93:
            k = int(rng.choice(full))
            row = (STORE, k, int(rng.integers(len(model.nodes[model.slots[k]]))), int(rng.integers(len(model.slots))))
        elif draw < 0.95:
            k = int(rng.choice(full))
            row = (CLEAR, k, int(rng.integers(len(model.nodes[model.slots[k]]))))
        elif draw < 0.99:
            row = (SET, int(rng.integers(len(model.slots))), int(rng.integers(len(model.slots))))
        else:
            row = (DROP, int(rng.integers(len(model.slots))))
        rows.append(row)
        model.apply([*row, 0, 0, 0][:4])
        empty = [(k, j) for k in full for j, y in enumerate(model.nodes[model.slots[k]]) if y is None] if row[0] == NEW else []
        if empty:  # most new objects are kept somewhere
            rows.append((STORE, *(int(v) for v in empty[rng.integers(len(empty))]), len(model.slots) - 1))
            model.apply(rows[-1])
    return script(rows)


def same_graph(heap, model):
    """The emulated graph is the model's; {id: address} of what is reachable."""
    objects, at = heap.objects(), {}
    todo = list(zip(heap.stack(), model.slots, strict=True))
    while todo:
        address, x = todo.pop()
        assert (address == 0) == (x is None), (address, x)
        if x is None or at.get(x) == address:
            continue
        assert x not in at, f"object {x} is at {at[x]:#x} and at {address:#x}"
        at[x] = address
        refs, data = objects[address]
        assert data[0] == x and not any(data[1:]) and len(refs) == len(model.nodes[x])
        todo += zip(refs, model.nodes[x], strict=True)
    assert len(set(at.values())) == len(at)
    return at, objects


def check_heap(heap, model):
    """After a whole collection: the same graph, and nothing else; of collectors that only count, nothing but what cycles hold."""
    at, objects = same_graph(heap, model)
    counts = heap.statistics()
    living = set(at) if heap.kind.cycles else model.counted()
    assert sorted(data[0] for _, data in objects.values()) == sorted(living), "what is not reachable is gone"
    assert counts["objects"] - counts["freed"] == len(living)


def hold(heap, rows, check=check_heap):
    """Run a script on both; compare at every collection, and after one at the end. How often it was compared."""
    model, row, compared = Model(), 0, 0
    while row < len(rows):
        before = heap.statistics()["collections"]
        try:
            after = heap.run(rows, row, True)
        except FatalError as error:
            is_exhausted(heap, model, rows[row:], str(error))
            raise
        for r in rows[row:after]:
            model.apply(r)
        last, row = rows[after - 1], after
        if heap.statistics()["collections"] != before:
            compared += 1
            if last[0] == COLLECT:
                check(heap, model)
            else:
                same_graph(heap, model)  # the object whose allocation collected is new, and so is what was dropped since
    heap.run(script([(COLLECT,)]))
    check(heap, model)
    return compared + 1


def is_exhausted(heap, model, rows, words):
    """A fatal error says so: after a collection the graph is the model's, nothing dead is left, and there is no room for the next object."""
    wanted = int(re.search(r"heap exhausted: no (\d+) bytes free", words)[1])
    made = heap.statistics()["objects"]
    for row in rows:
        if row[0] == NEW and len(model.nodes) == made:
            break
        model.apply(row)
    check_heap(heap, model)
    prefix = 8 * heap.kind.prefix
    used = sum(8 * (1 + len(refs) + len(data)) + prefix for refs, data in heap.objects().values())
    if heap.kind.nursery:
        assert used + 2 * wanted + 16 > heap.size  # half of what is free is for copies
    elif heap.kind.free_lists:
        assert used + wanted > heap.size / 2  # the free blocks are small ones
    else:
        assert used + wanted + prefix + 8 > (heap.size / 2 if heap.kind.halves else heap.size)


def hold_in_a_heap(machine, name, size, rows):
    """`hold`, in a heap of `size` bytes or the next that is large enough. (How often it was compared, how many were too small.)"""
    small = 0
    while True:
        process = machine.spawn()
        try:
            return hold(Heap(process, name, size << small), rows), small
        except FatalError:
            small += 1
        finally:
            process.exit()


def main(mutators=1000, *names):
    from hwmem.machine.machine import Machine

    machine = Machine()
    for name in names or COLLECTORS:
        compared = small = 0
        for seed in range(mutators):
            rng = np.random.default_rng((seed, COLLECTORS[name].door))
            found = hold_in_a_heap(machine, name, int(rng.integers(9, 14)) << 10, random_script(rng, 600))
            compared, small = compared + found[0], small + found[1]
        print(
            f"{name}: {mutators:,} random mutators, the graphs were equal at {compared:,} collections; {small} heaps were too small",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
