"""cache-scratch and cache-thrash: Hoard's tests of whether an allocator makes threads share lines.

    cache-scratch    the main thread allocates an object for each thread; each frees the one it was given, allocates again
                     and writes. An allocator that gives a freed object to whoever freed it keeps them on one line
                     ("passive" false sharing)
    cache-thrash     each thread allocates its own object and writes. An allocator that serves all threads from one
                     place puts them on one line ("active")

    hwmem run cache-scratch --set threads=1 iterations=100 size=8 repetitions=1000000      "1 100 8 1000000"

The programs' four numbers keep their meaning: the threads share the repetitions, and one is a write and a read of every
byte of the object, in each of the iterations, which begin with a new object. No allocator runs here; its answers are
given, for one of two kinds, and it writes a link into the first word of a block when that is freed:

    shared     one heap, blocks of the size rounded up to 16, side by side; a freed block goes to the thread that freed it,
               so that this thread's next object is the one it had (glibc's thread caches, most allocators' of 2000)
    private    Hoard's: a thread's blocks come from pages of its own, a freed block goes back to the page it came from

So under `shared` thread i always writes block i, in both programs; under `private`, a block of its own page. A step is
one byte written and read.

Source: Berger, McKinley, Blumofe, Wilson, "Hoard", ASPLOS 2000, 5.3, and the programs that came with it.
"""

from hwmem.kernels import finish, kernel, load8, load64, next_thread, store8, store64
from hwmem.programs.registry import parameter, workload

ALLOCATORS = ("shared", "private")
PAGE = 4096
RANK, BYTE, REPETITION, ITERATION, BEGUN, SUM = range(6)  # a thread's registers


def place_blocks(w, space):
    side_by_side = -(-w.size // 16) * 16
    w.spacing = side_by_side if w.allocator == "shared" else -(-w.size // PAGE) * PAGE
    w.blocks = space.map("blocks", w.threads * w.spacing, element=w.spacing)
    w.each = max(1, w.repetitions // w.threads)
    w.sum = w.given = w.given_spacing = 0
    return side_by_side


def place_given_blocks(w, space):
    """Also the blocks that the main thread allocated: in its own page, or, from one heap, those the threads go on with."""
    w.given_spacing = place_blocks(w, space)
    w.given = w.blocks if w.allocator == "shared" else space.map("given", w.threads * w.given_spacing, element=w.given_spacing)


def read(w, space):
    return {"sum": w.sum, "operations": w.threads * w.iterations * w.each * w.size}


def write_objects(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        block = w.blocks + r[RANK] * w.spacing
        if not r[BEGUN]:
            begin(m, t, w, r, block)
        store8(m, t, block + r[BYTE], r[BYTE])
        r[SUM] += load8(m, t, block + r[BYTE])
        if next_byte(w, r):
            store64(m, t, block, 0)  # free: a link
            r[BEGUN] = 0
            if r[ITERATION] == w.iterations:
                w.sum += r[SUM]
                finish(m, t)


@kernel
def begin(m, t, w, r, block):
    """Free the object that was given, if this is the first time; allocate."""
    if w.given and r[ITERATION] == 0:
        store64(m, t, w.given + r[RANK] * w.given_spacing, 0)
    load64(m, t, block)
    r[BEGUN] = 1


@kernel
def next_byte(w, r):
    """Count on: bytes of the object, repetitions, iterations. True at the end of an iteration."""
    r[BYTE] += 1
    if r[BYTE] < w.size:
        return False
    r[BYTE] = 0
    r[REPETITION] += 1
    if r[REPETITION] < w.each:
        return False
    r[REPETITION] = 0
    r[ITERATION] += 1
    return True


FOUR_NUMBERS = {
    "threads": parameter(4, "threads; thread i runs on core i, modulo the cores", 1, 64),
    "iterations": parameter(20, "objects that each thread uses"),
    "size": parameter(8, "bytes of an object", 1, 1 << 20),
    "repetitions": parameter(2_000, "times that an object is written, divided among the threads"),
    "allocator": parameter("shared", "which block a thread gets", choices=ALLOCATORS),
}

workload(
    "cache-scratch",
    "Hoard's: threads free objects they were given, allocate again and write",
    setup=place_given_blocks,
    values=read,
    operation="byte",
    against=("allocator", ALLOCATORS),
    scale="threads",
    **FOUR_NUMBERS,
)(write_objects)
workload(
    "cache-thrash",
    "Hoard's: each thread allocates an object and writes it",
    setup=place_blocks,
    values=read,
    operation="byte",
    against=("allocator", ALLOCATORS),
    scale="threads",
    **FOUR_NUMBERS,
)(write_objects)
