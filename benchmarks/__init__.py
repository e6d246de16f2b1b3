"""How fast hwmem is, against what it can be held against: `hwmem bench`, or `python -m benchmarks`.

    command.py ──┬─ streams.py    accesses a second on five streams (S1..S5), beside C, cachegrind and pycachesim
    (main)       ├─ sharing.py    accesses a second of false sharing on 2, 4, 8 and 16 cores, watched and not
                 ├─ startup.py    from the prompt to the table, with an empty compile cache and with a full one
                 ├─ memory.py     host memory beyond the emulated bytes, every preset
                 ├─ recorded.py   recordings of threads: read, put in order, replayed, named; their memory
                 ├─ collector.py  objects marked and slots swept a second, cycles as the heap grows, binary trees beside the real Go's (trees.go)
                 ├─ malloc.py     an emulated mallocgc beside the real Go's (malloc.go)
                 ├─ allocators.py a malloc and a free of every allocator beside the same natively (pairs.c, freelist.c, buddy.c)
                 └─ linux.py      faults, mmap and munmap, VMA look-ups a second; host memory taken and given back
    presets.py      not about speed: what false sharing costs on every preset (`python -m benchmarks.presets`)

    traffic.py      the streams as arrays             cachegrind.py, walk.c    the same streams under valgrind
    c_loop.py       lru.c, compiled and called        unjitted.py              the machine without numba
    measure.py      CPU time, best of several, what a child used

Every part measures all that it compares in one run and in turn, so that what disturbs one disturbs all; times are CPU
time, the best of several. A part returns a dict (`--json` prints it), a table and its floors: what the project
promises, with "pass" or "below". Nothing here is a test, and nothing fails because it was slow. docs/benchmarks.md
says what each number means.
"""


def main(argv=None):
    """Run the benchmarks with the words `argv` (None: the process's); the exit status."""
    from benchmarks.command import main

    return main(argv)
