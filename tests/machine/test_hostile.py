"""Hostile arguments: no address, offset or number that a user or a program gives leads out of the machine, or never ends."""

import ctypes
import errno
import gc
import random

import numpy as np
import pytest

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError, SegmentationFault
from hwmem.machine.enter import enter
from hwmem.machine.machine import Machine

SHARED_MEMORY = P.MAP_SHARED | P.MAP_ANONYMOUS | P.MAP_NORESERVE
FAR = 1 << 45  # outside RAM, and where the host has nothing either
NO_MMU = MachineConfig().replace(mmu=False, memory="16MiB", cores=2)


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=2, memory="16MiB", swap="8MiB", thp="never"))


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    process.exit()
    machine.check()


def refused(number, call, *arguments):
    with pytest.raises(OSError) as refusal:
        call(*arguments)
    assert refusal.value.errno == number


@pytest.mark.parametrize("last", [-2, -1, -8, (1 << 63) - 4, -(1 << 63)])
def test_no_load_follows_a_trace_out_of_ram(last):
    m = Machine(NO_MMU)
    p = m.spawn()
    counted = m.replay(([FAR, last], [1, 0]), core=np.array([0, 1]), process=p)
    assert [c["loads"] + c["stores"] for c in counted["cores"]] == [1, 1]
    for core in (0, 1):
        with pytest.raises(SegmentationFault):
            p.fetch_add(FAR, 1, core=core)
        with pytest.raises(SegmentationFault):
            p.load(last, core=core)
    m.check()


def test_a_trace_without_an_mmu_may_go_anywhere_and_is_made():
    m = Machine(NO_MMU)
    counted = m.replay(([-8, -8, 8, -64, (1 << 63) - 4, -4], [1, 0, 0, 1, 0, 1], [8, 8, 8, 300, 8, 8]))["cores"][0]
    assert counted["loads"] + counted["stores"] == counted["l1d.hits"] + counted["l1d.misses"] - counted["split_accesses"]
    m.check()


def test_a_signal_ends_a_long_access_too(process, machine):
    before = machine.counters()["cores"][0]
    with pytest.raises(SegmentationFault):
        machine.replay(([4096], [1], [1000]), process=process)
    after = machine.counters()["cores"][0]
    assert [after[name] - before[name] for name in ("stores", "refused_accesses")] == [1, 1]


def test_what_other_cores_took_outside_ram_has_no_bytes():
    m = Machine(NO_MMU.replace(ordering="relaxed"))
    m.replay((np.full(8, 0x7FFF_0000_0000, np.int64), np.array([0, 1] * 4, bool)), core=np.array([0, 1] * 4))
    assert m.counters()["cores"][0]["loads"] == 4
    m.replay((FAR + 64 * np.arange(16).repeat(2), np.array([0, 1] * 16, bool)), core=np.array([0, 1] * 16), process=m.spawn())
    assert m.state.core[0].iq_count > 0
    m.check()


def test_a_files_bytes_are_its_own(machine):
    machine.create_file("secret", b"SECRET" * 600)
    machine.create_file("plain", 4096)
    f = machine.file("plain")
    for read in (f.read, f.on_disk):
        for offset, n in ((-4096, 4116), (-(1 << 40), 1 << 41), (0, -1), (-1, None)):
            with pytest.raises(ValueError, match="takes bytes from 0"):
                read(offset, n)
        assert read(4096, 10) == read(1 << 62, 10) == b"" and read(4000, 1 << 62) == bytes(96)


def test_files_may_be_more_than_the_host_reserved_at_first():
    m = Machine(MachineConfig().replace(cores=1, memory="16MiB", swap="1MiB"))
    m.create_file("before", b"before" * 1000)
    m.create_file("large", "3GiB")
    m.create_file("after", b"after" * 1000)
    assert m.file("before").read() == b"before" * 1000 and m.file("after").on_disk() == b"after" * 1000
    p = m.spawn()
    a = p.mmap(0, 4096, fd=2, flags=P.MAP_SHARED, offset=(3 << 30) - 4096)
    p.write(a, b"end")
    p.msync(a, 4096)
    assert m.file("large").on_disk((3 << 30) - 4096, 4) == b"end\0"
    m.file("before").truncate("1GiB")
    assert m.file("before").read(0, 6000) == b"before" * 1000
    m.check()


def test_the_record_lives_as_long_as_somebody_has_it():
    def made():
        m = Machine(MachineConfig().replace(cores=1, memory="16MiB"))
        p = m.spawn()
        a = p.mmap(0, 4096)
        p.store(a, 7)
        return m.state, p.thread_on(0), a

    state, t, a = made()
    gc.collect()
    keep = [bytearray(16 << 20) for _ in range(4)]  # what would lie there instead
    assert enter(state, P.DOOR_MEMORY, t, a, 8 | P.LOAD << P.KIND_SHIFT, 0) == 7
    assert ctypes.string_at(int(state.ram_base), 8) == bytes(8) and keep


def test_sums_beyond_63_bits_are_refused_as_by_linux(process, machine):
    fd = machine.create_file("whole", 4096)
    refused(errno.EFAULT, process.pread, fd, (1 << 63) - 4096, 4096, 0)
    refused(errno.EFAULT, process.pread, fd, P.TASK_END[0] - 4096, 8192, 0)
    refused(errno.EFAULT, process.pread, fd, 1 << 20, -4096, 0)
    refused(errno.EINVAL, process.pread, fd, 1 << 20, 4096, -4096)
    refused(errno.EINVAL, process.pread, fd, 1 << 20, 1 << 40, (1 << 63) - 4096)
    end = process.brk(0)
    for address in ((1 << 63) - 8, (1 << 63) - 4096, P.TASK_END[0] + 1, 1 << 62):
        refused(errno.ENOMEM, process.brk, address)
    assert process.brk(0) == end


@pytest.mark.parametrize("layout", P.LAYOUTS)
@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("old", [1 << 62, (1 << 63) - 1, (1 << 63) - 4096, 1 << 63, (1 << 64) - 1, 1 << 48])
def test_mremap_of_more_than_there_is_ends(machine, layout, locked, old):
    p = machine.spawn(layout)
    a = p.mmap(0, 1 << 20)
    if locked:
        p.mlock(a, 1 << 20)
    refused(errno.EINVAL, p.mremap, a, old, 64947, P.MREMAP_MAYMOVE | P.MREMAP_FIXED, 1 << 20)
    refused(errno.EINVAL, p.mremap, a, old, 64947, P.MREMAP_MAYMOVE)
    p.exit()
    machine.check()


def test_a_limit_is_set_for_the_living(machine):
    p = machine.spawn()
    p.exit()
    q = machine.spawn()
    with pytest.raises(ValueError, match="has exited"):
        p.setrlimit("as", 0)
    q.munmap(q.mmap(0, 4096), 4096)
    q.exit()


def test_touching_everything_ends_at_the_first_bad_page(process):
    a = process.mmap(0, 8192)
    with pytest.raises(SegmentationFault) as fault:
        process.touch(a, (1 << 63) - 1)
    assert fault.value.address >= a + 8192
    with pytest.raises(SegmentationFault):
        process.touch(-(1 << 63), (1 << 63) - 1)


@pytest.mark.parametrize("memory", ["64KiB", "96KiB", "128KiB"])
def test_a_copy_on_write_in_the_last_frames_ends(memory):
    m = Machine(MachineConfig().replace(memory=memory, swap="1MiB"))
    p = m.spawn()
    try:
        a = p.mmap(0, 3 * 4096, flags=P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_POPULATE)
        q = p.fork()
        for page in range(3):
            assert q.fetch_add(a + 4096 * page, 1) == 0
        assert [q.load(a + 4096 * page) for page in range(3)] == [1, 1, 1] and p.load(a) == 0
    except (OSError, MachineError) as error:
        assert "memory" in str(error)
    m.check()


def test_shared_memory_of_terabytes_goes_at_once(process):
    a = process.mmap(0, 8 << 40, flags=SHARED_MEMORY)
    process.store(a + (8 << 40) - 8, 5)
    process.store(a, 1)
    process.madvise(a, 8 << 40, P.MADV_PAGEOUT)
    assert process.load(a + (8 << 40) - 8) == 5
    process.munmap(a, 8 << 40)
    refused(errno.ENOMEM, process.mmap, 0, (8 << 40) + 4096, 3, SHARED_MEMORY)


def test_a_host_without_address_space_says_so():
    def refuse(*arguments, **settings):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with pytest.raises(OSError, match=r"memory: the host has no further 32GiB of address space"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hwmem.memory.host.mmap.mmap", refuse)
            Machine(MachineConfig().replace(memory="32GiB"))


WRONG = [  # widths that only the machine sees: those that are written as numbers are refused before
    "K.joined(m, t, 123456789)",
    "K.joined(m, t, -1)",
    "K.load(m, t, w.a, 65 + 0 * t)",
    "K.store(m, t, w.a + 60, 1 << 15, 1)",
    "K.load(m, t, w.a, 1 << 12)",
    "K.store_stream(m, t, w.a, 7 << 16 | 200, 1)",
    "K.load_acquire(m, t, w.a, 200 + 0 * t)",
]


@pytest.mark.parametrize("operation", WRONG)
def test_what_a_kernel_gets_wrong_in_an_operation_ends_its_thread(tmp_path, operation):
    from hwmem.programs import WORKLOADS
    from hwmem.programs.file import workload_name
    from hwmem.runs.job import Job

    file = tmp_path / "wrong.py"
    name = f"test-wrong-{WRONG.index(operation)}"
    file.write_text(f"""import hwmem
from hwmem import kernels as K


@hwmem.workload("{name}", "x", setup=lambda w, space: setattr(w, "a", space.map("a", 4096)))
def wrong(m, w):
    while True:
        t = K.next_thread(m)
        if t < 0:
            return
        {operation}
        K.finish(m, t)
""")
    workload = WORKLOADS.find(workload_name(str(file), WORKLOADS))
    job = Job(workload)
    with pytest.raises(MachineError, match="there is no thread number|not 1, 2, 4 or 8 bytes wide"):
        job.run()
    job.machine.check()


WIDTHS = """import hwmem
from hwmem import kernels as K


@hwmem.workload("test-widths", "x", setup=lambda w, space: setattr(w, "a", space.map("a", 4096)),
                size=hwmem.parameter(8, "bytes", -64, 65536), kind=hwmem.parameter(0, "load, store, stream", 0, 2),
                warm=hwmem.parameter(0, "the hit filter knows the line", 0, 1), at=hwmem.parameter(0, "place", 0, 4000))
def widths(m, w):
    while True:
        t = K.next_thread(m)
        if t < 0:
            return
        if w.warm:
            K.store64(m, t, w.a, 1)
            K.load64(m, t, w.a)
            K.load64(m, t, w.a)
        if w.kind == 0:
            K.load(m, t, w.a + w.at, w.size)
        elif w.kind == 1:
            K.store(m, t, w.a + w.at, w.size, 1)
        else:
            K.store_stream(m, t, w.a + w.at, w.size, 1)
        K.finish(m, t)
"""


def test_a_width_that_there_is_not_ends_the_thread_on_every_path(tmp_path):
    """As a processor has no such instruction, whatever the emulator knows of the line."""
    from hwmem.programs import WORKLOADS
    from hwmem.programs.file import workload_name
    from hwmem.runs.job import Job

    file = tmp_path / "widths.py"
    file.write_text(WIDTHS)
    workload = WORKLOADS.find(workload_name(str(file), WORKLOADS))
    for size in (-64, -8, -1, 0, 3, 5, 6, 7, 9, 16, 24, 65536):
        for kind, warm, at in [(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 1, 60), (1, 0, 0), (1, 1, 0), (1, 1, 3), (2, 1, 0)]:
            job = Job(workload, parameters={"size": size, "kind": kind, "warm": warm, "at": at})
            with pytest.raises(MachineError, match="is not 1, 2, 4 or 8 bytes wide"):
                job.run()
    for size in (1, 2, 4, 8):
        Job(workload, parameters={"size": size, "kind": 0, "warm": 1, "at": 60}).run()


@pytest.mark.parametrize("layout", P.LAYOUTS)
@pytest.mark.parametrize("memory", ["64KiB", "96KiB", "128KiB"])
def test_an_access_across_pages_is_made_where_both_are(memory, layout, seed):
    """Where memory is so short that the fault of one page takes the other."""
    m = Machine(MachineConfig().replace(memory=memory, swap="1MiB", cores=1, thp="never", vm={"page_cluster": 0}))
    p, r, bytes_of = m.spawn(layout), random.Random(seed), {}
    try:
        a = p.mmap(0, 40 * 4096)
        for n in range(1200):
            at = a + r.randrange(1, 40) * 4096 - r.randrange(1, 8)
            if n % 2:
                value = r.randrange(1 << 64)
                p.store(at, value)
                bytes_of |= dict(enumerate(value.to_bytes(8, "little"), at))
            else:
                assert (p.load(at) % (1 << 64)).to_bytes(8, "little") == bytes(bytes_of.get(at + k, 0) for k in range(8))
    except MachineError as error:
        assert "memory" in str(error)
    m.check()
