"""Goroutine stacks: powers of two from 2 KiB, cut from the heap's pages; they grow and shrink by being copied.

    2, 4, 8, 16 KiB   the P's stackcache (a free list a size) ── stackpool: spans of 32 KiB cut into stacks, under a lock
    32 KiB and more   a span each, from the page heap and back to it

      lo ........... stackguard0 = lo + 928 ........... sp <- frames -> hi         a call that would go below the guard grows it

`gp` is the address of a g, `n` bytes. When a stack moves, the words that point into it are adjusted: the emulated program has
no stack maps, so every word between sp and hi that holds an address of the old stack counts as one. Reached through
DOOR_STACK. Go: stack.go.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.heap.mheap_grow import arena_of
from goalloc.layout import (
    STACKPOOL_STRIDE,
    g_,
    heapArena,
    mSpanList,
    mcache,
    mspan,
    p_,
    stackfreelist,
    stackpoolItem,
    sudog,
    variables as V,
)
from goalloc.base.lock import lock, unlock
from goalloc.base.memclr import memmove
from goalloc.heap.mheap import alloc_span, free_span
from goalloc.heap.mheap_spanlist import list_insert, list_remove
from goalloc.base.malloc_persistent import current_p
from goalloc.base.mstats import addScannableStack
from goalloc.words import get8, get16, get64, put16, put64

STACKALLOC, STACKFREE, CACHE_CLEAR, CALL, SHRINK, FREE_SPANS = range(6)
STACK_PAGES = P.stackCacheSize >> P.pageShift
STACK_GUARD, STACK_SMALL = 928, 128
MAX_STACK = 1_000_000_000
LO, HI, SP = g_.stack, g_.stack + 8, g_.sched


@kernel
def stack_door(m, t, operation, a, b):
    return call_door(m, P.DOOR_STACK, t, operation, a, b)


@DOORS.door(P.DOOR_STACK)
def stacks(m, t, operation, a, b):
    if operation == STACKALLOC:
        return stackalloc(m, t, a)
    if operation == STACKFREE:
        stackfree(m, t, a, b)
    elif operation == CACHE_CLEAR:
        stackcache_clear(m, t, a)
    elif operation == CALL:
        call_frame(m, t, a, b)
    elif operation == SHRINK:
        shrinkstack(m, t, a)
    else:
        freeStackSpans(m, t)
    return 0


@kernel
def order_of(n):
    """log2 of the stack's size in units of 2 KiB."""
    order = 0
    while P.fixedStack << order < n:
        order += 1
    return order


@kernel
def is_small(n):
    return n < P.fixedStack << P.numStackOrders and n < P.stackCacheSize


@kernel
def pool_of(order):
    """Address of the stackpoolItem of a size."""
    return V.stackpool + order * STACKPOOL_STRIDE


@kernel
def cache_of(c, order):
    """Address of an mcache's free list of stacks of a size."""
    return c + mcache.stackcache + order * stackfreelist.sizeof


# Allocating and freeing


@cold
def stackalloc(m, t, n):
    """The lower end of a stack of `n` bytes; 0 after a fatal error."""
    if n & (n - 1):
        throw(m, t, E.STACK_POWER, 0, 0)
        return 0
    if not is_small(n):
        s = freed_while_marking(m, t, n >> P.pageShift)
        if s == 0:
            s = alloc_span(m, t, n >> P.pageShift, P.spanAllocStack, 0)
        if s == 0:
            throw(m, t, E.OUT_OF_MEMORY, 0, 0)
            return 0
        put64(m, t, s + mspan.elemsize, n)
        return get64(m, t, s + mspan.startAddr)
    order, pp = order_of(n), current_p(m, t)
    if pp == 0:
        lock(m, t, pool_of(order))
        x = stackpoolalloc(m, t, order)
        unlock(m, t, pool_of(order))
        return x
    cache = cache_of(get64(m, t, pp + p_.mcache), order)
    if get64(m, t, cache + stackfreelist.list) == 0:
        stackcacherefill(m, t, cache, order)
    x = get64(m, t, cache + stackfreelist.list)
    if x:
        put64(m, t, cache + stackfreelist.list, get64(m, t, x))
        put64(m, t, cache + stackfreelist.size, get64(m, t, cache + stackfreelist.size) - n)
    return x


@cold
def stackpoolalloc(m, t, order):
    """A stack from the pool, whose lock is held."""
    spans = pool_of(order) + stackpoolItem.span
    s = get64(m, t, spans + mSpanList.first)
    if s == 0:
        s = alloc_span(m, t, STACK_PAGES, P.spanAllocStack, 0)
        if s == 0:
            throw(m, t, E.OUT_OF_MEMORY, 0, 0)
            return 0
        size, base = P.fixedStack << order, get64(m, t, s + mspan.startAddr)
        put64(m, t, s + mspan.elemsize, size)
        for x in range(base, base + P.stackCacheSize, size):
            put64(m, t, x, get64(m, t, s + mspan.manualFreeList))
            put64(m, t, s + mspan.manualFreeList, x)
        list_insert(m, t, spans, s)
    x = get64(m, t, s + mspan.manualFreeList)
    put64(m, t, s + mspan.manualFreeList, get64(m, t, x))
    put16(m, t, s + mspan.allocCount, get16(m, t, s + mspan.allocCount) + 1)
    if get64(m, t, s + mspan.manualFreeList) == 0:
        list_remove(m, t, spans, s)
    return x


@cold
def stackpoolfree(m, t, x, order):
    """A stack goes back to the pool, its span to the heap if it was the last; the lock is held."""
    s = span_of_page(m, t, x)
    if get8(m, t, s + mspan.state) != P.mSpanManual:
        throw(m, t, E.NOT_STACK_SPAN, 0, 0)
        return
    spans = pool_of(order) + stackpoolItem.span
    if get64(m, t, s + mspan.manualFreeList) == 0:
        list_insert(m, t, spans, s)
    put64(m, t, x, get64(m, t, s + mspan.manualFreeList))
    put64(m, t, s + mspan.manualFreeList, x)
    count = get16(m, t, s + mspan.allocCount) - 1
    put16(m, t, s + mspan.allocCount, count)
    if count == 0 and not is_marking(m, t):
        list_remove(m, t, spans, s)
        put64(m, t, s + mspan.manualFreeList, 0)
        free_span(m, t, s, P.spanAllocStack)


@kernel
def span_of_page(m, t, va):
    return get64(m, t, arena_of(m, t, va) + heapArena.spans + (va >> P.pageShift & P.pagesPerArena - 1) * 8)


@kernel
def stackcacherefill(m, t, cache, order):
    """16 KiB of stacks from the pool to a P's free list."""
    stacks_list, size = 0, 0
    lock(m, t, pool_of(order))
    while size < P.stackCacheSize // 2:
        x = stackpoolalloc(m, t, order)
        if x == 0:
            break
        put64(m, t, x, stacks_list)
        stacks_list = x
        size += P.fixedStack << order
    unlock(m, t, pool_of(order))
    put64(m, t, cache + stackfreelist.list, stacks_list)
    put64(m, t, cache + stackfreelist.size, size)


@cold
def stackcacherelease(m, t, cache, order, keep):
    """Stacks of a P's free list go to the pool until `keep` bytes of them are left."""
    x, size = get64(m, t, cache + stackfreelist.list), get64(m, t, cache + stackfreelist.size)
    lock(m, t, pool_of(order))
    while size > keep and x:
        following = get64(m, t, x)
        stackpoolfree(m, t, x, order)
        x = following
        size -= P.fixedStack << order
    unlock(m, t, pool_of(order))
    put64(m, t, cache + stackfreelist.list, x)
    put64(m, t, cache + stackfreelist.size, size)


@kernel
def stackcache_clear(m, t, c):
    for order in range(P.numStackOrders):
        stackcacherelease(m, t, cache_of(c, order), order, 0)


@cold
def stackfree(m, t, lo, n):
    if not is_small(n):
        s = span_of_page(m, t, lo)
        if get8(m, t, s + mspan.state) != P.mSpanManual:
            throw(m, t, E.NOT_STACK_SPAN, 0, 0)
            return
        if is_marking(m, t):
            lock(m, t, V.stackLarge)
            list_insert(m, t, large_list(get64(m, t, s + mspan.npages)), s)
            unlock(m, t, V.stackLarge)
        else:
            free_span(m, t, s, P.spanAllocStack)
        return
    order, pp = order_of(n), current_p(m, t)
    if pp == 0:
        lock(m, t, pool_of(order))
        stackpoolfree(m, t, lo, order)
        unlock(m, t, pool_of(order))
        return
    cache = cache_of(get64(m, t, pp + p_.mcache), order)
    if get64(m, t, cache + stackfreelist.size) >= P.stackCacheSize:
        stackcacherelease(m, t, cache, order, P.stackCacheSize // 2)
    put64(m, t, lo, get64(m, t, cache + stackfreelist.list))
    put64(m, t, cache + stackfreelist.list, lo)
    put64(m, t, cache + stackfreelist.size, get64(m, t, cache + stackfreelist.size) + n)


# While a collection marks, spans of stacks stay what they are: pointers to stacks must not lead into the heap


@kernel
def is_marking(m, t):
    return m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING != 0


@kernel
def large_list(npages):
    """Address of the list of freed stack spans of 2^k pages."""
    order = 0
    while 1 << order < npages:
        order += 1
    return V.stackLarge + 8 + order * mSpanList.sizeof


@kernel
def freed_while_marking(m, t, npages):
    """A stack span that was freed since marking began, or 0."""
    if not is_marking(m, t):
        return 0
    spans = large_list(npages)
    lock(m, t, V.stackLarge)
    s = get64(m, t, spans)
    if s:
        list_remove(m, t, spans, s)
    unlock(m, t, V.stackLarge)
    return s


@cold
def freeStackSpans(m, t):
    """Marking is over: spans without a stack in use go back to the heap."""
    for order in range(P.numStackOrders):
        spans = pool_of(order) + stackpoolItem.span
        lock(m, t, pool_of(order))
        s = get64(m, t, spans)
        while s:
            following = get64(m, t, s + mspan.next)
            if get16(m, t, s + mspan.allocCount) == 0:
                list_remove(m, t, spans, s)
                put64(m, t, s + mspan.manualFreeList, 0)
                free_span(m, t, s, P.spanAllocStack)
            s = following
        unlock(m, t, pool_of(order))
    lock(m, t, V.stackLarge)
    for k in range(P.largeStackLists):
        spans = V.stackLarge + 8 + k * mSpanList.sizeof
        s = get64(m, t, spans)
        while s:
            list_remove(m, t, spans, s)
            free_span(m, t, s, P.spanAllocStack)
            s = get64(m, t, spans)
    unlock(m, t, V.stackLarge)


# Growing and shrinking


@kernel
def call_frame(m, t, gp, frame):
    """Call a function with a frame of `frame` bytes: its prologue's check, the return address, the space."""
    sp = get64(m, t, gp + SP) - 8
    reach = sp if frame <= STACK_SMALL else sp - (frame - STACK_SMALL)
    if reach <= get64(m, t, gp + g_.stackguard0):
        if not newstack(m, t, gp, sp, frame):
            return
        sp = get64(m, t, gp + SP) - 8
    put64(m, t, sp, 0)
    put64(m, t, gp + SP, sp - frame)


@kernel
def newstack(m, t, gp, sp, frame):
    """Twice the stack, or as often twice as the frame needs; False after a stack overflow."""
    used, n = get64(m, t, gp + HI) - sp, 2 * (get64(m, t, gp + HI) - get64(m, t, gp + LO))
    while n <= MAX_STACK and n - used - STACK_GUARD < frame:
        n *= 2
    if n > MAX_STACK:
        throw(m, t, E.STACK_OVERFLOW, MAX_STACK, 0)
        return False
    return copystack(m, t, gp, n)


@cold
def copystack(m, t, gp, n):
    """Move the stack to one of `n` bytes; what points into it is moved with it."""
    lo, hi, sp = get64(m, t, gp + LO), get64(m, t, gp + HI), get64(m, t, gp + SP)
    new_lo = stackalloc(m, t, n)
    if new_lo == 0:
        return False
    addScannableStack(m, t, current_p(m, t), n - (hi - lo))
    used, delta = hi - sp, new_lo + n - hi
    memmove(m, t, sp + delta, sp, used)
    for place in range(sp + delta, hi + delta, 8):
        adjustpointer(m, t, place, lo, hi, delta)
    s = get64(m, t, gp + g_.waiting)
    while s:  # who sends to it has to find the new place
        adjustpointer(m, t, s + sudog.elem, lo, hi, delta)
        s = get64(m, t, s + sudog.waitlink)
    put64(m, t, gp + LO, new_lo)
    put64(m, t, gp + HI, new_lo + n)
    put64(m, t, gp + g_.stackguard0, new_lo + STACK_GUARD)
    put64(m, t, gp + SP, sp + delta)
    stackfree(m, t, lo, hi - lo)
    return True


@cold
def adjustpointer(m, t, place, lo, hi, delta):
    """If the word at `place` points into the old stack [lo, hi), make it point into the new one. Go: adjustpointer."""
    word = get64(m, t, place)
    if lo <= word < hi:
        put64(m, t, place, word + delta)


@kernel
def shrinkstack(m, t, gp):
    """Half the stack, if less than a quarter is in use; the collector asks for it."""
    hi, sp = get64(m, t, gp + HI), get64(m, t, gp + SP)
    n = hi - get64(m, t, gp + LO)
    if n // 2 >= P.fixedStack and hi - sp + 800 < n // 4:
        copystack(m, t, gp, n // 2)
