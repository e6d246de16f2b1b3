"""ChampSim's and DynamoRIO's traces, from records and lines made here as their sources write them."""

import gzip
import lzma
import struct

import numpy as np
import pytest

from hwmem.config.machine import MachineConfig
from hwmem.errors import TraceError
from hwmem.runs.job import replay
from hwmem.trace import open_trace

SIMPLE = b"Format: <data address>: <data size>, <(r)ead/(w)rite/opcode>\n0x4009d0:  4, mov\n0x7ffc10:  8, r\n0x4009d4:  3, r_add\n0x7ffc18: 16, w\n"
X86 = b"Format: <instr address>,<(r)ead/(w)rite>,<data size>,<data address>\n0x4009d0,r,8,0x7ffc10\n0x4009d4,w,16,0x7ffc18\n"
WANTED = [(0x7FFC10, False, 8), (0x7FFC18, True, 16)]


def instruction(ip, loads=(), stores=()):
    """A record of ChampSim's input_instr."""
    return struct.pack("<QBB2B4B2Q4Q", ip, 0, 0, 1, 2, 3, 4, 5, 6, *(*stores, 0, 0)[:2], *(*loads, 0, 0, 0, 0)[:4])


def records(trace):
    return list(zip(trace.addresses.tolist(), trace.is_store.tolist(), trace.sizes.tolist()))


@pytest.mark.parametrize("text, fetches", [(SIMPLE, 2), (X86, 0), (SIMPLE.split(b"\n", 1)[1], 2), (X86.split(b"\n", 1)[1], 0)])
def test_memtrace_text_of_either_sample(tmp_path, text, fetches):
    (tmp_path / "t").write_bytes(text)
    trace = open_trace(tmp_path / "t")
    assert (trace.format, records(trace), trace.instructions) == ("memtrace", WANTED, fetches)


def test_memtrace_has_instructions_where_the_line_does(tmp_path):
    (tmp_path / "t").write_bytes(X86)
    assert [pcs.tolist() for _, pcs in open_trace(tmp_path / "t").located()] == [[0x4009D0, 0x4009D4]]


@pytest.mark.parametrize("line", [b"0x10: 0, r", b"0x10: 8", b"0x10,x,8,0x20", b"0x10,r,8", b"0x10,r,8,0x20,1", b"0x10: 8, ", b"nonsense"])
def test_a_malformed_line_of_memtrace_is_refused(tmp_path, line):
    (tmp_path / "t").write_bytes(X86 + line + b"\n")
    with pytest.raises(TraceError, match=r"t:4: .* \(memtrace\)"):
        open_trace(tmp_path / "t").read()


@pytest.mark.parametrize("packed", [bytes, lzma.compress, gzip.compress])
def test_champsims_instructions_become_references_loads_first(tmp_path, packed):
    data = b"".join(instruction(0x400000 + 4 * n, [0x1000 * n + 8, 0x9000], [0x2000 * n + 64]) for n in range(1, 40)) + instruction(
        0x500000
    )
    (tmp_path / "t").write_bytes(packed(data))
    trace = open_trace(tmp_path / "t")
    assert trace.format == "champsim" and trace.instructions == 40 and trace.counts[:2] == (78, 39)
    assert records(trace)[:3] == [(0x1008, False, 1), (0x9000, False, 1), (0x2040, True, 1)]
    assert [len(block.addresses) for block in trace.blocks(100)] == [100, 17]


def test_several_files_of_champsim_run_on_a_core_each(tmp_path):
    for core in range(2):
        (tmp_path / f"{core}").write_bytes(lzma.compress(b"".join(instruction(0x400000, stores=[0x8000 + 8 * core]) for _ in range(50))))
    result = replay([open_trace(tmp_path / "0"), open_trace(tmp_path / "1")], MachineConfig(), top=0)
    assert [c["stores"] for c in result.counters["cores"][:2]] == [50, 50]
    assert result.lines[0]["sharing"] == "false"


def test_a_cut_off_trace_of_champsim_is_refused(tmp_path):
    whole = b"".join(instruction(0x400000, [64 * n]) for n in range(1, 30))
    (tmp_path / "t").write_bytes(whole[:-10])
    with pytest.raises(TraceError, match="t: cut off: 54 bytes after instruction 28"):
        open_trace(tmp_path / "t").read()
    packed = lzma.compress(np.random.default_rng(1).bytes(64) + whole)
    (tmp_path / "x").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(TraceError):
        open_trace(tmp_path / "x", "champsim").read()


@pytest.mark.parametrize("more", [1, 3, 63])
def test_a_short_trace_of_champsim_with_a_part_of_an_instruction_is_called_cut_off(tmp_path, more):
    (tmp_path / "t").write_bytes(b"".join(instruction(0x400000, [64 * n]) for n in range(1, 6)) + bytes(more))
    with pytest.raises(TraceError, match=f"t: cut off: {more} bytes after instruction 5"):
        open_trace(tmp_path / "t").read()


def test_an_address_of_champsim_beyond_user_space_is_refused_by_instruction(tmp_path):
    (tmp_path / "t").write_bytes(b"".join(instruction(0x400000, [address]) for address in (64, 0x7FFFFFFFEFFF, 0x7FFFFFFFF000, 128)))
    with pytest.raises(TraceError, match="t: instruction 3: the reference does not end in user space"):
        replay(open_trace(tmp_path / "t"), MachineConfig())
    assert replay(open_trace(tmp_path / "t"), MachineConfig(mmu=False)).counters["cores"][0]["loads"] == 4
    (tmp_path / "t").write_bytes(b"".join(instruction(0x400000, [address]) for address in (64, 2**63)))
    with pytest.raises(TraceError, match="t: instruction 2: the reference does not end below 2.63"):
        replay(open_trace(tmp_path / "t"), MachineConfig(mmu=False))


def test_text_and_other_files_are_not_taken_for_champsims(tmp_path):
    (tmp_path / "t").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(500))
    with pytest.raises(TraceError):
        open_trace(tmp_path / "t")
