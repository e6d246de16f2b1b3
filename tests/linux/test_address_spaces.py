"""mmap and munmap against a plain model of an address space; frames and tables are neither lost nor given twice.

What Linux itself answers to such calls is compared elsewhere; here it is the bookkeeping that is held to account.
"""

import errno

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import SegmentationFault
from hwmem.machine.machine import Machine
from models import page_table_leaf

PAGE = 4096
BASE = 0x5555_0000_0000
ANONYMOUS = P.MAP_PRIVATE | P.MAP_ANONYMOUS
RW, READ = P.PROT_READ | P.PROT_WRITE, P.PROT_READ


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=2, memory="64MiB", thp="never"))


call = st.tuples(
    st.sampled_from(["map", "map", "unmap", "store", "load"]), st.integers(0, 30), st.integers(1, 12), st.sampled_from([RW, RW, READ])
)


@settings(max_examples=80)
@given(st.lists(call, max_size=40))
def test_mapping_and_unmapping_at_fixed_places_is_a_dictionary_of_pages(machine, calls):
    process = machine.spawn()
    pages, content = {}, {}
    for name, first, count, prot in calls:
        a = BASE + first * PAGE
        if name == "map":
            assert process.mmap(a, count * PAGE, prot=prot, flags=ANONYMOUS | P.MAP_FIXED) == a
        elif name == "unmap":
            process.munmap(a, count * PAGE)
        for page in range(first, first + count) if name in ("map", "unmap") else ():
            content.pop(page, None)
            pages.pop(page, None)
            if name == "map":
                pages[page] = prot
        if name == "store":
            expect(process, pages.get(first), "write", lambda: process.store(a + 8, count), a + 8)
            if pages.get(first) == RW:
                content[first] = count
        elif name == "load":
            found = expect(process, pages.get(first), "read", lambda: process.load(a + 8, core=1), a + 8)
            assert found in (None, content.get(first, 0))
    root = int(machine.state.process[process.number].root)
    for page in range(45):
        mapped = page_table_leaf(machine, root, BASE + page * PAGE)[0]
        assert mapped is None or page in pages
        assert mapped is not None or page not in content
    machine.check()
    process.exit()
    machine.check()


def expect(process, prot, access, operation, address):
    """`operation` works on a page mapped with `prot`, or is refused as it must be."""
    if prot == RW or (prot == READ and access == "read"):
        return operation()
    with pytest.raises(SegmentationFault) as caught:
        operation()
    assert (caught.value.address, caught.value.access) == (address, access)
    assert caught.value.code == ("SEGV_MAPERR" if prot is None else "SEGV_ACCERR")
    return None


@pytest.mark.parametrize("layout, ceiling", [("linux-x86_64", 0x7FFF_FFFF_F000), ("linux-i386", 0xC000_0000)])
def test_the_kernel_chooses_places_that_are_free_top_down(machine, seed, layout, ceiling):
    rng = np.random.default_rng(seed)
    process = machine.spawn(layout)
    taken = {}
    for _ in range(200):
        if rng.random() < 0.65 or not taken:
            n = int(rng.integers(1, 20)) * PAGE
            a = process.mmap(0, n - int(rng.integers(0, PAGE)))
            assert a % PAGE == 0 and 0 < a and a + n <= ceiling
            assert all(a + n <= b or b + k <= a for b, k in taken.items())
            gaps = sorted([(b, b + k) for b, k in taken.items()] + [(ceiling, ceiling)])
            higher = [end for (_, end), (start, _) in zip(gaps, gaps[1:]) if start - end >= n and end >= a + n and start != ceiling]
            assert not higher, "no gap above would have held it"
            taken[a] = n
        else:
            a = int(rng.choice(list(taken)))
            process.munmap(a, taken.pop(a))
    process.exit()


def test_a_hint_is_followed_where_the_place_is_free(machine):
    process = machine.spawn()
    assert process.mmap(BASE, 2 * PAGE) == BASE
    assert process.mmap(BASE + 2 * PAGE, PAGE) == BASE + 2 * PAGE
    assert process.mmap(BASE + PAGE, PAGE) != BASE + PAGE
    process.exit()


@pytest.mark.parametrize(
    "arguments, number",
    [
        (dict(address=0, length=0), errno.EINVAL),
        (dict(address=0, length=PAGE, flags=P.MAP_ANONYMOUS), errno.EINVAL),
        (dict(address=1, length=PAGE, flags=ANONYMOUS | P.MAP_FIXED), errno.EINVAL),
        (dict(address=0, length=1 << 47), errno.ENOMEM),
        (dict(address=0, length=(1 << 63) - 1), errno.ENOMEM),
        (dict(address=0, length=(1 << 64) - 1), errno.ENOMEM),
        (dict(address=0x7FFF_FFFF_E000, length=2 * PAGE, flags=ANONYMOUS | P.MAP_FIXED), errno.ENOMEM),
        (dict(address=1 << 62, length=1 << 62, flags=ANONYMOUS | P.MAP_FIXED), errno.ENOMEM),
    ],
)
def test_mmap_refuses_with_linuxs_errno(machine, arguments, number):
    process = machine.spawn()
    with pytest.raises(OSError) as caught:
        process.mmap(arguments.pop("address"), arguments.pop("length"), **arguments)
    assert caught.value.errno == number
    assert process.mmap(0, PAGE)
    process.exit()


@pytest.mark.parametrize(
    "address, length", [(BASE + 1, PAGE), (BASE, 0), (0x7FFF_FFFF_F000, PAGE), (BASE, 1 << 62), (0x7000_0000_0000, (1 << 63) - PAGE)]
)
def test_munmap_refuses_with_einval(machine, address, length):
    process = machine.spawn()
    process.mmap(BASE, PAGE, flags=ANONYMOUS | P.MAP_FIXED)
    with pytest.raises(OSError) as caught:
        process.munmap(address, length)
    assert caught.value.errno == errno.EINVAL
    assert process.load(BASE) == 0
    process.exit()


def test_munmap_of_nothing_succeeds(machine):
    process = machine.spawn()
    process.munmap(BASE, 1 << 30)
    process.exit()


@pytest.mark.parametrize("layout, levels", [("linux-x86_64", 4), ("linux-i386", 2)])
def test_all_frames_come_back_when_processes_end(seed, layout, levels):
    rng = np.random.default_rng(seed)
    machine = Machine(MachineConfig().replace(cores=2, memory="16MiB", thp="never"))
    first = machine.spawn(layout)
    first.load(first.mmap(0, PAGE))  # the zero page, which stays
    first.exit()
    used = int(machine.state.frames.used)
    for _ in range(4):
        processes = [machine.spawn(layout) for _ in range(3)]
        for process in processes:
            a = process.mmap(0, 1 << 26, flags=ANONYMOUS | P.MAP_NORESERVE)
            for page in rng.integers(0, 1 << 14, 80).tolist():
                process.store(a + page * PAGE, page, core=page % 2)
        owned = {}
        for process in processes:
            root = int(machine.state.process[process.number].root)
            for start, end in mappings(machine, process):
                for va in range(start, end, PAGE):
                    frame, _, places = page_table_leaf(machine, root, va, levels)
                    for place in places:
                        assert owned.setdefault(place & ~4095, ("table", process.number)) == ("table", process.number)
                    if frame:
                        assert owned.setdefault(frame, (va, process.number)) == (va, process.number), "a frame has one owner"
        assert machine.state.frames.used - used == len(owned), "tables and pages are all that is in use"
        for process in processes:
            process.exit()
        assert machine.state.frames.used == used
        machine.check()


def mappings(machine, process, start=0, end=1 << 47):
    """(start, end) of a process's VMAs within [start, end), from the record's list."""
    m = machine.state
    v = int(m.process[process.number].first_vma) - 1
    while v >= 0:
        if start <= m.vma[v].start < end:
            yield int(m.vma[v].start), int(m.vma[v].end)
        v = int(m.vma[v].next) - 1


def test_neighbours_alike_are_one_mapping_and_a_hole_makes_two(machine):
    process = machine.spawn()
    for k in (0, 2, 1):
        process.mmap(BASE + k * PAGE, PAGE, flags=ANONYMOUS | P.MAP_FIXED)
    here = (machine, process, BASE, BASE + 10 * PAGE)
    assert list(mappings(*here)) == [(BASE, BASE + 3 * PAGE)]
    process.mmap(BASE + 3 * PAGE, PAGE, prot=READ, flags=ANONYMOUS | P.MAP_FIXED)
    process.munmap(BASE + PAGE, PAGE)
    assert list(mappings(*here)) == [(BASE, BASE + PAGE), (BASE + 2 * PAGE, BASE + 3 * PAGE), (BASE + 3 * PAGE, BASE + 4 * PAGE)]
    process.exit()


def test_a_process_that_has_ended_answers_no_more_and_its_number_is_used_again(machine):
    process = machine.spawn()
    a = process.mmap(0, PAGE)
    process.store(a, 5)
    number = process.number
    process.exit()
    with pytest.raises(ValueError, match="exited"):
        process.load(a)
    again = machine.spawn()
    assert again.number == number
    with pytest.raises(SegmentationFault):
        again.load(a)
    assert again.mmap(a, PAGE, flags=ANONYMOUS | P.MAP_FIXED) == a
    assert again.load_many(np.array([a]))[0] == 0
    again.exit()


def test_shootdowns_interrupt_the_cores_that_ran_the_process_and_no_others():
    machine = Machine(MachineConfig().replace(cores=4, memory="16MiB"))
    process, other = machine.spawn(), machine.spawn()
    a = process.mmap(0, 4 * PAGE)
    other.store(other.mmap(0, PAGE), 1, core=3)
    for core in (1, 2):
        process.load(a, core=core)
    machine.reset_counters()
    process.munmap(a, 4 * PAGE)  # on core 0
    cores = machine.counters()["cores"]
    assert [c["shootdowns.received"] for c in cores] == [0, 1, 1, 0]
    assert [c["shootdowns.sent"] for c in cores] == [2, 0, 0, 0]
    cost = machine.config.kernel.shootdown_remote
    assert [c["cycles"] for c in cores[1:]] == [cost, cost, 0]
