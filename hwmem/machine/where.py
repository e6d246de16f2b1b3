"""Where a trace misses: misses, HITMs and faults of its accesses by line, page, size, thread and instruction.

    an access that left the hit filter ── what its core counts before and after ── nothing changed
                                                                               └─ a row of each kind gets it

A miss is the program's own look-up that the L1 did not have (an upgrade counts, as in l1d.misses); what the page walker and the
kernel look up is not. The rows are those of one hash table; beyond ROWS they are counted in `dropped`. In detail, of recorded programs, an
access that only missed the DTLB is noted as well, and rows have DTLB misses and the cycles that noted accesses took.

Invariant: the misses of all rows of a kind, and those dropped, are the program's l1d.misses (by instruction: of accesses that have one).
"""

import functools

import numpy as np

from hwmem._jit import cold, kernel
from hwmem.bits import hashed
from hwmem.layout.rules import record
from hwmem.params import FROM_HITM, FROM_REMOTE_HITM, LINE_SHIFT, PAGE_SHIFT

KINDS = ("line", "page", "size", "thread", "instruction")
LINES, PAGES, SIZES, THREADS, INSTRUCTIONS = range(5)
ROWS, SLOTS = 1 << 19, 1 << 20
COUNTS, DETAILS = ("misses", "hitms", "faults"), ("tlbs", "cycles")
ROW = record("kind", "key", *COUNTS, *DETAILS)
PLACES = record(
    "on",
    "in_detail",
    "rows",
    *COUNTS,
    *DETAILS,  # of the last access
    ("dropped", "i8", len(KINDS)),
    ("index", "i4", SLOTS),
    ("row", ROW, ROWS),
)


def new_places(on, in_detail=False):
    """A table without rows; `on`: whether it is used."""
    places = np.zeros(1, PLACES).view(np.recarray)[0]
    places.on, places.in_detail = on, in_detail
    return places


@functools.cache
def nobodys_places():
    """The shared table for runs that do not note misses: nothing is written there."""
    return new_places(False)


@kernel
def misses_of(core):
    return core.l1d.misses - core.walker.l1d_misses - core.kernel.l1d_misses


@kernel
def hitms_of(core):
    return core.interventions_hit_modified - hitms_served(core.walker) - hitms_served(core.kernel)


@kernel
def hitms_served(share):
    return share.served[FROM_HITM] + share.served[FROM_REMOTE_HITM]


@kernel
def before_access(places, core):
    places.misses, places.hitms, places.faults = misses_of(core), hitms_of(core), core.faults_minor + core.faults_major
    if places.in_detail:
        places.tlbs, places.cycles = core.dtlb.misses, core.cycles


@kernel
def after_access(places, core):
    """Whether the access since before_access must be noted."""
    places.misses, places.hitms = misses_of(core) - places.misses, hitms_of(core) - places.hitms
    places.faults = core.faults_minor + core.faults_major - places.faults
    if places.in_detail:
        places.tlbs, places.cycles = core.dtlb.misses - places.tlbs, core.cycles - places.cycles
    return places.misses != 0 or places.hitms != 0 or places.faults != 0 or (places.in_detail and places.tlbs != 0)


@cold
def note(places, va, size, thread, instruction):
    """The last access was this one. `instruction`: its address, 0: not known."""
    add(places, LINES, va >> LINE_SHIFT << LINE_SHIFT)
    add(places, PAGES, va >> PAGE_SHIFT << PAGE_SHIFT)
    add(places, SIZES, size)
    add(places, THREADS, thread)
    if instruction:
        add(places, INSTRUCTIONS, instruction)


@kernel
def add(places, kind, key):
    n = row_of(places, kind, key)
    if n < 0:
        places.dropped[kind] += places.misses
        return
    row = places.row[n]
    row.misses += places.misses
    row.hitms += places.hitms
    row.faults += places.faults
    row.tlbs += places.tlbs
    row.cycles += places.cycles


@kernel
def row_of(places, kind, key):
    """The row of a key, new if need be; -1: no room."""
    slot = hashed(key ^ kind << 40, SLOTS)
    while places.index[slot] != 0:
        row = places.row[places.index[slot] - 1]
        if row.key == key and row.kind == kind:
            return np.int64(places.index[slot] - 1)
        slot = slot + 1 & SLOTS - 1
    if places.rows == ROWS:
        return -1
    places.rows += 1
    places.index[slot] = places.rows
    row = places.row[places.rows - 1]
    row.kind, row.key = kind, key
    return places.rows - 1


def tables(places, most):
    """Of each kind that there is: {"rows": at most `most` dicts with "at", "misses", "hitms", "faults", in detail also "tlbs", "cycles", the worst
    first, "of": how many there were, "misses", "hitms", ...: of all, "dropped": misses without a row}."""
    counts = COUNTS + DETAILS if places.in_detail else COUNTS
    found = {}
    for number, kind in enumerate(KINDS):
        own = rows_of(places, number)
        if not len(own):
            continue
        found[kind] = {
            "rows": [{"at": int(r["key"]), **{name: int(r[name]) for name in counts}} for r in own[:most]],
            "of": len(own),
            **{name: int(own[name].sum()) for name in counts},
            "dropped": int(places.dropped[number]),
        }
        found[kind]["misses"] += found[kind]["dropped"]
    return found


def rows_of(places, kind):
    """The rows of a kind (LINES, ...), the worst first."""
    rows = places.row[: int(places.rows)]
    own = rows[rows["kind"] == kind]
    return own[np.lexsort((own["key"], -own["faults"], -own["hitms"], -own["misses"]))]
