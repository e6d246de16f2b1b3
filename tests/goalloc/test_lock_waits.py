"""Locks of the runtime, held within a step, on Ps whose clocks differ."""

from hwmem import MachineConfig
from goalloc import params as P
from goalloc.runtime.runtime import Runtime


def test_a_p_behind_takes_a_lock_that_another_takes_later():
    rt = Runtime(config=MachineConfig().replace(cores=2), gomaxprocs=2)
    rt.malloc_many([1 << 13] * 2, core=1)
    rt.malloc_many([1 << 13] * 2_000, core=0)  # each takes the heap's lock
    ahead, before = (rt.machine.cycles(c) for c in (0, 1))
    rt.malloc_many([1 << 13] * 100, core=1)
    assert rt.machine.cycles(1) - before < 0.2 * ahead
    assert rt.machine.state.process[rt.process.number].guest[P.LOCK_WAITS] == 0
