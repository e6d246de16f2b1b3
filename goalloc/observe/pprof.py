"""The heap's profile as a file that `go tool pprof` opens: profile.proto, gzipped, as runtime/pprof's WriteHeapProfile writes it.

Programs here have no stacks of calls, so a sample has one frame: the call site, or where none is set the type that was
allocated. The size of the objects is the label "bytes", the type the label "type". Values are scaled as Go scales them.

    Profile.sample_type 1, .sample 2, .location 4, .function 5, .string_table 6, .period_type 11, .period 12, .default_sample_type 14
"""

import gzip

from goalloc.observe.memprofile import scaleHeapSample

SAMPLE_VALUES = (("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes"))


def varint(n):
    """A protobuf varint; negative numbers as 64-bit two's complement."""
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n) if n else b""


def message(field, body):
    return varint(field << 3 | 2) + varint(len(body)) + body


class Strings:
    """The string table: a string's place, the empty one first."""

    def __init__(self):
        self.places = {"": 0}

    def __call__(self, text):
        return self.places.setdefault(text, len(self.places))


def heap_profile(records, rate):
    """The file's bytes, of mem_profile's records, sampled at `rate`."""
    strings, frames, sums = Strings(), {}, {}
    for r in records:
        key = (r["site"], r["type"], r["size"])
        counts = (r["AllocObjects"], r["AllocBytes"], r["AllocObjects"] - r["FreeObjects"], r["AllocBytes"] - r["FreeBytes"])
        sums[key] = [a + b for a, b in zip(sums.get(key, (0, 0, 0, 0)), counts)]
    out = b"".join(message(1, value_type(strings, *v)) for v in SAMPLE_VALUES)
    for (site, typ, size), (allocs, nbytes, live, live_bytes) in sums.items():
        frame = frames.setdefault(site or typ, len(frames) + 1)
        values = (*scaleHeapSample(allocs, nbytes, rate), *scaleHeapSample(live, live_bytes, rate))
        labels = message(3, number(1, strings("bytes")) + number(3, size)) + message(
            3, number(1, strings("type")) + number(2, strings(typ))
        )
        out += message(2, message(1, varint(frame)) + message(2, b"".join(map(varint, values))) + labels)
    for name, frame in frames.items():
        out += message(4, number(1, frame) + message(4, number(1, frame)))
        out += message(5, number(1, frame) + number(2, strings(name)) + number(3, strings(name)))
    period, default = value_type(strings, "space", "bytes"), strings("inuse_space")
    table = b"".join(message(6, text.encode()) for text in strings.places)
    return gzip.compress(out + table + message(11, period) + number(12, rate) + number(14, default), mtime=0)


def value_type(strings, kind, unit):
    return number(1, strings(kind)) + number(2, strings(unit))
