"""goalloc: the memory allocator and garbage collector of Go 1.21, on a machine of hwmem's.

Its spans, bitmaps, caches and lock words lie at emulated addresses and are read and written by the machine's loads and
stores, like user data. Files have the names of the runtime's own, so that whoever knows Go's source finds the way. This is
their order, an allocation from the top down, each above those it rests on; none of them is here yet:

    malloc          mallocgc: tiny, small, large; the arenas of 64 MiB
    stack           goroutine stacks: pools, growth by copying
    mcache          a P's spans, one a span class: where an allocation ends that finds a free slot
    mcentral        a class's spans, shared by all Ps: full or partly free, swept or not
    mheap           pages to spans and back; growing
    mspan           a run of go pages of one size class: freeindex, allocCache, bitmaps
    sizeclasses     68 sizes, generated
    mbitmap         which words hold pointers
    mpagecache      64 pages of a P's own
    mpagealloc      the free pages: bitmaps and a five-level radix tree of summaries
    mpallocbits     one chunk's bitmap of 512 pages
    mranges         sorted address ranges
    mfixalloc       the runtime's own objects of one size
    mem             reserve, map, use and free address space: the emulated kernel's mmap and madvise
    mgc             the collector's phases and triggers
    mgcmark         roots and greying; assists
    mgcwork         work buffers
    mwbbuf, mbarrier    the write barrier
    mgcsweep        sweeping, in proportion to allocation
    mgcpacer        when to begin, how much to help
    mgclimit        at most half of the CPU
    mgcscavenge     memory back to the kernel
    mfinal, pinner, arena, mstats, mprof    finalizers, pinning, user arenas, statistics, profiles
"""
