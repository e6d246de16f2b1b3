"""The uses of shared memory, picked out of all references in the recorded order: the input of the ordering rules.

    record ── its line shared? ── no: the next
                  └─ yes: masks of the bytes that its thread reads and writes of the line
                       └─ a use for each of its granules that is shared

    use     thread | kind | slot: number of the granule | pos: number of the record among its thread's | pc
            kind CALL: slot is the number of the call        kind PART: of the part of records that begins (spill.py)

In addition the last record of each thread in each page is kept: a call that takes pages away comes after them.
"""

from typing import NamedTuple

import numpy as np

from hwmem._jit import hot, kernel
from hwmem.bits import hashed
from hwmem.layout import rows
from hwmem.machine.records import (
    ADDRESS_SHIFT,
    ATOMIC,
    CALL,
    FILTER_BITS,
    GRANULE_SHIFT,
    KIND_BITS,
    KIND_MASK,
    LOAD,
    MODIFY_LOAD,
    NONE,
    SIZE_MASK,
    enter,
    filter_of,
    find,
    hash_table,
    writes,
)
from hwmem.params import LINE_SHIFT, PAGE_SHIFT
from hwmem.trace.shared import Shared
from hwmem.trace.spill import Chunks

PART = 6  # a kind of use
CHUNK = 1 << 15
LINE, LAST = 1 << LINE_SHIFT, (1 << LINE_SHIFT) - 1
THREAD_BITS = 10
USE = rows("pos", "pc", ("slot", np.int32), ("thread", np.int16), ("kind", np.int16))
FEW = 64  # places for the uses of one record
ON, FULL, GIVES_BACK = range(3)  # why `pick` stopped: at the end; `uses` or a table is full; at a call that takes pages away


class Tables(NamedTuple):
    """What `pick` reads and fills, all arrays. `bits`: filter of the lines; `line_places`, `line_values`, `places`, `values`: hash tables
    of the lines and granules; `mask_keys` (line number << 10 | thread), `masks`: [read, written, reads, writes] of each; `page_keys` (page
    << 10 | thread), `page_last`: the thread's last record there; `counts`: keys in these two tables."""

    bits: np.ndarray
    line_places: np.ndarray
    line_values: np.ndarray
    places: np.ndarray
    values: np.ndarray
    mask_keys: np.ndarray
    masks: np.ndarray
    page_keys: np.ndarray
    page_last: np.ndarray
    counts: np.ndarray


@kernel
def pick(what, pcs, origin, part, tables, uses):
    """The records what[start:]... of a part into `uses`. `origin`: (thread, number of the first record, whether masks are kept); `part`:
    ([next record, uses filled, page of the last one, the last one's number], gives back: an array by call). Returns ON, FULL or GIVES_BACK."""
    thread, first, masking = origin
    at, gives_back = part
    i, n, page = at[0], at[1], at[2]
    why = ON
    while i < len(what):
        if n > len(uses) - FEW or 2 * tables.counts[0] > len(tables.mask_keys) or 2 * tables.counts[1] > len(tables.page_keys):
            why = FULL
            break
        kind = what[i] & KIND_MASK
        address = what[i] >> ADDRESS_SHIFT
        if kind == CALL:
            use = uses[n]
            use.pos, use.pc, use.slot, use.thread, use.kind = first + i, pcs[i], address, thread, CALL
            n += 1
            i += 1
            if gives_back[address]:
                why = GIVES_BACK
                break
            continue
        end = address + (what[i] >> KIND_BITS & SIZE_MASK)
        if page != address >> PAGE_SHIFT or page != end >> PAGE_SHIFT:
            if page != NONE:
                keep_page(tables, page << THREAD_BITS | thread, at[3])
            page = end >> PAGE_SHIFT
            keep_page(tables, (address >> PAGE_SHIFT) << THREAD_BITS | thread, first + i)
        line = address >> LINE_SHIFT
        while line <= end >> LINE_SHIFT:
            if tables.bits[hashed(line, 1 << FILTER_BITS)]:
                start, stop = max(address, line << LINE_SHIFT), min(end, line << LINE_SHIFT | LAST)
                n = use_line(tables, (thread, first + i, pcs[i], kind, masking), start, stop, uses, n)
            line += 1
        at[3] = first + i
        i += 1
    at[0], at[1], at[2] = i, n, page
    return why


@hot
def keep_page(tables, key, record):
    place = find(tables.page_keys, key)
    if tables.page_keys[place] == NONE:
        tables.page_keys[place] = key
        tables.counts[1] += 1
    tables.page_last[place] = record


@kernel
def leave_page(tables, at, thread):
    """The page that `thread` is in has its last record so far."""
    if at[2] != NONE:
        keep_page(tables, at[2] << THREAD_BITS | thread, at[3])


@kernel
def use_line(tables, who, start, stop, uses, n):
    """Bytes `start` to `stop` of a line that the filter lets pass; the number of uses then."""
    thread, record, pc, kind, masking = who
    line = start >> LINE_SHIFT
    place = find(tables.line_places, line)
    if tables.line_places[place] != line:
        return n
    if masking:
        keep_mask(tables, tables.line_values[place] << THREAD_BITS | thread, start & LAST, stop - start + 1, kind)
    granule = start >> GRANULE_SHIFT
    while granule <= stop >> GRANULE_SHIFT:
        place = find(tables.places, granule)
        if tables.places[place] == granule:
            use = uses[n]
            use.pos, use.pc, use.slot, use.thread, use.kind = record, pc, tables.values[place], thread, kind
            n += 1
        granule += 1
    return n


@kernel
def keep_mask(tables, key, offset, size, kind):
    place = find(tables.mask_keys, key)
    if tables.mask_keys[place] == NONE:
        tables.mask_keys[place] = key
        tables.counts[0] += 1
    mask = (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - size)) << np.uint64(offset)
    row = tables.masks[place]
    if kind == LOAD or kind == MODIFY_LOAD or kind == ATOMIC:
        row[0] |= mask
        row[2] += np.uint64(1)
    if writes(kind):
        row[1] |= mask
        row[3] += np.uint64(1)


@kernel
def last_in(page_keys, page_last, first, beyond, last):
    """The last record of each thread, into last[thread], in pages `first` to `beyond`."""
    for place in range(len(page_keys)):
        if page_keys[place] != NONE and first <= page_keys[place] >> THREAD_BITS < beyond:
            thread = page_keys[place] & (1 << THREAD_BITS) - 1
            last[thread] = max(last[thread], page_last[place])


class Uses:
    """`chunks`: of USE, in the recorded order (spill.py); `granules`, `lines`: the numbers of those shared, in the order of their slots; `kinds`: whether each
    granule is used by an atomic; `given_back`: {call's number: [(thread, its last record in the pages that the call takes away), ...]}."""

    def __init__(self, recording, begin, masks_from, gives_back):
        """`begin`: the moment of the spill from which records count, `masks_from`: from which they do in masks; `gives_back`: {call's number:
        (first page, page beyond)} of calls that take pages away."""
        self.spill, self.begin, self.masks_from = recording.spill, begin, masks_from
        self._ranges, self.given_back, self.chunks = gives_back, {}, Chunks(USE)
        self._threads = len(recording.threads) + 1
        shared = Shared()
        for thread, _, what, _ in self._parts():
            shared.note(what, thread)
        self.granules, self.lines = shared.found()
        self._gives = np.zeros(len(recording.calls) + 1, np.bool_)
        self._gives[list(gives_back)] = True
        self.tables = Tables(
            filter_of(self.lines),
            *hash_table(self.lines),
            *hash_table(self.granules),
            np.full(1 << 12, NONE, np.int64),
            np.zeros((1 << 12, 4), np.uint64),
            np.full(1 << 12, NONE, np.int64),
            np.zeros(1 << 12, np.int64),
            np.zeros(2, np.int64),
        )
        self._pick()

    def _parts(self):
        """(thread, number of the first record, what, pcs) of the parts from `begin` on."""
        for part, moment in enumerate(self.spill.moments().tolist()):
            skipped = min(max(self.begin - moment, 0), self.spill.count[part])
            if skipped < self.spill.count[part]:
                yield self.spill.thread[part], self.spill.first[part] + skipped, *self.spill.part(part, skipped)

    def _pick(self):
        self._uses, at = np.zeros(CHUNK, USE), np.zeros(4, np.int64)
        moment = self.begin
        for number, (thread, first, what, pcs) in enumerate(self._parts()):
            if at[1] > CHUNK - FEW:
                self._flush(at)
            self._uses[at[1]] = first, 0, number, thread, PART
            at[1] += 1
            at[0], at[2] = 0, NONE
            cut = min(max(self.masks_from - moment, 0), len(what))
            for start, stop, masking in ((0, cut, False), (cut, len(what), True)):
                if start < stop:
                    at[0] = 0
                    self._pick_part(what[start:stop], pcs[start:stop], (thread, first + start, masking), at)
            moment += len(what)
        self._flush(at)

    def _pick_part(self, what, pcs, origin, at):
        while (why := pick(what, pcs, origin, (at, self._gives), self.tables, self._uses)) != ON:
            leave_page(self.tables, at, origin[0])
            if why == GIVES_BACK:
                self._give_back(int(self._uses[at[1] - 1]["slot"]), origin[0])
            else:
                self._flush(at)
                self.tables = self.tables._replace(**grown(self.tables))
        leave_page(self.tables, at, origin[0])

    def _flush(self, at):
        if at[1]:
            self.chunks.append(self._uses[: at[1]])
        at[1] = 0

    def _give_back(self, call, thread):
        last = np.full(self._threads, NONE, np.int64)
        last_in(self.tables.page_keys, self.tables.page_last, *self._ranges[call], last)
        self.given_back[call] = [(int(t), int(last[t])) for t in np.flatnonzero(last != NONE) if t != thread]

    def masks(self):
        """{address of a line: {thread: (mask read, mask written, reads, writes)}} of the lines that two threads used and one wrote."""
        found = {}
        for place in np.flatnonzero(self.tables.mask_keys != NONE):
            key = int(self.tables.mask_keys[place])
            line = int(self.lines[key >> THREAD_BITS]) << LINE_SHIFT
            found.setdefault(line, {})[key & (1 << THREAD_BITS) - 1] = tuple(map(int, self.tables.masks[place]))
        return {
            line: dict(sorted(users.items()))
            for line, users in sorted(found.items())
            if len(users) > 1 and any(written for _, written, _, _ in users.values())
        }


def grown(tables):
    """The two tables of `tables` that grow, twice as large where they are half full."""
    found = {}
    for n, (keys, values) in enumerate((("mask_keys", "masks"), ("page_keys", "page_last"))):
        old_keys, old = getattr(tables, keys), getattr(tables, values)
        if 2 * tables.counts[n] > len(old_keys):
            new_keys, new = np.full(2 * len(old_keys), NONE, np.int64), np.zeros((2 * len(old), *old.shape[1:]), old.dtype)
            used = np.flatnonzero(old_keys != NONE)
            places, numbers = np.full(len(new_keys), NONE, np.int64), np.zeros(len(new_keys), np.int64)
            enter(places, numbers, old_keys[used])
            taken = np.flatnonzero(places != NONE)
            new_keys[taken], new[taken] = places[taken], old[used[numbers[taken]]]
            found[keys], found[values] = new_keys, new
    return found
