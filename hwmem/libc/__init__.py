"""The C library's malloc, glibc 2.36's, as a program of the emulated process (docs/malloc.md).

    api.py        Malloc: from Python
    malloc.py     malloc, free, calloc, realloc, memalign ... : from kernels
    door.py       what a thread's cache does not answer
    thread.py     a process's first call, a thread's first and last; statistics.py: mallinfo2, malloc_trim; options.py: mallopt
    resize.py     realloc; aligned.py: memalign; copy.py: memcpy, memset
    search.py     _int_malloc: where a chunk comes from
    more.py       sysmalloc: more memory; release.py: _int_free
    arena.py      whose arena; heap.py: where arenas lie; morecore.py: the break; mapped.py: chunks that are mappings
    tcache.py     thread caches; fastbin.py, bins.py: lists of free chunks; lock.py: an arena's lock
    chunk.py      a chunk's header; layout.py: the library's own data; abort.py: its last words

chunk: a stretch of the heap with its header, at `p`. mem: what the user gets, p + 16. arena (`av`): lists of free chunks
and a top, under one lock. top: the last chunk of an arena, from which new ones are cut. bin: a list of free chunks.
heap: 64 MiB that an arena other than the main one cuts from.

All of it, but for copying and clearing by 8 bytes, is the loads and stores that glibc makes, on emulated memory: it costs,
its lines bounce, its pages fault.
"""


def __getattr__(name):
    if name != "Malloc":
        raise AttributeError(f"module 'hwmem.libc' has no attribute {name!r}")
    from hwmem.libc.api import Malloc

    return Malloc
