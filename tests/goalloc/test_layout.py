"""Structures have Go's sizes and offsets, constants Go's values, and start-up makes the real one's system calls."""

import os
import re
import subprocess
import sys

import pytest
from recorded import oracle

from goalloc import constants, layout, params
from goalloc.observe.inspect import Inspector
from goalloc.observe.symbols import variables
from goalloc.layout import mstats, rules, variables as V
from hwmem import params as linux

LAYOUT = oracle("layout")
NAMES = [s["name"].removeprefix("runtime.") for s in LAYOUT["structs"]]
CONSTANTS = vars(params) | vars(constants)
ALIASES = {
    "_MaxSmallSize": "maxSmallSize",
    "_NumSizeClasses": "numSizeClasses",
    "_NumStackOrders": "numStackOrders",
    "_PageShift": "pageShift",
    "_PageSize": "pageSize",
    "_StackCacheSize": "stackCacheSize",
    "_TinySize": "maxTinySize",
    "arenaBaseOffsetUintptr": "arenaBaseOffset",
}  # the same thing under its older or typed name
# Constants that mean nothing to what is emulated, by what they are about
LEFT_OUT = {
    "system calls that no Go program here makes": "AF_UNIX|SOCK_DGRAM|CLOCK_|FD_CLOEXEC|F_SETFD|FUTEX_|ITIMER_|cloneFlags|canCreateFile|osRelax",
    "signals": "NSIG|Sig|sig|si_max_size|freezeStopWait",
    "other processors and builds": "64bit|aix|riscv64|offset|usesLR|pageAlloc(32|64)Bit|framepointer|preemptMSupported",
    "switches for debugging the runtime": "DebugGC|debug|dlog|raceenabled|msanenabled|asanenabled|staticLock|randomizeSch|verifyTimers|"
    "testSmallBuf|stack(Debug|FaultOnFree|FromSystem|NoCache|TraceDebug)",
    "soft floating point": "(bias|expbits|mantbits|inf|nan|neg)(32|64)|f(Neg)?Inf",
    "arithmetic of hash functions, which are not Go's here": "c[01]|m[1-5]|hashRandomBytes",
    "UTF-8": "t[1-5x]|mask[234x]|locb|hicb|(max|self)?[rR]une|surrogate",
    "symbol tables and tracebacks": "SH[NT]_|minfunc|pcbucketsize|unwind|logicalStackSentinel",
    "profiles of processor time, metrics, the network poller": "profBuf|prof(Reader|Write)|maxCPUProfStack|bufSize|metricKind|pd(Nil|Ready|Wait)",
    "steps on the way to fixedStack, a power of two": "fixedStack[1-6]",
}


def as_recorded(of):
    """A declared type as DWARF names it: array lengths as numbers, our names of its types. None for nameless structs."""
    of = re.sub(r"\[(\w+)\]", lambda m: f"[{CONSTANTS.get(m[1], m[1])}]", of)
    for ours, real in (
        ("byte", "uint8"),
        ("*_type", "*Type"),
        ("]*_type", "]*Type"),
        ("ptrtype", "PtrType"),
        ("interfacetype", "InterfaceType"),
    ):
        of = re.sub(rf"(?<!\w){re.escape(ours)}\b", real, of)
    return None if re.search(r"[a-zA-Z]\.", of.replace("atomic.", "")) else of.split("(")[0]


def recorded_type(of):
    of = re.sub(r"(runtime/internal/atomic)\.", "atomic.", of)
    of = re.sub(r"\b(runtime|internal/abi|runtime/internal/sys|internal/cpu)\.", "", of)
    of = of.replace("*void", "unsafe.Pointer")
    return of.replace("struct []", "[]").replace("struct string", "string").replace("interface {}", "interface{}").split("(")[0]


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_a_structure_is_laid_out_as_in_the_real_binary(name):
    """Every field's name, offset, size and type; ours are computed from the declarations."""
    ours, real = layout.DECLARED[name], LAYOUT["structs"][NAMES.index(name)]
    assert ours.size == real["size"]
    assert [field[:3] for field in ours.fields] == [tuple(field[:3]) for field in real["fields"]]
    for (field, _, _, of), recorded in zip(ours.fields, real["fields"]):
        assert as_recorded(of) in (None, recorded_type(recorded[3])), field


def test_a_kernels_namespace_has_every_field_that_has_a_name_and_a_size():
    for name, space in vars(layout).items():
        declared = layout.DECLARED.get(name.rstrip("_") if name != "type_" else "_type")
        if declared and hasattr(space, "sizeof"):
            offsets = {field: at for field, at, size, _ in declared.fields if size and field != "_"}
            assert {k: v for k, v in vars(space).items() if isinstance(v, int)} == offsets | {"sizeof": declared.size}, name


def test_a_field_without_size_at_the_end_makes_room_for_a_pointer_to_it():
    rules.struct("ends_in_nothing", "a uint64; b NotInHeap")
    rules.struct("one_of_each", "a bool; b uint16; c, d uint8; e uint64; f [3]uint8")
    assert layout.DECLARED.pop("ends_in_nothing").size == 16
    assert [field[1] for field in layout.DECLARED["one_of_each"].fields] == [0, 2, 4, 5, 8, 16]
    assert layout.DECLARED.pop("one_of_each")[:2] == (24, 8)


@pytest.mark.oracle
def test_padded_structures_have_the_strides_of_the_real_ones():
    derived = LAYOUT["derived"]
    assert layout.CENTRAL_STRIDE == derived["central_entry_bytes_with_pad"]
    assert layout.STACKPOOL_STRIDE == derived["stackpool_entry_bytes_with_pad"]
    assert constants.workbufObjects == derived["workbuf_obj_slots"]
    sizes = {"wbBuf": "wbBuf_bytes", "pallocBits": "pallocBits_bytes", "heapArena": "heapArena bytes mmapped"}
    for name, key in sizes.items():
        assert layout.DECLARED[name].size == derived[key]
    assert params.arenaL2Entries * 8 == derived["arena L2 map bytes"]
    assert params.pallocChunksL2Entries * layout.pallocData.sizeof == derived["chunk L2 (pallocData x 8192) bytes"]
    assert (1 << params.heapAddrBits - params.logPallocChunkBytes) * 8 == derived["scavenge chunk index reserved bytes"]
    reserved = [(1 << params.heapAddrBits - shift) * 8 for shift in params.levelShift]
    assert ", ".join(map(str, reserved)) in derived["summary levels"]


@pytest.mark.oracle
def test_the_runtimes_variables_have_the_real_sizes_and_do_not_overlap():
    end, ours = 0, {}
    for name, start, size in layout.SYMBOLS:
        assert start >= end
        end, ours[f"runtime.{name}"] = start + size, size
    real = LAYOUT["runtime_symbol_sizes"]
    assert {name: ours.get(name) for name in real} == real


@pytest.mark.oracle
def test_constants_have_the_values_of_the_real_ones_and_those_left_out_have_a_reason():
    unsigned = lambda value: value & constants.maxUint64 if isinstance(value, int) else value  # noqa: E731
    for name, value in LAYOUT["constants"].items():
        if any(re.match(rf"_?({pattern})", name) for pattern in LEFT_OUT.values()):
            assert name not in CONSTANTS and name.lstrip("_") not in CONSTANTS, f"{name} is there: no reason to leave it out"
            continue
        ours = next((CONSTANTS[n] for n in (ALIASES.get(name, name), name.lstrip("_")) if n in CONSTANTS), None)
        assert unsigned(ours) == unsigned(value), name


@pytest.mark.oracle
def test_the_system_calls_constants_are_linux():
    for name, value in LAYOUT["mmap_constants"].items():
        assert vars(linux)[{"_MAP_ANON": "MAP_ANONYMOUS"}.get(name, name.lstrip("_"))] == value


@pytest.mark.oracle
def test_a_new_program_has_the_recorded_settings(runtime):
    """What a real process holds when it has started: limits, goals, the arenas' hints."""
    rt, real = runtime(gomaxprocs=1), LAYOUT["runtime_values"]
    look = Inspector(rt.process)
    controller = lambda name, size=8: look.word(V.gcController + getattr(layout.gcControllerState, name), size)  # noqa: E731
    assert controller("gcPercent", 4) == real["gcPercent"] and controller("memoryLimit") == real["memoryLimit"]
    assert controller("gcPercentHeapGoal") == real["gcPercentHeapGoal_at_start"]
    assert controller("heapMinimum") == real["heapMinimum"]
    assert look.word(V.startingStackSize, 4) == real["startingStackSize"] and look.word(V.MemProfileRate) == real["MemProfileRate"]
    assert look.word(V.physPageSize) == real["physPageSize"] and look.word(V.physHugePageSize) == real["physHugePageSize"]
    assert list(look.words(V.mheap_ + layout.mheap.curArena, 2)) == real["curArena"]
    hints, hint = [], look.word(V.mheap_ + layout.mheap.arenaHints)
    while hint:
        hints.append({"addr": look.word(hint), "down": look.word(hint + layout.arenaHint.down, 1)})
        hint = look.word(hint + layout.arenaHint.next)
    assert len(hints) == real["arenaHints_count"] and hints[:4] == real["arenaHints_after_first_arena"]


UNJITTED = """
from hwmem import params as H
from hwmem._jit import DOORS
from goalloc.runtime.runtime import Runtime
calls, system_call = [], DOORS.function(H.DOOR_SYSCALL)
def recorded(m, t, number, a, b):
    result = system_call(m, t, number, a, b)
    if number == H.SYS_MMAP: calls.append(["mmap", *(int(x) for x in m.sys[:4])])
    elif number == H.SYS_MADVISE: calls.append(["madvise", *(int(x) for x in m.sys[:3])])
    return result
DOORS.python[H.DOOR_SYSCALL] = recorded
rt = Runtime(gomaxprocs=1)
print([c for c in calls if not (c[0] == "mmap" and c[1] and c[1] < 1 << 32)])
"""


@pytest.mark.oracle
def test_start_up_makes_the_system_calls_of_the_real_program_in_their_order():
    """What is asked, how much, with which rights; from the first mmap to the first span's mark bits."""
    run = subprocess.run([sys.executable, "-c", UNJITTED], capture_output=True, text=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"})
    assert run.returncode == 0, run.stderr
    ours = [
        (c[0], c[2], {0: "PROT_NONE", 3: "PROT_READ|PROT_WRITE"}[c[3]] if c[0] == "mmap" else {15: "MADV_NOHUGEPAGE"}[c[3]])
        for c in eval(run.stdout)
    ]
    rows = [row for row in oracle("madvise")["strace"]["hello_madvdontneed1"] if row[0] in ("mmap", "madvise")]
    real = [(row[0], row[2], row[3]) for row in rows]
    span_bits = real.index(("mmap", 65536, "PROT_READ|PROT_WRITE")) + 2
    assert span_bits > 15 and ours[:span_bits] == real[:span_bits]


def test_the_words_of_the_statistics_have_names():
    """Whatever of memstats is contended, the table of lines says which field it is."""
    named = sorted((start, start + size) for name, start, size, _ in variables() if name.startswith("memstats."))
    end = V.memstats
    for start, after in named:
        assert start == end
        end = after
    assert end == V.memstats + mstats.sizeof
