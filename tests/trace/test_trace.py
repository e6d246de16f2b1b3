"""Opening traces and reading them: real programs' and small ones, and one clear line for what cannot be read."""

import functools
import gzip
import lzma
import os
from codecs import BOM_UTF8

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmem
from hwmem.errors import TraceError
from hwmem.runs.job import replay
from hwmem.trace import Block, Trace, open_trace, trace as trace_module
from hwmem.trace.stream import whole_lines

TEXTS = {
    "lackey": b"==1== Lackey\nI  04001000,3\n L 1ffeffe7e0,8\n M 0402d018,4\n S 0402D020,16\n==1== done\n",
    "din": b"0 1ffeffe7e3 a comment\n2 4001000\n\t1 0x402d018\n",
    "xdin": b"r 1ffeffe7e3 8\ni 4001000 3\nW 0x402d020 10\n",
    "data": b"0 0x1ffeffe7e3\n2 0x12\n1 0x402d018\n2 5\n\n",
    "cores": b"P0 r 0x1ffeffe7e3\n\nP12 W 402d018\r\n",
    "rw": b"R 0x1ffeffe7e3\nw 402d018\n \n",
}
RECORDS = {
    "lackey": [(0x1FFEFFE7E0, False, 8), (0x402D018, False, 4), (0x402D018, True, 4), (0x402D020, True, 16)],
    "din": [(0x1FFEFFE7E0, False, 4), (0x402D018, True, 4)],
    "xdin": [(0x1FFEFFE7E3, False, 8), (0x402D020, True, 16)],
    **dict.fromkeys(("data", "cores", "rw"), [(0x1FFEFFE7E0, False, 4), (0x402D018, True, 4)]),
}
FETCHES = {"lackey": 1, "din": 1, "xdin": 1, "data": 0, "cores": 0, "rw": 0}


@pytest.fixture
def write(tmp_path):
    def write(content, name="x.trace"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def records(trace):
    return list(zip(trace.addresses.tolist(), trace.is_store.tolist(), trace.sizes.tolist()))


def refusal(path, **options):
    """The one line a file is refused with, without its folder."""
    with pytest.raises(TraceError) as caught:
        list(open_trace(path, **options).blocks())
    message = str(caught.value)
    assert "\n" not in message and message.isprintable()
    return message.replace(f"{os.path.dirname(path)}{os.sep}", "")


def test_instructions_of_a_recorded_program_are_as_many_as_valgrind_said(recorded, recorded_text):
    said = next(line for line in recorded_text.splitlines() if b"guest instrs:  " in line)
    trace = open_trace(recorded)
    assert trace.instructions == int(said.split()[-1].replace(b",", b""))
    assert trace.counts.lines == len(recorded_text.splitlines())


def test_references_of_a_recorded_program_are_its_lines(recorded, recorded_text):
    expected = []
    for line in recorded_text.splitlines():
        if line.startswith(b" "):
            address, size = line[3:].split(b",")
            for is_store in {b"L": (False,), b"S": (True,), b"M": (False, True)}[line[1:2]]:
                expected.append((int(address, 16), is_store, int(size)))
    trace = open_trace(recorded)
    assert records(trace) == expected
    assert trace.counts.loads + trace.counts.stores == len(expected)
    assert not trace.thread.any()


@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_format_and_compression_are_known_by_content(write, format, compress):
    trace = open_trace(write(compress(TEXTS[format])))
    assert (trace.format, records(trace), trace.instructions) == (format, RECORDS[format], FETCHES[format])


@pytest.mark.parametrize("format", TEXTS)
def test_a_text_may_begin_and_end_its_lines_as_on_windows(write, format):
    trace = open_trace(write(BOM_UTF8 + TEXTS[format].replace(b"\r", b"").replace(b"\n", b"\r\n")))
    assert (trace.format, records(trace), trace.instructions) == (format, RECORDS[format], FETCHES[format])


def test_cores_and_cycles_of_computing_are_read_with_the_references(write):
    assert open_trace(write(TEXTS["cores"])).thread.tolist() == [0, 12]
    trace = open_trace(write(TEXTS["data"]))
    assert (trace.compute.tolist(), trace.trailing, trace.thread.tolist()) == ([0, 0x12], 5, [0, 0])
    parts = [block.compute.tolist() for block in open_trace(write(b"2 3\n0 40\n" * 5), format="data").blocks(2)]
    assert sum(parts, []) == [3] * 5


def test_a_label_of_2_is_a_fetch_or_cycles_as_the_name_or_the_values_say(write):
    assert open_trace(write(b"0 40\n2 400540\n")).format == "din"
    assert open_trace(write(b"0 40\n2 400540\n", "bodytrack_0.data")).format == "data"
    assert open_trace(write(gzip.compress(b"0 40\n"), "a.data.gz")).format == "data"
    assert open_trace(write(b"0 40\n2 400540\n", "b.data"), format="din").instructions == 1
    assert open_trace(write(b"0 40\n2 fff\n1 80\n2 0\n")).format == "data"
    assert open_trace(write(b"0 40\n2 fff\n1 80\n2 1000\n")).format == "din"


def test_the_fetch_before_each_reference_is_told_to_who_asks(recorded, recorded_text):
    expected, last = [], 0
    for line in recorded_text.splitlines():
        if line.startswith(b"I"):
            last = int(line[3:].split(b",")[0], 16)
        elif line.startswith(b" "):
            expected += [last] * (2 if line[1:2] == b"M" else 1)
    told = list(open_trace(recorded).located(1000))
    assert np.concatenate([where for _, where in told]).tolist() == expected
    assert all(len(where) == len(block.addresses) for block, where in told)


def test_a_trace_can_be_read_again_and_in_blocks_of_any_size(recorded):
    trace = open_trace(recorded)
    blocks = list(trace.blocks(1000))
    again = [np.concatenate(arrays) for arrays in zip(*trace.blocks(777))]
    assert all(1 <= len(block.addresses) <= 1000 for block in blocks)
    assert all(len(block.addresses) >= 999 for block in blocks[:-1])  # a modify is not torn apart
    for name, array, other in zip(Block._fields, map(np.concatenate, zip(*blocks)), again):
        assert np.array_equal(array, getattr(trace, name)) and np.array_equal(array, other)
        assert array.dtype == {"addresses": np.int64, "is_store": np.bool_}.get(name, np.int32)


LACKEY_LINES = st.lists(st.tuples(st.sampled_from("ILSM"), st.integers(0, 2**63 - 5000), st.integers(1, 4096)), max_size=40)


@settings(deadline=None)  # the first example compiles
@given(before=LACKEY_LINES, after=LACKEY_LINES, chunk=st.integers(1, 60))
def test_what_was_written_is_read_and_a_bad_line_is_found_wherever_it_is(tmp_path_factory, before, after, chunk):
    folder = tmp_path_factory.mktemp("trace")
    written = [("L", 64, 8), *before, *after]
    lines = [f"{'I ' if kind == 'I' else ' ' + kind} {address:08x},{size}" for kind, address, size in written]
    expected = [(address, does == "w", size) for kind, address, size in written for does in {"I": "", "L": "r", "S": "w", "M": "rw"}[kind]]
    (folder / "good").write_text("\n".join(lines))
    lines.insert(1 + len(before), " L 1x,8")
    (folder / "bad").write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_module, "whole_lines", functools.partial(whole_lines, chunk_bytes=chunk))
        assert records(open_trace(folder / "good")) == expected
        assert refusal(folder / "bad") == f"bad:{len(before) + 2}: no size follows the address (lackey): ' L 1x,8'"


def test_a_bad_line_far_into_a_long_trace_has_its_number(write):
    good = b" S 1ffeffe7e0,8\n" * 70_000
    path = write(good + b"segmentation fault\n" + good)
    assert refusal(path) == "x.trace:70001: not a line of this format (lackey): 'segmentation fault'"


def test_whole_blocks_before_a_bad_line_are_handed_out(write):
    blocks = open_trace(write(b" L 40,8\n" * 10 + b"oops\n")).blocks(4)
    assert [len(next(blocks).addresses) for _ in range(3)] == [3, 3, 3]
    with pytest.raises(TraceError, match=":11: "):
        next(blocks)


def test_every_unreadable_file_is_refused_with_one_clear_line(write, tmp_path):
    cut = lzma.compress(b"".join(b" L %08x,8\n" % (n * n) for n in range(9999)))[:-2000]
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "absent") == "absent: No such file or directory"
    assert refusal(tmp_path).endswith(": Is a directory")
    assert refusal(tmp_path / "pipe") == "pipe: a pipe, and a trace is read more than once"
    assert refusal(write(b"")) == "x.trace: empty file"
    assert refusal(write(gzip.compress(b""))) == "x.trace: empty file"
    assert (
        refusal(write(b"\x7fELF\x02\x01\x01\0"))
        == r"x.trace:1: neither lackey, din, xdin, data, cores, rw, memtrace, champsim, threads: '\x7fELF\x02\x01\x01\x00'"
    )
    assert refusal(write(bytes(range(11, 256)) * 400)) == "x.trace: a line of more than 65536 bytes: not a text trace"
    assert (
        refusal(write(b"==7== hi\nusage: x\n"))
        == "x.trace:2: neither lackey, din, xdin, data, cores, rw, memtrace, champsim, threads: 'usage: x'"
    )
    assert refusal(write(b"==7== hi\nI  40,3\n")) == "x.trace: no data references in 2 lines (1 instruction fetches)"
    assert refusal(write(b"==7== hi\n")) == "x.trace: no data references in 1 lines (0 instruction fetches)"
    assert refusal(write(b"\n\r\n \n")) == "x.trace: no data references in 3 lines (0 instruction fetches)"
    assert refusal(write(b"\n L 40,8\n")) == "x.trace:1: the line is empty (lackey): ''"
    assert refusal(write(b"0 40\n4 0\n")) == "x.trace:2: neither a read, a write nor an instruction fetch (din): '4 0'"
    assert refusal(write(b"1 0 0x40 1\n1 0 0x80 1\n")) == (
        "x.trace:1: a number follows the reference: a column that this format does not have (din): '1 0 0x40 1'"
    )
    assert refusal(write(b"0 40\n1 0 0x80 1\n")).startswith("x.trace:2: a number follows")
    assert refusal(write(b"r 40 8\nr 40 8 1\n")).startswith("x.trace:2: a number follows")
    assert refusal(write(b" L 100,1\n L 100,1 5\n")) == "x.trace:2: something follows the reference (lackey): ' L 100,1 5'"
    assert refusal(write(b"P0 r 40\nr 40\n")) == "x.trace:2: the core is not P and a number below 65536 (cores): 'r 40'"
    assert refusal(write(b" L 40,8\n"), format="din") == ("x.trace:1: neither a read, a write nor an instruction fetch (din): ' L 40,8'")
    assert refusal(write(cut)).partition(": ")[2].startswith("damaged or cut off (")
    assert refusal(write(gzip.compress(b" L 40,8\n")[:9])).startswith("x.trace: damaged or cut off (")


@pytest.mark.parametrize("value", ["8000000000000000", "-1", "80000000", "5x"])
def test_what_is_no_number_of_cycles_is_called_so(write, value):
    words = f"not a number of cycles, or more than 2147483647 before one reference (data): '2 {value}'"
    assert refusal(write(f"0 40\n2 {value}\n".encode()), format="data") == f"x.trace:2: {words}"
    assert "cycles" not in refusal(write(f"0 40\n1 {value * 2}x\n".encode()), format="data")


USER_END = 0x7FFFFFFFF000  # Linux: TASK_SIZE of x86-64 with four levels


@pytest.mark.parametrize("address, size", [(USER_END, 4), (USER_END - 4, 8), (2**47, 1), (2**63 - 16, 8)])
def test_what_does_not_end_in_user_space_is_refused_by_line_and_without_an_mmu_replayed(write, address, size):
    path = write(f" L 40,8\n L {USER_END - 8:x},8\n S {address:x},{size}\n".encode())
    words = f"the reference does not end in user space, which ends at {USER_END:#x}; without an MMU \\(--with mmu=false\\) it is replayed"
    for whole in (
        lambda: hwmem.Machine().replay(open_trace(path)),
        lambda: replay(open_trace(path)),
        lambda: replay([open_trace(path)] * 2),
    ):
        with pytest.raises(TraceError, match=f"x.trace:3: {words} "):
            whole()
    arrays = ([64, USER_END - 8, address], [0, 0, 1], [8, 8, size])
    for trace in (arrays, Trace.from_arrays(*arrays)):
        with pytest.raises(ValueError, match="addresses: 0x[0-9a-f]+ is not below 0x7ffffffff000, where user space ends"):
            hwmem.Machine().replay(trace)
    without = hwmem.MachineConfig(mmu=False)
    for trace in (open_trace(path), arrays):
        core = hwmem.Machine(without).replay(trace)["cores"][0]
        assert (core["loads"], core["stores"]) == (2, 1)


def test_in_a_process_of_the_callers_what_lies_beyond_is_its_own_fault(write):
    machine = hwmem.Machine()
    with pytest.raises(hwmem.errors.SegmentationFault):
        machine.replay(open_trace(write(b" L 800000000000,8\n")), process=machine.spawn())


def test_wrong_arguments_are_named(write):
    path = write(TEXTS["din"])
    with pytest.raises(
        ValueError, match="format takes one of lackey, din, xdin, data, cores, rw, memtrace, champsim, threads or None, not 'elf'"
    ):
        open_trace(path, format="elf")
    with pytest.raises(TypeError, match="path takes a string or a path, not int"):
        open_trace(3)
    with pytest.raises(ValueError, match="records takes 2 or more"):
        open_trace(path).blocks(1)


def test_arrays_make_a_trace():
    trace = Trace.from_arrays([64, 128, 2**63 - 9], [False, True, True], thread=[0, 1, 0])
    assert records(trace) == [(64, False, 8), (128, True, 8), (2**63 - 9, True, 8)]
    assert [len(block.addresses) for block in trace.blocks(2)] == [2, 1]
    assert (trace.format, trace.path, trace.thread.tolist()) == ("arrays", None, [0, 1, 0])
    assert (trace.counts.loads, trace.counts.stores) == (1, 2)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (dict(addresses=[-1], is_store=[0]), ValueError, "addresses takes integers from 0"),
        (dict(addresses=[2**63 - 8], is_store=[0]), ValueError, "addresses takes references that end below 2^63"),
        (dict(addresses=[2**63], is_store=[0]), ValueError, "addresses takes integers from 0"),
        (dict(addresses=[1.5], is_store=[0]), TypeError, "addresses takes integers, not float64"),
        (dict(addresses=5, is_store=[0]), ValueError, "addresses takes one dimension, not 0"),
        (dict(addresses=[1], is_store=[0, 1]), ValueError, "is_store takes one value a reference, 1"),
        (dict(addresses=[1], is_store=[0], sizes=[0]), ValueError, "sizes takes integers from 1 to 4096"),
        (dict(addresses=[1], is_store=[0], sizes=[4, 4]), ValueError, "sizes takes one value a reference, 1"),
        (dict(addresses=[1], is_store=[0], thread=[-1]), ValueError, "thread takes integers from 0"),
    ],
)
def test_arrays_that_make_no_trace_are_named(arguments, error, words):
    with pytest.raises(error, match=words.replace("^", r"\^")):
        Trace.from_arrays(**arguments)
