"""Bad accesses become signals that name address, access and code; good ones of any width and place give their bytes."""

import numpy as np
import pytest

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError, SegmentationFault
from hwmem.machine.machine import Machine
from kernels_under_test import LOAD, STORE, UNMAP, script_results
from models import FlatMemory, signed

PAGE = 4096
ACCESSES = {
    "load": (lambda p, a, core: p.load(a, core=core), "read"),
    "store": (lambda p, a, core: p.store(a, 1, core=core), "write"),
    "read": (lambda p, a, core: p.read(a, 8, core=core), "read"),
    "write": (lambda p, a, core: p.write(a, b"12345678", core=core), "write"),
    "load_many": (lambda p, a, core: p.load_many(np.array([signed(a)]), core=core), "read"),
    "fetch_add": (lambda p, a, core: p.fetch_add(a, 1, core=core), "write"),
    "exchange": (lambda p, a, core: p.exchange(a, 1, core=core), "write"),
    "compare_exchange": (lambda p, a, core: p.compare_exchange(a, 0, 1, core=core), "write"),
    "touch": (lambda p, a, core: p.touch(a, 1, write=False, core=core), "read"),
    "replay": (lambda p, a, core: p.machine.replay((np.array([signed(a)]), True), core=core, process=p), "write"),
}


@pytest.fixture(scope="module", params=["sc", "tso"])
def machine(request):
    return Machine(MachineConfig().replace(cores=2, memory="32MiB", ordering=request.param))


@pytest.fixture(params=["linux-x86_64", "linux-i386"])
def process(machine, request):
    """A process of either layout; the machine must be consistent when the test is over."""
    process = machine.spawn(request.param)
    yield process
    process.exit()
    machine.check()


def signal_of(process, name, address, core=0):
    operation, access = ACCESSES[name]
    with pytest.raises(SegmentationFault) as caught:
        operation(process, address, core)
    assert isinstance(caught.value, MachineError)
    assert caught.value.access == access
    return caught.value.address, caught.value.code


def works(process):
    a = process.mmap(0, PAGE)
    process.store(a, 99, core=1)
    assert process.load(a) == 99
    process.munmap(a, PAGE)


@pytest.mark.parametrize("name", ACCESSES)
def test_an_access_outside_every_mapping_is_maperr(process, name):
    a = process.mmap(0, 3 * PAGE)
    process.munmap(a, PAGE)
    process.munmap(a + 2 * PAGE, PAGE)
    top = 0xC000_0000 if process.layout == P.LINUX_I386 else 1 << 47
    below_stack = top - (64 << 20)  # further than it may grow
    for address in (0, 8, a, a + PAGE - 8, a + 2 * PAGE, below_stack, top):
        assert signal_of(process, name, address) == (address, "SEGV_MAPERR")
    works(process)


@pytest.mark.parametrize("name", ACCESSES)
@pytest.mark.parametrize("address", [-8, -64, -1 << 63, (1 << 63) - 8, (1 << 63) - 1, 1 << 48, 0xFFFF_8000_0000_0000])
def test_an_address_that_no_process_has_is_maperr(process, name, address):
    found, code = signal_of(process, name, address)
    assert (found - address) % (1 << 64) == 0 and code == "SEGV_MAPERR"
    works(process)


@pytest.mark.parametrize("name", ACCESSES)
def test_a_mapping_refuses_what_its_rights_do_not_give(process, name):
    a = process.mmap(0, PAGE, prot=P.PROT_READ)
    b = process.mmap(0, PAGE, prot=P.PROT_NONE)
    assert process.load(a) == 0
    assert signal_of(process, name, b + 16) == (b + 16, "SEGV_ACCERR")
    if ACCESSES[name][1] == "write":
        assert signal_of(process, name, a + 24) == (a + 24, "SEGV_ACCERR")
        assert process.load_many(np.array([a + 24]))[0] == 0
    works(process)


@pytest.mark.parametrize("name", [name for name in ACCESSES if ACCESSES[name][1] == "write"])
def test_a_refused_write_costs_the_page_its_place_in_the_tlb_and_in_the_hit_filter(process, name):
    a = process.mmap(0, PAGE, prot=P.PROT_READ)
    assert process.load(a) == process.load(a) == 0
    assert signal_of(process, name, a) == (a, "SEGV_ACCERR")
    process.machine.check()
    before = process.machine.counters()["cores"][0]["dtlb.misses"]
    assert process.load(a) == 0
    assert process.machine.counters()["cores"][0]["dtlb.misses"] == before + 1


def test_above_three_gigabytes_a_32_bit_process_has_nothing(machine):
    process = machine.spawn("linux-i386")
    low = process.mmap(0, PAGE)
    assert low + PAGE <= 0xC000_0000
    process.store(low, 77)
    for address in (0xC000_0000, 0xFFFF_F000, low + (1 << 32), low + (1 << 40)):
        for name in ("load", "store", "load_many"):
            assert signal_of(process, name, address) == (address, "SEGV_MAPERR")
    with pytest.raises(OSError, match="Cannot allocate"):
        process.mmap(0xBFFF_F000, 2 * PAGE, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED)
    process.exit()


def test_after_munmap_no_core_reaches_the_page(process):
    a = process.mmap(0, 3 * PAGE)
    for core in (0, 1):
        process.store(a + PAGE, 5, core=core)
        assert process.load_many(np.arange(a, a + 3 * PAGE, 512), core=core).max() == 5
    process.munmap(a + PAGE, PAGE)
    for core in (0, 1):
        for name in ("load", "load_many", "store", "fetch_add"):
            assert signal_of(process, name, a + PAGE, core) == (a + PAGE, "SEGV_MAPERR")
    assert process.load_many(np.array([a, a + 2 * PAGE])).tolist() == [0, 0]


@pytest.mark.parametrize("far", [False, True])
def test_memory_mapped_again_is_zero_and_nothing_of_the_old_frame_shows(process, far):
    """The old page is hot in core 0; the new one gets another frame, filled by core 1; core 0 must see that one."""
    a = process.mmap(0, 2 * PAGE)
    x = a + 8 * 64
    process.store(x, 111, core=0)
    process.store(x + PAGE, 222, core=1)  # its frame goes back last: the next page gets it
    assert process.load_many(np.array([x, x]), core=0).tolist() == [111, 111]
    process.munmap(a, 2 * PAGE)
    assert process.mmap(a, 2 * PAGE, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED) == a
    if far:
        process.store(x, 333, core=1)
    assert process.load(a + 20 * 64, core=0) == 0  # the page is known again, by another line
    assert process.load_many(np.array([x]), core=0)[0] == (333 if far else 0)
    process.fetch_add(x, 1, core=0)
    assert process.load(x, core=1) == (334 if far else 1)


def test_a_buffered_store_to_a_page_that_is_unmapped_changes_no_other_page(seed):
    """The store has retired; whatever becomes of it, the frame belongs to somebody else now."""
    machine = Machine(MachineConfig().replace(cores=2, memory="4MiB", ordering="tso"))
    process = machine.spawn()
    a = process.mmap(0, 4 * PAGE)
    for page in range(4):
        for core in (0, 1):  # core 1 has the lines: core 0's stores will wait
            process.store(a + page * PAGE, 1, core=core)
    script_results(process, [(0, STORE, a + PAGE, 8, 0x1234_5678_9ABC, 0), (0, UNMAP, a + PAGE, 8, PAGE, 0), (0, LOAD, a, 8, 0, 0)])
    process.fence("mfence")
    b = process.mmap(0, 16 * PAGE)
    for page in range(16):
        assert process.load(b + page * PAGE) == 0
        process.store(b + page * PAGE, page)
    assert [process.load(b + page * PAGE, core=1) for page in range(16)] == list(range(16))
    machine.check()


@pytest.mark.parametrize("mmu", [True, False])
@pytest.mark.parametrize("ordering", ["sc", "tso"])
def test_every_width_at_every_offset_gives_its_bytes_little_endian(mmu, ordering):
    """All places around line and page ends, whole words over bytes and bytes over words."""
    machine = Machine(MachineConfig().replace(cores=1, memory="4MiB", mmu=mmu, ordering=ordering))
    process = machine.spawn()
    base = process.mmap(0, 2 * PAGE)
    memory, rows, expected = FlatMemory(), [], []
    value = 0x0102_0304_0506_0708
    for around in (64, PAGE - 64, PAGE, PAGE + 128):
        for offset in range(around - 10, around + 10):
            for size in (1, 2, 4, 8):
                value = (value * 0x5851_F42D_4C95_7F2D + 1) % (1 << 63)
                rows.append((0, STORE, base + offset, size, value, 0))
                memory.store(base + offset, size, value)
                expected.append(0)
                for there, width in ((offset, size), (offset - 3, 8), (offset + 1, 4), (offset + size - 1, 1)):
                    rows.append((0, LOAD, base + there, width, 0, 0))
                    expected.append(memory.load(base + there, width))
    assert script_results(process, rows).tolist() == expected
    crossing = sum(row[2] % 64 + row[3] > 64 for row in rows)
    assert machine.counters()["cores"][0]["split_accesses"] == crossing


def test_small_loads_are_unsigned_and_whole_words_signed(process):
    a = process.mmap(0, PAGE)
    process.store(a, -1)
    assert [process.load(a, size) for size in (1, 2, 4, 8)] == [255, 65535, (1 << 32) - 1, -1]
    process.store(a, (1 << 64) - 2)
    assert process.load(a) == -2
    process.store(a, 0x1FF, 1)
    assert process.read(a, 9) == b"\xff\xff\xff\xff\xff\xff\xff\xff\0"
    process.write(a + 5, bytes(range(100)))
    assert process.read(a + 3, 104) == b"\xff\xff" + bytes(range(100)) + b"\0\0"


def test_an_atomic_that_crosses_a_line_is_refused_and_changes_nothing(process):
    """Linux's split-lock detection sends SIGBUS."""
    a = process.mmap(0, PAGE)
    process.store(a + 60, -1)
    for operation in (
        lambda: process.fetch_add(a + 60, 1),
        lambda: process.exchange(a + 57, 1),
        lambda: process.compare_exchange(a + 63, -1, 1),
    ):
        with pytest.raises(MachineError, match="bus error") as caught:
            operation()
        assert not isinstance(caught.value, SegmentationFault)
    assert process.load(a + 60) == -1
    assert process.fetch_add(a + 4, 3) == 0 and process.load(a + 4) == 3, "unaligned inside a line it may be"
    works(process)


@pytest.mark.parametrize("first_mapped", [True, False])
def test_an_access_half_outside_faults_at_the_half_that_is_and_writes_nothing(process, first_mapped):
    a = process.mmap(0, 2 * PAGE)
    process.touch(a, 2 * PAGE)
    gone = a + PAGE if first_mapped else a
    process.munmap(gone, PAGE)
    start = a + PAGE - 4
    where = a + PAGE if first_mapped else start
    for name in ("load", "store", "load_many"):
        assert signal_of(process, name, start) == (where, "SEGV_MAPERR")
    kept = start if first_mapped else a + PAGE
    assert process.load(kept, 4) == 0


def test_out_of_memory_is_an_error_that_leaves_the_machine_usable():
    machine = Machine(MachineConfig().replace(cores=1, memory="256KiB"))
    process = machine.spawn()
    a = process.mmap(0, 1 << 20, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_NORESERVE)
    for _ in range(2):
        with pytest.raises(MachineError, match=f"Out of memory: Killed process {process.stat().pid} "):
            process.touch(a, 1 << 20)
    machine.check()
    process.exit()
    process = machine.spawn()
    b = process.mmap(0, 8 * PAGE)
    for page in range(8):
        process.store(b + page * PAGE, page + 1)
    assert [process.load(b + page * PAGE) for page in range(8)] == list(range(1, 9))
    process.exit()
    machine.check()
    assert machine.spawn().mmap(0, PAGE)


def test_without_an_mmu_data_lies_in_ram_or_the_access_faults():
    machine = Machine(MachineConfig().replace(cores=2, memory="2MiB", mmu=False))
    process, end = machine.spawn(), 2 << 20
    for size in (1, 2, 4, 8):
        process.store(end - size, size, size)
        assert process.load(end - size, size, core=1) == size
        for address in (end - size + 1, end, 1 << 40, (1 << 63) - size, (1 << 63) - 1, -size, -1 << 63):
            with pytest.raises(SegmentationFault):
                process.load(address, size)
            with pytest.raises(SegmentationFault):
                process.store(address, 1, size)
    for name in ACCESSES:
        if name != "replay":  # a replay's accesses have no data: any address will do
            assert signal_of(process, name, 1 << 40) == (1 << 40, "SEGV_MAPERR")
    machine.check()


def test_without_an_mmu_a_replay_of_other_addresses_gives_no_way_into_them():
    machine = Machine(MachineConfig().replace(cores=1, memory="2MiB", mmu=False))
    for process in (None, machine.spawn()):
        machine.replay((np.array([1 << 40, -64]), False), process=process)
    process = machine.spawn()
    for owner in machine.processes:
        for address in (1 << 40, -64):
            for name in ("load_many", "load", "fetch_add"):
                assert signal_of(owner, name, address)[1] == "SEGV_MAPERR"
