"""Fences: what they wait for, and what they cost when there is nothing to wait for.

x86: mfence (and every locked operation, access.atomic_place) waits until the store buffer is empty. sfence and
lfence order nothing that write-back memory under TSO does not order already; they are counted and cost a cycle.
"""
from hwmem import params as P
from hwmem._jit import DOORS, call_door, kernel
from hwmem.core.store_buffer import drain_all


@kernel
def mfence(m, t):
    """Thread `t` goes on when all its stores are visible."""
    core = m.core[m.thread[t].core]
    core.fences += 1
    if core.sb_count > 0:
        call_door(m, P.DOOR_DRAIN, t, 0, 0, 0)
    core.cycles += m.cost.mfence


@kernel
def sfence(m, t):
    core = m.core[m.thread[t].core]
    core.fences += 1
    core.cycles += 1


@kernel
def lfence(m, t):
    core = m.core[m.thread[t].core]
    core.fences += 1
    core.cycles += 1


@DOORS.door(P.DOOR_DRAIN)
def drain(m, t, unused_a, unused_b, unused_c):
    drain_all(m, m.thread[t].core)
    return 0
