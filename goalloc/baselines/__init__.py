"""The allocators that Go's is compared with, as programs of the emulated process (docs/allocators.md).

    api.py          Allocator(process, name): from Python; NAMES: all of them
    malloc.py       malloc, free, realloc, usable_size, tick, end_of_thread: from kernels, whichever allocator the process has
    walk.py         the invariants of each, and what it holds, read without an access; walk_tcmalloc.py, walk_jemalloc.py; walking.py: what these share
    jemalloc.py     its front end; jemalloc_arena.py: bins, slabs, large blocks; jemalloc_extents.py: pages, and how they decay
    tcmalloc.py     Google's: its front end; tcmalloc_central.py: transfer caches and spans; tcmalloc_pages.py: the page heap
    glibc.py        the C library's, hwmem.libc
    buddy.py        binary buddies
    freelist.py     boundary tags and coalescing: first, next and best fit, and segregated fit
    bump.py         a pointer that only moves on
    system.py       where an allocator's data lies; memory from the kernel and back to it

Each is a door: (operation, a, b) -> answer, so that a program is compiled once and calls any of them. An allocator's state lies in
emulated memory and is read and written by the machine's loads and stores; instructions that touch no memory cost nothing.
"""


def __getattr__(name):
    if name not in ("Allocator", "NAMES"):
        raise AttributeError(f"module 'goalloc.baselines' has no attribute {name!r}")
    from goalloc.baselines import api

    return getattr(api, name)
