"""The protocol tables against published ones (oracles/mesi.json.gz), and driving an atomic bus of their own.

The bus below is a model independent of the machine: every cache sees every request at once, and all there
is to know comes from the tables. A copy's data is one bit: is it the last value written, or not.
"""

import gzip
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmem.cache.protocol import (
    BUS_RD,
    BUS_RDX,
    BUS_UPGR,
    DRAWINGS,
    EVENT_NAMES,
    EVICT,
    GETS,
    GETX,
    IMPOSSIBLE,
    MEM_WRITE,
    NO_REQUEST,
    PR_RD,
    PR_WR,
    PROTOCOLS,
    PUTX,
    SILENT,
    SUPPLY,
    UPGRADE,
    Tables,
    check_table,
    check_tables,
    parse,
    tables,
)
from hwmem.errors import MachineError
from hwmem.params import STATE_NAMES, E, F, I, M, O, S

TESTS = Path(__file__).parents[1]
ORACLE = json.loads(gzip.decompress((TESTS / "oracles" / "mesi.json.gz").read_bytes()))["protocols"]
EVENT = dict(zip(("PrRd", "PrWr", "BusRd", "BusRdX", "BusUpgr", "Evict"), range(6), strict=True))
BUS = {None: (NO_REQUEST, SILENT), "BusRd": (GETS,), "BusRdX": (GETX,), "BusUpgr": (UPGRADE,), "BusWB": (PUTX,)}
SUPPLIES = {"yes": (True,), "no": (False,), "optional": (True, False)}
SHARED = {None: (False, True), "no other valid copy": (False,), "some other valid copy": (True,)}
SEEN_AS = {GETS: BUS_RD, GETX: BUS_RDX, UPGRADE: BUS_UPGR}
CACHES = 3

every_protocol = pytest.mark.parametrize("name", PROTOCOLS)


class Violation(Exception):
    """An invariant of coherence does not hold."""


class Line(NamedTuple):
    """One line in the whole system: who holds it how, which copies (and is memory's) are the last value written."""

    states: tuple = (I,) * CACHES
    fresh: tuple = (False,) * CACHES
    memory_fresh: bool = True


class Traffic(NamedTuple):
    """What one event cost: the (state, event, shared) cells consulted, the request, data's source, memory writes."""

    fired: list
    request: int
    source: str
    memory_writes: int


def step(t, line, who, event):
    """Let `event` happen at cache `who`; return the line after it and its `Traffic`."""
    states, fresh, memory_fresh = list(line.states), list(line.fresh), line.memory_fresh
    mine = states[who]
    shared = any(s != I for i, s in enumerate(states) if i != who)
    fired, suppliers, writers = [(mine, event, shared)], [], []
    if t.flags[mine, event] & MEM_WRITE:
        writers.append(who)
    request = int(t.request[mine, event])
    if request in SEEN_AS:
        for i in set(range(CACHES)) - {who}:
            cell = states[i], SEEN_AS[request]
            fired.append((*cell, None))
            if t.flags[cell] & SUPPLY:
                suppliers.append(i)
            if t.flags[cell] & MEM_WRITE:
                writers.append(i)
            states[i] = int(t.next_state[cell])
    for s, e, _ in fired:
        require(not t.flags[s, e] & IMPOSSIBLE, f"{STATE_NAMES[s]} x {EVENT_NAMES[e]} fired")
    states[who] = int((t.next_shared if shared else t.next_state)[mine, event])

    require(len(suppliers) <= 1, "two caches supply the line")
    source = ""
    if request in (GETS, GETX):
        source = "cache" if suppliers else "memory"
        fresh[who] = fresh[suppliers[0]] if suppliers else memory_fresh
    for i in writers:
        memory_fresh = fresh[i]
    if event in (PR_RD, PR_WR):  # a store too: it changes a few bytes of the line and keeps the others
        require(fresh[who], "an access found old data")
    if event == PR_WR:
        fresh, memory_fresh = [i == who for i in range(CACHES)], False
    fresh = tuple(s != I and f for s, f in zip(states, fresh))
    return Line(tuple(states), fresh, memory_fresh), Traffic(fired, request, source, len(writers))


def require(holds, what):
    if not holds:
        raise Violation(what)


def check_invariants(line):
    """Raise Violation unless the oracle's list of invariants holds for the line at rest."""
    valid = [s for s in line.states if s != I]
    require(len(valid) == 1 or not {M, E} & set(valid), "a writer and another copy")
    require(valid.count(O) <= 1, "two owners")
    require(valid.count(F) <= 1, "two forwarders")
    require(line.fresh.count(True) == len(valid), "a copy is not the last value written")
    require(line.memory_fresh != bool({M, O} & set(valid)), "memory is stale without M or O, or the reverse")


def explore(t):
    """Return every reachable line and every cell that fired, from nobody holding it; check each on the way."""
    seen, todo, fired = {Line()}, [Line()], set()
    while todo:
        line = todo.pop()
        check_invariants(line)
        for who in range(CACHES):
            for event in (PR_RD, PR_WR, EVICT):
                after, traffic = step(t, line, who, event)
                fired |= set(traffic.fired)
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
    return seen, fired


def disagreements(name, t):
    """Return the oracle's rows that the tables contradict."""
    wrong = []
    for row in ORACLE[name.upper()]["transitions"]:
        s, e = STATE_NAMES.index(row["state"]), EVENT[row["event"]]
        flags = int(t.flags[s, e])
        after = {int((t.next_shared if shared else t.next_state)[s, e]) for shared in SHARED[row["cond"]]}
        if row["next"] is None:
            agrees = flags == IMPOSSIBLE
        else:
            agrees = (
                after == {STATE_NAMES.index(row["next"])}
                and t.request[s, e] in BUS[row["bus"]]
                and bool(flags & SUPPLY) in SUPPLIES[row["supply"]]
                and bool(flags & MEM_WRITE) == row["mem_write"]
                and not flags & IMPOSSIBLE
            )
        if not agrees:
            wrong.append(row)
    return wrong


def mutant(t, field, state, event, value):
    """Return the tables with one number changed; next_state carries next_shared along where they were equal."""
    arrays = {name: array.copy() for name, array in t._asdict().items()}
    arrays[field][state, event] = value
    if field == "next_state" and t.next_state[state, event] == t.next_shared[state, event]:
        arrays["next_shared"][state, event] = value
    return Tables(**arrays)


def noticed_by(name, t):
    """Return which of the three checks refuse the tables."""
    found = set()
    try:
        check_table(name, t)
    except MachineError:
        found.add("rules")
    if disagreements(name, t):
        found.add("oracle")
    try:
        explore(t)
    except Violation:
        found.add("exploration")
    return found


def run(name, program):
    """Run (cache, event) pairs on a fresh line; return requests, memory reads and memory writes as counts."""
    line, requests, reads, writes = Line(), 0, 0, 0
    for who, event in program:
        line, traffic = step(tables(name), line, who, event)
        check_invariants(line)
        requests += traffic.request in SEEN_AS
        reads += traffic.source == "memory"
        writes += traffic.memory_writes
    return requests, reads, writes


programs = st.lists(st.tuples(st.integers(0, CACHES - 1), st.sampled_from((PR_RD, PR_WR, EVICT))), max_size=60)


def test_every_table_is_complete_and_keeps_the_rules_of_the_hot_path():
    check_tables()


@every_protocol
def test_every_published_row_agrees_with_the_table(name):
    assert disagreements(name, tables(name)) == []


@every_protocol
def test_the_table_has_exactly_the_published_rows(name):
    rows = {(STATE_NAMES.index(r["state"]), EVENT[r["event"]]) for r in ORACLE[name.upper()]["transitions"] if r["next"] is not None}
    assert {(int(s), int(e)) for s, e in np.argwhere(tables(name).flags != IMPOSSIBLE)} == rows


@every_protocol
def test_three_caches_on_a_bus_reach_the_published_number_of_states_and_break_no_invariant(name):
    assert len(explore(tables(name))[0]) == ORACLE[name.upper()]["check"]["reachable_states"]


@every_protocol
def test_two_caches_hold_a_line_only_in_the_published_pairs_of_states(name):
    pairs = {
        tuple(sorted((STATE_NAMES[line.states[a]], STATE_NAMES[line.states[b]])))
        for line in explore(tables(name))[0]
        for a in range(CACHES)
        for b in range(a)
    }
    assert pairs == {tuple(pair) for pair in ORACLE[name.upper()]["check"]["compatible_pairs"]}


@every_protocol
def test_the_rows_that_never_fire_are_the_published_ones(name):
    fired = explore(tables(name))[1]
    never = [
        [r["state"], r["event"], r["cond"]]
        for r in ORACLE[name.upper()]["transitions"]
        if not any((STATE_NAMES.index(r["state"]), EVENT[r["event"]], shared) in fired for shared in (None, *SHARED[r["cond"]]))
    ]
    assert never == ORACLE[name.upper()]["check"]["rows_never_fired"]


@every_protocol
def test_no_single_wrong_number_in_a_table_goes_unnoticed(name):
    t = tables(name)
    values = {"next_state": range(-1, 6), "next_shared": range(-1, 6), "request": range(6), "flags": range(8)}
    unnoticed = [
        (field, s, e, value)
        for field in values
        for s in range(6)
        for e in range(6)
        for value in values[field]
        if value != getattr(t, field)[s, e] and not noticed_by(name, mutant(t, field, s, e, value))
    ]
    assert unnoticed == []


@pytest.mark.parametrize(
    "name, field, state, event, value, violation",
    [
        ("msi", "next_state", M, BUS_RD, M, "a writer and another copy"),
        ("msi", "next_state", S, BUS_UPGR, S, "a writer and another copy"),
        ("msi", "flags", M, BUS_RD, SUPPLY, "memory is stale"),
        ("msi", "flags", S, BUS_RD, SUPPLY, "two caches supply"),
        ("mesi", "next_shared", I, PR_RD, E, "a writer and another copy"),
        ("mesi", "next_state", E, BUS_RDX, E, "a writer and another copy"),
        ("mesi", "flags", M, BUS_RDX, 0, "old data"),
        ("mesi", "flags", M, EVICT, 0, "memory is stale"),
        ("moesi", "next_state", M, BUS_RD, S, "memory is stale"),
        ("moesi", "flags", O, BUS_RD, 0, "old data"),
        ("moesi", "flags", O, EVICT, 0, "memory is stale"),
        ("moesi", "next_shared", I, PR_RD, O, "two owners|memory is stale"),
        ("mesif", "next_state", F, BUS_RD, F, "two forwarders"),
        ("mesif", "next_state", E, BUS_RD, F, "two forwarders"),
        ("mesif", "flags", S, BUS_RDX, SUPPLY, "two caches supply"),
        ("mesif", "next_state", F, BUS_UPGR, F, "a writer and another copy"),
    ],
)
def test_a_broken_protocol_breaks_the_invariant_it_is_there_for(name, field, state, event, value, violation):
    with pytest.raises(Violation, match=violation):
        explore(mutant(tables(name), field, state, event, value))


@given(programs)
def test_a_program_reads_the_same_values_under_every_protocol(program):
    for name in PROTOCOLS:
        run(name, program)  # a load of anything but the last value written raises


@given(programs)
def test_each_added_state_saves_the_traffic_it_was_added_for_and_never_costs_more(program):
    msi, mesi, moesi, mesif = (run(name, program) for name in ("msi", "mesi", "moesi", "mesif"))
    assert mesi[0] <= msi[0]  # E: the first store after a lone load needs no request
    assert moesi[2] <= mesi[2]  # O: dirty data is shared without a write to memory
    assert mesif[1] <= mesi[1]  # F: one sharer answers in memory's place
    assert moesi[0] == mesi[0] == mesif[0]


@pytest.mark.parametrize("name, requests", [("msi", 2), ("mesi", 1), ("moesi", 1), ("mesif", 1)])
def test_loading_then_storing_a_private_line_is_two_requests_without_the_state_e_and_one_with_it(name, requests):
    assert run(name, [(0, PR_RD), (0, PR_WR)])[0] == requests


def test_a_table_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        tables("mesi").next_state[I, PR_RD] = M


@pytest.mark.parametrize("name", ["MESI", "dragon", ""])
def test_an_unknown_protocol_is_refused_with_the_names_there_are(name):
    with pytest.raises(ValueError, match="msi, mesi, moesi, mesif"):
        tables(name)


@pytest.mark.parametrize(
    "drawing",
    [
        DRAWINGS["msi"].replace("BUS_RDX  | BUS_UPGR", "BUS_UPGR | BUS_RDX"),
        DRAWINGS["msi"].replace("| PUTX I memory", ""),
        DRAWINGS["msi"].replace("UPGRADE M", "UPGRADE X"),
        DRAWINGS["msi"].replace("I supply", "I supplies"),
    ],
)
def test_a_drawing_with_a_wrong_column_cell_or_word_is_refused(drawing):
    with pytest.raises((ValueError, KeyError)):
        parse(drawing)


@every_protocol
def test_the_documentation_shows_the_table_that_runs(name):
    section = (TESTS.parent / "docs" / "protocols.md").read_text().split(f"\n## {name.upper()}\n")[1].split("\n## ")[0]
    header, _, *rows = [line.strip("|") for line in section.splitlines() if line.startswith("|")]
    for shown, used in zip(parse("\n".join([header, *rows])), tables(name)):
        assert np.array_equal(shown, used)
