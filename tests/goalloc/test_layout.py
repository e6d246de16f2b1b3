"""Structures have Go's sizes and offsets, constants Go's values, and start-up makes the real one's system calls."""
import subprocess
import sys

import pytest
from recorded import oracle

from goalloc import layout, params

DWARF = {s["name"].removeprefix("runtime."): s for s in oracle("layout")["structs"]}
NAMES = {"FixAllocChunk": "_FixAllocChunk", "numSizeClasses": "_NumSizeClasses", "stackCacheSize": "_StackCacheSize",
         "numStackOrders": "_NumStackOrders", "maxSmallSize": "maxSmallSize"}


@pytest.mark.parametrize("name", layout.STRUCTS)
def test_a_structure_is_laid_out_as_in_the_real_binary(name):
    ours, real = vars(layout.STRUCTS[name]), DWARF[name]
    assert ours["sizeof"] == real["size"]
    offsets = {field[0]: field[1] for field in real["fields"]}
    for field, at in ours.items():
        if isinstance(at, int) and field != "sizeof":
            assert at == offsets[field], field


def test_padded_structures_have_the_strides_of_the_real_ones():
    derived = oracle("layout")["derived"]
    assert layout.CENTRAL_STRIDE == derived["central_entry_bytes_with_pad"]
    assert layout.STACKPOOL_STRIDE == derived["stackpool_entry_bytes_with_pad"]


def test_the_runtimes_variables_have_the_real_sizes_and_do_not_overlap():
    real = oracle("layout")["runtime_symbol_sizes"]
    end = 0
    for name, start, size in layout.SYMBOLS:
        assert start >= end
        end = start + size
        assert real.get(f"runtime.{name}", size) == size


def test_constants_have_the_values_of_the_real_ones():
    real = oracle("layout")["constants"]
    compared = 0
    for name, value in vars(params).items():
        known = real.get(NAMES.get(name, name))
        if isinstance(value, int) and isinstance(known, int) and not name.startswith("__"):
            compared += 1
            assert value & (1 << 64) - 1 == known & (1 << 64) - 1, name
    assert compared >= 45


UNJITTED = """
from hwmem import params as H
from hwmem._jit import DOORS
import goalloc.runtime
calls, system_call = [], DOORS.python[H.DOOR_SYSCALL]
def recorded(m, t, number, a, b):
    result = system_call(m, t, number, a, b)
    if number == H.SYS_MMAP: calls.append(["mmap", *(int(x) for x in m.sys[:4])])
    elif number == 28: calls.append(["madvise", *(int(x) for x in m.sys[:3])])
    return result
DOORS.python[H.DOOR_SYSCALL] = recorded
rt = goalloc.runtime.Runtime(gomaxprocs=1)
print([c for c in calls if not (c[0] == "mmap" and c[1] and c[1] < 1 << 32)])
"""


def test_start_up_makes_the_system_calls_of_the_real_program_in_their_order():
    """What is asked, how much, with which rights; from the first mmap to the first span's mark bits."""
    run = subprocess.run([sys.executable, "-c", UNJITTED], capture_output=True, text=True, env={**__import__("os").environ, "NUMBA_DISABLE_JIT": "1"})
    assert run.returncode == 0, run.stderr
    ours = [(c[0], c[2], {0: "PROT_NONE", 3: "PROT_READ|PROT_WRITE"}[c[3]] if c[0] == "mmap" else {15: "MADV_NOHUGEPAGE"}[c[3]])
            for c in eval(run.stdout)]
    rows = [row for row in oracle("madvise")["strace"]["hello_madvdontneed1"] if row[0] in ("mmap", "madvise")]
    real = [(row[0], row[2], row[3]) for row in rows]
    span_bits = real.index(("mmap", 65536, "PROT_READ|PROT_WRITE")) + 2
    assert span_bits > 15 and ours[:span_bits] == real[:span_bits]
