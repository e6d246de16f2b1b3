"""What the collector left to the program: its utilisation at each moment, and the least of any window of time (MMU).

    result.gc: at_ns        stopped ──── marking ──── stopped             the world stands: 0
    values["turns"]         P 0 ▇▇▇ dedicated   P 1 ▇ assist              marking: Ps that do not mark, of all
    least(pieces, windows)  slides each window over the run               Cheng and Blelloch, PLDI'01

Marking counts as dedicated and fractional workers and assists; idle workers take nothing from anybody, and sweeping is the allocator's
work. Times are seconds since the measured phase began.
"""

import numpy as np

COUNTED = ("dedicated", "fractional", "assist")


def begun(result):
    """The run's beginning by the machine's clocks, in seconds."""
    return (result.start or 0) / (result.config.frequency_ghz * 1e9)


def phases(result):
    """(from, to, "the world stopped" or "marking") of every collection, in order."""
    start, found = begun(result), []
    for cycle in result.gc:
        if "at_ns" in cycle:
            began, marking, terminating, ended = (ns / 1e9 - start for ns in cycle["at_ns"])
            found += [(began, marking, "the world stopped"), (marking, terminating, "marking"), (terminating, ended, "the world stopped")]
    return [one for one in found if one[1] >= 0]


def turns(result):
    """(P, kind, from, to) of what the collector did on the Ps, by their beginning."""
    start = begun(result)
    kept = (result.values.get("turns") or {}).get("rows", ())
    return sorted(((p, kind, a / 1e9 - start, b / 1e9 - start) for p, kind, a, b in kept), key=lambda turn: turn[2])


def pieces(result):
    """[(from, to, utilisation)] of the whole run, without gaps; empty where the collector's turns are not known, or not all."""
    kept = result.values.get("turns")
    if not kept or kept["lost"] or not result.seconds:
        return []
    ps, changes = len(result.cores), {0.0: [0, 0], result.seconds: [0, 0]}  # at: [Ps that begin to mark, worlds that stop]
    for _, kind, begin, end in turns(result):
        if kind in COUNTED:
            note(changes, begin, end, 0)
    for begin, end, what in phases(result):
        if what != "marking":
            note(changes, begin, end, 1)
    found, marking, stopped, times = [], 0, 0, sorted(changes)
    for at, next_at in zip(times, times[1:]):
        marking, stopped = marking + changes[at][0], stopped + changes[at][1]
        if next_at > 0 and at < result.seconds:
            found.append((max(at, 0.0), min(next_at, result.seconds), 0.0 if stopped else max(0.0, 1 - marking / ps)))
    return found


def note(changes, begin, end, which):
    for at, delta in ((begin, 1), (end, -1)):
        changes.setdefault(at, [0, 0])[which] += delta


def least(found, windows):
    """For each of `windows`, in seconds, the least part of any so long that was the program's. Of what is constant by pieces, the least window
    begins or ends where a piece does."""
    edges = np.array([found[0][0], *(end for _, end, _ in found)])
    sums = np.append(0.0, np.cumsum([(end - begin) * part for begin, end, part in found]))
    parts = []
    for window in windows:
        starts = np.concatenate([edges, edges - window])
        starts = starts[(starts >= edges[0]) & (starts <= edges[-1] - window)]
        own = np.interp(starts + window, edges, sums) - np.interp(starts, edges, sums)
        parts.append(max(0.0, float(own.min()) / window))
    return parts
