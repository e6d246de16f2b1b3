"""What programs make of objects: slices, strings, interfaces, maps. A part of Runtime (runtime.py), which allocates."""

from typing import NamedTuple

import numpy as np

from hwmem.machine.arguments import to_int64
from hwmem.machine.lock import its_machine, one_at_a_time
from goalloc import params as P
from goalloc.errors import GROWSLICE_LEN, MAKESLICE_CAP, MAKESLICE_LEN, TEXTS, FatalError
from goalloc.layout import DECLARED, hmap, pointer_words
from goalloc.runtime.arguments import check_count, check_slice, check_string
from goalloc.runtime.entries import box_one, box_string, clear, concat_one, slice_grow, to_bytes, to_string
from goalloc.runtime.map import Map
from goalloc.runtime.slice import Slice
from goalloc.types import Type, check_type, encode, pointer, slice_of, string, uint8
from goalloc.values.map import MAKE

HMAP_TYPE, MAPEXTRA_TYPE = (Type(name, DECLARED[name].size, 8, pointer_words(name)) for name in ("hmap", "mapextra"))


class String(NamedTuple):
    """A string's header: address of its bytes, how many."""

    str: int
    len: int


@one_at_a_time(its_machine)
class Values:
    """The values of a Runtime, which has `mallocgc`, `process` and `call`."""

    def make_slice(self, of, n, cap=None, core=0):
        """make([]T, n, cap). FatalError with Go's words for what no slice can have."""
        check_type(of)
        n = to_int64("n", n)
        cap = n if cap is None else to_int64("cap", cap)
        if cap * of.size > P.maxAlloc or not 0 <= n <= cap:
            code = MAKESLICE_LEN if n * of.size > P.maxAlloc or n < 0 else MAKESLICE_CAP
            raise FatalError(TEXTS[code], code)
        return Slice(self.mallocgc(cap * of.size, type=of, core=core), n, cap, of)

    def append(self, s, *values, n=None, core=0):
        """append(s, values...): the slice, moved if it had no room. `n`: how many elements; those without values are zero. A value is
        an int, a float, a tuple of words (a string, a struct of words), or the element's bytes (types.py encode)."""
        check_slice(s, "s")
        encoded = [encode(s.type, value) for value in values]
        count = len(values) if n is None else check_count(n, "n")
        if count < len(values):
            raise ValueError(f"n: {n} is less than the {len(values)} values")
        needed, size = s.len + count, s.type.size
        if needed > P.maxInt64:
            raise FatalError(TEXTS[GROWSLICE_LEN], GROWSLICE_LEN)
        if needed > s.cap:
            typ = self.type_address(s.type) if s.type.pointers else 0
            x, cap = self._call(core, slice_grow, (s.array, s.len, s.cap), needed, size, typ)
            s = s._replace(array=int(x), cap=int(cap))
        at = s.array + s.len * size
        for i, value in enumerate(encoded):
            for offset in s.type.pointers if self.collector & P.MARKING else ():  # they may be over old ones
                self.write_pointer(at + i * size + offset, int.from_bytes(value[offset : offset + 8], "little", signed=True), core)
            if size in (1, 2, 4, 8):
                self.process.store(at + i * size, int.from_bytes(value, "little"), size=size, core=core)
            else:
                self.process.write(at + i * size, value, core=core)
        if count > len(values):
            self._run(core, clear, at + len(values) * size, (count - len(values)) * size)
        return s._replace(len=needed)

    def concat(self, a, b, core=0):
        """a + b of two strings, (address, length) each; the result likewise."""
        return String(self._run(core, concat_one, *check_string(a, "a"), *check_string(b, "b")), a[1] + b[1])

    def to_bytes(self, s, core=0):
        """[]byte(s) of a string, (address, length): a Slice."""
        x, capacity = self._call(core, to_bytes, *check_string(s, "s"))
        return Slice(int(x), s[1], int(capacity), uint8)

    def to_string(self, b, core=0):
        """string(b) of a Slice of bytes: (address, length)."""
        check_slice(b, "b")
        return String(self._run(core, to_string, b.array, b.len), b.len)

    def box(self, value, size=8, core=0):
        """The data word of an interface that holds the unsigned integer of 2, 4 or 8 bytes, or the string (address, length):
        the address where it is."""
        if isinstance(value, tuple):
            return self._run(core, box_string, *check_string(value, "value"), self.type_address(string))
        if (
            size not in (2, 4, 8)
            or isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or not 0 <= value < 1 << min(8 * size, 63)
        ):
            raise ValueError(f"value: takes an unsigned integer of 2, 4 or 8 bytes below 2^63, or a string, got {value!r}, size {size!r}")
        return self._run(core, box_one, value, size)

    def make_map(self, core=0):
        """make(map[int]int): a Map."""
        h = self.mallocgc(hmap.sizeof, type=HMAP_TYPE, core=core)
        self.call(core, P.DOOR_MAP, h, 0, MAKE)
        return Map(self, h, self.maptype(), core)

    def maptype(self):
        """Address of the three words that map.py takes as `mt`."""
        if self._maptype is None:
            types = [self.type_address(of) for of in (MAPEXTRA_TYPE, slice_of, pointer)]
            self._maptype = self.globals(len(types))
            for i, address in enumerate(types):
                self.process.store(self._maptype + 8 * i, address)
        return self._maptype
