"""Why an object lives, and what would go with it: against a plain model of the same graph."""

import random
from collections import deque

import pytest

import goalloc
from goalloc.observe.dominators import dominators, retained
from goalloc.types import int64, pointer, struct

NODE = struct("node", a=pointer, b=pointer, c=pointer, key=int64)
LEAF = struct("leaf", next=pointer, key=int64)


def reach(successors, start=0, without=None):
    """Nodes that can be reached from `start` if `without` is not there: a plain search."""
    seen, todo = {start} - {without}, [start] if start != without else []
    while todo:
        for w in successors[todo.pop()]:
            if w not in seen and w != without:
                seen.add(w)
                todo.append(w)
    return seen


def random_graph(rng):
    n = rng.randrange(1, 14)
    return [[rng.randrange(n) for _ in range(rng.choice((0, 1, 1, 2, 3)))] for _ in range(n)]


def test_what_a_node_retains_is_what_cannot_be_reached_without_it(seed):
    rng = random.Random(seed)
    for _ in range(500):
        graph = random_graph(rng)
        sizes = [rng.randrange(100) for _ in graph]
        order, _, nbytes, nodes = retained(graph, sizes)
        everything = reach(graph)
        assert set(order) == everything and len(order) == len(everything)
        for v, n, count in zip(order, nbytes, nodes):
            lost = everything - reach(graph, without=v)
            assert (n, count) == (sum(sizes[w] for w in lost), len(lost)), graph


def test_dominators_of_a_long_list_that_goes_both_ways():
    n = 20_000
    order, idom = dominators([[1], *([i - 1, i + 1] if i < n - 1 else [i - 1] for i in range(1, n))])
    assert order == list(range(n)) and idom[1:] == list(range(n - 1))


@pytest.fixture(scope="module")
def rt(machine):
    rt = goalloc.Runtime(machine=machine, gomaxprocs=1, godebug="memprofilerate=1")
    yield rt
    rt.process.exit()


def test_random_heaps_are_as_a_plain_model_has_them(rt, seed):
    rng = random.Random(seed)
    for _ in range(3):
        n, roots = 60, rt.globals(3, "random")
        x = rt.malloc_many([NODE.size] * n, type=NODE).tolist()
        edges = {v: [] for v in range(n)}
        for v in range(n):
            for slot in rng.sample(range(3), rng.choice((0, 1, 1, 2))):
                to = rng.randrange(n)
                rt.write_pointer(x[v] + 8 * slot, x[to] + rng.choice((0, 0, 8)))
                edges[v].append(to)
        firsts = [rng.randrange(n) for _ in range(3)]
        for i, v in enumerate(firsts):
            rt.write_pointer(roots + 8 * i, x[v])
        distance, todo = dict.fromkeys(firsts, 1), deque(firsts)
        while todo:
            v = todo.popleft()
            for w in edges[v]:
                if w not in distance:
                    distance[w] = distance[v] + 1
                    todo.append(w)
        for v in rng.sample(range(n), 12):
            path = rt.why_live(x[v])
            assert (path and len(path.steps)) == distance.get(v)
            if path:
                assert path.root == "global" and path.name.startswith("random[")
                way = [x.index(step.address) for step in path.steps]
                assert way[-1] == v and way[0] in firsts and all(b in edges[a] for a, b in zip(way, way[1:]))
                assert all("abc".index(step.field[0]) < 3 for step in path.steps[:-1]) and path.steps[-1].field == ""
        graph = [[1, 2, 3], *([4 + v] for v in firsts), *([4 + w for w in edges[v]] for v in range(n))]
        everything = reach(graph)
        rows = rt.retained()
        found = {row["address"]: (row["retained"], row["objects"]) for row in rows if row["address"] in x}
        for v in distance:
            lost = len(everything - reach(graph, without=4 + v))
            assert found.pop(x[v]) == (lost * NODE.size, lost)
        assert found == {}
        named = {row["name"]: row["objects"] for row in rows if row["kind"] == "global" and row["name"].startswith("random")}
        for i in range(3):
            lost = everything - reach(graph, without=1 + i)
            assert named.pop(f"random[{i}]", 0) == len(lost) - 1
        assert named == {}
        for i in range(3):
            rt.write_pointer(roots + 8 * i, 0)


def test_a_path_names_root_types_fields_sites_and_elements(rt):
    root = rt.globals(1, "table")
    with rt.call_site("main.fill"):
        row = rt.make_slice(pointer, 10)
        rt.write_pointer(root, row.array)
        node, leaf = rt.new(NODE), rt.new(LEAF)
    rt.write_pointer(row.array + 8 * 7, node)
    rt.write_pointer(node + NODE.offsets["b"], leaf + 8)
    path = rt.why_live(leaf)
    assert (path.root, path.name) == ("global", "table")
    assert [(step.type, step.field, step.inside, step.site) for step in path.steps] == [
        ("[]pointer", "[7]", 0, "main.fill"),
        ("node", "b", 0, "main.fill"),
        ("leaf", "", 8, "main.fill"),
    ]
    assert str(path).splitlines()[:2] == ["global table", f"-> {row.array:#x} []pointer, 80 bytes, allocated at main.fill; its [7]"]
    rt.write_pointer(root, 0)
    assert rt.why_live(leaf) is None


def test_stacks_finalizers_and_the_runtime_are_roots(rt):
    g, kept = rt.go(), rt.new(LEAF)
    slot = g.push(kept)
    assert (rt.why_live(kept).root, rt.why_live(kept).name) == ("stack", f"goroutine {g.goid}, stack+{slot - g.sp}")
    path = rt.why_live(g.address)
    assert (path.root, path.name, path.steps[0].type, path.steps[-1].type) == ("runtime", "allgs", "[]*g", "g")
    g.pop()
    assert rt.why_live(kept) is None
    first, second = rt.new(LEAF), rt.new(LEAF)
    rt.write_pointer(first, second)
    rt.set_finalizer(first, lambda address: None)
    path = rt.why_live(second)
    assert (path.root, path.name) == ("special", f"finalizer of {first:#x}")
    assert [step.address for step in path.steps] == [first, second] and path.steps[0].field == "next"
    assert rt.why_live(first) is None  # it may be finalized
    rt.set_finalizer(first, None)


def test_looking_costs_the_machine_nothing(rt):
    x = rt.new(NODE)
    before, cycles = rt.machine.counters(), rt.machine.cycles(0)
    rt.why_live(x)
    rt.retained()
    assert rt.machine.counters() == before and rt.machine.cycles(0) == cycles


def test_what_is_no_object_is_refused(rt):
    with pytest.raises(ValueError, match="address: 0x5 points into no object"):
        rt.why_live(5)
    with pytest.raises(TypeError, match="address"):
        rt.why_live("x")
    assert rt.retained(0) == []
    with pytest.raises(ValueError, match="most: takes a count"):
        rt.retained(-1)
