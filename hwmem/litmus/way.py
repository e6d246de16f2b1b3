"""One way through a litmus test, step by step: what each step did, and what buffers, memory and lines look like after it.

The steps run on a new machine, so that the states of the lines are those this way leads to.
"""

from typing import NamedTuple

import numpy as np

from hwmem.litmus.encode import NONE, STATE, buffer_of, early_of, encode, first_row, place
from hwmem.litmus.explore import act
from hwmem.litmus.outcomes import new_machine
from hwmem.litmus.test import LOAD, signed
from hwmem.observe.check import line_holders


class Step(NamedTuple):
    """`core` acted (-1: the start): `does`; `buffers`: of each thread (location, value) oldest first; `early`: the same, of
    what it has read early; `memory`: of each location; `lines`: of each location a letter a core, "." for none."""

    core: int
    does: str
    buffers: list
    early: list
    memory: dict
    lines: dict


def steps(test, ordering, actions):
    """The Steps of a way, which is a list of actions (Outcomes.shortest); the first is the start."""
    machine, threads = new_machine(len(test.threads), ordering)
    x = encode(test, threads, ordering == "relaxed")
    table = np.zeros((2, int(x.width)), np.int64)
    table[0] = first_row(test, x)
    found = [seen(test, machine, x, table[0], NONE, "")]
    for action in actions:
        before = table[0].copy()
        act(machine.state, x, table, 0, action, 1)
        table[0] = table[1]
        found.append(seen(test, machine, x, table[0], action // int(x.actions), told(test, x, before, table[0], action)))
    return found


def told(test, x, before, after, action):
    """What the action did, in words."""
    c, k, slots = action // int(x.actions), action % int(x.actions), int(x.slots)
    if 0 < k <= slots:
        return f"{shown(test, *buffer_of(before, x, c)[k - 1])} leaves the buffer"
    if slots < k <= slots + int(x.locations):
        return f"reads {test.locations[k - 1 - slots]} early"
    instruction = test.threads[c][before[STATE + c]]
    if instruction.target is None or instruction.target.startswith("("):
        return instruction.text
    early = ", read early" if instruction.operation == LOAD and instruction.location in names_read(test, x, before, c) else ""
    name = f"{c}:{instruction.target}"
    return f"{instruction.text}: {instruction.target}={test.text_of(signed(int(after[place(test, x, name)]), test.widths.get(name, 8)))}{early}"


def shown(test, location, value, size):
    """A store that waits, or has left: in words."""
    part = f" ({size} byte{'s' * (size > 1)})" if size < test.widths.get(test.locations[location], 8) else ""
    return f"{test.locations[location]}={test.text_of(signed(value, size))}{part}"


def names_read(test, x, row, c):
    """The locations that thread `c` has read early and not yet loaded for the last time."""
    return {test.locations[location] for location, _ in early_of(row, x, c)}


def seen(test, machine, x, row, core, does):
    buffers = [
        [(test.locations[location], signed(value, size)) for location, value, size in buffer_of(row, x, t)]
        for t in range(len(test.threads))
    ]
    early = [
        [(test.locations[location], signed(value, test.widths.get(test.locations[location], 8))) for location, value in early_of(row, x, t)]
        for t in range(len(test.threads))
    ]
    memory = {name: signed(int(row[place(test, x, name)]), test.widths.get(name, 8)) for name in test.locations}
    lines = {name: states(machine, len(test.threads), int(x.address[n])) for n, name in enumerate(test.locations)}
    return Step(core, does, buffers, early, memory, lines)


def states(machine, cores, physical):
    held = line_holders(machine, physical)["state"]
    return "".join(held.get(c, ".") for c in range(cores))
