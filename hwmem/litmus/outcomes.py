"""litmus.run: a test's outcomes on a machine of as many cores as it has threads, in one of two modes.

    exhaustive    every interleaving of steps and drains (explore.py)      counts: interleavings
    random        `runs` of them, drawn by `seed`                          counts: runs

The machine is the preset "classroom" with a store buffer that holds every store of the program, and every store goes
through it. What other cores take from a core waits in its invalidation queue only when the search says so (early.py).
"""

import functools
from dataclasses import dataclass, field

import numpy as np

from hwmem import params as P
from hwmem.cache.invalidations import SLOTS
from hwmem.config.machine import MachineConfig
from hwmem.config.record import Integer
from hwmem.litmus.encode import ACTION, DEPTH, PARENT, PROGRESS, WAYS, encode, first_row, place
from hwmem.litmus.explore import enter_all, explore, wander
from hwmem.litmus.herd import parse
from hwmem.litmus.test import signed
from hwmem.machine.interrupt import in_parts, run_interruptibly
from hwmem.machine.machine import SEED, Machine
from hwmem.machine.enter import place_thread

MODES = ("exhaustive", "random")
RUNS = Integer(1, 10**12)
FIRST_ROWS = 1 << 14
MOST_WORDS = 1 << 28  # of a table: 2 GiB
MOST_WORDS_BESIDE = 1 << 26  # of the one that random runs are compared with


class TooManyStates(ValueError):
    """More than a table holds."""


@dataclass
class Outcomes:
    """`outcomes`: final state, a tuple in the order of test.observed -> how many interleavings or runs ended there;
    `allowed`: the set of states that the ordering allows (exhaustive mode: those of `outcomes`; random mode: None if there are
    too many states to find out); `states`: of those the machine passed through, how many."""

    test: object
    ordering: str
    mode: str
    outcomes: dict
    allowed: set | None
    states: int
    holds: bool | None  # the condition's verdict on the outcomes
    shortest: dict = field(default_factory=dict)  # exhaustive mode: final state -> actions of a shortest way there
    cut: int = 0  # interleavings or runs that went round a loop more than test.rounds times: left out


def run(test, ordering="tso", mode="exhaustive", runs=10_000, seed=0):
    """The outcomes of `test` (what parse takes or returns) under "sc", "tso" or "relaxed". Raises LitmusError, ValueError."""
    if not hasattr(test, "observed"):
        test = parse(test)
    if ordering not in P.ORDERINGS:
        raise ValueError(f"ordering: {ordering!r} is none of {', '.join(P.ORDERINGS)}")
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is none of {', '.join(MODES)}")
    runs, seed = RUNS.check("runs", runs), SEED.check("seed", seed)
    machine, threads = machine_for(len(test.threads), ordering)
    early = ordering == "relaxed"
    with machine.lock:  # it is everybody's
        if mode == "exhaustive":
            return everything(test, ordering, machine.state, encode(test, threads, early), MOST_WORDS)
        try:
            allowed = everything(test, ordering, machine.state, encode(test, threads, early), MOST_WORDS_BESIDE).allowed
        except TooManyStates:
            allowed = None
        return at_random(test, ordering, machine.state, encode(test, threads, early, seed), runs, allowed)


def new_machine(cores, ordering):
    """A machine for litmus tests, and a thread on each core."""
    config = MachineConfig.preset("classroom").replace(
        cores=max(cores, 1),
        ordering=ordering,
        store_buffer={"entries": P.HOT_LINES, "drain": 0},
        invalidation_queue={"entries": SLOTS, "delay": 0},
    )
    machine = Machine(config)
    machine.state.store_buffer_always = 1
    threads = machine.spawn().threads_on_all()
    for c, t in enumerate(threads):
        place_thread(machine.state, t, c)
    return machine, threads


machine_for = functools.lru_cache(maxsize=48)(new_machine)  # every number of threads, every ordering


def table_of(x, row, rows):
    """A table whose first row is `row`, and its index."""
    table = np.zeros((rows, int(x.width)), np.int64)
    table[0] = row
    index = np.zeros(2 * rows, np.int64)
    x.count = 1
    return table, index


def everything(test, ordering, m, x, most):
    table, index = table_of(x, first_row(test, x), FIRST_ROWS)
    x.bucket[0] = 1
    while not run_interruptibly(m, explore, m, x, table, index):
        table, index = grown(x, table, most)
    check_places(test, x)
    ends = {}
    last = table[: x.count]
    rows = np.flatnonzero(last[:, PROGRESS] == x.last_progress)
    for n, state in zip(rows.tolist(), states_of(test, x, last[rows])):
        ends.setdefault(state, []).append(n)
    ways = {state: sum(int(last[n, WAYS]) for n in rows) for state, rows in ends.items()}
    shortest = {}
    for state, rows in ends.items():
        if not passes(test, state):
            continue
        key = state[: len(test.observed)]
        best = min(rows, key=lambda n: last[n, DEPTH])
        if key not in shortest or last[best, DEPTH] < len(shortest[key]):
            shortest[key] = way_to(last, best)
    every = summed(test, ordering, "exhaustive", ways, x)
    every.shortest = shortest
    every.allowed = set(every.outcomes)
    return every


def check_places(test, x):
    """Raise ValueError if a step had an address that is no location's."""
    if x.lost:
        t, n = divmod(int(x.lost) - 1, 64)
        raise ValueError(
            f"{test.name}: P{t}: {test.threads[t][n].text!r:.60}: its register does not hold the address of a location of that width"
        )


def at_random(test, ordering, m, x, runs, allowed):
    table, index = table_of(x, first_row(test, x), FIRST_ROWS)
    done = run_interruptibly(m, wander, m, x, table, index, runs)
    while done < runs:
        table, index = grown(x, table, MOST_WORDS)
        done += run_interruptibly(m, wander, m, x, table, index, runs - done)
    check_places(test, x)
    ways = {}
    ended = table[1 : x.count]
    for count, state in zip(ended[:, WAYS].tolist(), states_of(test, x, ended)):
        ways[state] = ways.get(state, 0) + count
    return summed(test, ordering, "random", ways, x, allowed)


def grown(x, table, most):
    """Twice the table, and its index, anew. Raises TooManyStates where that is more than `most` words."""
    rows = 2 * len(table)
    if rows * x.width > most:
        raise TooManyStates(f"the program has more than {len(table):,} states: too many to look at them all")
    larger = np.zeros((rows, table.shape[1]), np.int64)
    larger[: len(table)] = table
    index = np.zeros(2 * rows, np.int64)
    for start, end in in_parts(int(x.count)):
        enter_all(x, larger, index, start, end)
    return larger, index


def states_of(test, x, rows):
    """The final state of each of the rows, a tuple in the order of test.names."""
    places = [place(test, x, name) for name in test.names]
    widths = [test.widths.get(name, 8) for name in test.names]
    return (tuple(map(signed, values, widths)) for values in rows[:, places].tolist())


def passes(test, state):
    """Whether the test's filter lets a final state count."""
    return test.filter is None or test.filter.holds(dict(zip(test.names, state)))


def summed(test, ordering, mode, ways, x, allowed=None):
    """The Outcomes of final states with their counts. Raises ValueError if there is none, for the loops go on."""
    outcomes = {}
    if not ways:
        raise ValueError(f"{test.name}: no run ends within {test.rounds} rounds of a loop")
    ways = {state: count for state, count in ways.items() if passes(test, state)}
    for state, count in sorted(ways.items()):
        outcomes[state[: len(test.observed)]] = outcomes.get(state[: len(test.observed)], 0) + count
    holds = test.condition.verdict([dict(zip(test.names, s)) for s in ways]) if test.condition else None
    return Outcomes(test, ordering, mode, outcomes, allowed, int(x.count), holds, cut=int(x.cut))


def way_to(table, n):
    """The actions from row 0 to row `n`."""
    actions = []
    while table[n, PARENT] >= 0:
        actions.append(int(table[n, ACTION]))
        n = int(table[n, PARENT])
    return actions[::-1]
