"""sysmon's looks at a P: whether its goroutine has to leave it.

A step is not interrupted, so the P itself looks, when sysmon would: between two steps of the program (system.py), and in the middle of an
assist, which may be long (mgcmark.py). Go: proc.go retake, preemptone.
"""

from hwmem._jit import kernel
from goalloc import constants as C, params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.base.nanotime import cycles_of, nanotime
from goalloc.gc.mgc_ready import m_of_g0
from goalloc.gc.mgcpacer_workers import MARK_START
from goalloc.layout import p_
from goalloc.words import get8, get32, get64, put8, put32, put64

SCHEDWHEN, SCHEDTICK = p_.sysmontick + 8, p_.sysmontick
LOOK_NS = 20_000  # between two of sysmon's looks at a P


@kernel
def retake(m, t, pp, last):
    """Whether the P has run the same goroutine for 10 ms, or has been asked to let another one run. `last`: the time of the last look,
    in nanoseconds.

    Nobody looks while the collector has nothing to do. The goroutine, on the P since then, would have left it every 10 ms, and come back at
    once.
    """
    if get8(m, t, pp + p_.preempt):
        put8(m, t, pp + p_.preempt, 0)
        return True
    state = m.process[m.thread[t].process].guest[P.COLLECTOR]
    if state & P.ALONE:
        return False
    tick, now, since = get32(m, t, pp + p_.schedtick), nanotime(m, t), get64(m, t, pp + SCHEDWHEN)
    if tick != get32(m, t, pp + SCHEDTICK):
        put32(m, t, pp + SCHEDTICK, tick)
        since = last if state & P.MARKING else now
    elif now - since < C.forcePreemptNS:
        return False
    if state & P.MARKING and since + C.forcePreemptNS < get64(m, t, MARK_START):
        since = now - (now - since) % C.forcePreemptNS
    put64(m, t, pp + SCHEDWHEN, since)
    return now - since >= C.forcePreemptNS


@kernel
def looked_at(m, t):
    """`retake`, when sysmon comes by or another P has asked. Between two looks the program's core has nothing to do with them."""
    guest, core = m.thread[t].guest, m.core[m.thread[t].core]
    if core.cycles < guest[P.LOOK_AT]:
        return False
    last = guest[P.LAST_LOOK]
    guest[P.LAST_LOOK] = nanotime(m, t)
    guest[P.LOOK_AT] = core.cycles + cycles_of(m, t, LOOK_NS)
    return retake(m, t, current_p(m, t), last)


@kernel
def is_preempted(m, t, pp):
    """Whether the goroutine that assists has to stop. It leaves the P after its step."""
    if get8(m, t, pp + p_.preempt):
        return True
    if not looked_at(m, t):
        return False
    put8(m, t, pp + p_.preempt, 1)
    m.thread[t].guest[P.LOOK_AT] = 0
    return True


@kernel
def may_leave(m, t, gp, size):
    """Whether what runs on the P, and allocates `size` bytes, is interrupted when it assists. For a step ends with its allocation, this then
    comes before the debt is paid: so not with a large object. A program on the g0 of its M goes on, too."""
    return m_of_g0(m, t, gp) == 0 and size <= P.maxSmallSize


@kernel
def has_to_leave(m, t, pp, leaves):
    """Whether the P's goroutine, if it `leaves` at all, has been asked to."""
    return leaves and get8(m, t, pp + p_.preempt) != 0
