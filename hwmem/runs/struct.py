"""hwmem.struct: does my struct false-share, and what would it gain if it did not?

    class Ring(ctypes.Structure):
        _fields_ = [("head", ctypes.c_uint64), ("tail", ctypes.c_uint64)]
    print(hwmem.struct(Ring, writes={"head": 0, "tail": 1}))

A layout is what C would make of it: a ctypes.Structure, a numpy dtype (align=True for C's padding), or {name: (offset, bytes)}.
The program is programs/threads/fields.py; its comparison is the same struct with each thread's fields on lines of their own.
"""

import ctypes
from collections.abc import Iterable, Mapping

import numpy as np

from hwmem import params as P
from hwmem.programs.threads.fields import STRUCTS
from hwmem.runs.job import Job
from hwmem.runs.watch import Watch

LARGEST = 1 << 20  # bytes of a struct


def struct(layout, writes, reads=None, config=None, seed=0, offset=0, iterations=20_000, progress=False):
    """Threads that write and read fields of a struct; the Result, with what moving the fields apart would make of it.

    `writes`, `reads`: {field: the thread, or threads, that does}, threads from 0 without gaps. `offset`: where the struct begins in its line,
    bytes from 0 to 63. `iterations`: rounds that each thread makes over its fields. Raises TypeError or ValueError.
    """
    name, size, fields = layout_of(layout)
    users = {"writes": by_field("writes", writes, fields), "reads": by_field("reads", reads or {}, fields)}
    threads = sorted({t for kind in users.values() for several in kind.values() for t in several})
    if not threads:
        raise ValueError("writes: takes {field: thread}, at least one")
    if threads != list(range(len(threads))):
        raise ValueError(f"writes, reads: threads are numbered from 0 without gaps, not {', '.join(map(str, threads))}")
    if not isinstance(offset, int) or not 0 <= offset < P.LINE:
        raise ValueError(f"offset: takes 0 to {P.LINE - 1}, the bytes of a line before the struct, not {offset!r:.40}")
    environment = {"struct": name, "size": size, "layout": fields, "offset": offset, **users}
    job = Job(STRUCTS.find("struct"), config, seed, None, {"threads": len(threads), "iterations": iterations}, environment)
    return job.run(progress, True, Watch(c2c=True))


def layout_of(layout):
    """(name, bytes, {field: (offset, bytes)})"""
    if isinstance(layout, type) and issubclass(layout, ctypes.Structure):
        fields = {name: (getattr(layout, name).offset, getattr(layout, name).size) for name, *_ in layout._fields_}
        return layout.__name__, ctypes.sizeof(layout), check_fields(fields)
    if isinstance(layout, np.dtype) and layout.names:
        fields = {name: (layout.fields[name][1], layout.fields[name][0].itemsize) for name in layout.names}
        return "struct", layout.itemsize, check_fields(fields)
    if isinstance(layout, Mapping):
        fields = check_fields(dict(layout))
        return "struct", max((offset + size for offset, size in fields.values()), default=0), fields
    raise TypeError(f"layout: takes a ctypes.Structure, a numpy dtype with fields or {{name: (offset, bytes)}}, not {layout!r:.60}")


def check_fields(fields):
    for name, place in fields.items():
        try:
            offset, size = map(int, place)
        except (TypeError, ValueError):
            raise TypeError(f"layout: {name} takes (offset, bytes), not {place!r:.40}") from None
        if offset < 0 or size < 1 or offset + size > LARGEST:
            raise ValueError(f"layout: {name} must lie within {LARGEST:,} bytes and have at least one, not {size} at {offset}")
    if not fields:
        raise ValueError("layout: has no fields")
    return fields


def by_field(argument, users, fields):
    """{field: set of threads}"""
    if not isinstance(users, Mapping):
        raise TypeError(f"{argument}: takes {{field: thread}}, not {type(users).__name__}")
    found = {}
    for name, threads in users.items():
        if name not in fields:
            raise ValueError(f"{argument}: no field {name!r:.40}; there are {', '.join(fields)}")
        several = list(threads) if isinstance(threads, Iterable) and not isinstance(threads, str) else [threads]
        if not all(isinstance(t, int) and 0 <= t < 64 for t in several):
            raise ValueError(f"{argument}: {name} takes a thread from 0 to 63, or several, not {threads!r:.40}")
        found[name] = set(several)
    return found
