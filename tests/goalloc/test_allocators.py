"""The other allocators: random programs, known results, and what programs are told when they misuse them."""

import json
import pathlib
import random

import pytest

import hwmem
from hwmem.config.machine import MachineConfig
from goalloc.baselines import NAMES, Allocator
from goalloc.baselines.jemalloc_layout import SIZES, SLAB_PAGES
from goalloc.baselines.tcmalloc_layout import CLASSES
from tests.goalloc.allocators import hammer

ORACLES = pathlib.Path(__file__).resolve().parent.parent / "oracles" / "allocators"


def allocator(name):
    return Allocator(hwmem.Machine(MachineConfig().replace(cores=2, memory="256MiB")).spawn(), name)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_do_not_overlap_and_keep_their_contents(name):
    hammer(name, 6_000)


def test_a_bump_allocator_cannot_reuse():
    heap = allocator("bump")
    first = [heap.malloc(64) for _ in range(100)]
    for block in first:
        heap.free(block)
    again = [heap.malloc(64) for _ in range(100)]
    assert min(again) > max(first)
    assert heap.check()["used"] >= 200 * 64


def test_a_bump_allocator_knows_where_every_block_begins_for_one_thread_and_for_several():
    heap, blocks = allocator("bump"), []
    for i, n in enumerate(random.Random(0).choices((1, 16, 40, 64, 200, 256, 900, 5_000), k=300)):
        blocks.append((heap.malloc(n, core=i % 2 if i > 150 else 0), n))
        assert heap.check()["blocks"] == i + 1
        some = blocks if i in (149, 151, 299) else blocks[-2:]
        assert [heap.usable_size(block, core=1) for block, _ in some] == [-(-n // 16) * 16 for _, n in some]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "bump"])
def test_what_is_freed_is_given_out_again(name):
    heap = allocator(name)
    for _ in range(20):
        blocks = [heap.malloc(1_000) for _ in range(100)]
        for block in blocks:
            heap.free(block)
    assert heap.check()["mapped"] <= 8 << 20


def holes(name, *sizes):
    """A heap whose only free blocks have these sizes, headers included, in the order of the list."""
    heap, blocks = allocator(name), []
    for size in sizes:
        blocks.append(heap.malloc(size - 16))
        heap.malloc(16)
    rest = heap.check()["free"]
    heap.malloc(rest - 16)
    for block in reversed(blocks):
        heap.free(block)
    assert heap.check()["free"] == sum(sizes)
    return heap


def grows(heap, *sizes):
    """Whether these requests, headers included, need more memory from the kernel."""
    before = heap.check()["mapped"]
    for size in sizes:
        heap.malloc(size - 16)
    return heap.check()["mapped"] > before


def test_first_fit_serves_a_stream_that_best_fit_cannot():
    """Knuth, 2.5: with 1300 and 1200 free, 1000, 1100, 250 (here in multiples of 16)."""
    stream = (1008, 1104, 256)
    assert not grows(holes("first-fit", 1312, 1200), *stream)
    assert grows(holes("best-fit", 1312, 1200), *stream)


def test_best_fit_serves_a_stream_that_first_fit_cannot():
    """The small request spoils the large hole, which comes first."""
    stream = (1200, 1312)
    assert not grows(holes("best-fit", 1312, 1200), *stream)
    assert grows(holes("first-fit", 1312, 1200), *stream)


def test_next_fit_goes_on_where_it_stopped():
    heap = holes("next-fit", 160, 160, 160)
    assert sorted(blocks := [heap.malloc(16) for _ in range(3)]) == blocks
    assert blocks[1] - blocks[0] == 32, "the rest of the hole comes next"


def test_buddies_come_together_again():
    heap = allocator("buddy")
    blocks = [heap.malloc(16) for _ in range(1_000)]
    assert len({block // 32 for block in blocks}) == 1_000
    for block in blocks:
        heap.free(block)
    states = (4 << 20) // 32
    assert heap.check() == {"mapped": (4 << 20) + states, "blocks": 0, "used": 0, "free": 4 << 20, "other": states}


@pytest.mark.parametrize("name", ["first-fit", "segregated", "buddy", "glibc"])
def test_what_was_freed_before_or_never_given_out_ends_the_program(name):
    heap = allocator(name)
    block = heap.malloc(4_000)
    heap.malloc(16)
    heap.free(block)
    with pytest.raises(hwmem.Abort):
        heap.free(block)
    for inside in (16, 32, 1_024):
        heap = allocator(name)
        with pytest.raises(hwmem.Abort):
            heap.free(heap.malloc(4_000) + inside)


def test_names_and_processes_that_cannot_have_one_are_refused():
    with pytest.raises(ValueError, match="allocator: 'dlmalloc' is none of bump, "):
        allocator("dlmalloc")
    with pytest.raises(ValueError, match="has an allocator already"):
        Allocator(allocator("bump").process, "buddy")
    for size, kind in ((-1, ValueError), ("1", TypeError), (1 << 62, OSError)):
        with pytest.raises(kind):
            allocator("buddy").malloc(size)


def recorded(name):
    return json.loads((ORACLES / f"{name}.json").read_text())


def test_tcmallocs_size_classes_are_the_published_ones():
    assert [list(row) for row in CLASSES] == recorded("tcmalloc_classes")["classes"]


@pytest.mark.parametrize("name", ["tcmalloc", "tcmalloc-threads"])
def test_every_size_gets_the_smallest_of_tcmallocs_classes_that_holds_it(name):
    heap, classes = allocator(name), [size for size, _, _ in recorded("tcmalloc_classes")["classes"]][1:]
    for n in [*range(0, 1_400, 5), *(size + d for size in classes for d in (-1, 0, 1))]:
        if n <= classes[-1]:
            assert heap.usable_size(heap.malloc(n)) == next(size for size in classes if size >= n), n
    assert heap.usable_size(heap.malloc(classes[-1] + 1)) == classes[-1] + 8192, "whole pages"


def test_jemallocs_size_classes_are_those_of_the_real_library():
    """Debian's libjemalloc2 5.3.0, asked for every size to 4,999 and for samples beyond."""
    heap = allocator("jemalloc")
    for n, usable in recorded("usable_sizes")["jemalloc"]["steps"]:
        block = heap.malloc(n)
        assert heap.usable_size(block) == usable, n
        heap.free(block)
    small = {n: usable for n, usable in recorded("usable_sizes")["jemalloc"]["steps"] if n < 5_000}
    sizes = sorted(set(small.values()))
    for n in range(0, 4_999, 7):
        block = heap.malloc(n)
        assert heap.usable_size(block) == next(size for size in sizes if size >= n), n
        heap.free(block)


def test_jemallocs_slabs_are_the_published_ones():
    """jemalloc(3): regions of a slab fill its pages without a rest; the first of them as mallctl arenas.bin.<i>.slab_size says."""
    pages = {8: 1, 16: 1, 32: 1, 48: 3, 64: 1, 80: 5, 96: 3, 112: 7, 128: 1, 160: 5, 192: 3, 224: 7, 256: 1, 320: 5, 384: 3, 448: 7, 512: 1}
    assert {size: int(n) for size, n in zip(SIZES, SLAB_PAGES) if size in pages} == pages
    assert all(n * 4096 % size == 0 for size, n in zip(SIZES, SLAB_PAGES))
