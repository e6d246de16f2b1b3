"""A user's own struct: threads that read and write its fields, where they lie and with each thread's fields on lines of their own.

    Ring     | head | tail |   data ...             thread 0 writes head, thread 1 writes tail: one line travels
    apart    | head |            | tail |           the fields that other threads touch begin a line each

`struct` (runs/struct.py) takes a ctypes.Structure or a numpy dtype, and who touches what; here is the program. A step is one access: a
load, or a load and a store of the field's first 1, 2, 4 or 8 bytes. Every thread goes round its fields, reads before writes.
The fields come as space.environment: "layout" (name -> (offset, size)), "writes" and "reads" (name -> threads), "size", "struct".
"""

import numpy as np

from hwmem import params as P
from hwmem.core.access import load, store
from hwmem.kernels import finish, next_thread
from hwmem.programs.registry import Registry, parameter

RANK, COUNT = 0, 1  # a thread's registers
NATURAL = (8, 4, 2, 1)  # bytes of an access
STRUCTS = Registry("hwmem")  # no program of a list: it needs a struct


def place_struct(w, space):
    e = space.environment
    places = apart(e) if w.apart else {name: offset for name, (offset, _) in e["layout"].items()}
    size = max([e["size"], *(places[name] + e["layout"][name][1] for name in places)])
    base = space.map(None, size + P.LINE) + e["offset"]
    for name, at in places.items():
        space.symbol(f"{e['struct']}.{name}", base + at, e["layout"][name][1], e["layout"][name][1])
    entries = [(t, 0, name) for name, threads in e["reads"].items() for t in threads]
    entries += [(t, 1, name) for name, threads in e["writes"].items() for t in threads]
    entries.sort(key=lambda entry: entry[:2])
    of_thread = [entry[0] for entry in entries]
    w.at = np.array([base + places[name] for _, _, name in entries] + [0])
    w.bytes = np.array([next(n for n in NATURAL if n <= e["layout"][name][1] and places[name] % n == 0) for _, _, name in entries] + [0])
    w.writes = np.array([write for _, write, _ in entries] + [0])
    w.first = np.array([of_thread.index(t) for t in range(w.threads)] + [len(entries)])


def apart(e):
    """Name -> offset, where fields that the same threads touch share lines, and no others do."""
    groups = {}
    for name in e["layout"]:
        users = frozenset(e["writes"].get(name, ())) | frozenset(e["reads"].get(name, ()))
        groups.setdefault(users if users else None, []).append(name)
    places, end = {}, 0
    for users, names in sorted(groups.items(), key=lambda group: sorted(group[0] or [])):
        end = -(-end // P.LINE) * P.LINE
        for name in names:
            size = e["layout"][name][1]
            natural = next(n for n in NATURAL if n <= size)
            places[name] = -(-end // natural) * natural
            end = places[name] + size
    return places


def rounds_made(w, space):
    return {"operations": w.threads * w.iterations}


@STRUCTS.workload(
    "struct",
    "threads read and write the fields of a struct",
    setup=place_struct,
    values=rounds_made,
    operation="round",
    against=("apart", (True,)),
    threads=parameter(2, "threads", 1, 64),
    iterations=parameter(20_000, "rounds a thread makes"),
    apart=parameter(False, "each thread's fields on lines of their own"),
)
def touch_fields(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        first, end = w.first[r[RANK]], w.first[r[RANK] + 1]
        k = first + r[COUNT] % (end - first)
        value = load(m, t, w.at[k], w.bytes[k])
        if w.writes[k]:
            store(m, t, w.at[k], w.bytes[k], value + 1)
        r[COUNT] += 1
        if r[COUNT] == w.iterations * (end - first):
            finish(m, t)
