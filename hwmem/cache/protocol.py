"""Coherence protocols as data: what a private cache does with a line, state by state, event by event.

The directory (and the check of the whole machine) looks up a cell with the state a cache holds a line in
and the event that meets it; the cell says which state follows, which request leaves the cache, and who
moves data. A machine copies the arrays of its protocol into its state record when it is built, so jitted
code indexes them and contains no protocol of its own. This file is plain Python and runs once, at import.

    state x event  ->  next_state    int8   the state after; -1 in a cell that is IMPOSSIBLE
                       next_shared   int8   the same while another cache holds the line (differs at I, PR_RD)
                       request       int8   what the cache asks of the directory
                       flags         uint8  SUPPLY | MEM_WRITE | IMPOSSIBLE

The numbers of the states (params.py) are an order the hot path relies on (`check_table` holds the tables to it):

    I=0   S=1  |  F=2   O=3  |  E=4   M=5
    ^ no copy  |  from here on: supplies the line to a requester
               |             |  from here on: a store needs no request
    dirty (memory may be stale, eviction writes back): O and M

Three events are the core's own (PR_RD, PR_WR, EVICT), three are what another cache's request looks like
from here, on a bus and in the directory machine alike:

    the other issues   the directory sends              seen as
    GETS               Fwd-GETS to the supplier         BUS_RD
    GETX               Fwd-GETX to it, Inv to sharers   BUS_RDX
    UPGRADE            Inv to every other holder        BUS_UPGR

Only stable states are here: the emulator runs a transaction to its end before the next one starts, so no
transient state can be observed. Invariant: a cell marked IMPOSSIBLE never fires.

Sources: Papamarcos and Patel, ISCA 1984 (MESI); Sweazey and Smith, ISCA 1986 (MOESI); Goodman and Hum,
2004 (MESIF); gem5 src/mem/ruby/protocol/MESI_Two_Level-L1cache.sm. Choices: docs/protocols.md.
"""

from typing import NamedTuple

import numpy as np

from hwmem.errors import MachineError
from hwmem.params import STATE_NAMES, E, F, I, M, O

PR_RD = 0  # the core loads
PR_WR = 1  # the core stores
BUS_RD = 2  # another cache asks for a copy
BUS_RDX = 3  # another cache asks for the only copy, with data
BUS_UPGR = 4  # another cache holds the data and asks for the only copy
EVICT = 5  # the cache needs the way for another line
EVENT_NAMES = ("PR_RD", "PR_WR", "BUS_RD", "BUS_RDX", "BUS_UPGR", "EVICT")

NO_REQUEST = 0  # the state stays, or another cache's request moves it
GETS = 1  # give me a copy
GETX = 2  # give me the line, take it from all others
UPGRADE = 3  # I have the data, take it from all others
PUTX = 4  # take my dirty line back
SILENT = 5  # the state moves and nobody is told
REQUEST_NAMES = ("", "GETS", "GETX", "UPGRADE", "PUTX", "silent")

SUPPLY = 1  # this cache sends the line to the requester
MEM_WRITE = 2  # memory, or the last-level cache in front of it, takes the line in this transaction
IMPOSSIBLE = 4  # a machine that gets here is broken
FLAG_NAMES = {"supply": SUPPLY, "memory": MEM_WRITE}

PROTOCOLS = {"msi": 0, "mesi": 1, "moesi": 2, "mesif": 3}
_STATES = {letter: s for s, letter in enumerate(STATE_NAMES)}

# A cell reads: request, next state (alone/while others hold the line), flags. "-" is IMPOSSIBLE, as is
# every cell of a state that has no row.
DRAWINGS = {
    "msi": """
          | PR_RD    | PR_WR     | BUS_RD          | BUS_RDX  | BUS_UPGR | EVICT
        I | GETS S   | GETX M    | I               | I        | I        | I
        S | S        | UPGRADE M | S               | I        | I        | silent I
        M | M        | M         | S supply memory | I supply | -        | PUTX I memory
    """,
    "mesi": """
          | PR_RD    | PR_WR     | BUS_RD          | BUS_RDX  | BUS_UPGR | EVICT
        I | GETS E/S | GETX M    | I               | I        | I        | I
        S | S        | UPGRADE M | S               | I        | I        | silent I
        E | E        | silent M  | S supply        | I supply | -        | silent I
        M | M        | M         | S supply memory | I supply | -        | PUTX I memory
    """,
    "moesi": """
          | PR_RD    | PR_WR     | BUS_RD          | BUS_RDX  | BUS_UPGR | EVICT
        I | GETS E/S | GETX M    | I               | I        | I        | I
        S | S        | UPGRADE M | S               | I        | I        | silent I
        O | O        | UPGRADE M | O supply        | I supply | I        | PUTX I memory
        E | E        | silent M  | S supply        | I supply | -        | silent I
        M | M        | M         | O supply        | I supply | -        | PUTX I memory
    """,
    "mesif": """
          | PR_RD    | PR_WR     | BUS_RD          | BUS_RDX  | BUS_UPGR | EVICT
        I | GETS E/F | GETX M    | I               | I        | I        | I
        S | S        | UPGRADE M | S               | I        | I        | silent I
        F | F        | UPGRADE M | S supply        | I supply | I        | silent I
        E | E        | silent M  | S supply        | I supply | -        | silent I
        M | M        | M         | S supply memory | I supply | -        | PUTX I memory
    """,
}


class Tables(NamedTuple):
    """One protocol: four read-only arrays of shape (6, 6), indexed [state, event]."""

    next_state: np.ndarray  # int8
    next_shared: np.ndarray  # int8
    request: np.ndarray  # int8
    flags: np.ndarray  # uint8


def tables(name):
    """Return the `Tables` of protocol `name`, a key of `PROTOCOLS`; raise ValueError on any other name."""
    if name not in _TABLES:
        raise ValueError(f"protocol={name!r}: takes one of {', '.join(PROTOCOLS)}")
    return _TABLES[name]


def parse(drawing):
    """Return the `Tables` that `drawing`, in the form of `DRAWINGS`, stands for; else ValueError or KeyError."""
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in drawing.strip().splitlines()]
    if tuple(header[-len(EVENT_NAMES) :]) != EVENT_NAMES:
        raise ValueError(f"the columns are {header}, not {EVENT_NAMES}")
    shape = (len(STATE_NAMES), len(EVENT_NAMES))
    t = Tables(np.full(shape, -1, np.int8), np.full(shape, -1, np.int8), np.zeros(shape, np.int8), np.full(shape, IMPOSSIBLE, np.uint8))
    for state, *cells in rows:
        for event, cell in zip(range(len(EVENT_NAMES)), cells, strict=True):
            if cell != "-":
                for array, value in zip(t, _parse_cell(cell)):
                    array[_STATES[state], event] = value
    for array in t:
        array.flags.writeable = False
    return t


def _parse_cell(cell):
    words = cell.split()
    request = REQUEST_NAMES.index(words.pop(0)) if words[0] in REQUEST_NAMES else NO_REQUEST
    alone, _, shared = words[0].partition("/")
    flags = sum(FLAG_NAMES[word] for word in words[1:])
    return _STATES[alone], _STATES[shared or alone], request, flags


def check_tables():
    """Raise MachineError, naming protocol and cell, unless every table is complete and keeps the rules below."""
    for name in PROTOCOLS:
        check_table(name, tables(name))


def check_table(name, t):
    """The same for one `Tables` that claims to be protocol `name`, whose letters are its states."""
    members = {s for s, letter in enumerate(STATE_NAMES) if letter.lower() in name}
    for s, state in enumerate(STATE_NAMES):
        for e, event in enumerate(EVENT_NAMES):
            cell = tuple(int(array[s, e]) for array in t)
            possible = s in members and not (e == BUS_UPGR and s >= E)  # an upgrade says: others may share it
            if possible:
                broken = _broken_rule(s, e, members, *cell)
            else:
                broken = "a cell that cannot fire is empty" if cell != (-1, -1, NO_REQUEST, IMPOSSIBLE) else None
            if broken:
                raise MachineError(f"{name}, {state} x {event}: {cell} breaks the rule: {broken}")


def _broken_rule(s, e, members, after, after_shared, request, flags):
    """Return the first rule broken by a cell that can fire, or None."""
    asks = {PR_RD: s == I, PR_WR: s < E, EVICT: s in (O, M)}.get(e, False)
    answers = {PR_RD: GETS, PR_WR: GETX if s == I else UPGRADE, EVICT: PUTX}
    quiet = SILENT if e in (PR_WR, EVICT) and after != s else NO_REQUEST
    rules = {
        "the next states belong to the protocol": {after, after_shared} <= members,
        "others holding the line matters to a load miss only": after == after_shared or (s, e) == (I, PR_RD),
        "a load ends with a copy": e != PR_RD or I not in (after, after_shared),
        "a store ends in M": e != PR_WR or after == M,
        "a lost line is I": e not in (BUS_RDX, BUS_UPGR, EVICT) or after == I,
        "a request leaves where rights lack or dirty data goes": request == (answers[e] if asks else quiet),
        "F, O, E and M supply, the others do not": bool(flags & SUPPLY) == (s >= F and e in (BUS_RD, BUS_RDX)),
        "only dirty data is written to memory": not flags & MEM_WRITE or (s in (O, M) and e in (BUS_RD, EVICT)),
        "no flag but SUPPLY and MEM_WRITE": not flags & ~(SUPPLY | MEM_WRITE),
    }
    return next((rule for rule, kept in rules.items() if not kept), None)


_TABLES = {name: parse(DRAWINGS[name]) for name in PROTOCOLS}
