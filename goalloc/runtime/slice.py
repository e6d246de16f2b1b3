"""A slice as Python holds it."""

from typing import NamedTuple

from goalloc.types import Type


class Slice(NamedTuple):
    """A slice's header: address of the first element, how many, room for how many; `type`: of an element."""

    array: int
    len: int
    cap: int
    type: Type
