"""Data races as rows and as text, in the form of Go's race detector.

    ==================
    WARNING: DATA RACE
    Write at 0x7ffff7ff8000 by thread 1:
      counter  8 bytes, core 1, cycle 2,204

    Previous read at 0x7ffff7ff8000 by thread 0:
      counter  8 bytes, core 0, cycle 2,200
    ==================
    Found 1 data race(s)

There are no code addresses: what stands where Go has the functions is the variable. Of an ordered access (atomic, acquire
or release), and of a read that was one of several, only the thread is kept.
"""

from hwmem.layout import RACE_LOG
from hwmem.params import ORDERED, WRITES

RULE = "=" * 18


def table(machine, number=lambda thread: thread):
    """One dict a race, in the order found: {"now", "before"}, each with address, size, thread, core, cycle (None: not kept),
    write, ordered. `number`: what to call a thread."""
    found = machine.state.race[: min(int(machine.state.observe.race_count), RACE_LOG)]
    return [{name: row(race[name], number) for name in ("now", "before")} for race in found]


def row(access, number):
    kind, cycle = int(access["kind"]), int(access["cycle"])
    return {
        "address": int(access["va"]),
        "size": int(access["width"]),
        "thread": number(int(access["thread"])),
        "core": int(access["core"]),
        "cycle": None if cycle < 0 else cycle,
        "write": bool(WRITES >> (kind & ORDERED - 1) & 1),
        "ordered": bool(kind & ORDERED),
    }


def dropped(machine):
    """Races beyond those the log keeps, and accesses or clocks that found no room."""
    o = machine.state.observe
    return max(0, int(o.race_count) - RACE_LOG), int(o.races_dropped)


def text(rows, symbol_of=hex):
    """Go's warnings, one after another, and how many; "" if there are none. `symbol_of(address)` names a variable."""
    if not rows:
        return ""
    parts = [
        f"{RULE}\nWARNING: DATA RACE\n{told(race['now'], '', symbol_of)}\n\n{told(race['before'], 'previous ', symbol_of)}\n{RULE}"
        for race in rows
    ]
    return "\n".join([*parts, f"Found {len(rows)} data race(s)"])


def told(access, before, symbol_of):
    what = f"{before}{'atomic ' if access['ordered'] else ''}{'write' if access['write'] else 'read'}".capitalize()
    details = [f"{access['size']} bytes"] if access["size"] else []
    details.append(f"core {access['core']}")
    if access["cycle"] is not None:
        details.append(f"cycle {access['cycle']:,}")
    return f"{what} at {access['address']:#014x} by thread {access['thread']}:\n  {symbol_of(access['address'])}  {', '.join(details)}"
