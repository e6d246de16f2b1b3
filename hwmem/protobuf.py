"""Protocol buffers' wire format, as far as profile.proto needs it: what `go tool pprof` opens.

message(2, number(1, 7) + text)      a field's number, its kind, its bytes
Strings()("main.work")               the place of a string in a profile's table, of which "" is the first
"""


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
