"""Doubly linked lists of spans (stack pools, large free stacks, user arenas' chunks). Go: mheap.go mSpanList."""

from hwmem._jit import kernel
from goalloc import errors as E
from goalloc.errors import throw
from goalloc.layout import mSpanList, mspan
from goalloc.words import get64, put64


@kernel
def list_insert(m, t, spans, s):
    """`s` becomes the first of the list at `spans`."""
    first = get64(m, t, spans + mSpanList.first)
    put64(m, t, s + mspan.next, first)
    put64(m, t, s + mspan.prev, 0)
    if first:
        put64(m, t, first + mspan.prev, s)
    else:
        put64(m, t, spans + mSpanList.last, s)
    put64(m, t, spans + mSpanList.first, s)
    put64(m, t, s + mspan.list, spans)


@kernel
def list_insertBack(m, t, spans, s):
    """`s` becomes the last of the list at `spans`."""
    last = get64(m, t, spans + mSpanList.last)
    put64(m, t, s + mspan.next, 0)
    put64(m, t, s + mspan.prev, last)
    if last:
        put64(m, t, last + mspan.next, s)
    else:
        put64(m, t, spans + mSpanList.first, s)
    put64(m, t, spans + mSpanList.last, s)
    put64(m, t, s + mspan.list, spans)


@kernel
def list_remove(m, t, spans, s):
    if get64(m, t, s + mspan.list) != spans:
        throw(m, t, E.SPAN_LIST, 0, 0)
        return
    after, before = get64(m, t, s + mspan.next), get64(m, t, s + mspan.prev)
    put64(m, t, before + mspan.next if before else spans + mSpanList.first, after)
    put64(m, t, after + mspan.prev if after else spans + mSpanList.last, before)
    put64(m, t, s + mspan.next, 0)
    put64(m, t, s + mspan.prev, 0)
    put64(m, t, s + mspan.list, 0)


@kernel
def list_takeAll(m, t, spans, other):
    """The spans of the list at `other` become the first of the list at `spans`."""
    first, last = get64(m, t, other + mSpanList.first), get64(m, t, other + mSpanList.last)
    if first == 0:
        return
    s = first
    while s:
        put64(m, t, s + mspan.list, spans)
        s = get64(m, t, s + mspan.next)
    old = get64(m, t, spans + mSpanList.first)
    if old:
        put64(m, t, last + mspan.next, old)
        put64(m, t, old + mspan.prev, last)
    else:
        put64(m, t, spans + mSpanList.last, last)
    put64(m, t, spans + mSpanList.first, first)
    put64(m, t, other + mSpanList.first, 0)
    put64(m, t, other + mSpanList.last, 0)
