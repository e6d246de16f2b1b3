"""The page allocator's structures, and what holds memory outside the heap. Go: mpagealloc.go, mpagecache.go, mranges.go,
mgcscavenge.go, mfixalloc.go, malloc.go."""
from goalloc.layout.rules import named, struct

named("uint64", "chunkIdx arenaIdx sysMemStat pallocSum atomicOffAddr")

mutex = struct("mutex", "lockRankStruct; key uintptr")
note = struct("note", "key uintptr")
lfnode = struct("lfnode", "next uint64; pushcnt uintptr")
named("uint64", "lfstack")
notInHeapSlice = struct("notInHeapSlice", "array *notInHeap; len, cap int")

struct("offAddr", "a uintptr")
addrRange = struct("addrRange", "base, limit offAddr")
addrRanges = struct("addrRanges", "ranges []addrRange; totalBytes uintptr; sysStat *sysMemStat")

fixalloc = struct("fixalloc", """
    size uintptr; first func; arg unsafe.Pointer; list *mlink
    chunk uintptr; nchunk, nalloc uint32; inuse uintptr; stat *sysMemStat; zero bool""")
persistentAlloc = struct("persistentAlloc", "base *notInHeap; off uintptr")
linearAlloc = struct("linearAlloc", "next, mapped, end uintptr; mapMemory bool")

struct("pageBits", "_ [8]uint64")
struct("pallocBits", "pageBits")
pallocData = struct("pallocData", "pallocBits; scavenged pageBits")
pageCache = struct("pageCache", "base uintptr; cache, scav uint64")

named("uint8", "scavChunkFlags")
scavChunkData = struct("scavChunkData", "inUse, lastInUse uint16; gen uint32; scavChunkFlags")
atomicScavChunkData = struct("atomicScavChunkData", "value atomic.Uint64")
scavengeIndex = struct("scavengeIndex", """
    chunks []atomicScavChunkData; min, max, minHeapIdx atomic.Uintptr
    searchAddrBg, searchAddrForce atomicOffAddr; freeHWM offAddr; gen uint32; test bool""")
pageAllocScav = struct("pageAlloc.scav", "index scavengeIndex; releasedBg, releasedEager atomic.Uintptr")
pageAlloc = struct("pageAlloc", """
    summary [summaryLevels][]pallocSum; chunks [pallocChunksL1Entries]*[pallocChunksL2Entries]pallocData
    searchAddr offAddr; start, end chunkIdx; inUse addrRanges; scav pageAlloc.scav
    mheapLock *mutex; sysStat *sysMemStat; summaryMappedReady uintptr; chunkHugePages, test bool""")
