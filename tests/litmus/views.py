"""A plain model of the orderings, by views: what each thread may still read. It shares no code and no idea with the machine.

A location has a history of values. A thread has a view of it: the part of the history that it may still read, from the
oldest value that is not yet too old to the newest, which is memory's.

    a store       waits in its thread's buffer; which of those that wait may be made next is the ordering's matter
    is made       its value is added to the history: the others may read it, or what came before; its thread only it
    a load        gets the youngest value that its own thread has waiting there; else any of its view, and none older again
    an acquire, a fence, an atomic    leave of every view the newest value only

    sc        stores do not wait                                           a view is memory's value: no load is early
    tso       ... are made in their order; non-temporal ones pass and are passed
    pso       ... in their order to each location, and after those before an sfence or a release
    relaxed   the same as pso                                              views as above: loads are early

`outcomes` visits every state. Two things are pruned: a store enters the buffer as soon as its thread gets there, since
nobody can tell that from its doing so later; and a view of a location that its thread will not load any more is memory's.

python views.py COLLECTIONS        records its digest of every test's outcomes under relaxed (oracles/litmus/relaxed.json.gz)
"""

import gzip
import hashlib
import json
import pathlib
import sys
import zlib
from typing import NamedTuple

DIGESTS = pathlib.Path(__file__).resolve().parent.parent / "oracles" / "litmus" / "relaxed.json.gz"

STORES = ("store", "storer", "sum", "store_release", "store_nt")


class Store(NamedTuple):
    place: str
    value: int
    group: int  # stores of a later group wait for all of an earlier one
    streams: bool  # non-temporal


class State(NamedTuple):
    pcs: tuple
    registers: tuple  # of each thread: ((name, value), ...)
    buffers: tuple  # of each thread: (Store, ...), oldest first
    groups: tuple  # of each thread: the group of its next store, counted from its oldest that waits
    views: tuple  # of each thread: ((value, ...) of each location, the newest last)


def outcomes(document, ordering):
    """The set of final states of a litmus test in the neutral form."""
    program = Program(document, ordering)
    met, todo, ends = {program.first}, [program.first], set()
    while todo:
        state = todo.pop()
        following = list(program.following(state))
        if not following:
            ends.add(program.seen(state))
        for later in following:
            if later not in met:
                met.add(later)
                todo.append(later)
    return ends


class Program:
    def __init__(self, document, ordering):
        self.ordering = ordering
        self.threads = [list(operations(thread)) for thread in document["threads"]]
        self.loads = [[{o[1] for o in thread[pc:] if o[0] == "load"} for pc in range(len(thread) + 1)] for thread in self.threads]
        self.observed = document["obs"]
        initial = document.get("init") or {}
        used = [o[1] for thread in self.threads for o in thread if len(o) > 1] + [n for n in (*self.observed, *initial) if ":" not in n]
        self.places = sorted(set(used))
        registers = [
            {name.partition(":")[2]: value for name, value in initial.items() if name.startswith(f"{t}:")} for t in range(len(self.threads))
        ]
        n = len(self.threads)
        memory = tuple((initial.get(name, 0),) for name in self.places)
        self.first = State((0,) * n, tuple(tuple(sorted(r.items())) for r in registers), ((),) * n, (0,) * n, (memory,) * n)

    def seen(self, state):
        values = {f"{t}:{name}": value for t, mine in enumerate(state.registers) for name, value in mine}
        values |= {name: view[-1] for name, view in zip(self.places, state.views[0])}
        return tuple(values.get(name, 0) for name in self.observed)

    def following(self, state):
        """The states one action later."""
        running = [t for t, thread in enumerate(self.threads) if state.pcs[t] < len(thread)]
        for t in running:
            operation = self.threads[t][state.pcs[t]]
            if self.ordering != "sc" and (operation[0] in STORES or operation[0] == "sfence"):
                yield self.stored(state, t, *operation)
                return
        for t in running:
            operation = self.threads[t][state.pcs[t]]
            if operation[0].startswith("load"):
                yield from self.loaded(state, t, *operation)
            elif operation[0] in STORES or operation[0] == "sfence":
                yield self.stored(state, t, *operation)
            elif not state.buffers[t] or operation[0] == "lfence":
                yield self.fenced(state, t, *operation)
        for t, buffer in enumerate(state.buffers):
            for k, store in enumerate(buffer):
                if not any(self.waits(store, older) for older in buffer[:k]):
                    yield self.made(state, t, k)

    def waits(self, store, older):
        """Whether `store` is made after `older`, which is ahead of it in the buffer."""
        if store.place == older.place or store.group != older.group:
            return True
        return self.ordering == "tso" and not store.streams and not older.streams

    def made(self, state, t, k):
        """Store `k` of thread `t`'s buffer is made."""
        buffer = state.buffers[t]
        left = buffer[:k] + buffer[k + 1 :]
        gone = left[0].group if left else state.groups[t]
        left = tuple(store._replace(group=store.group - gone) for store in left)
        state = state._replace(buffers=put(state.buffers, t, left), groups=put(state.groups, t, state.groups[t] - gone))
        return self.written(state, t, self.places.index(buffer[k].place), buffer[k].value)

    def written(self, state, t, n, value):
        """Location `n` gets a value from thread `t`."""

        def after(u, view):
            if u == t or self.ordering != "relaxed" or self.places[n] not in self.loads[u][state.pcs[u]]:
                return (value,)
            return view if view[-1] == value else (*view, value)

        return state._replace(views=tuple(put(views, n, after(u, views[n])) for u, views in enumerate(state.views)))

    def stored(self, state, t, kind, place=None, value=0, register=None):
        """A store retires, or an sfence does."""
        state = state._replace(pcs=put(state.pcs, t, state.pcs[t] + 1))
        buffer, group = state.buffers[t], state.groups[t]
        if kind in ("sfence", "store_release") and buffer and buffer[-1].group == group:
            group += 1
        state = state._replace(groups=put(state.groups, t, group))
        if kind == "sfence":
            return state
        mine = dict(state.registers[t])
        value = mine.get(value, 0) if kind == "storer" else value + mine.get(register, 0)
        if self.ordering == "sc":
            return self.written(state, t, self.places.index(place), value)
        return state._replace(buffers=put(state.buffers, t, (*buffer, Store(place, value, group, kind == "store_nt"))))

    def loaded(self, state, t, kind, place, register):
        """All that a load may get."""
        waiting = [store.value for store in state.buffers[t] if store.place == place]
        if kind == "load_acquire":
            state = self.renewed(state, t)
        n = self.places.index(place)
        view = state.views[t][n]
        last = kind == "load" and place not in self.loads[t][state.pcs[t] + 1]
        for k, value in enumerate(view):
            left = view if waiting else view[k:]
            renewed = state._replace(views=put(state.views, t, put(state.views[t], n, left[-1:] if last else left)))
            yield self.stepped(renewed, t, register, waiting[-1] if waiting else value)

    def fenced(self, state, t, kind, place=None, *operands):
        """A fence, or an atomic. The buffer is empty, or it is an lfence."""
        state = self.renewed(state, t)
        if place is None:
            return self.stepped(state, t, None, 0)
        n = self.places.index(place)
        old = state.views[t][n][-1]
        new = {"xchg": operands[0], "cas": operands[1] if kind == "cas" and old == operands[0] else old}.get(kind, old + operands[0])
        if new != old:
            state = self.written(state, t, n, new)
        register = {"xchg": 1, "xadd": 1, "cas": 2}.get(kind)
        return self.stepped(state, t, register and operands[register], old)

    @staticmethod
    def renewed(state, t):
        """Of thread `t`'s views only the newest values are left."""
        return state._replace(views=put(state.views, t, tuple(view[-1:] for view in state.views[t])))

    @staticmethod
    def stepped(state, t, register, value):
        """Thread `t` has made its step, and `register`, if any, has a value."""
        mine = dict(state.registers[t]) | ({register: value} if register else {})
        return state._replace(pcs=put(state.pcs, t, state.pcs[t] + 1), registers=put(state.registers, t, tuple(sorted(mine.items()))))


def operations(thread):
    """The thread's operations, inc_plain as the two that it is."""
    for operation in thread:
        if operation[0] == "inc_plain":
            yield ("load", operation[1], "(old)")
            yield ("sum", operation[1], operation[2], "(old)")
        else:
            yield tuple(operation)


def put(row, n, value):
    """A tuple with another value at place `n`."""
    return (*row[:n], value, *row[n + 1 :])


def digest(states):
    """By which a set of final states is known."""
    return zlib.crc32(repr(sorted(states)).encode())


def record(collections):
    """Write DIGESTS: of which file, and of each of its tests in turn."""
    data = collections.read_bytes()
    digests = [digest(outcomes(test, "relaxed")) for test in json.loads(gzip.decompress(data))["tests"]]
    found = {"sha256": hashlib.sha256(data).hexdigest(), "relaxed": digests}
    DIGESTS.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))


def recorded_digests(collections):
    """Those of the file, or none: it is another one than was recorded."""
    found = json.loads(gzip.decompress(DIGESTS.read_bytes()))
    return found["relaxed"] if found["sha256"] == hashlib.sha256(collections.read_bytes()).hexdigest() else []


if __name__ == "__main__":
    record(pathlib.Path(sys.argv[1]))
