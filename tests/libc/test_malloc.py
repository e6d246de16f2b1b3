"""What a process keeps and what the kernel gets back; costs; threads; bad arguments."""

import numpy as np
import pytest

import hwmem
import hwmem.libc

KIB, PAGE = 1024, 4096


@pytest.fixture(scope="module")
def machine():
    return hwmem.Machine(hwmem.MachineConfig().replace(cores=2, memory="2GiB"))


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    process.exit()
    machine.check()


@pytest.fixture
def heap(process):
    return hwmem.libc.Malloc(process)


def anonymous(process):
    return process.smaps_rollup()["Anonymous"]


def test_a_mapped_block_goes_back_at_once_and_raises_the_threshold(process, heap):
    heap.free(heap.malloc(16))
    before = anonymous(process)
    block = heap.malloc(160 * KIB)
    process.touch(block, 160 * KIB)
    assert heap.info()["hblks"] == 1 and anonymous(process) == before + 160 * KIB + PAGE
    heap.free(block)
    assert heap.info()["hblks"] == 0 and anonymous(process) <= before + PAGE
    heap.malloc(160 * KIB)
    assert heap.info()["hblks"] == 0, "the threshold is above that now"


def test_a_threshold_that_is_set_stays_where_it_is(process, heap):
    heap.mallopt("M_MMAP_THRESHOLD", 64 * KIB)
    for _ in range(2):
        block = heap.malloc(150 * KIB)
        assert heap.info()["hblks"] == 1, "by default the first free would have raised it"
        heap.free(block)


def test_the_pad_and_the_trim_threshold_that_are_set_say_how_the_break_moves(process, heap):
    heap.malloc(16)
    heap.mallopt("M_TOP_PAD", 1024 * KIB)
    heap.mallopt("M_TRIM_THRESHOLD", 4096 * KIB)
    before, block = process.sbrk(0), heap.malloc(127 * KIB)
    blocks = [block, *(heap.malloc(100 * KIB) for _ in range(20))]
    assert process.sbrk(0) - before >= 1024 * KIB
    top = process.sbrk(0)
    for block in blocks:
        heap.free(block)
    assert process.sbrk(0) == top, "less than 4 MiB are free"
    heap.mallopt("M_TRIM_THRESHOLD", 0)
    heap.free(heap.malloc(100 * KIB))
    assert top - process.sbrk(0) >= 800 * KIB, "all but the pad"


def test_free_memory_below_a_block_in_use_stays_until_it_is_trimmed(process, heap):
    blocks = [heap.malloc(100 * KIB) for _ in range(20)]
    for block in blocks:
        process.touch(block, 100 * KIB)
    full = anonymous(process)
    last = heap.malloc(16)
    for block in blocks:
        heap.free(block)
    assert anonymous(process) == full, "a block above them is in use"
    assert heap.trim() and anonymous(process) < full - 19 * 100 * KIB
    process.store(last, 1)


def test_free_memory_at_the_top_goes_back_down_to_the_pad(process, heap):
    start = process.sbrk(0)
    blocks = [heap.malloc(100 * KIB) for _ in range(20)]
    for block in reversed(blocks):
        heap.free(block)
    assert process.sbrk(0) - start < 300 * KIB
    assert heap.info()["keepcost"] < 256 * KIB


def test_calloc_clears_what_was_used_and_not_what_is_fresh(process, heap, machine):
    def stores_of(n):
        before = machine.counters()["cores"][0]["stores"]
        block = heap.calloc(1, n)
        return block, machine.counters()["cores"][0]["stores"] - before

    heap.malloc(64 * KIB)
    rest = heap.info()["keepcost"]  # in the heap before, though nobody had it
    fresh, few = stores_of(120 * KIB)
    assert rest / 8 - 2 < few < rest / 8 + 100
    process.write(fresh, b"\xff" * 120 * KIB)
    heap.malloc(16)
    heap.free(fresh)
    again, many = stores_of(120 * KIB)
    assert again == fresh and many > 120 * KIB / 8
    assert not np.frombuffer(process.read(again, 120 * KIB), np.uint8).any()


def test_a_cached_pair_makes_glibc_s_accesses(machine, process, heap):
    heap.free(heap.malloc(16))
    before = machine.counters()["cores"][0]
    first = heap.malloc(16)  # by the door, which Python takes: a few looks more
    heap.free(first)
    after = machine.counters()["cores"][0]
    assert after["faults.minor"] == before["faults.minor"] and after["atomics"] == before["atomics"]
    assert heap.malloc(16) == first


def test_a_second_thread_has_an_arena_of_its_own(process, heap):
    mine, theirs = heap.malloc(100), heap.malloc(100, core=1)
    assert theirs - mine > 1 << 30 and theirs % (64 << 20) < PAGE
    heap.free(theirs, core=0)
    assert heap.malloc(100, core=0) == theirs, "the cache of the one who frees"


def test_an_arena_goes_on_in_a_second_heap_wherever_that_lies(process, heap):
    heap.malloc(100)
    blocks = np.array([heap.malloc(100_000, core=1) for _ in range(1000)])
    heaps = list(dict.fromkeys((blocks // (64 << 20)).tolist()))
    assert len(heaps) == 2 and heaps[1] < heaps[0] and np.diff(np.sort(blocks)).min() >= 100_000
    for block in blocks.tolist():
        heap.free(block, core=1)


def test_an_ended_thread_leaves_its_arena_to_the_next(process, heap):
    heap.malloc(100)
    first = heap.malloc(100, core=1)
    heap.free(first, core=1)
    heap.end_thread(core=1)
    assert heap.malloc(100, core=1) == first


def test_bad_arguments_are_named(machine, process, heap):
    with pytest.raises(ValueError, match="^n: takes 0 to"):
        heap.malloc(-1)
    with pytest.raises(TypeError, match="^n: takes an int, not str"):
        heap.malloc("1")
    with pytest.raises(OSError, match="Cannot allocate memory"):
        heap.malloc(1 << 47)
    with pytest.raises(ValueError, match="^option: 'M_PERTURB' is none of M_MMAP_THRESHOLD"):
        heap.mallopt("M_PERTURB", 64)
    with pytest.raises(ValueError, match=r"^value: takes -2\*\*31 to 2\*\*31 - 1, not 2147483648"):
        heap.mallopt("M_TOP_PAD", 1 << 31)
    small = machine.spawn("linux-i386")
    with pytest.raises(ValueError, match="^process: takes one of layout linux-x86_64"):
        hwmem.libc.Malloc(small)
    small.exit()


def test_a_heap_is_the_same_by_a_second_malloc_object_and_another_in_a_forked_child(process, heap):
    block = heap.malloc(2000)
    process.store(block, 7)
    assert hwmem.libc.Malloc(process).usable_size(block) == 2008
    child = process.fork()
    theirs = hwmem.libc.Malloc(child)
    theirs.free(block)
    child.store(block, 8)
    assert process.load(block) == 7 and heap.usable_size(block) == 2008
    child.exit()


def test_a_trim_threshold_of_minus_one_keeps_what_is_free(process, heap):
    """mallopt(3): setting M_TRIM_THRESHOLD to -1 disables trimming completely."""
    assert heap.mallopt("M_TRIM_THRESHOLD", -1)
    blocks = [heap.malloc(100_000) for _ in range(100)]
    end = process.brk(0)
    for block in blocks:
        heap.free(block)
    assert process.brk(0) == end
    heap.trim()
    assert process.brk(0) < end


def test_without_fastbins_freed_chunks_join_at_once(process, heap):
    """M_MXFAST of 0: what the thread's cache has no room for is joined with its neighbours, and top with them."""
    assert heap.mallopt("M_MXFAST", 0) and not heap.mallopt("M_MXFAST", 161) and not heap.mallopt("M_MXFAST", -1)
    blocks = [heap.malloc(40) for _ in range(20)]
    for block in blocks:
        heap.free(block)
    assert heap.info()["fsmblks"] == 0
    assert heap.mallopt("M_MXFAST", 64)
    blocks = [heap.malloc(40) for _ in range(20)]
    for block in blocks:
        heap.free(block)
    assert heap.info()["fsmblks"] == 13 * 48  # 7 are in the thread's cache
