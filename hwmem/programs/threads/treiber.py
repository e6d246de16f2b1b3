"""Treiber's stack: a linked list whose head is changed by compare-and-swap, and what goes wrong when nodes come back.

    pop     h = head; n = h.next; head: h -> n        push    node.next = head; head: h -> node

Between a pop's look at the head and its compare-and-swap others may pop h, pop n and push h again: the head is h as
before (A, B, A), the swap succeeds, and n, which somebody owns, is on the stack. With guard="counter" the head also
counts its changes, so that it is not as before.

Threads take a node, own it for a while and put it back; now and then one is interrupted after its look. A
node that is taken while it is owned counts in `stolen`; `left` is how many nodes are on the stack in the end.

    head: | changes 32 | node's number 32 |  (0: empty)        a node, one line:  next | owners

Sources: Treiber, "Systems programming: coping with parallelism", IBM RJ 5118, 1986; Michael, "ABA prevention using
single-word instructions", IBM RC 23089, 2004.
"""

import numpy as np

from hwmem.kernels import compare_exchange64, compute, fetch_add64, finish, kernel, load64, load_acquire64, next_thread, store64
from hwmem.programs.registry import parameter, workload

GUARDS = ("none", "counter")
COUNTER = 1
RANK, COUNT, STATE, HEAD, NEXT, NODE, LOOKS = range(7)  # a thread's registers
LOOK, FOLLOW, TAKE, OWN, DISOWN, LOOK_AGAIN, LINK, PUT = range(8)  # its states
NODE_BYTES, OWNERS = 64, 8
NUMBER = (1 << 32) - 1
INTERRUPTED = 20  # one look in so many is followed by an interruption


def place(w, space):
    w.head = space.map("head", 8)
    w.area = space.map("nodes", (w.nodes + 1) * NODE_BYTES, element=NODE_BYTES)
    words = np.zeros((w.nodes + 1, NODE_BYTES // 8), np.int64)
    words[1:, 0] = np.arange(w.nodes)  # node n lies on node n - 1
    space.write(w.area, words)
    space.write(w.head, w.nodes)
    w.stolen = 0


def read(w, space):
    following = space.read(w.area, (w.nodes + 1) * NODE_BYTES // 8).reshape(-1, NODE_BYTES // 8)[:, 0]
    node, seen = space.load(w.head) & NUMBER, set()
    while node and node not in seen:
        seen.add(node)
        node = int(following[node])
    return {"stolen": w.stolen, "left": len(seen), "operations": w.threads * w.iterations}


@workload(
    "treiber-stack",
    "threads take nodes from a stack and put them back, with or without a guard against ABA",
    setup=place,
    values=read,
    operation="take and put",
    against=("guard", GUARDS),
    threads=parameter(4, "threads", 1, 64),
    guard=parameter("counter", "what tells the head from one that came back", choices=GUARDS),
    nodes=parameter(8, "nodes", 1, 1 << 20),
    iterations=parameter(2_000, "nodes a thread takes"),
    owning=parameter(50, "cycles for which it owns one", 0),
    interruption=parameter(5_000, "cycles a thread is away, now and then, before it takes the node it looked at", 0),
)
def treiber_stack(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        r[STATE] = pop(m, t, w, r) if r[STATE] <= TAKE else own_and_push(m, t, w, r)
        if r[COUNT] == w.iterations:
            finish(m, t)


@kernel
def changed(w, head, node):
    """The head word that makes `node` the top."""
    return (head >> 32) + 1 << 32 | node if w.guard == COUNTER else node


@kernel
def pop(m, t, w, r):
    """One step of taking the top node; the next state."""
    if r[STATE] == LOOK:
        r[HEAD] = load_acquire64(m, t, w.head)
        r[NODE] = r[HEAD] & NUMBER
        return FOLLOW if r[NODE] else LOOK
    if r[STATE] == FOLLOW:
        r[NEXT] = load_acquire64(m, t, w.area + r[NODE] * NODE_BYTES)
        r[LOOKS] += 1
        if r[LOOKS] % INTERRUPTED == r[RANK] % INTERRUPTED:
            compute(m, t, w.interruption)
        return TAKE
    done = compare_exchange64(m, t, w.head, r[HEAD], changed(w, r[HEAD], r[NEXT])) == r[HEAD]
    return OWN if done else LOOK


@kernel
def own_and_push(m, t, w, r):
    """One step with the node that was taken, or of putting it back; the next state."""
    node = w.area + r[NODE] * NODE_BYTES
    if r[STATE] == OWN:
        w.stolen += fetch_add64(m, t, node + OWNERS, 1) != 0
        compute(m, t, w.owning)
        return DISOWN
    if r[STATE] == DISOWN:
        fetch_add64(m, t, node + OWNERS, -1)
        return LOOK_AGAIN
    if r[STATE] == LOOK_AGAIN:
        r[HEAD] = load64(m, t, w.head)
        return LINK
    if r[STATE] == LINK:
        store64(m, t, node, r[HEAD] & NUMBER)
        return PUT
    if compare_exchange64(m, t, w.head, r[HEAD], changed(w, r[HEAD], r[NODE])) != r[HEAD]:
        return LOOK_AGAIN
    r[COUNT] += 1
    return LOOK
