"""The collectors by name: their doors, and what a heap must give them."""

from typing import NamedTuple

from goalloc import params as P
from goalloc.collectors.model import ATOMIC, CARDS, DEFERRED, FIELDS, SHADE_NEW, SHADE_OLD, SLOTS, TRACED


class Kind(NamedTuple):
    """`door`: its number; `says`: what it is, in a few words; `moves`: objects have not always the same address; `prefix`: words before an
    object; `halves`: the heap is two; `free_lists`: it allocates from blocks; `nursery`: it has one; `cycles`: those that nothing reaches are freed;
    `barriers`: the stores that go through its door, model.FIELDS and SLOTS, and its variant."""

    door: int
    says: str
    moves: bool = False
    prefix: int = 0
    halves: bool = False
    free_lists: bool = False
    nursery: bool = False
    cycles: bool = True
    barriers: int = 0


COLLECTORS = {
    "mark-sweep": Kind(P.DOOR_MARK_SWEEP, "stop-the-world mark-sweep, free lists by size", free_lists=True),
    "lisp2": Kind(P.DOOR_LISP2, "mark-compact, Lisp-2: three passes, a word more in each object", moves=True, prefix=1),
    "threaded": Kind(P.DOOR_THREADED, "mark-compact, Jonkers' threading: two passes, no word more", moves=True),
    "semispace": Kind(P.DOOR_SEMISPACE, "copying between two halves, Cheney", moves=True, halves=True),
    "counts": Kind(P.DOOR_COUNTS, "reference counting, at once", free_lists=True, cycles=False, barriers=FIELDS | SLOTS),
    "counts-atomic": Kind(
        P.DOOR_COUNTS, "... by atomic additions, for several threads", free_lists=True, cycles=False, barriers=FIELDS | SLOTS | ATOMIC
    ),
    "deferred": Kind(P.DOOR_COUNTS, "... of fields alone, a zero-count table", free_lists=True, cycles=False, barriers=FIELDS | DEFERRED),
    "counts-traced": Kind(P.DOOR_COUNTS, "at once, a backup trace for cycles", free_lists=True, barriers=FIELDS | SLOTS | TRACED),
    "deferred-traced": Kind(P.DOOR_COUNTS, "deferred, a backup trace for cycles", free_lists=True, barriers=FIELDS | DEFERRED | TRACED),
    "generational": Kind(P.DOOR_GENERATIONAL, "a nursery that is copied, a remembered set", moves=True, nursery=True, barriers=FIELDS),
    "card-marking": Kind(P.DOOR_GENERATIONAL, "... with cards instead", moves=True, nursery=True, barriers=FIELDS | CARDS),
}

# Barriers alone, for what a store costs: those of collectors that mark beside the program, without the marker (shading.py)
BARRIERS = {
    "no barrier": Kind(P.DOOR_SHADING, "a store"),
    "off": Kind(P.DOOR_SHADING, "a look at the flag that says whether something marks", barriers=FIELDS),
    "dijkstra": Kind(P.DOOR_SHADING, "the new object becomes grey", barriers=FIELDS | SHADE_NEW),
    "yuasa": Kind(P.DOOR_SHADING, "the overwritten one", barriers=FIELDS | SHADE_OLD),
    "hybrid": Kind(P.DOOR_SHADING, "both", barriers=FIELDS | SHADE_NEW | SHADE_OLD),
    "deferred-atomic": Kind(
        P.DOOR_COUNTS, "deferred, by atomic additions", free_lists=True, cycles=False, barriers=FIELDS | DEFERRED | ATOMIC
    ),
}
GO = {"go": Kind(P.DOOR_GO, "Go 1.21's: mark-sweep beside the program, the hybrid barrier", barriers=FIELDS | SLOTS)}  # go_heap.py
KINDS = COLLECTORS | BARRIERS | GO
