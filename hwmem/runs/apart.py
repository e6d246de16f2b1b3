"""Parts of variables on cache lines of their own: `hwmem trace FILE --apart 'counters[0],counters[1]'`.

    recorded   0x10c040 | counters[0] | counters[1] | ...        one line, two threads
    replayed   HOME     | counters[0] |                          a line, or as many as it takes, for each part
               HOME+64  | counters[1] |

Every reference to bytes of one part alone goes there, at whatever time it was made; all else stays as it is: order, threads, other addresses, so
that the difference is that of the lines. A reference that reaches beyond a part stays where it was, and is counted in `across`.
"""

import numpy as np

from hwmem.machine.records import ADDRESS_SHIFT, CALL, KIND_BITS, KIND_MASK, SIZE_MASK
from hwmem.params import LINE, LINE_SHIFT, PAGE

HOME = 0x7E00_0000_0000  # no program has memory there
MOST_PARTS, MOST_BYTES = 64, 1 << 24


class Apart:
    """`wanted`: what is to be moved, in words; `names`: a symbols.names.Names. `parts`: [(start, bytes, new start, words)]. Raises ValueError."""

    def __init__(self, names, wanted):
        self.parts, self.across, self.size = [], 0, 0
        if not 0 < len(wanted) <= MOST_PARTS:
            raise ValueError(f"--apart takes 1 to {MOST_PARTS} parts of variables, not {len(wanted)}")
        for words in wanted:
            try:
                start, size = names.part(words)
            except ValueError as error:
                raise ValueError(f"--apart: {error}") from None
            self._add(start, size, words)

    def _add(self, start, size, words):
        for other, length, _, other_words in self.parts:
            if start < other + length and other < start + size:
                raise ValueError(f"--apart: {words} and {other_words} overlap")
        if self.size + size > MOST_BYTES:
            raise ValueError(f"--apart moves up to {MOST_BYTES:,} bytes; {words} has {size:,}")
        self.parts.append((start, size, HOME + self.size, words))
        self.size += -(-size // LINE) * LINE

    @property
    def pages(self):
        """(start, bytes) of the memory that the parts need."""
        return HOME, -(-self.size // PAGE) * PAGE

    @property
    def lines(self):
        """Numbers of the new lines, an int64 array."""
        return np.arange(HOME >> LINE_SHIFT, (HOME + self.size) >> LINE_SHIFT, dtype=np.int64)

    def move(self, words):
        """Records of a recording (machine/records.py), an int64 array, changed in place."""
        address, last = words >> ADDRESS_SHIFT, (words >> ADDRESS_SHIFT) + (words >> KIND_BITS & SIZE_MASK)
        access = words & KIND_MASK != CALL
        for start, size, new, _ in self.parts:
            touched = access & (address < start + size) & (last >= start)
            inside = touched & (address >= start) & (last < start + size)
            self.across += int(np.count_nonzero(touched & ~inside))
            words[inside] += (new - start) << ADDRESS_SHIFT

    def masks(self, masks):
        """{line address: {thread: (read, written, ...)}} of shared lines, as it is once the parts are moved: {line address: {thread: (read, written)}}."""
        found: dict = {}
        for line, users in masks.items():
            for thread, (read, wrote, *_) in users.items():
                for start, size, new, _ in self.parts:
                    for byte in range(max(line, start), min(line + LINE, start + size)):
                        bit, to = byte - line, new + byte - start
                        row = found.setdefault(to & -LINE, {}).setdefault(thread, [0, 0])
                        row[0] |= (read >> bit & 1) << to % LINE
                        row[1] |= (wrote >> bit & 1) << to % LINE
                        read, wrote = read & ~(1 << bit), wrote & ~(1 << bit)
                if read or wrote:
                    found.setdefault(line, {})[thread] = [read, wrote]
        return {line: {thread: tuple(row) for thread, row in users.items() if any(row)} for line, users in found.items()}

    def symbol(self, line):
        """The parts that lie on a new line, None for another line."""
        here = [words for _, size, new, words in self.parts if new < line + LINE and line < new + size]
        return ", ".join(here) or None
