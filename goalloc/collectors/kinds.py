"""The collectors by name: their doors, and what a heap must give them."""

from typing import NamedTuple

from goalloc import params as P


class Kind(NamedTuple):
    """`door`: its number; `says`: what it is, in a few words; `moves`: objects have not always the same address; `prefix`: words before an
    object; `halves`: the heap is two; `free_lists`: it allocates from blocks; `marks`: it needs a mark stack; `barriers`: the stores that go
    through its door, model.FIELDS and model.SLOTS."""

    door: int
    says: str
    moves: bool = False
    prefix: int = 0
    halves: bool = False
    free_lists: bool = False
    marks: bool = True
    barriers: int = 0


COLLECTORS = {
    "mark-sweep": Kind(P.DOOR_MARK_SWEEP, "stop-the-world mark-sweep, free lists by size", free_lists=True),
    "lisp2": Kind(P.DOOR_LISP2, "mark-compact, Lisp-2: three passes, a word more in each object", moves=True, prefix=1),
    "threaded": Kind(P.DOOR_THREADED, "mark-compact, Jonkers' threading: two passes, no word more", moves=True),
    "semispace": Kind(P.DOOR_SEMISPACE, "copying between two halves, Cheney", moves=True, halves=True, marks=False),
}
