"""What each thread must wait for, so that the replay is a possible execution of the recorded program.

    start        a thread's first record comes after its clone
    wake         what follows a futex wait, after the wake that released it; the end of a thread wakes those waiting for its id (join)
    conflict     a load after the last store of another thread to its word; a store after that, and after the loads since
    blocked      what follows another call that blocked, after the last call of another thread before its result
    memory       a memory call after earlier ones of other threads on the same pages; one that takes pages away after the others' last
                 references there
    spin         loads of one word by one instruction, directly after each other with no store of others between: all but the first and
                 last are left out

All of them point from earlier to later in the recording, so that the recorded order satisfies them, and no set of them can deadlock. Under `clock`
counters and free locks (words.py) are exempt from `conflict`; a free lock is taken and freed by stops of its own.

    Stop    thread | pos | other | at     before record `pos`, the thread waits until `other` has made its record `at`
                                          other TAKE, FREE: it takes, frees the free lock number `at`

A thread need not wait twice for the same thing: `known[t, u]` is how far thread u is known to have come when t is at its present record.
"""

from bisect import bisect_right

import numpy as np

from hwmem._jit import hot, kernel
from hwmem.layout import rows
from hwmem.machine.records import ATOMIC, CALL, FREE, LOAD, NONE, TAKE, seen, store_number, writes
from hwmem.params import PAGE, PAGE_SHIFT
from hwmem.trace import words as w
from hwmem.trace.log import CLONE_CHILD_CLEARTID, FUTEX, MEMORY, THREAD_END
from hwmem.trace.uses import PART, Uses
from hwmem.trace.words import FREES, TAKES, is_free, is_loose, op_of, turn

CLOCK, CONFLICT, RECORDED = "clock", "conflict", "recorded"
ORDERS = (CLOCK, CONFLICT, RECORDED)
STOP = rows("pos", "at", "thread", "other")  # as machine/weave.py reads it
FIRST_STOPS, FIRST_NODES = 1 << 12, 1 << 12
SPARE = 2200  # stops that one use may need: one for each other thread, twice
ON, FULL, ASKS = range(3)

# Per word: the last store, and the threads that used it since, as lists of nodes
STATE = rows("writer", "written", "readers", "group", "spinner", "spin_pc", "spin_pos", "spins", "stored")
NODE = rows("thread", "pos", "wrote", "next")

WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET = 0, 1, 3, 4, 5, 6, 7, 8, 9, 10
WAITS, WAKES = (WAIT, WAIT_BITSET, LOCK_PI), (WAKE, WAKE_BITSET, REQUEUE, CMP_REQUEUE, WAKE_OP, UNLOCK_PI)
BLOCKING = {0, 1, 7, 23, 34, 35, 43, 44, 45, 46, 47, 61, 73, 128, 130, 230, 232, 240, 243, 247, 270, 271, 281, 288, 441}
MANY_CALLS = 20_000  # of memory, from which on each simply comes after the last one of another thread
MREMAP, MUNMAP, MMAP, BRK, MPROTECT, MADVISE = 25, 11, 9, 12, 10, 28
PROT_WRITE, MADV_DONTNEED, MADV_FREE = 2, 4, 8


@kernel
def conflicts(uses, at, base, words, ops, tables):
    """The stops of uses[at[0]:]; ON at the end, FULL where the stops or nodes are, ASKS at a call or part (the use before at[0])."""
    stops, skips, nodes, state, known, count = tables
    i = at[0]
    while i < len(uses):
        if count[0] > len(stops) - SPARE or count[1] > len(skips) - 2 or count[2] > len(nodes) - 2:
            at[0] = i
            return FULL
        use = uses[i]
        i += 1
        if use.kind >= CALL:
            at[0] = i
            return ASKS
        word = words[use.slot]
        if is_free(word):
            does = turn(word, use, op_of(ops, use.pc) if use.kind == ATOMIC else 0)
            if does == TAKES:
                put(stops, count, use.thread, use.pos, TAKE, use.slot)
            elif does == FREES:
                put(stops, count, use.thread, use.pos + 1, FREE, use.slot)
            continue
        s = state[use.slot]
        if s.writer:
            wait(tables, use, s.writer, s.written)
        drop_spins(tables, s, use, i)
        if is_loose(word, base + i):
            loose_use(tables, s, use)
        elif not writes(use.kind):
            wait_all(tables, use, s.group, True)
            s.readers = keep(tables, s.readers, use, False)
        else:
            wait_all(tables, use, s.readers, False)
            wait_all(tables, use, s.group, False)
            s.writer, s.written = use.thread, use.pos
            s.readers, s.group = forget(tables, s.readers), forget(tables, s.group)
    at[0] = i
    return ON


@kernel
def loose_use(tables, s, use):
    if writes(use.kind):
        wait_all(tables, use, s.readers, False)
    s.group = keep(tables, s.group, use, writes(use.kind))


@hot
def put(stops, count, thread, pos, other, at):
    stop = stops[count[0]]
    stop.thread, stop.pos, stop.other, stop.at = thread, pos, other, at
    count[0] += 1


@kernel
def wait(tables, use, other, pos):
    """Before `use`, its thread waits for record `pos` of `other`, unless that is known to be done."""
    stops, skips, nodes, state, known, count = tables
    if other != use.thread and known[use.thread, other] < pos:
        known[use.thread, other] = pos
        put(stops, count, use.thread, use.pos, other, pos)


@kernel
def wait_all(tables, use, node, writers):
    """... for every user in a list, or for its last writes only."""
    nodes = tables[2]
    while node:
        n = nodes[node]
        if not writers:
            wait(tables, use, n.thread, n.pos)
        elif n.wrote >= 0:
            wait(tables, use, n.thread, n.wrote)
        node = n.next


@kernel
def keep(tables, head, use, wrote):
    """The list with `use` as its thread's last; its head."""
    nodes, count = tables[2], tables[5]
    node = head
    while node and nodes[node].thread != use.thread:
        node = nodes[node].next
    if not node:
        node = count[3]
        if node:
            count[3] = nodes[node].next
        else:
            count[2] += 1
            node = count[2]
        nodes[node].next, nodes[node].thread, nodes[node].wrote = head, use.thread, NONE
        head = node
    nodes[node].pos = use.pos
    if wrote:
        nodes[node].wrote = use.pos
    return head


@kernel
def forget(tables, head):
    """An empty list; the nodes of the old one are free again."""
    nodes, count = tables[2], tables[5]
    while head:
        after = nodes[head].next
        nodes[head].next = count[3]
        count[3] = head
        head = after
    return 0


@kernel
def drop_spins(tables, s, use, i):
    """Of loads of the word by one instruction of one thread, directly after each other, those between the first and the last are left out."""
    skips, count = tables[1], tables[5]
    if use.kind != LOAD:
        s.spinner = 0
        return
    if s.spinner == use.thread and s.spin_pc == use.pc and s.spin_pos == use.pos - 1:
        if s.spins:
            skips[count[1], 0], skips[count[1], 1] = use.thread, use.pos - 1
            count[1] += 1
        s.spins = 1
    else:
        s.spins = 0
    s.spinner, s.spin_pc, s.spin_pos = use.thread, use.pc, use.pos


@kernel
def digest(uses, state, skips, next_skip, digests):
    """What every load of a shared word reads, thread by thread: digests[t] of (word, the store that it reads)."""
    for i in range(len(uses)):
        use = uses[i]
        if use.kind >= CALL:
            continue
        t = use.thread
        n = next_skip[t]
        while skips[n, 0] == t and skips[n, 1] < use.pos:
            n += 1
        next_skip[t] = n
        if skips[n, 0] == t and skips[n, 1] == use.pos:
            continue
        digests[t] = seen(digests[t], use.slot, use.kind, state[use.slot])
        if writes(use.kind):
            state[use.slot] = store_number(t, use.pos)


class Order:
    """Stops and skips of a recording under CLOCK or CONFLICT. `stops`: an array of STOP for each thread, in order; `skips`: an int64 array
    (records left out) for each; `uses`; `locks`: numbers of words that are free locks; `digests`: see digest()."""

    def __init__(self, recording, order):
        self.recording, self.order = recording, order
        self.calls, self.threads = recording.calls, recording.threads
        self.count = len(self.threads) + 1
        self._moments = recording.spill.moments()
        clone = min((t.clone for t in self.threads if t.clone), key=lambda call: call.begun, default=None)
        begin = self.moment_of(clone) if clone else self.moment(2, 0) if len(self.threads) > 1 else sum(recording.spill.count)
        self.first_position = clone.at if clone else 0  # of the first thread, from which on it is not alone
        self.uses = Uses(recording, begin, self.moment(2, 0), taken_away(self.calls))
        self.ops = w.ops_of(self.uses, recording.kind_of)
        self.words = w.loose(self.uses, self.ops, self.count) if order == CLOCK else w.strict(self.uses)
        self._forced, self._told = [], {}  # stops of whole calls; {call's number: [(thread, pos)] that go on after it}
        if order == RECORDED:
            self._as_recorded()
            return
        self._starts()
        self._wakes()
        self._memory()
        self._conflicts()

    def moment(self, thread, record):
        """How many records come before `thread`'s number `record`, in the recorded order."""
        spill, parts = self.recording.spill, self.recording.spill.parts_of(thread)
        n = bisect_right(parts, record, key=spill.first.__getitem__) - 1
        return 0 if n < 0 else int(self._moments[parts[n]]) + record - spill.first[parts[n]]

    def moment_of(self, call):
        """... before a call's."""
        return self.moment(call.thread, call.at)

    # Stops of whole calls

    def _force(self, thread, pos, call, knowing=True):
        """Before its record `pos`, `thread` waits for `call`; `knowing`: and then for nothing that the caller had waited for."""
        if call.thread != thread:
            self._forced.append((pos, call.at, thread, call.thread))
            if knowing:
                self._told.setdefault(call.index, []).append((thread, pos))

    def _as_recorded(self):
        """Every part comes after the one before it."""
        spill = self.recording.spill
        for n in range(1, len(spill)):
            if spill.thread[n] != spill.thread[n - 1]:
                last = spill.first[n - 1] + spill.count[n - 1] - 1
                self._forced.append((spill.first[n], last, spill.thread[n], spill.thread[n - 1]))
        self._arrange(np.zeros(0, STOP), np.zeros((0, 2), np.int64))

    def _starts(self):
        for thread in self.threads:
            if thread.clone:
                self._force(thread.number, 0, thread.clone)

    def _wakes(self):
        wakes, waits = self._futexes()
        free = {int(self.uses.granules[n]) for n in np.flatnonzero((self.words["no_lock"] == 0) & (self.words["not_free"] == 0))}
        for call in sorted(waits, key=lambda c: c.done):
            if call.number == FUTEX and call.arguments[0] >> 2 in free:
                continue
            places = wakes.get(call.arguments[0], ()) if call.number == FUTEX else ()
            able = [place for place in places if place[0].begun < call.done and place[1] and place[0].thread != call.thread]
            if able:
                place = next((p for p in able if p[0].begun > call.begun), able[0])
                place[1] -= 1
                self._force(call.thread, call.at + 1, place[0])
            elif other := self._last_before(call):
                self._force(call.thread, call.at + 1, other)

    def _futexes(self):
        """({address: [[call that wakes, places]]}, calls that waited and were let go)"""
        wakes, waits = {}, []
        for call in self.calls:
            if call.number == THREAD_END:
                clone = self.threads[call.thread - 1].clone
                if clone and clone.arguments[0] & CLONE_CHILD_CLEARTID:
                    wakes.setdefault(clone.arguments[3], []).append([call, 1])
            elif call.number == FUTEX:
                operation = call.arguments[1] & 127
                if operation in WAKES and (call.result or 0) > 0:
                    wakes.setdefault(call.arguments[0], []).append([call, call.result])
                    if operation in (REQUEUE, CMP_REQUEUE, WAKE_OP):
                        wakes.setdefault(call.arguments[4], []).append([call, call.result])
                elif operation == UNLOCK_PI and call.result == 0:
                    wakes.setdefault(call.arguments[0], []).append([call, 1])
                elif operation in WAITS and call.result == 0 and call.done is not None:
                    waits.append(call)
            elif call.number in BLOCKING and call.blocks and call.done is not None:
                waits.append(call)
        return wakes, waits

    def _last_before(self, call):
        """The last call of another thread between a call's beginning and its end."""
        for other in self.calls_until(call.done):
            if other.begun <= call.begun:
                return None
            if other.thread != call.thread:
                return other
        return None

    def calls_until(self, moment):
        """The calls begun before a moment, the last one first."""
        low, high = 0, len(self.calls)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.calls[middle].begun < moment else (low, middle)
        return (self.calls[n] for n in range(low - 1, -1, -1))

    def _memory(self):
        done = []
        many = sum(call.number in MEMORY for call in self.calls) > MANY_CALLS
        for call in self.calls:
            if call.number not in MEMORY:
                continue
            low, high = (0, 1) if many else extent(call)
            if any(thread != call.thread for _, _, thread, _ in done[-1:]) or not many:
                table = np.array(done, np.int64).reshape(-1, 4) if done and done[-1] else np.zeros((0, 4), np.int64)
                self._after_memory(call, table, low, high)
            done.append((low, high, call.thread, call.at))
            if many:
                done = done[-1:]
        for number, users in self.uses.given_back.items():
            call = self.calls[number]
            for thread, last in users:
                self._forced.append((call.at, last, call.thread, thread))

    def _after_memory(self, call, table, low, high):
        over = table[(table[:, 0] < high) & (low < table[:, 1]) & (table[:, 2] != call.thread)]
        for thread in np.unique(over[:, 2]):
            self._forced.append((call.at, int(over[over[:, 2] == thread][:, 3].max()), call.thread, int(thread)))

    # Conflicts

    def _conflicts(self):
        slots = max(len(self.uses.granules), 1)
        stops, skips, nodes = np.zeros(FIRST_STOPS + SPARE, STOP), np.zeros((FIRST_STOPS, 2), np.int64), np.zeros(FIRST_NODES, NODE)
        known, count = np.full((self.count, self.count), NONE, np.int64), np.zeros(4, np.int64)
        state, pending = np.zeros(slots, STATE), {}
        for base, chunk in w.based(self.uses.chunks):
            at = np.zeros(1, np.int64)
            while True:
                why = conflicts(chunk, at, base, self.words, self.ops, (stops, skips, nodes, state, known, count))
                if why == ON:
                    break
                if why == FULL:
                    stops, skips, nodes = twice(stops, count[0], SPARE), twice(skips, count[1], 2), twice(nodes, count[2], 2)
                else:
                    self._tell(chunk[at[0] - 1], known, pending)
        self._arrange(stops[: count[0]], skips[: count[1]])

    def _tell(self, use, known, pending):
        """At a call, the threads that continue after it learn what its thread knows; at a part, what its thread has learnt takes effect."""
        thread, pos = int(use["thread"]), int(use["pos"])
        if use["kind"] == PART:
            for told in pending.pop(thread, ()):
                if told[0] <= pos:
                    np.maximum(known[thread], told[1], out=known[thread])
                else:
                    pending.setdefault(thread, []).append(told)
            return
        for other, at in self._told.get(int(use["slot"]), ()):
            row = known[thread].copy()
            row[thread] = pos
            pending.setdefault(other, []).append((at, row))

    def _arrange(self, stops, skips):
        forced = np.zeros(len(self._forced), STOP)
        for n, name in enumerate(("pos", "at", "thread", "other")):
            forced[name] = [one[n] for one in self._forced]
        every = np.concatenate([stops, forced])
        every = every[np.lexsort((every["other"] == TAKE, every["other"] != FREE, every["pos"], every["thread"]))]
        self.stops = [every[every["thread"] == t] for t in range(self.count)]
        skips = skips[np.lexsort((skips[:, 1], skips[:, 0]))]
        self.skips = [np.unique(skips[skips[:, 0] == t][:, 1]) for t in range(self.count)]
        self.locks = np.flatnonzero((self.words["no_lock"] == 0) & (self.words["not_free"] == 0))

    def digests(self):
        """Of each thread, the digest of what its loads of shared words read in the recording."""
        found, state = np.zeros(self.count, np.int64), np.zeros(max(len(self.uses.granules), 1), np.int64)
        skips = np.concatenate([np.column_stack([np.full(len(s), t), s]) for t, s in enumerate(self.skips)] + [np.full((1, 2), NONE)])
        first = np.cumsum([0, *map(len, self.skips)])[:-1].astype(np.int64)
        for chunk in self.uses.chunks:
            digest(chunk, state, skips.astype(np.int64), first, found)
        return found


def twice(array, used, spare):
    """The array, twice as long if it is nearly full."""
    return np.concatenate([array, np.zeros_like(array)]) if used > len(array) - spare else array


def extent(call):
    """Addresses [low, high) that a memory call is about; of brk always the same, so that all of them keep their order."""
    a, result = call.arguments, call.result or 0
    if call.number == BRK:
        return -2, -1
    if call.number == MMAP:
        return max(result, 0), max(result, 0) + a[1]
    if call.number == MREMAP:
        return min(max(result, 0) or a[0], a[0]), max(result + a[2], a[0] + a[1])
    return a[0], a[0] + a[1]


def taken_away(calls):
    """{number: (first page, page beyond)} of the calls that take pages away, or rights to them."""
    found, end = {}, None
    for call in calls:
        if call.number not in MEMORY or call.result is None or call.result < 0:
            continue
        a = call.arguments
        low, high = a[0], a[0] + (a[1] if len(a) > 1 else 0)
        if call.number == BRK:
            low, high, end = call.result, end or 0, call.result
        gone = (
            call.number in (MUNMAP, MREMAP, BRK)
            or (call.number == MPROTECT and not a[2] & PROT_WRITE)
            or (call.number == MADVISE and a[2] in (MADV_DONTNEED, MADV_FREE))
        )
        if gone and low < high:
            found[call.index] = low >> PAGE_SHIFT, -(-high // PAGE)
    return found
