"""Dominators of a graph, and what each node retains.

A node dominates another if every path from the root leads through it: without it the other cannot be reached. What a node retains
is itself and all that it dominates. Semi-NCA (Georgiadis, "Linear-time algorithms for dominators and related problems", 2005):
Lengauer and Tarjan's semidominators, then the nearest common ancestor of each node's parent and semidominator, in preorder.

    successors[v]: nodes that v points to; node 0 is the root        numbers below are those of the preorder of a depth-first search
"""


def depth_first(successors):
    """(nodes that can be reached, in preorder; each one's parent's number; each node's number, -1 for those that cannot be reached)."""
    number, order, parent = [-1] * len(successors), [], []
    todo = [(0, 0)]
    while todo:
        v, by = todo.pop()
        if number[v] < 0:
            number[v] = len(order)
            order.append(v)
            parent.append(by)
            todo += [(w, number[v]) for w in successors[v] if number[w] < 0]
    return order, parent, number


def dominators(successors):
    """(nodes that can be reached, in preorder; the number of each one's immediate dominator, the root's its own)."""
    order, parent, number = depth_first(successors)
    before = [[] for _ in order]
    for i, v in enumerate(order):
        for w in successors[v]:
            before[number[w]].append(i)
    n = len(order)
    semi, label, ancestor = list(range(n)), list(range(n)), list(parent)
    for w in range(n - 1, 0, -1):
        semi[w] = parent[w]
        for v in before[w]:
            semi[w] = min(semi[w], semi[least(v, w, semi, label, ancestor)])
    idom = list(parent)
    for w in range(1, n):
        while idom[w] > semi[w]:
            idom[w] = idom[idom[w]]
    return order, idom


def least(v, w, semi, label, ancestor):
    """The node with the least semidominator on the way from v up to the last one that has a number above w; the way is made shorter."""
    if ancestor[v] <= w:
        return label[v]
    way = []
    while ancestor[v] > w:
        way.append(v)
        v = ancestor[v]
    for u in reversed(way):
        if semi[label[v]] < semi[label[u]]:
            label[u] = label[v]
        ancestor[u] = ancestor[v]
        v = u
    return label[v]


def retained(successors, sizes):
    """(order, idom, bytes that each node retains, how many nodes, with itself), by number in preorder."""
    order, idom = dominators(successors)
    nbytes, nodes = [sizes[v] for v in order], [1] * len(order)
    for w in range(len(order) - 1, 0, -1):
        nbytes[idom[w]] += nbytes[w]
        nodes[idom[w]] += nodes[w]
    return order, idom, nbytes, nodes
