"""The four states of memory: transitions that the states allow work on the emulated kernel, others are fatal errors."""

import numpy as np
import pytest

from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.errors import SegmentationFault
from goalloc.base import mem
from goalloc.errors import FatalError
from goalloc.layout import gcControllerState, mstats, variables as V
from goalloc.runtime.runtime import Runtime

RESERVE, ALLOC, MAP, USED, UNUSED, FAULT, FREE, HUGE, NO_HUGE = range(9)
STAT, READY = V.memstats + mstats.other_sys, V.gcController + gcControllerState.mappedReady
N = 64 << 10


@kernel
def system_memory(m, t, operation, v, n):
    if operation == RESERVE:
        return mem.sysReserve(m, t, v, n)
    if operation == ALLOC:
        return mem.sysAlloc(m, t, n, STAT)
    if operation == MAP:
        mem.sysMap(m, t, v, n, STAT)
    elif operation == USED:
        mem.sysUsed(m, t, v, n, n)
    elif operation == UNUSED:
        mem.sysUnused(m, t, v, n)
    elif operation == FAULT:
        mem.sysFault(m, t, v, n)
    elif operation == HUGE:
        mem.sysHugePage(m, t, v, n)
    elif operation == NO_HUGE:
        mem.sysNoHugePage(m, t, v, n)
    else:
        mem.sysFree(m, t, v, n, STAT)
    return 0


@pytest.fixture
def memory(runtime):
    rt = runtime(gomaxprocs=1)
    rt.counter = lambda: (rt.process.load(STAT), rt.process.load(READY))
    return rt, lambda operation, v=0, n=N: rt._run(0, system_memory, operation, v, n)


def test_memory_goes_through_its_states_and_is_counted(memory):
    rt, do = memory
    stat, ready = rt.counter()
    v = do(RESERVE)
    assert rt.counter() == (stat, ready)
    do(MAP, v)
    do(USED, v)
    assert rt.counter() == (stat + N, ready + N)
    rt.process.store(v + 8, 42)
    assert rt.process.load(v + 8) == 42
    do(UNUSED, v)
    assert rt.counter() == (stat + N, ready)
    do(USED, v)
    do(FAULT, v)
    assert rt.counter() == (stat + N, ready)
    v2 = do(ALLOC)
    assert rt.counter() == (stat + 2 * N, ready + N) and rt.process.load(v2) == 0
    do(FREE, v2)
    assert rt.counter() == (stat + N, ready)


def test_an_access_in_reserved_memory_faults(memory):
    rt, do = memory
    v = do(RESERVE)
    with pytest.raises(SegmentationFault) as fault:
        rt.process.load(v)
    assert (fault.value.address, fault.value.code) == (v, "SEGV_ACCERR")
    do(MAP, v)
    assert rt.process.load(v) == 0
    do(FAULT, v)
    with pytest.raises(SegmentationFault):
        rt.process.store(v, 1)


@pytest.mark.parametrize(
    "before, operation",
    [((), MAP), ((ALLOC,), MAP), ((RESERVE,), USED), ((RESERVE,), UNUSED), ((), UNUSED), ((RESERVE,), FAULT), ((), USED)],
)
def test_a_transition_that_the_states_do_not_allow_is_a_fatal_error_and_the_program_goes_on(memory, before, operation):
    rt, do = memory
    v = do(before[0]) if before else 0x5555_0000_0000
    counts = rt.counter()
    with pytest.raises(FatalError, match="fatal error: .*(Reserved|Ready)"):
        do(operation, v)
    assert rt.counter() == counts
    rt.check()
    assert rt.mallocgc(100) != 0


def test_large_pages_are_asked_for_and_change_no_bytes(memory):
    rt, do = memory
    v = do(ALLOC, n=4 << 20)
    rt.process.store(v + 12345, 7)
    do(HUGE, v, 4 << 20)
    do(NO_HUGE, v, 4 << 20)
    assert rt.process.load(v + 12345) == 7


def test_sysunused_wants_whole_pages(memory):
    rt, do = memory
    v = do(ALLOC)
    with pytest.raises(FatalError, match="fatal error: unaligned sysUnused"):
        do(UNUSED, v + 8)


def test_out_of_address_space_ends_the_program_as_go_ends_it(memory):
    rt, do = memory
    with pytest.raises(FatalError) as error:
        rt.mallocgc(1 << 47)
    assert str(error.value).startswith("runtime: out of memory: cannot allocate 140737488355328-byte block (")
    assert str(error.value).endswith(" in use)\nfatal error: out of memory")
    rt.check()
    addresses = rt.malloc_many(np.full(1000, 64))
    assert len(set(addresses.tolist())) == 1000


def test_disablethp_marks_all_that_the_heap_maps_after_its_first_4_mib():
    """As /proc/self/smaps of a program of Go 1.21.13 under GODEBUG=disablethp=1 has it on Linux 6.18: c000000000-c000400000 without
    "nh" among its VmFlags, c000400000-c000c00000 with it. Go: mem_linux.go sysMapOS, proc.go schedinit (mcommoninit, parsedebugvars)."""
    found = []
    for godebug in ("", "disablethp=1"):
        rt = Runtime(MachineConfig().replace(cores=1, memory="64MiB", thp="always"), godebug=godebug)
        rt.malloc_many([100_352] * 100)
        heap = [vma for vma in rt.process.maps() if vma.start >> 32 == 0xC0 and vma.prot]
        found.append([(vma.start, vma.end, "nh" in vma.vmflags, vma.anonhugepages > 0) for vma in heap])
        rt.check()
    first, end = 0xC0_0040_0000, 0xC0_00C0_0000
    assert found == [[(0xC0_0000_0000, end, False, True)], [(0xC0_0000_0000, first, False, True), (first, end, True, False)]]
