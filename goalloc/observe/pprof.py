"""Profiles as files that `go tool pprof` opens: profile.proto, gzipped, as runtime/pprof writes them.

    heap_profile(records, rate)     of mem_profile's records                        WriteHeapProfile
    count_profile(name, records)    of goroutine_profile's, or of threads           Lookup(name).WriteTo(w, 0)
    count_text(name, records)       the same as text                                Lookup(name).WriteTo(w, 1)
    cycles_profile(records)         of cpu_profile's                                StartCPUProfile

Allocations here have no stacks of calls, so a sample of the heap has one frame: the call site, or where none is set the type that was
allocated. The size of the objects is the label "bytes", the type the label "type". Values are scaled as Go scales them.

    Profile.sample_type 1, .sample 2, .location 4, .function 5, .string_table 6, .period_type 11, .period 12, .default_sample_type 14
"""

import gzip
import itertools

from hwmem.protobuf import Strings, message, number, varint
from goalloc.observe.memprofile import scaleHeapSample

SAMPLE_VALUES = (("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes"))


def heap_profile(records, rate):
    """The file's bytes, of mem_profile's records, sampled at `rate`."""
    strings, frames, sums = Strings(), {}, {}
    for r in records:
        key = (r["site"], r["type"], r["size"])
        counts = (r["AllocObjects"], r["AllocBytes"], r["AllocObjects"] - r["FreeObjects"], r["AllocBytes"] - r["FreeBytes"])
        sums[key] = [a + b for a, b in zip(sums.get(key, (0, 0, 0, 0)), counts)]
    out = b"".join(message(1, value_type(strings, *v)) for v in SAMPLE_VALUES)
    for (site, typ, size), (allocs, nbytes, live, live_bytes) in sums.items():
        values = (*scaleHeapSample(allocs, nbytes, rate), *scaleHeapSample(live, live_bytes, rate))
        labels = message(3, number(1, strings("bytes")) + number(3, size)) + message(
            3, number(1, strings("type")) + number(2, strings(typ))
        )
        out += sample(frames, [site or typ], values, labels)
    default = number(14, strings("inuse_space"))
    return packed(out, frames, strings, ("space", "bytes"), rate, default)


def count_profile(name, records):
    """The file's bytes of a profile of counts: "goroutine", or "threadcreate"; dicts with "count" and "frames", the innermost first."""
    strings, frames = Strings(), {}
    out = message(1, value_type(strings, name, "count"))
    for r in records:
        out += sample(frames, r["frames"], (r["count"],))
    return packed(out, frames, strings, (name, "count"), 1)


def cycles_profile(records):
    """The file's bytes of a CPU profile: dicts with "frames", the innermost first, "cycles" and "ns". Nothing is sampled: each cycle counts."""
    strings, frames = Strings(), {}
    out = message(1, value_type(strings, "cycles", "count")) + message(1, value_type(strings, "cpu", "nanoseconds"))
    for r in records:
        out += sample(frames, r["frames"] or ("outside of call sites",), (r["cycles"], r["ns"]))
    return packed(out, frames, strings, ("cpu", "nanoseconds"), 1)


def count_text(name, records):
    """The same as text. Code has no addresses here: a function's is its number. As in Go the runtime's own functions on top are not shown."""
    numbers = {}
    for r in records:
        for frame in r["frames"]:
            numbers.setdefault(frame, len(numbers) + 1)
    lines = [f"{name} profile: total {sum(r['count'] for r in records)}"]
    for r in records:
        lines.append(f"{r['count']} @" + "".join(f" {numbers[frame]:#x}" for frame in r["frames"]))
        shown = tuple(itertools.dropwhile(lambda frame: frame.startswith("runtime."), r["frames"])) or r["frames"]
        lines += [f"#\t{numbers[frame]:#x}\t{frame}" for frame in shown] or ["#\t0x0"]
        lines.append("")
    return "\n".join(lines) + "\n"


def sample(frames, names, values, labels=b""):
    """A sample with its frames, the innermost first, which get their numbers in `frames`."""
    places = b"".join(varint(frames.setdefault(name, len(frames) + 1)) for name in names)
    return message(2, (message(1, places) if places else b"") + message(2, b"".join(map(varint, values))) + labels)


def packed(out, frames, strings, period_type, period, end=b""):
    """The whole file: `out`, then frames, strings and the period."""
    for name, frame in frames.items():
        out += message(4, number(1, frame) + message(4, number(1, frame)))
        out += message(5, number(1, frame) + number(2, strings(name)) + number(3, strings(name)))
    of = message(11, value_type(strings, *period_type))
    table = b"".join(message(6, text.encode()) for text in strings.places)
    return gzip.compress(out + table + of + number(12, period) + end, mtime=0)


def value_type(strings, kind, unit):
    return number(1, strings(kind)) + number(2, strings(unit))
