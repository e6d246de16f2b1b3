"""malloc-free: threads allocate blocks, write to every page of them, and free them; what the process keeps is counted.

    round:  malloc, write ── ... blocks times ── free ── ... blocks times        each thread its own blocks

Blocks below the C library's mmap threshold (128 KiB at first) lie in an arena's heap: free keeps them for the next round,
and gives memory back only from the heap's top. From the threshold up each is a mapping: free gives it back at once, and
its size is the threshold from then on, so that the next round's blocks lie in the heap. That is why a program's RSS falls
after a free or does not. `order` decides how soon what is free lies at the top: last in, first out; first in, first out.

The first thread to allocate has the main arena, whose memory is the break's; each other has one of its own (libc/arena.py).
A step is one call, and the writes to the block.
"""

from hwmem import libc
from hwmem.kernels import finish, is_over, kernel, load64, next_thread, store64
from hwmem.libc.malloc import free, malloc
from hwmem.programs.registry import parameter, workload

ORDERS = ("lifo", "fifo")
LIFO = 0
PAGE, WORD, LINE = 4096, 8, 64
RANK, BLOCK, FREEING, ROUND = range(4)  # a thread's registers


def place_tables(w, space):
    """A table of pointers a thread, on lines of its own."""
    w.row = -(-w.blocks * WORD // LINE) * LINE
    w.pointers = space.map("blocks", w.threads * w.row, element=w.row)
    libc.Malloc(space.process)
    w.failed = 0


def read(w, space):
    """Bytes. `rss`: in RAM now, of the whole process; `heap`: what the arenas have from the kernel; `mapped`: in mappings."""
    heap = libc.Malloc(space.process).info()
    rollup = space.process.smaps_rollup()
    return {
        "operations": 2 * w.threads * w.blocks * w.rounds,
        "failed": w.failed,
        "asked": w.threads * w.blocks * w.size,
        "rss": rollup["Rss"],
        "heap": heap["arena"],
        "heap_free": heap["fordblks"],
        "heap_top": heap["keepcost"],
        "mapped": heap["hblkhd"],
    }


def malloc_free(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        i = w.blocks - 1 - r[BLOCK] if r[FREEING] and w.order == LIFO else r[BLOCK]
        place = w.pointers + r[RANK] * w.row + i * WORD
        if r[FREEING]:
            free(m, t, load64(m, t, place))
        else:
            take(m, t, w, place)
        if go_on(w, r):
            finish(m, t)


@kernel
def take(m, t, w, place):
    """Allocate a block and write to each page of it."""
    block = malloc(m, t, w.size)
    store64(m, t, place, block)
    if block == 0:
        w.failed += 1
        return
    for offset in range(0, w.size if w.touch else 0, PAGE):
        if is_over(m, t):
            return
        store64(m, t, block + offset, block)


@kernel
def go_on(w, r):
    """Count on: blocks, allocated and freed, rounds. True at the end."""
    r[BLOCK] += 1
    if r[BLOCK] < w.blocks:
        return False
    r[BLOCK] = 0
    r[FREEING] = 1 - r[FREEING]
    if r[FREEING]:
        return False
    r[ROUND] += 1
    return r[ROUND] == w.rounds


workload(
    "malloc-free",
    "threads allocate blocks from the C library, write to them, free them: what does the process keep?",
    setup=place_tables,
    values=read,
    operation="call",
    needs_mmu=True,
    against=("size", (100 << 10, 160 << 10)),
    scale="threads",
    threads=parameter(1, "threads; thread i runs on core i, modulo the cores", 1, 64),
    size=parameter("100KiB", "bytes of a block", 1, 1 << 30),
    blocks=parameter(100, "blocks that a thread has at once", 1, 1 << 20),
    rounds=parameter(2, "times that they are allocated and freed"),
    touch=parameter(True, "write to each page of a block"),
    order=parameter("lifo", "which block is freed first", choices=ORDERS),
)(malloc_free)
