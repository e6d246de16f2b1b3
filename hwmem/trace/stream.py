"""Bytes of a trace file, plain or compressed, as buffers of whole lines.

`whole_lines` reads a chunk, hands out everything up to its last newline, and moves the rest of the line to the front
of the same buffer before it reads on:

    | rest of a line |   chunk just read                      \\n| rest |
    |<------------- handed out as text[:end] ----------------->|

Which decompressor is used follows from the file's first bytes, not from its name. The buffer is reused, so memory is
one chunk however long the file is; a line longer than LONGEST_LINE means this is no text.
"""

import contextlib
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from codecs import BOM_UTF8

import numpy as np
from tqdm import tqdm

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 16  # bytes
DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error)  # what decompressors raise


class StreamError(Exception):
    """The bytes cannot be read; the message says why, and the caller adds the line number."""


class XzFile(io.RawIOBase):
    """The decompressed bytes of an .xz file: its streams one after another, with zeros between them. What else comes between
    or after them raises LZMAError; lzma.open takes it for the end of the file, and drops the streams behind it."""

    def __init__(self, stored, mode):
        self.stored, self.stream = stored, None

    def readinto(self, window):
        while True:
            if self.stream is None or self.stream.eof:
                data = self._next_stream()
                if not data:
                    return 0
                self.stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
            else:
                data = self.stored.read(CHUNK_BYTES) if self.stream.needs_input else b""
                if self.stream.needs_input and not data:
                    raise EOFError("the last stream has no end")
            out = self.stream.decompress(data, len(window))
            if out:
                window[: len(out)] = out
                return len(out)

    def _next_stream(self):
        """The first bytes of the stream that follows; b"" at the end of the file."""
        data = self.stream.unused_data.lstrip(b"\0") if self.stream else b""
        while not data and (read := self.stored.read(CHUNK_BYTES)):
            data = read.lstrip(b"\0")
        return data


COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": XzFile}


@contextlib.contextmanager
def opened(path):
    """The file as stored, and its decompressed bytes (both file objects; one object if it is plain)."""
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):  # opening it would wait for a writer
            raise StreamError("a pipe, and a trace is read more than once")
        stored = open(path, "rb", buffering=0)
    except OSError as error:
        raise StreamError(error.strerror) from None
    with stored:
        try:
            start = stored.read(max(map(len, COMPRESSIONS)))
            stored.seek(0)
        except OSError as error:
            raise StreamError(error.strerror) from None
        for magic, decompress in COMPRESSIONS.items():
            if start.startswith(magic):
                with decompress(stored, "rb") as data:
                    yield stored, data
                return
        yield stored, stored


def whole_lines(path, chunk_bytes=CHUNK_BYTES, progress=False):
    """Yield (text, end): text[:end], of a uint8 array that the next step overwrites, is whole lines of the file.

    A byte order mark at the beginning is left out, and a last line without a newline is given one. `chunk_bytes`: 4 or more; `progress`: a
    bar on stderr, over the bytes stored. Raises StreamError.
    """
    buffer = bytearray(chunk_bytes + LONGEST_LINE + 1)
    text, window = np.frombuffer(buffer, np.uint8), memoryview(buffer)
    rest, begun = 0, False
    with (
        opened(path) as (stored, data),
        tqdm(
            total=os.path.getsize(path),
            desc=os.path.basename(path),
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            file=sys.stderr,
            disable=not progress,
        ) as bar,
    ):
        while True:
            count, damage = _fill(data, window[rest : rest + chunk_bytes])
            if not begun and window[: len(BOM_UTF8)] == BOM_UTF8:
                count -= len(BOM_UTF8)
                window[:count] = window[len(BOM_UTF8) : len(BOM_UTF8) + count]
            begun = True
            bar.update(stored.tell() - bar.n)
            filled = rest + count
            end = buffer.rfind(b"\n", rest, filled) + 1
            if end:
                yield text, end
            if damage:
                raise StreamError(f"damaged or cut off ({damage})")
            rest = filled - end
            if rest > LONGEST_LINE:
                raise StreamError(f"a line of more than {LONGEST_LINE} bytes: not a text trace")
            window[:rest] = window[end:filled]
            if not count:
                break
        if rest:
            buffer[rest] = ord("\n")
            yield text, rest + 1


def _fill(data, window):
    """Fill `window` as far as the file goes; how many bytes that was, and what stopped it if not the file's end."""
    count = 0
    try:
        while count < len(window) and (n := data.readinto(window[count:])):
            count += n
    except DAMAGE as error:
        return count, error
    return count, None
