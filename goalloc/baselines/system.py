"""What every allocator here stands on: where its data lies, memory from the kernel and back to it, blocks that move.

    data(m, t)      the allocator's own variables, which all threads share: DATA_BYTES of a mapping     (a program's .data)
    local(m, t)     the thread's own, in the two pages after them                                       (a program's TLS)

Locks are goalloc/base/lock.py's, held within a call. The allocators with one lock do not take it while only one thread has called them
(`is_alone`), as glibc does.
"""

from hwmem import params as H
from hwmem._jit import cold, kernel
from hwmem.core.access import fetch_add64, load64, store64
from hwmem.core.service import membarrier
from hwmem.libc.abort import FREE_POINTER, abort
from goalloc import params as P
from goalloc.base.lock import lock, unlock
from goalloc.base.mem import PROT_RW, mmap, system_call
from goalloc.base.memclr import memmove
from goalloc.words import add64

INIT, MALLOC, FREE, REALLOC, USABLE_SIZE, TICK, END_THREAD = range(7)  # a door's operations
ANONYMOUS = H.MAP_ANONYMOUS | H.MAP_PRIVATE
DATA_BYTES = 1 << 20
DATA_SKEW, LOCAL_SKEW = 0x940, 0x4C0  # where in their pages the variables begin: not on the lines with which mappings begin
LOCAL_BYTES = 2 * H.PAGE
DATA_SET, LOCAL_SET = 5, 13  # the pages' numbers modulo 16, so that in most TLBs the two do not stand in each other's way
LOCAL = DATA_BYTES - DATA_SKEW + (LOCAL_SET - DATA_SET) * H.PAGE + LOCAL_SKEW  # from the shared variables to the first thread's
BYTES = DATA_BYTES + (2 * 16 + 1) * H.PAGE + H.MAX_THREADS * LOCAL_BYTES
LARGEST = 1 << 46  # a request from here on cannot be met
HEADER = 8  # in front of a block
LOCK, OWNER = 0, 16  # of the variables: the one lock, where there is one; the only thread that has called, plus one; SEVERAL
SEVERAL = 0x7FFF
UPPER = 47  # where the owner begins in a word that has an address, too (bump.py, freelist.py)
ADDRESS = (1 << UPPER) - 1


@kernel
def data(m, t):
    return m.process[m.thread[t].process].guest[P.DATA] & -H.LINE  # it is a multiple of a line, which tells the compiler so


@kernel
def local(m, t):
    return local_of(data(m, t), t)


@kernel
def local_of(d, t):
    """The same, with what `data` gives."""
    return d + LOCAL + t * LOCAL_BYTES


@kernel
def policy(m, t):
    return m.process[m.thread[t].process].guest[P.POLICY]


@kernel
def is_alone(m, t):
    """Whether no other thread has called the allocator."""
    owner = load64(m, t, data(m, t) + OWNER)
    return owner == t + 1 or (owner != SEVERAL and greet(m, t, owner))


@cold
def greet(m, t, owner):
    """A thread's first call: it is the first, or the second. What the first has written without a lock is there before the second
    goes on, and the first knows of it: in a real process one of them has created the other."""
    store64(m, t, data(m, t) + OWNER, SEVERAL if owner else t + 1)
    if owner:
        membarrier(m, m.thread[t].core)
    return owner == 0


@cold
def is_only(m, t, word, owner):
    """The same where the owner stands in an address's upper bits, at `word`: whether the thread, which is not known as the only one, is the
    first; or others have come now."""
    if owner == 0:
        owner = fetch_add64(m, t, word, t + 1 << UPPER) >> UPPER
        if owner == 0:
            return True
        add64(m, t, word, -(t + 1) << UPPER)
    if owner != SEVERAL:
        membarrier(m, m.thread[t].core)
        add64(m, t, word, SEVERAL - owner << UPPER)
    return False


@kernel
def enter(m, t):
    """The allocator's one lock is taken, unless the thread is alone: whether it is, for `leave`."""
    alone = is_alone(m, t)
    if not alone:
        lock(m, t, data(m, t) + LOCK)
    return alone


@kernel
def leave(m, t, alone):
    if not alone:
        unlock(m, t, data(m, t) + LOCK)


@kernel
def map_memory(m, t, n):
    """`n` bytes of new zeroed memory, or 0."""
    return mmap(m, t, 0, n, PROT_RW, ANONYMOUS)


@kernel
def unmap(m, t, va, n):
    if n > 0:
        system_call(m, t, H.SYS_MUNMAP, va, n, 0)


@kernel
def map_aligned(m, t, n, alignment):
    """The same at a multiple of `alignment`: more is mapped, and what lies before and behind given back."""
    va = map_memory(m, t, n + alignment - H.PAGE)
    if va == 0:
        return 0
    start = va + alignment - 1 & -alignment
    unmap(m, t, va, start - va)
    unmap(m, t, start + n, va + alignment - H.PAGE - start)
    return start


@kernel
def map_in_set(m, t, n, page_set):
    """The same from a page on whose number modulo 16 is `page_set` (DATA_SET), or 0."""
    va = map_memory(m, t, n + 15 * H.PAGE)
    return va + (page_set - va // H.PAGE) % 16 * H.PAGE if va else 0


@kernel
def move_break(m, t, to):
    """Ask for the break to be at `to` (0: only ask); where it is then."""
    return system_call(m, t, H.SYS_BRK, to, 0, 0)


@kernel
def copy_block(m, t, to, source, n):
    """Words: allocators copy whole granules."""
    memmove(m, t, to, source, n + 7 & ~7)


@kernel
def header(m, t, block):
    """The word in front of a block."""
    return load64(m, t, block - HEADER)


@cold
def bad_free(m, t):
    """What is freed is no block, or was freed before: the thread ends with SIGABRT."""
    abort(m, t, FREE_POINTER)
