"""What threads share: granules of 4 bytes, and lines, that two threads use and one of them writes.

    record ── page ── chunk ── granule      who used it so far: nobody, one thread, or several (SHARED); whether it was written

A table of pages, each with a word of 16 bits for every granule:

    | SHARED 1 | WRITTEN 1 | thread 14 |

`Shared.note` takes records in any order; `Shared.found` makes the hash tables by which later passes ask. What happens before the first thread
is made is left out: everything there comes before everything of other threads. Memory: half of what the threads touched, until `found`.
"""

import numpy as np

from hwmem._jit import kernel
from hwmem.machine.records import ADDRESS_SHIFT, ATOMIC, GRANULE_SHIFT, KIND_BITS, KIND_MASK, NONE, SIZE_MASK, find, writes
from hwmem.params import LINE_SHIFT, PAGE_SHIFT

GRANULES = 1 << PAGE_SHIFT - GRANULE_SHIFT  # of a page
SHARED, WRITTEN, THREAD = 0x8000, 0x4000, 0x3FFF


@kernel
def note(what, start, thread, table):
    """The records of `thread` from `start` on: where it stopped, because the table of pages is nearly full, or their number."""
    keys, chunk_of, chunks, count = table
    last_page, chunk = NONE, 0
    for i in range(start, len(what)):
        kind = what[i] & KIND_MASK
        if kind > ATOMIC:
            continue
        address = what[i] >> ADDRESS_SHIFT
        first = address >> GRANULE_SHIFT
        beyond = (address + (what[i] >> KIND_BITS & SIZE_MASK) >> GRANULE_SHIFT) + 1
        written = WRITTEN if writes(kind) else 0
        for granule in range(first, beyond):
            page = granule >> PAGE_SHIFT - GRANULE_SHIFT
            if page != last_page:
                place = find(keys, page)
                if keys[place] == NONE:
                    if count[0] >= len(chunks):
                        return i
                    keys[place], chunk_of[place] = page, count[0]
                    count[0] += 1
                last_page, chunk = page, chunk_of[place]
            word = chunks[chunk, granule & GRANULES - 1]
            user = word & THREAD
            if user == 0:
                word = thread
            elif user != thread:
                word = word & WRITTEN | thread | SHARED
            elif word & written == written:
                continue
            chunks[chunk, granule & GRANULES - 1] = word | written
    return len(what)


class Shared:
    """See the file's header."""

    def __init__(self):
        self._keys, self._chunk_of = np.full(1 << 10, NONE, np.int64), np.zeros(1 << 10, np.int64)
        self._chunks, self._count = np.zeros((1 << 8, GRANULES), np.uint16), np.zeros(1, np.int64)

    def note(self, what, thread):
        at = 0
        while (at := note(what, at, thread, (self._keys, self._chunk_of, self._chunks, self._count))) < len(what):
            self._grow()

    def _grow(self):
        used = np.flatnonzero(self._keys != NONE)
        keys, chunk_of = np.full(2 * len(self._keys), NONE, np.int64), np.zeros(2 * len(self._keys), np.int64)
        for old in used:
            place = find(keys, self._keys[old])
            keys[place], chunk_of[place] = self._keys[old], self._chunk_of[old]
        self._keys, self._chunk_of = keys, chunk_of
        self._chunks = np.concatenate([self._chunks, np.zeros_like(self._chunks)])

    def found(self):
        """(granules, lines): their numbers (address >> 2, address >> 6) in order, int64 arrays."""
        granules, lines = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for place in np.flatnonzero(self._keys != NONE):
            page, chunk = int(self._keys[place]), self._chunks[self._chunk_of[place]]
            both = (chunk & SHARED != 0) & (chunk & WRITTEN != 0)
            granules.append(np.flatnonzero(both) + page * GRANULES)
            users = (chunk & THREAD).reshape(-1, 1 << LINE_SHIFT - GRANULE_SHIFT).astype(np.int64)
            least = np.where(users == 0, 1 << 20, users).min(axis=1)
            several = (users.max(axis=1) > least) | (chunk & SHARED != 0).reshape(users.shape).any(axis=1)
            lines.append(
                np.flatnonzero(several & (chunk & WRITTEN != 0).reshape(users.shape).any(axis=1)) + (page << PAGE_SHIFT - LINE_SHIFT)
            )
        return np.sort(np.concatenate(granules)), np.sort(np.concatenate(lines))
