"""The machine's record as Python holds it, with what a kernel call needs of it precomputed.

numba takes a record's address from its `data`. numpy makes that anew each time, with the whole format of the record spelled out, which takes
as long as two thousand hits; here it is the memory that the record lies on.

Fields are attributes, as in an np.record, and each a property of a class of its own: np.record looks for what a name may mean to numpy first,
by an exception that it catches, which was half of the time of kernels that run as plain Python.
"""

from operator import methodcaller

import numpy as np

from hwmem.layout.machine import MACHINE

NUMPYS = frozenset(dir(np.void))  # names that mean something to numpy: of a field with one of them, item access has the value


def structure(dtype, name="Record"):
    """The type of a record of `dtype`, a subclass of np.void. Attributes that no field has cannot be set."""
    fields = {field: (as_record(inner), offset) for field, (inner, offset, *_) in dtype.fields.items()}

    def __setattr__(self, field, value):
        if field not in fields:
            raise AttributeError(f"the record has no field {field!r}")
        self.setfield(value, *fields[field])

    found = {field: property(methodcaller("getfield", *place)) for field, place in fields.items() if field not in NUMPYS}
    return type(name, (np.void,), {"__setattr__": __setattr__, **found})


def as_record(dtype):
    """`dtype` with a structure's type for the type of its structures, so that their fields are attributes too."""
    if dtype.subdtype:
        element, shape = dtype.subdtype
        return np.dtype((as_record(element), shape))
    return np.dtype((structure(dtype), with_records(dtype))) if dtype.names else dtype


def with_records(dtype):
    """A structure's `dtype` whose fields have those types."""
    places = [dtype.fields[name] for name in dtype.names]
    spelled = {"names": dtype.names, "formats": [as_record(inner) for inner, *_ in places], "offsets": [offset for _, offset, *_ in places]}
    return np.dtype(spelled | {"itemsize": dtype.itemsize}, align=dtype.isalignedstruct)


class State(structure(MACHINE)):  # type: ignore[misc]  # made here
    """A record of MACHINE on `memory`."""

    data = property(lambda self: self.__dict__["memory"])


STATE = np.dtype((State, with_records(MACHINE)))


def state_on(pages):
    """The machine's record on `pages`, a writable buffer at least as long, which lives as long as the record."""
    state = np.frombuffer(pages, STATE, 1)[0]
    state.__dict__["memory"] = memoryview(pages)
    return state
