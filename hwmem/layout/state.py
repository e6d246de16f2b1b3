"""The machine's record as Python holds it: what a call of a kernel asks of it is at hand.

numba takes a record's address from its `data`. numpy makes that anew each time, with the whole format of the record spelled out, which takes
as long as two thousand hits; here it is the memory that the record lies on.
"""

import numpy as np

from hwmem.layout.machine import MACHINE


class State(np.record):  # type: ignore[misc]  # numpy calls its scalars final to type checkers only
    """A record of MACHINE on `memory`. Fields are attributes, as in any np.record."""

    def __getattribute__(self, name):
        if name == "data":
            return object.__getattribute__(self, "memory")
        if name in FIELDS:
            return np.void.getfield(self, *FIELDS[name])
        return np.record.__getattribute__(self, name)


def as_record(dtype):
    """`dtype` with np.record for the type of its structures, so that theirs are attributes too."""
    if dtype.subdtype:
        element, shape = dtype.subdtype
        return np.dtype((as_record(element), shape))
    return np.dtype((np.record, dtype)) if dtype.names else dtype


FIELDS = {name: (as_record(dtype), offset) for name, (dtype, offset, *_) in MACHINE.fields.items()}
STATE = np.dtype((State, MACHINE))


def state_on(pages):
    """The machine's record on `pages`, a writable buffer at least as long, which lives as long as the record."""
    state = np.frombuffer(pages, STATE, 1)[0]
    state.__dict__["memory"] = memoryview(pages)
    return state
