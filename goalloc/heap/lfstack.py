"""A lock-free stack: the head packs the top node's address and a count of pushes, so that a swap notices reuse (ABA).

| address 45 (it is a multiple of 8, below 2^48) | pushes 19 |         Go: lfstack.go, tagptr_64bit.go
"""

from hwmem._jit import kernel
from goalloc.layout import lfnode
from goalloc.words import cas64, get64, put64

TAG_BITS = 19


@kernel
def lfstack_push(m, t, head, node):
    pushes = get64(m, t, node + lfnode.pushcnt) + 1
    put64(m, t, node + lfnode.pushcnt, pushes)
    old = get64(m, t, head)
    put64(m, t, node + lfnode.next, old)
    cas64(m, t, head, old, node << 16 | pushes & (1 << TAG_BITS) - 1)


@kernel
def lfstack_pop(m, t, head):
    """The top node's address, or 0. A step runs to its end, so the swap cannot fail."""
    old = get64(m, t, head)
    if old == 0:
        return 0
    node = old >> TAG_BITS << 3
    cas64(m, t, head, old, get64(m, t, node + lfnode.next))
    return node
