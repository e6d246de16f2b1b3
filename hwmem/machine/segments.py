"""Segment registers of a 32-bit process, from Python: set as modify_ldt or set_thread_area would, used by loads and stores.

    p.set_segment("fs", base=a, limit=4095, rights="rw")
    p.load_segment("fs", 16, size=4)                            the 4 bytes at a + 16

The half of Process (process.py) that knows segments; what they do is in core/segment.py.
"""

from typing import NamedTuple

from hwmem import params as P
from hwmem.machine.lock import its_machine, one_at_a_time
from hwmem.machine.arguments import check_size, to_int64
from hwmem.core import segment as S

RIGHTS = {
    "rw": S.FLAT_DATA,
    "r": S.FLAT_DATA & ~S.WRITABLE,
    "rw down": S.FLAT_DATA | S.EXPAND_DOWN,
    "r down": S.FLAT_DATA & ~S.WRITABLE | S.EXPAND_DOWN,
    "rx": S.FLAT_CODE,
    "x": S.FLAT_CODE & ~S.READABLE,
    "none": S.UNUSABLE,
}  # "none": a null selector
WORDS = {rights: word for word, rights in RIGHTS.items()}
TAKES = {"ss": ("rw", "rw down"), "cs": ("rx", "x")}  # loading anything else there is #GP already


class Segment(NamedTuple):
    """`limit`: the last offset that counts, in bytes; `rights`: a word of RIGHTS; `descriptor`: its 64 bits, 0 for "none"."""

    base: int
    limit: int
    rights: str
    descriptor: int


@one_at_a_time(its_machine)
class Segments:
    """The segment registers of a Process of layout linux-i386; ValueError in any other."""

    def set_segment(self, name, base=0, limit=S.LAST, rights="rw"):
        """Register `name` ("cs" ... "ss") describes [base, base + limit] from now on; "down": offsets above the limit.

        `rights`: "rw", "r", "rw down", "r down", "rx", "x", or "none", a null selector. Raises ValueError for what a
        descriptor cannot hold or the register does not take.
        """
        s = self._register(name)
        if rights not in RIGHTS:
            raise ValueError(f"rights: {rights!r} is none of {', '.join(RIGHTS)}")
        if rights not in TAKES.get(name, RIGHTS):
            raise ValueError(f"rights: {name} takes {' or '.join(TAKES[name])}, not {rights!r}")
        base, limit, bits = S.parts(S.descriptor(to_int64("base", base), to_int64("limit", limit), RIGHTS[rights] & S.RIGHTS_MASK))
        process = self.record
        process.segment_base[s], process.segment_limit[s] = base, limit
        process.segment_rights[s] = bits | RIGHTS[rights] & S.UNUSABLE

    def segment(self, name):
        """What register `name` holds: a Segment."""
        s, process = self._register(name), self.record
        base, limit, rights = (int(x) for x in (process.segment_base[s], process.segment_limit[s], process.segment_rights[s]))
        if rights == 0:
            base, limit, rights = 0, S.LAST, S.FLAT_CODE if s == S.CS else S.FLAT_DATA
        word = WORDS[rights & ~S.GRANULAR]
        return Segment(base, limit, word, 0 if word == "none" else S.descriptor(base, limit, rights))

    def load_segment(self, name, offset, size=8, core=0):
        """The value at `offset` of a segment; as load() otherwise. SegmentationFault (SI_KERNEL), MachineError for ss."""
        return self._run(core, S.load_segment, self._register(name), to_int64("offset", offset), check_size(size))

    def store_segment(self, name, offset, value, size=8, core=0):
        """Write `value` at `offset` of a segment."""
        self._run(core, S.store_segment, self._register(name), to_int64("offset", offset), check_size(size), to_int64("value", value))

    def _register(self, name):
        if self.layout != P.LINUX_I386:
            raise ValueError("segments: only a process of layout linux-i386 has them")
        if name not in S.NAMES:
            raise ValueError(f"name: {name!r} is none of {', '.join(S.NAMES)}")
        return S.NAMES.index(name)
