"""Bad use ends the emulated program as Go ends it, in Go's words; the machine is whole afterwards, and other programs go on.

The words of every fatal error are looked for in Go's source by test_live.py.
"""

import numpy as np
import pytest

import goalloc
from hwmem import params as H
from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError
from hwmem.machine.machine import Machine
from goalloc import params as P
from goalloc.errors import TEXTS, FatalError
from goalloc.observe.inspect import Inspector
from goalloc.layout import arenaHint, mheap, mspan, p_, mcache, variables as V
from goalloc.runtime.runtime import Runtime
from goalloc.types import int64

MIB = 1 << 20
HINTS = V.mheap_ + mheap.arenaHints


def dies(rt, call):
    """What the program printed. The machine's invariants hold, and another program runs on it."""
    with pytest.raises(FatalError) as error:
        call()
    rt.machine.check()
    other = Runtime(machine=rt.machine, gomaxprocs=1)
    assert len(set(other.malloc_many(np.full(300, 100)).tolist())) == 300
    other.check()
    other.process.exit()
    return str(error.value)


def space_for(rt, nbytes):
    """Limit the process to `nbytes` more of address space."""
    used = int(rt.machine.state.process[rt.process.number].total_vm) * H.PAGE
    rt.process.setrlimit("as", used + nbytes)


def test_without_address_space_the_heap_does_not_grow(runtime):
    rt = runtime(gomaxprocs=1)
    space_for(rt, 3 * 64 * MIB + 16 * MIB)  # three more arenas with their metadata
    text = dies(rt, lambda: rt.malloc_many(np.full(400, MIB)))
    assert text == f"runtime: out of memory: cannot allocate 4194304-byte block ({4 * 64 * MIB} in use)\nfatal error: out of memory"
    rt.check()
    rt.process.setrlimit("as", None)
    assert len(set(rt.malloc_many(np.full(100, MIB)).tolist())) == 100
    rt.check()


def test_an_arenas_metadata_may_not_fit(runtime):
    rt = runtime(gomaxprocs=1)
    space_for(rt, 64 * MIB + 256 * 1024)  # the arena itself, and not 1.1 MiB more
    assert dies(rt, lambda: rt.malloc_many(np.full(100, MIB))) == "fatal error: out of memory allocating heap arena metadata"


def test_more_than_the_kernel_promises_ends_in_the_mapping(runtime):
    rt = runtime(gomaxprocs=1)
    memory = rt.machine.config.memory + rt.machine.config.swap
    assert dies(rt, lambda: rt.mallocgc(2 * memory)) == "fatal error: runtime: out of memory"


def test_a_mapping_that_fails_ends_at_once_and_what_was_there_stays(runtime):
    rt = runtime(gomaxprocs=1)
    before = rt.memstats()["HeapSys"]
    with pytest.raises(FatalError):
        rt.mallocgc(16 << 30)
    assert rt.memstats()["HeapSys"] - before < 64 * MIB  # the rest of the arena that was left, and nothing unmapped
    rt.check()
    for x in rt.malloc_many(np.full(80, MIB)):
        rt.process.touch(int(x), MIB)
    rt.check()


@pytest.mark.parametrize("size, block", [((1 << 63) - 1, 1 << 63), (1 << 62, 1 << 62), ((1 << 47) - 8192, 1 << 47)])
def test_sizes_beyond_the_address_space_are_refused_in_the_real_ones_words(runtime, size, block):
    """What Go 1.21.13 prints for a mallocgc of as many bytes, but for the heap in use."""
    rt = runtime(gomaxprocs=1)
    text = dies(rt, lambda: rt.mallocgc(size))
    assert text == f"runtime: out of memory: cannot allocate {block}-byte block (4194304 in use)\nfatal error: out of memory"
    rt.check()


def test_a_slice_too_long_for_an_arena_ends_as_the_real_one(runtime):
    """Go: userArenaNextFree, where the bytes do not fit a word, and newarray."""
    rt = runtime(gomaxprocs=1)
    arena = rt.arena()
    assert dies(rt, lambda: arena.slice(int64, 1 << 61)) == "fatal error: out of memory"
    assert dies(rt, lambda: arena.slice(int64, 1 << 50)) == "panic: runtime: allocation size out of range"
    rt.check()


def test_a_program_that_has_exited_is_not_looked_at_and_one_that_runs_is_not_started_again(machine):
    rt = Runtime(machine=machine, gomaxprocs=1)
    x = rt.mallocgc(8)
    with pytest.raises(ValueError, match="process: runs a program already"):
        Runtime(process=rt.process)
    rt.check()
    rt.process.exit()
    for look in (rt.check, rt.memstats, lambda: rt.span_of(x), lambda: rt.mallocgc(8)):
        with pytest.raises(ValueError, match="exited"):
            look()


def test_a_process_of_32_bits_is_refused():
    machine = Machine(MachineConfig().replace(cores=1, memory="1GiB"))
    with pytest.raises(ValueError, match="process: takes one of layout linux-x86_64"):
        Runtime(process=machine.spawn(layout="linux-i386"))


def test_a_string_too_long_for_a_length_is_refused(runtime):
    rt = runtime(gomaxprocs=1)
    assert dies(rt, lambda: rt.concat((0, 1 << 62), (0, 1 << 62))) == "fatal error: string concatenation too long"


def test_a_program_that_uses_more_memory_than_there_is_is_killed():
    """No Go program notices: the kernel promises address space and kills who touches too much of it."""
    machine = Machine(MachineConfig().replace(cores=1, memory="64MiB", swap="0"))
    rt, other = Runtime(machine=machine, gomaxprocs=1), Runtime(machine=machine, gomaxprocs=1)
    with pytest.raises(MachineError, match="Out of memory: Killed process"):
        for x in rt.malloc_many(np.full(80, MIB)):
            rt.process.touch(int(x), MIB)
    machine.check()
    other.malloc_many(np.full(1000, 64))
    other.check()


def test_a_misaligned_arena_is_noticed(runtime):
    rt = runtime(gomaxprocs=1)
    hint = rt.process.load(HINTS)
    rt.process.store(hint + arenaHint.addr, 0xC1_0000_1000)
    assert dies(rt, lambda: rt.malloc_many(np.full(100, MIB))) == "fatal error: misrounded allocation in sysAlloc"


def test_where_every_hint_is_taken_the_heap_lies_anywhere_and_grows_both_ways(runtime):
    rt = runtime(gomaxprocs=1)
    look, hint, taken = Inspector(rt.process), Inspector(rt.process).word(HINTS), []
    while hint:
        taken.append(look.word(hint + arenaHint.addr))
        hint = look.word(hint + arenaHint.next)
    for at in taken:
        if at < 1 << 47:
            rt.process.mmap(at, 4096, flags=H.MAP_PRIVATE | H.MAP_ANONYMOUS | H.MAP_FIXED)
    addresses = rt.malloc_many(np.full(300, MIB))
    arenas = sorted({int(a) >> 26 for a in addresses})
    assert len(set(addresses.tolist())) == 300 and 5 <= len(arenas) <= 6
    assert arenas[1:] == list(range(arenas[1], arenas[1] + len(arenas) - 1))  # one at the first hint, the rest together
    rt.process.load(int(addresses[-1]))
    rt.check()


@pytest.mark.parametrize(
    "bend, words",
    [
        (lambda rt, s: rt.process.store(s + mspan.sweepgen, 0, size=4), "bad sweepgen in refill"),
        (
            lambda rt, s: rt.process.store(s + mspan.allocCount, 3, size=2),
            "runtime: s.allocCount= 3 s.nelems= 8\nfatal error: s.allocCount != s.nelems && freeIndex == s.nelems",
        ),
    ],
)
def test_a_span_that_has_been_tampered_with_is_noticed(runtime, bend, words):
    rt = runtime(gomaxprocs=1)
    a = int(rt.malloc_many(np.full(8, 1024))[0])
    s = rt.process.load(rt.process.load(rt.ps[0] + p_.mcache) + mcache.alloc + rt.span_of(a)["spanclass"] * 8)
    bend(rt, s)
    text = dies(rt, lambda: rt.mallocgc(1024))
    assert text == words or text == f"fatal error: {words}"


def test_spans_are_freed_once_and_when_they_are_empty(runtime):
    rt = runtime(gomaxprocs=1)
    s = rt.span_of(rt.mallocgc(40_000))["address"]
    free = lambda s: rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocHeap, s)  # noqa: E731
    assert dies(rt, lambda: free(s)) == "fatal error: mheap.freeSpanLocked - invalid free"
    chunk = rt.span_of(rt.arena().chunks[0])["address"]
    assert dies(rt, lambda: free(chunk)) == "fatal error: mheap.freeSpanLocked - invalid free of user arena chunk"
    stack = rt.call(0, P.DOOR_ALLOC_SPAN, 4, P.spanAllocStack, 0)
    rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, stack)
    assert (
        dies(rt, lambda: rt.call(0, P.DOOR_ALLOC_SPAN, 0, P.spanAllocStack, stack))
        == "fatal error: mheap.freeSpanLocked - invalid span state"
    )
    rt.check()


def test_the_command_ends_with_1_and_the_programs_words(capsys):
    from goalloc.cli.cli import main

    assert (
        main(["run", "alloc-storm", "--alone", "--gomaxprocs", "1", "--set", "size=1048576", "allocations=100", "--with", "memory=16MiB"])
        == 1
    )
    words, status = capsys.readouterr().err.splitlines()[-2:]
    assert words.startswith("goalloc: fatal error: out of memory") and status == "exit status 2"  # the program's, as go run says it


def test_a_program_that_ends_as_go_ends_it_raises_a_fatal_error_with_its_exit_status():
    with pytest.raises(FatalError, match="^fatal error: runtime: out of memory$") as error:
        goalloc.run("alloc-storm", MachineConfig().replace(memory="48MiB"), gomaxprocs=1, size=1 << 26, allocations=4)
    assert error.value.exit_status == 2 and TEXTS[error.value.code] == str(error.value)
