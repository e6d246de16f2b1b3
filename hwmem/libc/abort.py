"""What malloc prints before it aborts: the heap is corrupt.

`abort` ends the thread as SIGABRT does; the front end raises hwmem.Abort with the C library's words (errors.py). A caller
hands on the -1 that it returns. Source: glibc 2.36 malloc/malloc.c, the arguments of malloc_printerr.
"""

from hwmem import params as P
from hwmem._jit import cold
from hwmem.core.signal import end_by_signal

MESSAGES = (
    "free(): invalid pointer",
    "free(): invalid size",
    "free(): invalid next size (fast)",
    "free(): invalid next size (normal)",
    "free(): corrupted unsorted chunks",
    "free(): double free detected in tcache 2",
    "free(): too many chunks detected in tcache",
    "free(): unaligned chunk detected in tcache 2",
    "double free or corruption (fasttop)",
    "double free or corruption (top)",
    "double free or corruption (out)",
    "double free or corruption (!prev)",
    "invalid fastbin entry (free)",
    "corrupted size vs. prev_size",
    "corrupted size vs. prev_size while consolidating",
    "corrupted size vs. prev_size in fastbins",
    "corrupted double-linked list",
    "corrupted double-linked list (not small)",
    "malloc(): unaligned tcache chunk detected",
    "malloc(): unaligned fastbin chunk detected",
    "malloc(): unaligned fastbin chunk detected 2",
    "malloc(): unaligned fastbin chunk detected 3",
    "malloc(): memory corruption (fast)",
    "malloc(): smallbin double linked list corrupted",
    "malloc(): invalid size (unsorted)",
    "malloc(): invalid next size (unsorted)",
    "malloc(): mismatching next->prev_size (unsorted)",
    "malloc(): unsorted double linked list corrupted",
    "malloc(): invalid next->prev_inuse (unsorted)",
    "malloc(): largebin double linked list corrupted (nextsize)",
    "malloc(): largebin double linked list corrupted (bk)",
    "malloc(): corrupted unsorted chunks",
    "malloc(): corrupted unsorted chunks 2",
    "malloc(): corrupted top size",
    "malloc_consolidate(): unaligned fastbin chunk detected",
    "malloc_consolidate(): invalid chunk size",
    "munmap_chunk(): invalid pointer",
    "mremap_chunk(): invalid pointer",
    "realloc(): invalid pointer",
    "realloc(): invalid old size",
    "realloc(): invalid next size",
    "break adjusted to free malloc space",
    "tcache_thread_shutdown(): unaligned tcache chunk detected",
    "Fatal glibc error: malloc assertion failure in sysmalloc",
)

(
    FREE_POINTER,
    FREE_SIZE,
    FREE_NEXT_FAST,
    FREE_NEXT_NORMAL,
    FREE_UNSORTED,
    FREE_TCACHE_TWICE,
    FREE_TCACHE_MANY,
    FREE_TCACHE_UNALIGNED,
    TWICE_FASTTOP,
    TWICE_TOP,
    TWICE_OUT,
    TWICE_PREV,
    FASTBIN_ENTRY,
    SIZE_PREV_SIZE,
    SIZE_CONSOLIDATING,
    SIZE_FASTBINS,
    LIST,
    LIST_NOT_SMALL,
    TCACHE_UNALIGNED,
    FAST_UNALIGNED,
    FAST_UNALIGNED_2,
    FAST_UNALIGNED_3,
    FAST_CORRUPT,
    SMALLBIN_LIST,
    UNSORTED_SIZE,
    UNSORTED_NEXT_SIZE,
    UNSORTED_MISMATCH,
    UNSORTED_LIST,
    UNSORTED_NEXT_INUSE,
    LARGEBIN_NEXTSIZE,
    LARGEBIN_BK,
    UNSORTED_REMAINDER,
    UNSORTED_REMAINDER_2,
    TOP_SIZE,
    CONSOLIDATE_UNALIGNED,
    CONSOLIDATE_SIZE,
    MUNMAP_POINTER,
    MREMAP_POINTER,
    REALLOC_POINTER,
    REALLOC_OLD_SIZE,
    REALLOC_NEXT_SIZE,
    BREAK_ADJUSTED,
    SHUTDOWN_UNALIGNED,
    SYSMALLOC_ASSERTION,
) = range(len(MESSAGES))


@cold
def abort(m, t, message):
    """The thread ends, its last words number `message`. Returns -1."""
    return end_by_signal(m, t, message, 0, P.ABORTED)
