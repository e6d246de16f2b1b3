"""Fences: what they wait for, and what they cost when there is nothing to wait for.

x86: mfence (and every locked operation, access.atomic_place) waits until the store buffer is empty. sfence and
lfence order nothing that write-back memory under TSO does not order already; they are counted and cost a cycle.
"""
from hwmem._jit import kernel
from hwmem.core.service import drain_all


@kernel
def mfence(m, t):
    """Thread `t` goes on when all its stores are visible."""
    core = m.core[m.thread[t].core]
    core.fences += 1
    drain_all(m, core.id)
    core.cycles = max(core.cycles, core.sb_free_at)         # the last store is on its way
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
