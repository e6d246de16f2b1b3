"""Memory that a program has after it has filled its heap, dropped nearly all of it, and asked for all that can go back: RSS in KiB above the start.

As a program of its own it does so with the library that is preloaded (arguments: what to ask it with; one size in place of many, and how many
blocks); `emulated` in test_allocators_live.py does the same with an allocator of goalloc's.
"""

import ctypes
import json
import pathlib
import sys

BLOCKS, KEPT = 20_000, 20  # one in twenty stays


def sizes(size=0, blocks=BLOCKS):
    """The same for both: 16 bytes to 4 KiB, small ones more often; or `blocks` of one size."""
    if size:
        return [size] * blocks
    x, found = 12345, []
    for _ in range(BLOCKS):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        found.append(16 + (x >> 8) % (64 << (x >> 20) % 7))
    return found


def ask(library, how):
    if how == "jemalloc":
        assert library.mallctl(b"thread.tcache.flush", None, None, None, 0) == 0
        assert library.mallctl(b"arena.4096.purge", None, None, None, 0) == 0
    elif how == "glibc":
        library.malloc_trim(0)
    else:
        library.MallocExtension_ReleaseFreeMemory()


def main():
    library, how = ctypes.CDLL(None), sys.argv[1]
    library.malloc.restype, library.malloc.argtypes, library.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    library.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE
    wanted = sizes(*map(int, sys.argv[2:]))
    blocks = (ctypes.c_void_p * len(wanted))()
    ctypes.memset(blocks, 0, ctypes.sizeof(blocks))
    rows = [resident()]
    for i, n in enumerate(wanted):
        blocks[i] = library.malloc(n)
        for offset in range(0, n, 4096):
            ctypes.memset(blocks[i] + offset, 1, 8)
    rows.append(resident())
    for i in range(len(wanted)):
        if i % KEPT:
            library.free(blocks[i])
    rows.append(resident())
    ask(library, how)
    rows.append(resident())
    print(json.dumps([row - rows[0] for row in rows[1:]]))


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4


if __name__ == "__main__":
    main()
