"""The records of a recording in a temporary file, so that they can be read again in any order with little memory.

    part 0 | part 1 | part 2 | ...       a part: a stretch of one thread's records, in the order in which they were made
      thread 1 | thread 2 | thread 1     all parts one after another: the recorded order; those of one thread: that thread's

A record is two int64 words (references.py). The file has no name; what its file system cannot hold is one line. What else is as long as
the recording lies in such a file as well: Chunks.
"""

import os
import tempfile

import numpy as np

from hwmem.errors import TraceError

WORDS = 2
RECORD_BYTES = 8 * WORDS


class Scratch:
    """A temporary file without a name. Its failures are TraceErrors of one line."""

    def __init__(self):
        self._end = 0
        try:
            self._file = tempfile.TemporaryFile(prefix="hwmem-trace-", buffering=0)
        except OSError as error:
            raise TraceError(
                f"{tempfile.gettempdir()}: {error.strerror}: a recording's references are kept there while it is replayed"
            ) from None

    def append(self, data):
        """Add bytes at the end; where they are."""
        at, done = self._end, 0
        try:
            while done < len(data):
                done += os.pwrite(self._file.fileno(), data[done:], at + done)
        except OSError as error:
            raise TraceError(f"{tempfile.gettempdir()}: {error.strerror}: the recording's references, {at} bytes so far") from None
        self._end += len(data)
        return at

    def read(self, at, count, dtype):
        """An array of what lies there."""
        array = np.empty(count, dtype)
        view, done = array.view(np.uint8).data, 0
        while done < len(view):
            n = os.preadv(self._file.fileno(), [view[done:]], at + done)
            if not n:
                raise TraceError("the temporary file of a recording's references was cut off")
            done += n
        return array

    def close(self):
        self._file.close()


class Chunks:
    """Arrays of one dtype, to be read again in the order in which they were added."""

    def __init__(self, dtype):
        self._dtype, self._scratch, self._places = dtype, Scratch(), []

    def append(self, array):
        self._places.append((self._scratch.append(array.view(np.uint8).data), len(array)))

    def __iter__(self):
        return (self._scratch.read(at, count, self._dtype) for at, count in self._places)


class Spill:
    """Parts of records. `thread`, `first`, `count`: of each part, whose it is, the number of its first record among that thread's, and how many;
    `length`: {thread: records}."""

    def __init__(self):
        self.thread, self.first, self.count, self.length = [], [], [], {}
        self._parts_of, self._at, self._scratch = {}, [], Scratch()

    def add(self, thread, what, pcs):
        """Append records of `thread`: two int64 arrays of one length."""
        n = len(what)
        if not n:
            return
        at = self._scratch.append(np.concatenate([what, pcs]).view(np.uint8).data)  # all of `what`, then all of `pcs`
        self._parts_of.setdefault(thread, []).append(len(self.thread))
        self.thread.append(thread)
        self.first.append(self.length.get(thread, 0))
        self.count.append(n)
        self._at.append(at)
        self.length[thread] = self.first[-1] + n

    def __len__(self):
        return len(self.thread)

    def part(self, number, start=0, count=None):
        """(what, pcs) of `count` records of a part, from its record `start` on."""
        n = self.count[number]
        count = n - start if count is None else count
        return tuple(self._scratch.read(self._at[number] + 8 * (word * n + start), count, np.int64) for word in range(WORDS))

    def parts_of(self, thread):
        """The numbers of its parts, in order."""
        return self._parts_of.get(thread, ())

    def stretches(self, thread, most):
        """The records of one thread in order: (number of the first, what, pcs), at most `most` at a time."""
        for number in self.parts_of(thread):
            for start in range(0, self.count[number], most):
                yield self.first[number] + start, *self.part(number, start, min(most, self.count[number] - start))

    def moments(self):
        """Of each part, how many records of all threads come before it, an int64 array."""
        return np.concatenate([[0], np.cumsum(self.count)[:-1]]).astype(np.int64) if self.count else np.zeros(0, np.int64)

    def close(self):
        self._scratch.close()
