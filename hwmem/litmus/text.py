"""Litmus tests as text: the program, its outcomes under each ordering, and a way to one of them; or a line a test."""

from itertools import zip_longest

from hwmem.litmus.outcomes import run
from hwmem.litmus.way import steps
from hwmem.params import ORDERINGS
from hwmem.report.table import table

RECORDED_AS = {"sc": "sc", "tso": "tso"}
ALWAYS = {"exists": ("sometimes", "never"), "~exists": ("never", "sometimes"), "forall": ("always", "not always")}


def results_of(test, random_ordering=None, runs=0, seed=0):
    """{ordering: Outcomes} of every ordering; with `runs`, "random": those of random runs under `random_ordering`."""
    results = {ordering: run(test, ordering) for ordering in ORDERINGS}
    if runs:
        results["random"] = run(test, random_ordering, "random", runs, seed)
    return results


def report(test, results, shown=None):
    """Everything about one test. `shown`: (ordering, final state) of the way to print, None: the most telling one."""
    parts = [f"{test.name}: {len(test.threads)} thread{'s' if len(test.threads) > 1 else ''}", program(test), outcomes(test, results)]
    if any(r.cut for r in results.values()):
        parts.append(
            f"left out: {', '.join(f'{r.cut:,} under {o}' for o, r in results.items() if r.cut)}, which go round a loop more than "
            f"{test.rounds} times"
        )
    if test.condition:
        parts.append("\n".join([test.condition.text, *(verdict(results[o], f"  {o:<8}") for o in ORDERINGS)]))
    if any(model in test.recorded for model in RECORDED_AS.values()):
        parts.append(f"recorded sets: {recorded(test, results)}")
    if not shown and not any(r.outcomes for r in results.values()):
        return "\n\n".join([*parts, f"no final state is left by filter {test.filter.text}"])
    ordering, state = shown or telling(test, results)
    parts.append(f"{named(test, state)} under {ordering}, the shortest way\n{way(test, ordering, results[ordering].shortest[state])}")
    return "\n\n".join(parts)


def program(test):
    rows = list(zip_longest(*test.listing, fillvalue="")) or [[""] * len(test.threads)]
    return table([f"P{n}" for n in range(len(test.threads))], rows)


def outcomes(test, results):
    """A row a final state: in how many interleavings it comes about, "-": it does not."""
    states = sorted(set().union(*(r.outcomes for r in results.values())))
    headers = [*test.observed, *ORDERINGS]
    rows = [[*(test.text_of(v) for v in state), *(results[o].outcomes.get(state) for o in ORDERINGS)] for state in states]
    if "random" in results:
        drawn = results["random"]
        headers.append(f"random runs, {drawn.ordering}")
        rows = [[*row, drawn.outcomes.get(state, 0)] for row, state in zip(rows, states)]
    return f"final states, and the interleavings of steps, drains and early reads that end there\n{table(headers, rows)}"


def verdict(result, label):
    yes, no = ALWAYS[result.test.condition.quantifier]
    return f"{label} {yes if result.holds else no}"


def recorded(test, results):
    """Whether the outcomes are those that the file has recorded, by ordering."""
    said = {o: results[o].allowed == test.recorded[RECORDED_AS[o]] for o in RECORDED_AS if RECORDED_AS[o] in test.recorded}
    return ", ".join(f"{o} {'equal' if same else 'DIFFERS'}" for o, same in said.items()) or "-"


def named(test, state):
    return " ".join(f"{name}={test.text_of(v)}" for name, v in zip(test.observed, state))


def telling(test, results):
    """(ordering, final state): the first ordering that shows what a stronger one does not, and one such state."""
    for strong, weak in zip(list(ORDERINGS), list(ORDERINGS)[1:]):
        new = sorted(results[weak].allowed - results[strong].allowed)
        if new:
            wanted = [s for s in new if test.condition and holds(test, s)]
            return weak, (wanted or new)[0]
    ordering = next(o for o in ORDERINGS if results[o].allowed)
    states = sorted(results[ordering].allowed)
    return ordering, ([s for s in states if test.condition and holds(test, s)] or states)[0]


def holds(test, state):
    """Whether the condition's proposition is true of an observed state; no, where it asks for more than is observed."""
    return set(test.condition.names) <= set(test.observed) and test.condition.holds(dict(zip(test.observed, state)))


def way(test, ordering, actions):
    """The table of a way: a row a step."""
    threads = range(len(test.threads))
    made = steps(test, ordering, actions)
    readers = [t for t in threads if any(step.early[t] for step in made)]
    rows = []
    for n, step in enumerate(made):
        rows.append(
            [
                str(n),
                f"P{step.core}" if step.core >= 0 else "",
                step.does or "(start)",
                *(" ".join(f"{name}={test.text_of(value)}" for name, value in step.buffers[t]) for t in threads),
                *(" ".join(f"{name}={test.text_of(value)}" for name, value in step.early[t]) for t in readers),
                " ".join(f"{name}={test.text_of(value)}" for name, value in step.memory.items()),
                *step.lines.values(),
            ]
        )
    heads = [
        "step",
        "core",
        "does",
        *(f"buffer P{t}" for t in threads),
        *(f"early P{t}" for t in readers),
        "memory",
        *(f"line {name}" for name in test.locations),
    ]
    return f"{table(heads, rows)}\nline: a letter a core, P0 first; . where it has no copy"


def summary(tests, results):
    """A row a test: how many final states each ordering allows, the condition's verdicts, the recorded sets."""
    rows = []
    for test, one in zip(tests, results):
        says = " ".join(verdict(one[o], "").strip() for o in ORDERINGS) if test.condition else "-"
        rows.append([test.name, str(len(test.threads)), *(len(one[o].allowed) for o in ORDERINGS), says, recorded(test, one)])
    return table(["test", "threads", *ORDERINGS, f"condition under {', '.join(ORDERINGS)}", "recorded sets"], rows)


def to_dict(test, results):
    """The results of one test as JSON has it."""
    return {
        "name": test.name,
        "observed": list(test.observed),
        "condition": test.condition.text if test.condition else None,
        "results": {
            name: {
                "ordering": r.ordering,
                "mode": r.mode,
                "holds": r.holds,
                "states": r.states,
                "outcomes": [[list(state), count] for state, count in r.outcomes.items()],
                "allowed": None if r.allowed is None else sorted(map(list, r.allowed)),
            }
            for name, r in results.items()
        },
    }


def parse_state(test, text):
    """The final state that "0:EAX=0 1:EAX=0" says, all that is observed in any order. Raises ValueError."""
    given = dict(word.partition("=")[::2] for word in text.replace(",", " ").split())
    if set(given) != set(test.observed):
        raise ValueError(f"--show takes {' '.join(f'{name}=VALUE' for name in test.observed)}, not {text!r:.60}")
    return tuple(test.number_of(given[name]) if given[name] in test.locations else int(given[name], 0) for name in test.observed)
