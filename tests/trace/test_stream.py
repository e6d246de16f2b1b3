"""Files of every kind as whole lines: nothing lost, nothing invented, damage named, memory bounded."""

import gzip
import lzma
import tracemalloc
from codecs import BOM_UTF8

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmem.trace import open_trace
from hwmem.trace.stream import LONGEST_LINE, StreamError, whole_lines

STORED = {"plain": bytes, "gzip": gzip.compress, "xz": lzma.compress}


def read(path, **options):
    return b"".join(bytes(text[:end]) for text, end in whole_lines(path, **options))


@pytest.mark.parametrize("stored", STORED)
@given(
    lines=st.lists(st.text("a 1\r\0é", max_size=30).map(str.encode), max_size=30),
    mark=st.sampled_from((b"", BOM_UTF8)),
    chunk=st.integers(4, 40),
)
def test_every_line_comes_whole_and_once_whatever_the_chunk(tmp_path_factory, stored, lines, mark, chunk):
    text = b"".join(line + b"\n" for line in lines)
    path = tmp_path_factory.mktemp("lines") / "text"
    path.write_bytes(STORED[stored](mark + text))
    pieces = [bytes(text[:end]) for text, end in whole_lines(path, chunk_bytes=chunk)]
    assert b"".join(pieces) == text
    assert all(piece.endswith(b"\n") for piece in pieces)


@pytest.mark.parametrize("stored", STORED)
def test_a_last_line_without_a_newline_is_a_line(tmp_path, stored):
    (tmp_path / "text").write_bytes(STORED[stored](b"one\ntwo"))
    assert read(tmp_path / "text") == b"one\ntwo\n"


def test_compressed_files_may_have_several_parts(tmp_path):
    for name, compress in (("gzip", gzip.compress), ("xz", lzma.compress)):
        (tmp_path / name).write_bytes(compress(b"one\nt") + compress(b"wo\n"))
        assert read(tmp_path / name) == b"one\ntwo\n"


def test_zeros_may_stand_between_and_after_the_streams_of_an_xz_file(tmp_path):
    (tmp_path / "xz").write_bytes(lzma.compress(b"one\nt") + bytes(8) + lzma.compress(b"") + lzma.compress(b"wo\n") + bytes(4))
    assert read(tmp_path / "xz") == b"one\ntwo\n"


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
@pytest.mark.parametrize(
    "damage",
    [lambda part: b"junk", lambda part: part[:1] + b"?" + part[2:], lambda part: part[:7]],
    ids=["junk", "a damaged header", "half a header"],
)
def test_what_follows_a_whole_stream_and_is_none_is_damage(tmp_path, compress, damage):
    (tmp_path / "text").write_bytes(compress(b"one\n") + damage(compress(b"two\n")))
    lines = b""
    with pytest.raises(StreamError, match="damaged or cut off"):
        for text, end in whole_lines(tmp_path / "text"):
            lines += bytes(text[:end])
    assert b"one\n".startswith(lines)


@pytest.mark.parametrize("stored", ["gzip", "xz"])
@pytest.mark.parametrize("damage", ["cut off", "flipped"])
def test_damage_is_reported_after_the_lines_before_it(tmp_path, stored, damage):
    text = b"".join(b" L %08x,8\n" % (n * n) for n in range(20_000))
    data = bytearray(STORED[stored](text))
    if damage == "flipped":
        data[len(data) // 2] ^= 0x55
    else:
        del data[len(data) // 2 :]
    (tmp_path / "text").write_bytes(data)
    lines = b""
    with pytest.raises(StreamError, match="damaged or cut off"):
        for piece, end in whole_lines(tmp_path / "text", chunk_bytes=4096):
            lines += bytes(piece[:end])
    if damage == "cut off":
        assert lines and text.startswith(lines)


def test_a_line_without_end_is_no_text(tmp_path):
    (tmp_path / "text").write_bytes(b"x" * (3 * LONGEST_LINE))
    with pytest.raises(StreamError, match="not a text trace"):
        read(tmp_path / "text")


def test_memory_is_bounded_by_chunk_and_block_not_by_the_trace(tmp_path):
    text = b"I  04001000,3\n L 1ffeffe7e0,8\n M 0402d018,4\n" * 20_000
    with lzma.open(tmp_path / "long.xz", "wb", preset=0) as file:
        for _ in range(50):
            file.write(text)
    trace = open_trace(tmp_path / "long.xz")
    next(trace.blocks(1024))  # compiled
    tracemalloc.start()
    references = sum(len(block.addresses) for block in trace.blocks(1 << 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert references == 50 * 20_000 * 3
    assert peak < 8 << 20 < 50 * len(text)


def test_the_bar_counts_the_bytes_stored(tmp_path, capsys):
    (tmp_path / "x.xz").write_bytes(lzma.compress(b"one\n"))
    assert read(tmp_path / "x.xz", progress=True) == b"one\n"
    shown = capsys.readouterr()
    assert "x.xz: 100%" in shown.err and not shown.out
    read(tmp_path / "x.xz")
    assert not capsys.readouterr().err
