"""A recording of threads, from reading it to its result.

Recording ── Order ── Replay (strands.py) ── Program ── label: names ── Result
"""

from dataclasses import replace
from functools import reduce
from operator import or_
from typing import NamedTuple

from hwmem import __version__
from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import Interrupted
from hwmem.machine.machine import Machine
from hwmem.machine.where import INSTRUCTIONS, LINES, new_places, nobodys_places, rows_of, tables
from hwmem.programs import grid
from hwmem.runs.apart import Apart
from hwmem.runs.result import Result
from hwmem.runs.strands import Replay
from hwmem.runs.watch import UNWATCHED
from hwmem.symbols.blame import by_allocation, by_source
from hwmem.symbols import callgrind, pprof
from hwmem.symbols.label import label
from hwmem.symbols.names import Names
from hwmem.trace.order import CLOCK, Order
from hwmem.whole_file import write_whole

KEPT = 200  # rows of a table of where misses are


class Wishes(NamedTuple):
    """How a recording is replayed. `order`: one of trace/order.ORDERS; `symbols`: a folder to search for its objects, or None; `stores`:
    (start, end) of addresses whose stores are listed, or None; `cores_follow`: whether a machine with fewer cores than threads gets as
    many; `apart`: parts of variables that get lines of their own (runs/apart.py); `callgrind`, `pprof`: the file that gets a profile
    of it (symbols/callgrind.py, symbols/pprof.py), or None."""

    order: str = CLOCK
    symbols: str | None = None
    stores: tuple | None = None
    cores_follow: bool = True
    apart: tuple = ()
    callgrind: str | None = None
    pprof: str | None = None


def replay_recording(trace, config=None, watch=UNWATCHED, top=10, wishes=Wishes()):  # noqa: B008
    """Replay a trace of threads on a machine of its own; a Result, whose `program` says what the program did. `watch`, `top`: see runs/job.replay.
    Raises TraceError, Interrupted."""
    recording = trace.recording(wishes.symbols)
    config = config or MachineConfig()
    threads = min(len(recording.threads), P.MAX_CORES)
    if wishes.cores_follow and config.cores < threads:
        config = config.replace(cores=threads)
    order = Order(recording, wishes.order)
    names = Names(recording.program, [wishes.symbols] if wishes.symbols else [])
    apart = Apart(names, wishes.apart) if wishes.apart else None
    compared = as_recorded(recording, order, config, wishes.apart) if apart else None
    machine, places = Machine(config), new_places(top > 0 or bool(wishes.callgrind or wishes.pprof), in_detail=True)
    alone = len(recording.threads) == 1 and config.mmu
    memory = memory_of(recording, order, config) if alone else None
    replay = Replay(machine, recording, order, places, wishes.stores, apart, names.own_code, stand_in=alone)
    wall, counters, stopped = watch.over(machine, replay.machine_threads, replay.run)
    program = label(replay.program if memory is None else with_memory(replay.program, memory), names)
    if wishes.callgrind:
        text = callgrind.profile(names, rows_of(places, INSTRUCTIONS), program.command, __version__)
        write_whole(wishes.callgrind, text.encode("utf-8", "replace"))
    if wishes.pprof:
        write_whole(wishes.pprof, pprof.profile(names, rows_of(places, INSTRUCTIONS)))
    cores = sorted(set(replay.cores))
    each = [counters["cores"][c] for c in cores]
    cycles = max(one["cycles"] for one in each)
    if compared:
        compared["cells"][0].append(cycles)
    result = Result(
        workload="trace",
        parameters={
            "file": str(trace.path),
            "format": trace.format,
            "order": wishes.order,
            **({"apart": ",".join(wishes.apart)} if apart else {}),
        },
        seed=0,
        config=config,
        cores=replay.cores,
        operation="access",
        cycles=cycles,
        wall_seconds=wall,
        counters=counters,
        values={"operations": sum(one["loads"] + one["stores"] + 2 * one["atomics"] for one in each)},
        stopped=stopped,
        lines=watch.lines(machine, [], replay.machine_threads, stopped),
        events=watch.log(machine, replay.machine_threads),
        where={"top": top, **by_name(names, places, program, max(top, KEPT)), **tables(places, max(top, KEPT))} if top else None,
        comparison=compared,
        program=program,
    )
    if stopped:
        raise Interrupted(result)
    return result


def memory_of(recording, order, config):
    """The Program of a recording of one thread, replayed for its memory alone. Its caches are those of any trace of one thread: in a process where all of its
    memory was there before (machine/replay.py), so that first-level misses are cachegrind's. There a page that is copied when it is first
    written moves no line."""
    replay = Replay(Machine(config), recording, order, nobodys_places())
    replay.run()
    return replay.program


def with_memory(program, memory):
    """`program` with what another replay of it, `memory`, found out about its pages."""
    told = [note for note in memory.notes if note not in program.notes]
    return replace(program, memory_calls=memory.memory_calls, anonymous_pages=memory.anonymous_pages, notes=[*program.notes, *told])


def as_recorded(recording, order, config, wanted):
    """What is compared with parts that are moved apart: a grid (programs/registry.py) of cycles that lacks those of the replay with them."""
    machine = Machine(config)
    replay = Replay(machine, recording, order, nobodys_places())
    machine.reset_counters()
    replay.run()
    counted = machine.counters()["cores"]
    cycles = max(counted[c]["cycles"] for c in replay.cores)
    return grid("cycles", None, [None], "apart", ["nothing", ",".join(wanted)], [[cycles]])


def by_name(names, places, program, most):
    """The tables by source line and by allocation, as many rows as are kept."""
    used = {line.address: union(line.written) | union(line.read) for line in program.lines}
    found = {"source": by_source(names, rows_of(places, INSTRUCTIONS)), "allocation": by_allocation(names, rows_of(places, LINES), used)}
    return {kind: table | {"rows": table["rows"][:most]} for kind, table in found.items()}


def union(masks):
    """Of {thread: mask}."""
    return reduce(or_, masks.values(), 0)
