"""The heap's profile as Python reads it: runtime.MemProfile's records, and what `pprof -top` makes of them.

A record is a bucket (mprof.py): what was sampled of one type, size and call site on one M. An object of s bytes is sampled with
probability 1 - exp(-s / rate), by which the estimates divide. Go: runtime MemProfile, runtime/pprof protomem.go scaleHeapSample.
"""

import math
from contextlib import contextmanager

from goalloc import params as P
from goalloc.observe.inspect import Inspector
from goalloc.layout import bucket, memRecordCycle, variables as V
from goalloc.prof.mprof import FRAMES, RECORD
from goalloc.heap.malloc_sample import MEM_PROFILE, START

COLUMNS = ("flat", "flat%", "sum%", "objects", "samples", "size", "type", "site")
SAMPLE_TYPES = ("alloc_space", "inuse_space")


def start_profile(rt, rate):
    """Sample from now on, one object in `rate` bytes on average; 0 ends it."""
    for core in range(rt.gomaxprocs):
        rt.call(core, P.DOOR_PROFILE, START, rate, 0)


@contextmanager
def call_site(rt, name):
    """Inside, what is allocated from Python counts as allocated at the place `name` of the program, and cycles as spent there."""
    number = rt.sites.setdefault(name, len(rt.sites) + 1)
    guests = [rt.machine.state.thread[rt.process.thread_on(core)].guest for core in range(rt.gomaxprocs)]
    before = [int(guest[P.SITE]) for guest in guests]
    for guest in guests:
        guest[P.SITE] = number
    rt.spent.charge(rt)
    rt.spent.frames = (name, *rt.spent.frames)
    try:
        yield
    finally:
        rt.spent.charge(rt)
        rt.spent.frames = rt.spent.frames[1:]
        for guest, site in zip(guests, before):
            guest[P.SITE] = site


def mem_profile(rt, inuse_zero=True):
    """runtime.MemProfile: a dict a record, the latest bucket first; without `inuse_zero` only those with objects in use."""
    rt.call(0, P.DOOR_PROFILE, MEM_PROFILE, 0, 0)
    look = Inspector(rt.process)
    records, b = [], look.word(V.mbuckets)
    while b:
        allocs, frees, alloc_bytes, free_bytes = look.words(b + RECORD, memRecordCycle.sizeof // 8)
        typ, site, m = look.words(b + bucket.sizeof, FRAMES)
        if inuse_zero or alloc_bytes != free_bytes:
            records.append(
                {
                    "AllocObjects": allocs,
                    "AllocBytes": alloc_bytes,
                    "FreeObjects": frees,
                    "FreeBytes": free_bytes,
                    "size": look.word(b + bucket.size),
                    "type": rt.type_names.get(typ, "noscan"),
                    "site": rt.site_name(site),
                    "m": m,
                }
            )
        b = look.word(b + bucket.allnext)
    return records


def scaleHeapSample(count, size, rate):
    """(objects, bytes) that `count` samples of `size` bytes in all stand for."""
    if count == 0 or size == 0 or rate <= 1:
        return count, size
    scale = 1 / (1 - math.exp(-size / count / rate))
    return int(count * scale), int(size * scale)


def top(records, rate, sample_type="alloc_space"):
    """Rows of COLUMNS, most bytes first: where memory was allocated ("alloc_space") or is still in use ("inuse_space"), estimated
    from the records of mem_profile, sampled at `rate`."""
    if sample_type not in SAMPLE_TYPES:
        raise ValueError(f"sample_type: takes {' or '.join(SAMPLE_TYPES)}, got {sample_type!r}")
    sums, in_use = {}, sample_type == "inuse_space"
    for r in records:
        samples = r["AllocObjects"] - in_use * r["FreeObjects"]
        objects, nbytes = scaleHeapSample(samples, r["AllocBytes"] - in_use * r["FreeBytes"], rate)
        key = (r["size"], r["type"], r["site"])
        sums[key] = [a + b for a, b in zip(sums.get(key, (0, 0, 0)), (nbytes, objects, samples))]
    total, before, rows = sum(nbytes for nbytes, _, _ in sums.values()), 0, []
    for (size, typ, site), (nbytes, objects, samples) in sorted(sums.items(), key=lambda item: -item[1][0]):
        before += nbytes
        rows.append([nbytes, nbytes / total if total else 0.0, before / total if total else 0.0, objects, samples, size, typ, site])
    return rows
