"""C = A B, with the three loops in every order, and in blocks.

The innermost loop decides (Bryant, O'Hallaron, "Computer Systems: A Programmer's Perspective", 6.6.2):

    order       innermost   loads  stores   walks
    ijk, jik    k           2      0        a row of A, a column of B
    jki, kji    i           2      1        a column of A, a column of C
    kij, ikj    j           2      1        a row of B, a row of C
    blocked     k           2      0        block by block, so that a block of B stays in the cache

What the innermost loop does not index stays in a register. Elements are int64, rows follow one another. A step is one
innermost loop.
"""

import numpy as np

from hwmem.kernels import finish, kernel, load64, next_thread, store64
from hwmem.programs.registry import parameter, workload

ORDERS = ("ijk", "jik", "jki", "kji", "kij", "ikj", "blocked")
IJK, JIK, JKI, KJI, KIJ, IKJ, BLOCKED = range(7)
RANK, STEP = range(2)  # a thread's registers


def place(w, space):
    w.a, w.b, w.c = (space.map(name, 8 * w.n * w.n) for name in "ABC")
    for matrix in (w.a, w.b):
        space.write(matrix, space.random.integers(-1000, 1000, (w.n, w.n)))
    w.blocks = -(-w.n // w.block)
    w.steps = w.blocks * w.blocks * w.n * w.block if w.order == "blocked" else w.n * w.n


def read(w, space):
    c = space.read(w.c, w.n * w.n)
    return {"sum": c.sum(), "checksum": (c * np.arange(1, len(c) + 1)).sum(), "operations": w.n**3}


@workload(
    "matrix-multiply",
    "C = A B on one core, the loops in any order or in blocks",
    setup=place,
    values=read,
    operation="multiplication",
    against=("order", ORDERS),
    n=parameter(128, "rows and columns of the matrices", 1, 4096),
    order=parameter("ijk", "order of the loops", choices=ORDERS),
    block=parameter(16, "rows and columns of a block", 1, 4096),
)
def matrix_multiply(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        outer, inner = r[STEP] // w.n, r[STEP] % w.n
        if w.order == IJK:
            dot(m, t, w, outer, inner)
        elif w.order == JIK:
            dot(m, t, w, inner, outer)
        elif w.order == JKI:
            column(m, t, w, outer, inner)
        elif w.order == KJI:
            column(m, t, w, inner, outer)
        elif w.order == KIJ:
            row(m, t, w, outer, inner)
        elif w.order == IKJ:
            row(m, t, w, inner, outer)
        else:
            block_step(m, t, w, r[STEP])
        r[STEP] += 1
        if r[STEP] == w.steps:
            finish(m, t)


@kernel
def dot(m, t, w, i, j):
    """C[i, j] += A[i, :] . B[:, j]"""
    add(m, t, w.c + 8 * (i * w.n + j), product(m, t, w, w.a + 8 * i * w.n, w.b + 8 * j, w.n))


@kernel
def product(m, t, w, a, b, n):
    """The sum of `n` products: of what lies side by side from `a` on, and of what lies in a column from `b` on."""
    total = 0
    for x in range(n):
        total += load64(m, t, a + 8 * x) * load64(m, t, b + 8 * x * w.n)
    return total


@kernel
def add(m, t, va, value):
    store64(m, t, va, load64(m, t, va) + value)


@kernel
def column(m, t, w, j, k):
    """C[:, j] += A[:, k] B[k, j]"""
    factor = load64(m, t, w.b + 8 * (k * w.n + j))
    for i in range(w.n):
        c = w.c + 8 * (i * w.n + j)
        store64(m, t, c, load64(m, t, c) + load64(m, t, w.a + 8 * (i * w.n + k)) * factor)


@kernel
def row(m, t, w, k, i):
    """C[i, :] += A[i, k] B[k, :]"""
    factor = load64(m, t, w.a + 8 * (i * w.n + k))
    for j in range(w.n):
        c = w.c + 8 * (i * w.n + j)
        store64(m, t, c, load64(m, t, c) + factor * load64(m, t, w.b + 8 * (k * w.n + j)))


@kernel
def block_step(m, t, w, step):
    """Step (block of k, block of j, i, j in it), the last counting fastest."""
    step, j = step // w.block, step % w.block
    step, i = step // w.n, step % w.n
    k = step // w.blocks * w.block
    j += step % w.blocks * w.block
    if j < w.n:
        add(m, t, w.c + 8 * (i * w.n + j), product(m, t, w, w.a + 8 * (i * w.n + k), w.b + 8 * (k * w.n + j), min(w.block, w.n - k)))
