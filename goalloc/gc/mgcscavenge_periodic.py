"""How memory went back before Go 1.13: every two and a half minutes, if it had been free for five (GODEBUG's periodicscavenge=1 here).

Go 1.12's page heap kept free spans, each with the time at which it had last been freed or joined. Here there are bitmaps, so chunks of 4 MiB
count: one of which no page has been taken or freed over two looks gives all its free pages back. The looks are turns of the scavenger's goroutine,
which sleeps in between; its variables, on its stack: | where it is | address of the rows | how many | asleep since |.

    row of a chunk:  its bitmap of pages in use at the last look, 64 bytes | looks since it changed

Go 1.12: proc.go sysmon, mheap.go scavenge, scavengelist.
"""

from hwmem._jit import cold, kernel
from goalloc import params as P
from goalloc.base.malloc_persistent import persistentalloc
from goalloc.heap.mheap_scavenge import PAGES
from goalloc.layout import mstats, pageAlloc, variables as V
from goalloc.pages.mgcscavenge_run import scavengeOne
from goalloc.pages.mpagealloc_summary import chunkOf
from goalloc.words import get64, put64

PERIOD_NS = 150_000_000_000  # between two looks
LOOKS = 2  # as many make the five minutes
ROW, AGE, WORDS = 72, 64, 8
ROWS_AT, CAPACITY = 8, 16  # of the goroutine's variables
LAST_PAGE = P.pallocChunkPages - 1


@cold
def look(m, t, at):
    """A look at every chunk; the bytes that went back. `at`: the goroutine's variables."""
    first, n = get64(m, t, PAGES + pageAlloc.start), get64(m, t, PAGES + pageAlloc.end) - get64(m, t, PAGES + pageAlloc.start)
    rows = rows_for(m, t, at, n)
    released = 0
    for i in range(n if rows else 0):
        row = rows + ROW * i
        if changed(m, t, row, chunkOf(m, t, PAGES, first + i)):
            put64(m, t, row + AGE, 0)
        else:
            put64(m, t, row + AGE, get64(m, t, row + AGE) + 1)
            if get64(m, t, row + AGE) >= LOOKS:
                released += release(m, t, first + i)
    return released


@kernel
def rows_for(m, t, at, n):
    """Address of the rows of `n` chunks; those that there were keep what they say. 0 when out of memory."""
    rows, capacity = get64(m, t, at + ROWS_AT), get64(m, t, at + CAPACITY)
    if n <= capacity:
        return rows
    into = persistentalloc(m, t, 2 * n * ROW, P.cacheLineSize, V.memstats + mstats.other_sys)
    for word in range(0, capacity * ROW if into else 0, 8):
        put64(m, t, into + word, get64(m, t, rows + word))
    put64(m, t, at + ROWS_AT, into)
    put64(m, t, at + CAPACITY, 2 * n if into else 0)
    return into


@kernel
def changed(m, t, row, chunk):
    """Whether the chunk's pages in use are others than at the last look; the row has them from now on."""
    differ = False
    for word in range(0, 8 * WORDS, 8):
        bits = get64(m, t, chunk + word)
        if bits != get64(m, t, row + word):
            put64(m, t, row + word, bits)
            differ = True
    return differ


@kernel
def release(m, t, ci):
    released = given = scavengeOne(m, t, PAGES, ci, LAST_PAGE, P.pallocChunkBytes)
    while given:
        given = scavengeOne(m, t, PAGES, ci, LAST_PAGE, P.pallocChunkBytes)
        released += given
    return released
