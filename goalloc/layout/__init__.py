"""The runtime's structures, Go 1.21.13 on linux/amd64, and where its variables lie.

    rules.py        how Go lays out a struct: offsets computed from declarations
    pages.py        the page allocator's, and fixed memory        heap.py         spans, caches, arenas
    collector.py    the collector's, profiles, statistics         scheduler.py    g, m, p, channels, timers
    program.py      slices, interfaces, maps, types               variables.py    the runtime's global variables

Each structure is a namespace: `load64(m, t, s + mspan.freeindex)` reads the field freeindex of the span at s, and
`mspan.sizeof` is its size; to a kernel they are constants. tests/goalloc/test_layout.py holds every field of 75 of them to a
Go 1.21.13 binary's DWARF.
"""
from goalloc.layout.rules import TYPES as DECLARED, named, namespace, pointer_words, sizes_of, struct
from goalloc.layout.pages import (addrRange, addrRanges, fixalloc, lfnode, linearAlloc, mutex, note, pageAlloc, pageAllocScav,
                                  pageCache, pallocData, persistentAlloc, scavengeIndex)
from goalloc.layout.heap import (CENTRAL_STRIDE, STACKPOOL_STRIDE, arenaHint, gcBitsArena, gcBitsArenas,
                                 heapArena, liveUserArenaChunk, mSpanList, mcache, mcentral, mheap, mspan, spanSet, spanSetBlock,
                                 stackfreelist, stackpoolItem, userArena, userArenaState)
from goalloc.layout.collector import (bucket, consistentHeapStats, cpuStats, finalizer, finblock, gcBgMarkWorkerNode,
                                      gcCPULimiterState, gcControllerState, gcWork, heapStatsDelta, memRecord, memRecordCycle, mstats,
                                      piController, scavenge, scavengerState, special, specialPinCounter, specialReachable, specialfinalizer,
                                      specialprofile, sweepdata, wbBuf, workType, workbuf)
from goalloc.layout.scheduler import (Mutex, WaitGroup, g_, gobuf, hchan, m_, p_, schedt, scase, semaRoot, sudog, timer, waitq)
from goalloc.layout.program import eface, hiter, hmap, iface, mapextra, slice_, type_
from goalloc.layout.variables import DATA, DATA_END, GLOBALS, RODATA, RODATA_END, SYMBOLS, TYPES, variables

struct("debug_", "madvdontneed, gcshrinkstackoff, disablethp int32")
debug = namespace("debug", 120, {"madvdontneed": 0, "gcshrinkstackoff": 4, "disablethp": 8})     # what GODEBUG sets; of Go's, only what is asked for here
