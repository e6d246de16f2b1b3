"""The runtime's global variables, at fixed addresses, as the linker of a static binary would place them.

Read-only tables come first, on pages of their own; each variable begins on a multiple of 64 bytes, so that none shares a line
by chance. Those that the real binary has are as large as there (a type here is its type there); the last few are this project's.
"""
from goalloc.layout import program                      # noqa: F401  (declares what is used here)
from goalloc.layout.rules import align_up, layout_of, namespace
from goalloc.params import cacheLineSize

RODATA = 0x4B_0000
RODATA_TYPES = (("class_to_size", "[numSizeClasses]uint16"), ("class_to_allocnpages", "[numSizeClasses]uint8"),
                ("class_to_divmagic", "[numSizeClasses]uint32"), ("size_to_class8", "[size_to_class8Entries]uint8"),
                ("size_to_class128", "[size_to_class128Entries]uint8"))
DATA = 0x54_0000
DATA_TYPES = (("mheap_", "mheap"), ("memstats", "mstats"), ("gcController", "gcControllerState"), ("emptymspan", "mspan"),
              ("zerobase", "uintptr"), ("gcBitsArenas", "gcBitsArenas"), ("spanSetBlockPool", "spanSetBlockAlloc"),
              ("globalAlloc", "[3]uintptr"), ("persistentChunks", "uintptr"), ("stackpool", "[numStackOrders]stackpool"),
              ("stackLarge", "stackLarge"), ("startingStackSize", "uint32"), ("allp", "[]*p"), ("gomaxprocs", "int32"),
              ("gcphase", "uint32"), ("gcBlackenEnabled", "uint32"), ("writeBarrier", "[2]uint64"), ("sweep", "sweepdata"),
              ("work", "workType"), ("sched", "schedt"), ("mcache0", "*mcache"), ("m0", "m"), ("g0", "g"),
              ("MemProfileRate", "int"), ("debug", "[30]uint32"), ("staticuint64s", "[256]uint64"), ("semtable", "[semTabSize]semtable"),
              ("typelinks", "[8]uintptr"), ("allgs", "[]*g"), ("allglen", "uintptr"), ("allglock", "mutex"),
              ("mbuckets", "*bucket"), ("buckhash", "uintptr"), ("mProfCycle", "atomic.Uint32"), ("profInsertLock", "mutex"),
              ("profMemActiveLock", "mutex"), ("profMemFutureLock", "[3]mutex"), ("userArenaState", "userArenaState"),
              ("arenaTypes", "[3]uintptr"), ("zeroVal", "[maxZero]byte"), ("gcCPULimiter", "gcCPULimiterState"), ("scavenge", "scavenge"),
              ("finq", "*finblock"), ("finc", "*finblock"), ("physPageSize", "uintptr"), ("physHugePageSize", "uintptr"),
              ("hashkey", "[4]uintptr"), ("scavenger", "scavengerState"), ("worldsema", "uint32"), ("gcsema", "uint32"), ("gcMarkDoneFlushed", "uint32"),
              ("gcBgMarkWorkerCount", "int32"), ("gcBgMarkWorkerPool", "lfstack"), ("finlock", "mutex"), ("fing", "*g"), ("allfin", "*finblock"),
              ("fingStatus", "atomic.Uint32"))
TYPES = 0x60_0000                       # type descriptors and pointer masks that programs define
GLOBALS = 0x80_0000                     # the program's own global variables


def place(start, types):
    """([(name, address, bytes)] of variables that follow one another, where they end)."""
    symbols = []
    for name, of in types:
        symbols.append((name, start, layout_of(of).size))
        start += align_up(symbols[-1][2], cacheLineSize)
    return symbols, start


_rodata, RODATA_END = place(RODATA, RODATA_TYPES)
_data, DATA_END = place(DATA, DATA_TYPES)
SYMBOLS = _rodata + _data               # (name, address, bytes)
variables = namespace("variables", DATA_END - DATA, {name: start for name, start, _ in SYMBOLS})
