"""A replay as `go tool pprof` opens it, for its graphs, flame graphs and listings: `hwmem trace FILE --pprof OUT`.

    sample types: misses hitms tlbs faults cycles      a sample for each instruction that missed, with the address, function, file and line

Cycles are those of the accesses that missed. Inlined functions are frames of their own, the innermost first; there are no other calls, since
a trace has none. Source: github.com/google/pprof, proto/profile.proto.

    Profile.sample_type 1, .sample 2, .location 4, .function 5, .string_table 6, .period_type 11, .period 12, .default_sample_type 14
"""

import gzip

from hwmem.protobuf import Strings, message, number, varint
from hwmem.symbols.callgrind import EVENTS, UNKNOWN, one_line


def profile(names, rows):
    """The file's bytes. `rows`: of instructions, as in blame.py."""
    strings, functions = Strings(), {}
    out = b"".join(message(1, value_type(strings, name)) for name in EVENTS)
    for place, row in enumerate(rows, 1):
        pc = int(row["key"])
        lines = b"".join(message(4, line_of(functions, *frame)) for frame in frames_of(names, pc))
        out += message(4, number(1, place) + number(3, pc) + lines)
        out += message(2, message(1, varint(place)) + message(2, b"".join(varint(int(row[name])) for name in EVENTS)))
    for (function, path), place in functions.items():
        called = strings(one_line(function))
        out += message(5, number(1, place) + number(2, called) + number(3, called) + number(4, strings(one_line(path))))
    end = message(11, value_type(strings, "cycles")) + number(12, 1) + number(14, strings("cycles"))
    table = b"".join(message(6, text.encode("utf-8", "replace")) for text in strings.places)
    return gzip.compress(out + table + end, mtime=0)


def frames_of(names, pc):
    """(function, file, line) of an instruction, innermost first; one at least."""
    where = names.code(pc)
    if not where.frames:
        return [(where.function or UNKNOWN, where.path or where.object or UNKNOWN, where.line)]
    return [(function or UNKNOWN, path or UNKNOWN, line) for function, path, line in where.frames]


def line_of(functions, function, path, line):
    """A Line, whose function gets its number in `functions`."""
    return number(1, functions.setdefault((function, path), len(functions) + 1)) + number(2, line)


def value_type(strings, name):
    return number(1, strings(name)) + number(2, strings("count"))
