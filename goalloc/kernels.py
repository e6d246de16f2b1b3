"""What jitted code imports: the program's operations as kernels. `m` is the machine, `t` the thread (of an M with a P).

mallocgc(m, t, size, typ)           an object, zeroed; `typ`: address of its type, 0 for no pointers    heap/malloc.py
growslice                           append's new array                                                  values/slice.py
memclr, memmove                                                                                         base/memclr.py
concatstrings  convT64              a + b of strings; an integer in an interface                        values/string.py
write_pointer(m, t, slot, value)    *slot = value                                                       here
read_pointer(m, t, slot)
makechan  chansend  chanrecv  closechan  selectnbsend  selectnbrecv                                     sched/chan.py
selectgo  selectnb                                                                                      sched/select.py
mutex_lock  mutex_unlock  waitgroup_add  waitgroup_wait                                                 sched/sync.py
go  gosched  goexit  sleep  newtimer  stoptimer  resettimer  gc                                         here
"""

from hwmem._jit import call_door, kernel
from hwmem.core.access import load32, load64, store64
from goalloc import params as P
from goalloc.layout import variables as V
from goalloc.sched.chan import CLOSED, DEFAULT, DONE, PARKED, YIELDED, chanrecv, chansend, closechan, makechan, selectnbrecv, selectnbsend
from goalloc.values.string import concatstrings, convT64
from goalloc.heap.malloc import mallocgc
from goalloc.base.memclr import memclr, memmove
from goalloc.sched.proc import GOEXIT, GOSCHED, NEWPROC, NEWTIMER, RESETTIMER, SLEEP, STOPTIMER
from goalloc.sched.select import selectgo, selectnb
from goalloc.values.slice import growslice
from goalloc.sched.sync import mutex_lock, mutex_unlock, waitgroup_add, waitgroup_wait

__all__ = [
    "kernel",
    "mallocgc",
    "growslice",
    "memclr",
    "memmove",
    "write_pointer",
    "read_pointer",
    "makechan",
    "chansend",
    "chanrecv",
    "closechan",
    "selectnbsend",
    "selectnbrecv",
    "selectgo",
    "selectnb",
    "CLOSED",
    "DEFAULT",
    "DONE",
    "PARKED",
    "YIELDED",
    "concatstrings",
    "convT64",
    "mutex_lock",
    "mutex_unlock",
    "waitgroup_add",
    "waitgroup_wait",
    "go",
    "gosched",
    "goexit",
    "sleep",
    "newtimer",
    "stoptimer",
    "resettimer",
    "gc",
]


@kernel
def write_pointer(m, t, slot, value):
    """Store a pointer. Before it the write barrier, while a collection marks; else that costs the look at its flag."""
    if load32(m, t, V.writeBarrier):
        call_door(m, P.DOOR_BARRIER, t, slot, value, 0)
    store64(m, t, slot, value)


@kernel
def read_pointer(m, t, slot):
    """The pointer that `slot` holds."""
    return load64(m, t, slot)


@kernel
def go(m, t, place, argument):
    """A goroutine that begins at `place` of its program and can run next; its address."""
    return call_door(m, P.DOOR_PROC, t, NEWPROC, place, argument)


@kernel
def gosched(m, t):
    """runtime.Gosched: the running goroutine goes to the end of the global queue."""
    call_door(m, P.DOOR_PROC, t, GOSCHED, 0, 0)


@kernel
def goexit(m, t, gp):
    """The running goroutine `gp` ends."""
    call_door(m, P.DOOR_PROC, t, GOEXIT, gp, 0)


@kernel
def sleep(m, t, cycles):
    """time.Sleep: the running goroutine goes on after `cycles`, and its step ends if there are any."""
    call_door(m, P.DOOR_PROC, t, SLEEP, cycles, 0)


@kernel
def newtimer(m, t, cycles, period):
    """time.NewTimer, or with a period NewTicker: its address, where the address of its channel lies, which gets the cycle."""
    return call_door(m, P.DOOR_PROC, t, NEWTIMER, cycles, period)


@kernel
def stoptimer(m, t, timer):
    """timer.Stop(): whether it would still have run."""
    return call_door(m, P.DOOR_PROC, t, STOPTIMER, timer, 0)


@kernel
def resettimer(m, t, timer, cycles):
    """timer.Reset(cycles): whether it would still have run."""
    return call_door(m, P.DOOR_PROC, t, RESETTIMER, timer, cycles)


@kernel
def gc(m, t):
    """runtime.GC() of the running goroutine: DONE, or to be called again when it runs again."""
    return call_door(m, P.DOOR_CYCLE, t, P.GC_CALL, 1, 0)
