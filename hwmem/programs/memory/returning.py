"""madvise-return: three ways to give memory back, and what they leave behind.

    DONTNEED   the frames go at once: RSS falls, every page faults again
    FREE       the frames go when somebody needs them: until then RSS stays, LazyFree counts them, and a touch costs nothing
    munmap     DONTNEED, and the addresses go too

A process writes to `size` bytes, gives them back, and touches them again; in the rows under pressure it first fills,
with other memory, all of RAM that was free at the start (but for what the kernel keeps), and unmaps that again. A touch
is an atomic addition, one access that writes and shows whether the page held zeros.

What Go's runtime met between 1.12 and 1.15, which used FREE: RSS in top did not fall (golang/go issues 33376, 37585);
1.16 went back to DONTNEED.
"""

import numpy as np

from hwmem import params as P
from hwmem.errors import WorkloadError
from hwmem.kernels import fetch_add64, finish, is_over, kernel, madvise, mmap, munmap, next_thread
from hwmem.linux.page_table import frame_at, look_up
from hwmem.programs import meter
from hwmem.programs.registry import grid, parameter, workload
from hwmem.units import format_size

WAYS = ("DONTNEED", "FREE", "munmap")
DONTNEED, FREE, MUNMAP = range(3)
TOUCHED, RETURNED, LAZY, PRESSED, ZEROS = range(5)  # columns of w.pages: RSS at three times, pages
RANK, ROW = range(2)  # a thread's registers
RW = P.PROT_READ | P.PROT_WRITE
ROWS = 2 * len(WAYS)  # without pressure, then with


def place(w, space):
    w.size = -(-w.size // P.PAGE) * P.PAGE
    memory = space.process.machine.config.memory
    if 2 * w.size > memory:
        raise WorkloadError(f"madvise-return.size: takes at most half of memory = {format_size(memory)}, got {format_size(w.size)}")
    w.pages = np.zeros((ROWS, 5), np.int64)
    w.reserve = 2 * int(space.process.machine.state.frames.mark_high)  # pages that pressure leaves: the kernel's, page tables
    meter.place(w, 2 * ROWS)  # two rows each: the call, the touches


def read(w, space):
    call, touch = w.cost[0::2], w.cost[1::2]
    pages, faults = w.size // P.PAGE, meter.faults(touch)
    rows = [
        [*(f"{n * P.PAGE >> 10:,}K" for n in figures[:4]), meter.ratio(c, pages), f, meter.ratio(again, pages), zeros]
        for figures, zeros, c, f, again in zip(w.pages, w.pages[:, ZEROS], call[:, meter.CYCLES], faults, touch[:, meter.CYCLES])
    ]
    return {
        "rows": [f"{way}, {'pressure' if k else 'none'}" for k in range(2) for way in WAYS],
        "touched": w.pages[:, TOUCHED],
        "returned": w.pages[:, RETURNED],
        "lazyfree": w.pages[:, LAZY],
        "pressed": w.pages[:, PRESSED],
        "zeros": w.pages[:, ZEROS],
        "faults": faults,
        "call_cycles": call[:, meter.CYCLES],
        "touch_cycles": touch[:, meter.CYCLES],
        "operations": ROWS * pages,
        "grid": grid(
            "memory given back and touched again; cycles are per page",
            "way, pressure",
            [f"{way}{', pressure' if k else ''}" for k in range(2) for way in WAYS],
            None,
            ["RSS", "after", "LazyFree", "later", "call", "faults", "touch", "zeros"],
            rows,
        ),
    }


@workload(
    "madvise-return",
    "DONTNEED, FREE and munmap: RSS, LazyFree, faults and time of the next touch, with and without pressure",
    setup=place,
    values=read,
    operation="page",
    needs_mmu=True,
    machine={"memory": "64MiB"},
    size=parameter("16MiB", "bytes given back, at most half of RAM", P.PAGE, 1 << 34),
)
def madvise_return(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        give_back(m, t, w, r[ROW], r[ROW] % len(WAYS))
        r[ROW] += 1
        if r[ROW] == ROWS:
            finish(m, t)


@kernel
def give_back(m, t, w, row, way):
    free = meter.free_frames(m)
    start = meter.rss(m, t)
    va = mmap(m, t, 0, w.size, RW, P.MAP_PRIVATE)
    add_one(m, t, va, w.size)
    w.pages[row, TOUCHED] = meter.rss(m, t) - start
    meter.begin(m, t, w)
    return_memory(m, t, va, w.size, way)
    meter.end(m, t, w, 2 * row)
    w.pages[row, RETURNED] = meter.rss(m, t) - start
    w.pages[row, LAZY] = lazily_freed(m, t, va, w.size)
    if row >= len(WAYS):
        meter.press(m, t, (free - w.reserve) * P.PAGE)
    w.pages[row, PRESSED] = meter.rss(m, t) - start
    if way == MUNMAP:
        mmap(m, t, va, w.size, RW, P.MAP_PRIVATE | P.MAP_FIXED)
    meter.begin(m, t, w)
    w.pages[row, ZEROS] = add_one(m, t, va, w.size)
    meter.end(m, t, w, 2 * row + 1)
    munmap(m, t, va, w.size)


@kernel
def return_memory(m, t, va, n, way):
    if way == MUNMAP:
        munmap(m, t, va, n)
    else:
        madvise(m, t, va, n, P.MADV_FREE if way == FREE else P.MADV_DONTNEED)


@kernel
def add_one(m, t, va, n):
    """Add to the first word of each page; how many held zero."""
    zeros = 0
    for here in range(va, va + n, P.PAGE):
        if is_over(m, t):
            break
        if fetch_add64(m, t, here, 1) == 0:
            zeros += 1
    return zeros


@kernel
def lazily_freed(m, t, va, n):
    """Pages that smaps counts as LazyFree. Linux: fs/proc/task_mmu.c, smaps_account."""
    pages = 0
    for here in range(va, va + n, P.PAGE):
        if is_over(m, t):
            break
        entry = look_up(m, m.thread[t].process, here)
        if entry & P.PTE_P and frame_at(entry) and not entry & P.PTE_D:
            pages += m.frame[frame_at(entry)].state & (P.FRAME_ANON | P.FRAME_SWAPBACKED | P.FRAME_DIRTY) == P.FRAME_ANON
    return pages
