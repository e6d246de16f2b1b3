"""The roots of a goroutine: its stack, and what an M has in registers.

The emulated program has no stack maps: every word between sp and the stack's end that is the address of an allocated object
keeps that object, as Go does where it has none either (scanConservative). A program that runs on an M's g0 has its
pointers in registers, the thread's `local`, which count the same way. A stack of which less than a quarter is used is halved
first. Go: mgcmark.go scanstack, stack.go shrinkstack.
"""

from hwmem._jit import cold
from goalloc import params as P
from goalloc.base.malloc_persistent import current_p
from goalloc.gc.mgcmark_scan import scan_word, scanConservative
from goalloc.heap.stack import HI, LO, SHRINK, SP, stack_door
from goalloc.layout import debug, g_, p_, variables as V
from goalloc.words import get8, get32, get64, put8, put64

REGISTERS = 16  # m.thread[t].local


@cold
def scanstack(m, t, gp, w):
    """Bytes of the goroutine's stack that were scanned."""
    if get8(m, t, gp + g_.gcscandone):
        return 0
    put8(m, t, gp + g_.gcscandone, 1)
    if get32(m, t, gp + g_.atomicstatus) == P.Gdead or get64(m, t, gp + LO) == 0:
        return 0
    hi = get64(m, t, gp + HI)
    size = hi - get64(m, t, gp + SP)
    pp = current_p(m, t)
    put64(m, t, pp + p_.scannedStackSize, get64(m, t, pp + p_.scannedStackSize) + size)
    put64(m, t, pp + p_.scannedStacks, get64(m, t, pp + p_.scannedStacks) + 1)
    if get32(m, t, V.debug + debug.gcshrinkstackoff) == 0 and get8(m, t, gp + g_.parkingOnChan) == 0:
        stack_door(m, t, SHRINK, gp, 0)
        hi = get64(m, t, gp + HI)
    scanConservative(m, t, get64(m, t, gp + SP), size, w)
    return size


@cold
def scan_registers(m, t, i, w):
    """What the program on P `i` has in registers: of the thread that its core runs, or, where Python makes the steps, of its thread there."""
    p, current = m.thread[t].process, m.core[i].current - 1
    if current < 0:
        current = 0
        while current < m.threads and (m.thread[current].process != p or m.thread[current].core != i or m.thread[current].guest[P.G] == 0):
            current += 1
    if current < m.threads and m.thread[current].process == p:
        for r in range(REGISTERS):
            scan_word(m, t, m.thread[current].local[r], w)
        scan_word(m, t, m.thread[current].guest[P.HELD], w)
