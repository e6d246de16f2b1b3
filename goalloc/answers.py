"""The allocator's answers to recorded questions: a case in, the same case with every recorded answer replaced by ours.

    pagealloc(case)         histories of a page allocator and a page cache: addresses, scavenged bytes, final bitmaps
    pallocbits(case)        searches in one chunk's bitmap, its summary, what may be scavenged
    findbitrange64(rows)    runs of ones in a word
    pacer(case)             cycles of the pacer: goals, triggers, assist ratios
    cpulimiter(case)        what the CPU limiter's bucket holds, and whether it limits
    gc_program(program, start)      a program of heap operations and collections: addresses, what is freed, what the heap looks like

The forms are the oracle files' (tests/oracles/go): addresses are relative to the first chunk, -1 or None is "none". The
allocators are `test` ones, without memory behind their pages, on a machine of this file's own.
"""

import copy
import functools

import numpy as np

from hwmem import params as H
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.machine.enter import enter, place_thread
from goalloc import params as P
from goalloc.heap.malloc_init import INIT_PAGES, SET_M
from goalloc.errors import raise_fatal
from goalloc.observe.inspect import Inspector
from goalloc.layout import DATA, DATA_END, TYPES, m_, mheap, pageCache, pallocData, variables as V
from goalloc.pages.mgcscavenge import chunkBase, index_change, index_free
from goalloc.pages.mpagealloc import ALLOC, CACHE_FILL, CACHE_FLUSH, FREE, GROW, SCAV, SCAVENGE, pages_door
from goalloc.pages.mpagecache import pageCache_alloc
from goalloc.pages.mpallocbits import clearRange, find, findBitRange64, findScavengeCandidate, setRange, summarize
from goalloc.pages.mpagealloc_summary import MIXED, alloc_in_chunk, chunkOf, update

PAGES, CACHE, CHUNK = V.mheap_ + mheap.pages, TYPES, TYPES + 64
BASE = 0xC000 * P.pallocChunkBytes  # the first chunk's address. Go: export_test.go BaseChunkIdx
BASE_CHUNK = (BASE - P.arenaBaseOffset) // P.pallocChunkBytes
ALLOCATE, SCAVENGED = range(2)
OPERATIONS = {"free": FREE, "cache_fill": CACHE_FILL, "cache_flush": CACHE_FLUSH}


@kernel
def prepare_chunk(m, t, p, ci, ranges):
    """A new chunk with all pages free and resident, then `ranges` of it: rows (kind, first page, pages)."""
    pages_door(m, t, p, GROW, chunkBase(ci), P.pallocChunkBytes)
    chunk = chunkOf(m, t, p, ci)
    clearRange(m, t, chunk + pallocData.scavenged, 0, P.pallocChunkPages)
    index_change(m, t, p + SCAV, ci, P.pallocChunkPages)
    index_free(m, t, p + SCAV, ci, 0, P.pallocChunkPages)
    for kind, i, n in ranges:
        if kind == SCAVENGED:
            setRange(m, t, chunk + pallocData.scavenged, i, n)
        else:
            alloc_in_chunk(m, t, chunk, i, n)
            index_change(m, t, p + SCAV, ci, n)
    update(m, t, p, chunkBase(ci), P.pallocChunkPages, MIXED)


@kernel
def cut_cache(m, t, c, npages):
    return pageCache_alloc(m, t, c, npages)


@kernel
def fill_chunk(m, t, chunk, ranges):
    """`ranges` of an empty chunk: rows (kind, first page, pages)."""
    for kind, i, n in ranges:
        if kind == SCAVENGED:
            setRange(m, t, chunk + pallocData.scavenged, i, n)
        else:
            alloc_in_chunk(m, t, chunk, i, n)


@kernel
def search_chunk(m, t, chunk, finds, candidates):
    """Answer the questions about one chunk in place, the last two columns of each row; its summary. The chunk is empty afterwards."""
    for row in finds:
        row[2], row[3] = find(m, t, chunk, row[0], row[1])
    for row in candidates:
        row[3], row[4] = findScavengeCandidate(m, t, chunk, row[0], row[1], row[2])
    summary = summarize(m, t, chunk)
    clearRange(m, t, chunk, 0, P.pallocChunkPages)
    clearRange(m, t, chunk + pallocData.scavenged, 0, P.pallocChunkPages)
    return summary


@kernel
def search_words(words, counts, found):
    for i in range(len(words)):
        found[i] = findBitRange64(words[i], counts[i])


class Bench:
    """A process with the runtime's variables and nothing else: one g, one M, no P."""

    def __init__(self, machine):
        self.machine, self.process = machine, machine.spawn()
        for start, size in ((DATA, DATA_END - DATA), (TYPES, H.PAGE)):
            self.process.mmap(start, size, flags=H.MAP_PRIVATE | H.MAP_ANONYMOUS | H.MAP_FIXED)
        self.t = self.process.thread_on(0)
        machine.state.thread[self.t].guest[P.G] = V.g0
        self.process.store(V.m0 + m_.g0, V.g0)
        self.door(P.DOOR_RUNTIME, SET_M, V.m0, 0)

    def door(self, number, a, b, c):
        result = enter(self.machine.state, number, self.t, a, b, c)
        raise_fatal(self.machine, self.t)
        self.machine.raise_fault(self.t)
        return int(result)

    def pages(self, operation, a, b=0):
        """An operation of the page allocator, and its second result."""
        guest = self.machine.state.thread[self.t].guest
        guest[P.SIZE] = b
        return self.door(P.DOOR_PAGES, PAGES, operation, a), int(guest[P.SECOND])

    def run(self, operation, *arguments):
        place_thread(self.machine.state, self.t, 0)
        result = operation(self.machine.state, self.t, *arguments)
        raise_fatal(self.machine, self.t)
        return result


@functools.cache
def machine():
    return Machine(MachineConfig().replace(cores=1))


def as_ranges(allocated, scavenged):
    """Rows for prepare_chunk and fill_chunk: of what is scavenged, of what is allocated. A page becomes what the last row says."""
    return [(SCAVENGED, i, n) for i, n in scavenged or ()], [(ALLOCATE, i, n) for i, n in allocated or ()]


def a_case(case, *names):
    """A copy of a recorded case. Raises TypeError or ValueError if it has not the form."""
    if not isinstance(case, dict):
        raise TypeError(f"case: takes a recorded case, a dict, not {type(case).__name__}")
    missing = [name for name in names if name not in case]
    if missing:
        raise ValueError(f"case: has no {', '.join(missing)}")
    return copy.deepcopy(case)


def pagealloc(case):
    """A case of pagealloc.json.gz."""
    case = a_case(case, "chunks", "init_alloc", "init_scav", "ops", "final_alloc_words", "final_scav_words")
    bench = Bench(machine())
    try:
        bench.door(P.DOOR_RUNTIME, INIT_PAGES, PAGES, V.mheap_ + mheap.lock)
        for i in range(case["chunks"]):
            scavenged, allocated = as_ranges(case["init_alloc"][str(i)], case["init_scav"][str(i)])
            bench.run(prepare_chunk, PAGES, BASE_CHUNK + i, np.array(scavenged + allocated, np.int64).reshape(-1, 3))
        for op in case["ops"]:
            op["addr"], op["ret"] = perform(bench, op)
        look = Inspector(bench.process)
        for i in range(case["chunks"]):
            words = look.words(bench.run(chunkOf, PAGES, BASE_CHUNK + i), pallocData.sizeof // 8)
            case["final_alloc_words"][str(i)] = [hex(word) for word in words[:8]]
            case["final_scav_words"][str(i)] = [hex(word) for word in words[8:]]
        return case
    finally:
        bench.process.exit()


def perform(bench, op):
    """(addr, ret) of one operation; the bits that a cache was filled with become its "arg"."""
    name, arg = op["op"], op["arg"]
    if name == "alloc":
        va, scavenged = bench.pages(ALLOC, arg)
        return relative(va), scavenged
    if name == "cache_alloc":
        va, scavenged = bench.run(cut_cache, CACHE, arg)
        return relative(va), scavenged
    if name == "scavenge":
        return -1, bench.pages(SCAVENGE, arg, 1)[0]
    if name == "free":
        bench.pages(FREE, BASE + op["addr"], arg)
        return op["addr"], 0
    bench.pages(OPERATIONS[name], CACHE)
    if name == "cache_flush":
        return -1, 0
    base, op["arg"], scavenged = Inspector(bench.process).words(CACHE, pageCache.sizeof // 8)
    return relative(base), scavenged


def relative(va):
    return int(va) - BASE if va else -1


def pallocbits(case):
    """A case of pallocbits.json.gz."""
    case = a_case(case, "alloc", "scavenged", "finds", "scavenge_candidates")
    bench = bits_bench()
    scavenged, allocated = as_ranges(case["alloc"], case["scavenged"])
    finds, candidates = (np.array(case[name] or [], np.int64).reshape(-1, n) for name, n in (("finds", 4), ("scavenge_candidates", 5)))
    bench.run(fill_chunk, CHUNK, np.array(allocated + scavenged, np.int64).reshape(-1, 3))
    case["summary"] = [int(n) for n in bench.run(search_chunk, CHUNK, finds, candidates)]
    case["finds"], case["scavenge_candidates"] = finds.tolist(), candidates.tolist()
    return case


@functools.cache
def bits_bench():
    return Bench(machine())


def findbitrange64(rows):
    """The rows of findbitrange64.json.gz."""
    rows = [a_case(row, "bits", "npages") for row in rows]
    words = np.array([int(row["bits"], 16) for row in rows], np.uint64)
    found = np.zeros(len(rows), np.int64)
    search_words(words, np.array([row["npages"] for row in rows], np.int64), found)
    return [row | {"find": int(n)} for row, n in zip(rows, found)]


def on_a_bench(fill_in, case):
    """`case`, a copy, with its answers filled in by a process of its own."""
    bench = Bench(machine())
    try:
        fill_in(bench, case)
        return case
    finally:
        bench.process.exit()


def pacer(case):
    """A case of pacer.json.gz."""
    from goalloc import answers_pacing

    return on_a_bench(answers_pacing.pacer, a_case(case, "gc_percent", "memory_limit", "gomaxprocs", "cycles"))


def cpulimiter(case):
    """A case of cpulimiter.json.gz. When a transition began was not recorded: it is taken from what the transition brought."""
    from goalloc import answers_pacing

    return on_a_bench(answers_pacing.cpulimiter, a_case(case, "gomaxprocs", "ops"))


def gc_program(program, start):
    """A program of gc_programs.json.gz, and the heap that it begins with."""
    from goalloc import answers_collecting

    return answers_collecting.gc_program(program, start)
