"""Channels: a ring of elements under a lock, and queues of goroutines that wait to receive or to send.

    a receiver waits            a sender copies its element to where the receiver wants it (`elem`), and makes it ready
    room in the ring            a sender copies into it at sendx
    neither                     the sender waits in sendq; who receives takes its element

A call that returns PARKED has parked the running goroutine; when that runs again it makes the same call again, which then ends it. Reached
through DOOR_CHAN. Invariant: recvq and sendq are not both in use; with elements in the ring no goroutine waits to receive, with room none
waits to send. Go: chan.go.
"""

from hwmem._jit import DOORS, call_door, cold, kernel
from goalloc import errors as E, params as P
from goalloc.errors import throw
from goalloc.layout import g_, hchan, sudog, type_, variables as V
from goalloc.base.lock import lock, unlock
from goalloc.heap.malloc import mallocgc
from goalloc.base.memclr import memclr, put_pointer, typedmemmove
from goalloc.sched.proc_park import goready, gopark
from goalloc.sched.proc_sudog import acquireSudog, releaseSudog
from goalloc.sched.chan_waitq import dequeue, enqueue, woken
from goalloc.words import get8, get16, get32, get64, put16, put32, put64

MAKECHAN, CHANSEND, CHANRECV, CLOSECHAN, SELECTNBSEND, SELECTNBRECV = range(6)
PARKED, DONE, CLOSED, DEFAULT, YIELDED = range(5)  # how a call on channels, select or locks ended


@kernel
def makechan(m, t, typ, size):
    """make(chan T, size), `typ`: of an element; the channel's address."""
    return call_door(m, P.DOOR_CHAN, t, MAKECHAN, typ, size)


@kernel
def chansend(m, t, c, ep):
    """c <- *ep: DONE or PARKED."""
    return call_door(m, P.DOOR_CHAN, t, CHANSEND, c, ep)


@kernel
def chanrecv(m, t, c, ep):
    """*ep, ok = <-c: DONE, CLOSED (not ok, and zero), or PARKED. ep = 0: the element is dropped."""
    return call_door(m, P.DOOR_CHAN, t, CHANRECV, c, ep)


@kernel
def selectnbsend(m, t, c, ep):
    """select { case c <- *ep: default: }: DONE or DEFAULT."""
    return call_door(m, P.DOOR_CHAN, t, SELECTNBSEND, c, ep)


@kernel
def selectnbrecv(m, t, c, ep):
    """select { case *ep, ok = <-c: default: }: DONE, CLOSED or DEFAULT."""
    return call_door(m, P.DOOR_CHAN, t, SELECTNBRECV, c, ep)


@kernel
def closechan(m, t, c):
    """close(c): receivers take what the channel still holds, and then get CLOSED."""
    return call_door(m, P.DOOR_CHAN, t, CLOSECHAN, c, 0)


@DOORS.door(P.DOOR_CHAN)
def channels(m, t, operation, a, b):
    if operation == MAKECHAN:
        return make(m, t, a, b)
    if operation == CLOSECHAN:
        close(m, t, a)
        return 0
    gp, sends, block = m.thread[t].guest[P.G], operation in (CHANSEND, SELECTNBSEND), operation in (CHANSEND, CHANRECV)
    if a == 0 and not block:
        return DEFAULT
    if a == 0:
        gopark(m, t, P.waitReasonChanSendNilChan if sends else P.waitReasonChanReceiveNilChan)
        return PARKED
    status = resumed(m, t, gp) if block and get64(m, t, gp + g_.waiting) else begin(m, t, gp, (sends, block), a, b)
    if status == CLOSED and sends:
        throw(m, t, E.SEND_CLOSED, 0, 0)
    return status


@kernel
def begin(m, t, gp, how, c, ep):
    """`how`: (whether to send, whether to wait for it)."""
    sends, block = how
    lock(m, t, c + hchan.lock)
    status = send_now(m, t, c, ep) if sends else receive_now(m, t, c, ep)
    if status == PARKED and block:
        wait(m, t, gp, c, hchan.sendq if sends else hchan.recvq, ep)
    unlock(m, t, c + hchan.lock)
    return DEFAULT if status == PARKED and not block else status


@kernel
def make(m, t, typ, size):
    element = get64(m, t, typ + type_.Size_)
    if size < 0 or (element and size > (P.maxAlloc - hchan.sizeof) // element):
        throw(m, t, E.CHAN_SIZE, 0, 0)
        return 0
    pointers = get64(m, t, typ + type_.PtrBytes) != 0 and element * size > 0
    c = mallocgc(m, t, hchan.sizeof if pointers else hchan.sizeof + element * size, get64(m, t, V.typelinks + 16) if pointers else 0)
    if c == 0:
        return 0
    place = hchan.sizeof if element * size > 0 else hchan.buf  # without a buffer not what lies behind the channel, which is another object
    put_pointer(m, t, c + hchan.buf, mallocgc(m, t, element * size, typ) if pointers else c + place)
    put16(m, t, c + hchan.elemsize, element)
    put64(m, t, c + hchan.elemtype, typ)
    put64(m, t, c + hchan.dataqsiz, size)
    return c


@cold
def send_now(m, t, c, ep):
    """Send without waiting: DONE, or PARKED if it has to wait; CLOSED, where the caller panics. The lock is held."""
    if get32(m, t, c + hchan.closed):
        return CLOSED
    sg = dequeue(m, t, c + hchan.recvq)
    if sg:
        hand_over(m, t, sg, get64(m, t, sg + sudog.elem), ep, get16(m, t, c + hchan.elemsize))
        return DONE
    n = get64(m, t, c + hchan.qcount)
    if n < get64(m, t, c + hchan.dataqsiz):
        typedmemmove(m, t, pointers_of(m, t, c), slot(m, t, c, hchan.sendx), ep, get16(m, t, c + hchan.elemsize))
        advance(m, t, c, hchan.sendx)
        put64(m, t, c + hchan.qcount, n + 1)
        return DONE
    return PARKED


@cold
def receive_now(m, t, c, ep):
    """Receive without waiting: DONE, CLOSED, or PARKED if it has to wait. The lock is held."""
    n, element = get64(m, t, c + hchan.qcount), get16(m, t, c + hchan.elemsize)
    if get32(m, t, c + hchan.closed) and n == 0:
        memclr(m, t, ep, element if ep else 0)
        return CLOSED
    sg = dequeue(m, t, c + hchan.sendq)
    if n == 0:
        if sg == 0:
            return PARKED
        hand_over(m, t, sg, ep, get64(m, t, sg + sudog.elem), element)
        return DONE
    place = slot(m, t, c, hchan.recvx)
    typ = pointers_of(m, t, c)
    typedmemmove(m, t, typ, ep, place, element if ep else 0)
    advance(m, t, c, hchan.recvx)
    if sg:  # the ring is full: the sender's element takes the place
        hand_over(m, t, sg, place, get64(m, t, sg + sudog.elem), element)
        put64(m, t, c + hchan.sendx, get64(m, t, c + hchan.recvx))
        return DONE
    typedmemmove(m, t, typ, place, 0, element)
    put64(m, t, c + hchan.qcount, n - 1)
    return DONE


@cold
def hand_over(m, t, sg, to, source, n):
    """The element, from the sender's place to the receiver's, and the other goroutine is ready."""
    typedmemmove(m, t, pointers_of(m, t, get64(m, t, sg + sudog.c)), to, source, n if to else 0)
    goready(m, t, woken(m, t, sg, 1))


@kernel
def pointers_of(m, t, c):
    """The channel's type of elements, 0 if they have no pointers; asked only while a collection marks."""
    if m.process[m.thread[t].process].guest[P.COLLECTOR] & P.MARKING == 0:
        return 0
    typ = get64(m, t, c + hchan.elemtype)
    return typ if get64(m, t, typ + type_.PtrBytes) else 0


@kernel
def slot(m, t, c, index):
    return get64(m, t, c + hchan.buf) + get64(m, t, c + index) * get16(m, t, c + hchan.elemsize)


@kernel
def advance(m, t, c, index):
    following = get64(m, t, c + index) + 1
    put64(m, t, c + index, following if following < get64(m, t, c + hchan.dataqsiz) else 0)


@cold
def wait(m, t, gp, c, queue, ep):
    """The goroutine waits at the end of a queue."""
    sg = acquireSudog(m, t)
    if sg == 0:
        return
    put64(m, t, sg + sudog.elem, ep)
    enqueue(m, t, gp, c, c + queue, sg)
    put_pointer(m, t, gp + g_.waiting, sg)
    put64(m, t, gp + g_.param, 0)
    gopark(m, t, P.waitReasonChanSend if queue == hchan.sendq else P.waitReasonChanReceive)


@cold
def resumed(m, t, gp):
    """The end of a call that had parked."""
    sg = get64(m, t, gp + g_.waiting)
    status = how_it_ended(m, t, sg)
    put64(m, t, gp + g_.waiting, 0)
    put64(m, t, gp + g_.param, 0)
    releaseSudog(m, t, sg)
    return status


@kernel
def how_it_ended(m, t, sg):
    """What woke a goroutine that waited to send or to receive: the other side (DONE), or close (CLOSED)."""
    return DONE if get8(m, t, sg + sudog.success) else CLOSED


@cold
def close(m, t, c):
    """close(c): who waits is ready, in the reverse order, receivers with zero."""
    if c == 0 or get32(m, t, c + hchan.closed):
        throw(m, t, E.CLOSE_CLOSED if c else E.CLOSE_NIL, 0, 0)
        return
    lock(m, t, c + hchan.lock)
    put32(m, t, c + hchan.closed, 1)
    waiters = 0
    for queue in (c + hchan.recvq, c + hchan.sendq):
        sg = dequeue(m, t, queue)
        while sg:
            ep = get64(m, t, sg + sudog.elem)
            if ep and queue == c + hchan.recvq:
                memclr(m, t, ep, get16(m, t, c + hchan.elemsize))
            gp = woken(m, t, sg, 0)
            put64(m, t, gp + g_.schedlink, waiters)
            waiters = gp
            sg = dequeue(m, t, queue)
    unlock(m, t, c + hchan.lock)
    while waiters:
        gp, waiters = waiters, get64(m, t, waiters + g_.schedlink)
        put64(m, t, gp + g_.schedlink, 0)
        goready(m, t, gp)
