"""The machine seen from outside: which cores hold a line, and whether every invariant holds.

    check_machine ── checks/arrays.py      caches and TLBs as arrays: places, duplicates, replacement state
                  ├─ checks/coherence.py   single writer or many readers; the directory against the caches; inclusion
                  ├─ checks/core.py        hit filter, store buffer, invalidation queue
                  ├─ checks/memory.py      page tables, TLBs
                  ├─ checks/vmas.py        mappings
                  ├─ checks/frames.py      frames, LRU lists, reverse mappings, swap slots
                  └─ checks/counts.py      the counters' identities

The scans are kernels, compiled at the first check. Cost: about a millisecond for a machine of usual size, most of it
the LLC. `line_holders` reads the record in plain Python.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.errors import MachineError
from hwmem.observe.checks import counts, faults
from hwmem.observe.checks.arrays import ARRAYS, DTLB, L1D, L2, PML4E, array_of, check_array
from hwmem.observe.checks.coherence import check_llc, check_private
from hwmem.observe.checks.core import check_filter, check_invalidations, check_store_buffer
from hwmem.observe.checks.counts import check_core_counts, check_machine_counts
from hwmem.observe.checks.frames import check_core_lists, check_each_frame, check_free_blocks, check_lru, check_slots
from hwmem.observe.checks.memory import check_all_tables, check_last_table, check_paging_cache, check_tlb
from hwmem.observe.checks.page_cache import check_page_cache
from hwmem.observe.checks.vmas import check_all_vmas

KIND_NAMES = ("anonymous pages", "pages of files", "shared pages", "pages in swap", "page tables")
DIRECTORY_NAMES = ("PRESENT", "GONE", "SHARED", "OWNED")
EVERYWHERE, CODE, WHERE, WHICH = -1, 4, 5, 6  # `found`: four numbers, the code, the core or socket, the array


@kernel
def first_fault(m, marks, met, found):
    """Run all checks until one finds something; False: nothing. `found` says what and where."""
    for c in range(m.cores):
        found[WHERE] = c
        found[CODE] = check_core(m, c, found)
        if found[CODE]:
            return True
    for s in range(m.sockets):
        found[WHERE], found[WHICH] = s, len(ARRAYS)
        found[CODE] = check_array(m, m.llc[s], False, found) or check_llc(m, s, found)
        if found[CODE]:
            return True
    found[WHERE] = EVERYWHERE
    found[CODE] = (check_linux(m, marks, met, found) if m.mmu else 0) or check_machine_counts(m, found)
    return found[CODE] != 0


@kernel
def check_linux(m, marks, met, found):
    """Memory as Linux keeps it. `marks`, `met`: zeros; checks/frames.py explains them."""
    return (
        check_all_vmas(m, found)
        or check_free_blocks(m, marks, found)
        or check_core_lists(m, marks, found)
        or check_lru(m, marks, found)
        or check_all_tables(m, marks, met, found)
        or check_each_frame(m, marks, met, found)
        or check_slots(m, met, found)
        or check_page_cache(m, found)
    )


@kernel
def check_core(m, c, found):
    core = m.core[c]
    for k in range(len(ARRAYS)):
        found[WHICH] = k
        code = check_array(m, array_of(core, k), k <= L2, found)
        if code == 0 and k < DTLB:
            code = check_private(m, c, array_of(core, k), k == L1D, found)
        elif code == 0 and m.mmu and k < PML4E:
            code = check_tlb(m, array_of(core, k), found)
        elif code == 0 and m.mmu:
            code = check_paging_cache(m, array_of(core, k), len(ARRAYS) - k, found)
        if code:
            return code
    return (
        check_last_table(m, c, found)
        or check_filter(m, c, found)
        or check_store_buffer(m, c, found)
        or check_invalidations(m, c, found)
        or check_core_counts(m, c, found)
    )


class Number(int):
    """A number of a fault, with formats of its own: S a private state, D a directory state, mask a list of cores, kind what
    a process counts."""

    def __format__(self, how):
        if how == "S":
            return P.STATE_NAMES[self] if 0 <= self < len(P.STATE_NAMES) else f"state {int(self)}"
        if how == "D":
            return DIRECTORY_NAMES[self] if 0 <= self < len(DIRECTORY_NAMES) else f"state {int(self)}"
        if how == "kind":
            return KIND_NAMES[self]
        if how == "mask":
            return ", ".join(map(str, cores_of(self))) or "none"
        return format(int(self), how)


def check_machine(machine):
    """Raise MachineError, with the values, if any invariant of the machine is broken."""
    if machine.state.outside:
        raise MachineError(f"{machine.state.outside} host addresses outside the machine's memory were asked for (memory/ram.py)")
    m = machine.state
    found = np.zeros(8, np.int64)
    frames = max(1, int(m.frames.fresh))
    if not first_fault(m, np.zeros(frames, np.uint8), np.zeros(frames + int(m.swap.fresh), np.int32), found):
        return
    *numbers, code, where, which = map(int, found[: WHICH + 1])
    names = counts.MACHINE_IDENTITIES if where == EVERYWHERE else counts.CORE_IDENTITIES
    identity = names[numbers[2]] if code == faults.BAD_COUNT else ""
    array = (*ARRAYS, "llc")[which]
    owner = "the machine" if where == EVERYWHERE else f"socket {where}" if array == "llc" else f"core {where}"
    raise MachineError(faults.SENTENCES[code].format(*map(Number, numbers), array=array, owner=owner, identity=identity))


def line_holders(machine, physical):
    """The holders of a physical address's line, as a dict:

    "physical": the line's address; "state": {core: letter} of the cores with a copy, "l1d" and "l2" the same by level;
    "socket": {socket: {"directory", "sharers", "dirty", "remote"}} of the LLCs with an entry; "directory" and "sharers":
    the state furthest from PRESENT among them (None without an entry), and all cores they name; "dirty": memory is stale.
    """
    m, line = machine.state, physical >> P.LINE_SHIFT
    levels = {"l1d": {}, "l2": {}}
    for c in range(machine.config.cores):
        for level, copies in levels.items():
            i = find(m, m.core[c][level], line)
            if i >= 0 and m.tag[i] & P.STATE_MASK > P.I:
                copies[c] = P.STATE_NAMES[m.tag[i] & P.STATE_MASK]
    state = {
        c: max((copies.get(c, "I") for copies in levels.values()), key=P.STATE_NAMES.index) for c in sorted(levels["l1d"] | levels["l2"])
    }
    entries = {s: find(m, m.llc[s], line) for s in range(machine.config.sockets)}
    sockets = {s: directory_entry(m, i) for s, i in entries.items() if i >= 0}
    named = [entry["directory"] for entry in sockets.values()]
    return {
        "physical": line << P.LINE_SHIFT,
        "state": state,
        **levels,
        "directory": next((n for n in ("OWNED", "SHARED", "PRESENT", "GONE") if n in named), None),
        "sharers": sorted(c for entry in sockets.values() for c in entry["sharers"]),
        "dirty": bool({"O", "M"} & set(state.values())) or any(entry["dirty"] for entry in sockets.values()),
        "socket": sockets,
    }


def find(m, s, line):
    """Index in the pools of the entry for `line` in array `s`, or -1."""
    if s.ways == 0:
        return -1
    first = int(s["first"]) + (line % int(s.sets) << int(s.row_shift))
    row = m.tag[first : first + int(s.ways)] & P.KEY_MASK
    places = np.flatnonzero(row == (line << P.TAG_SHIFT | P.OCCUPIED))
    return first + int(places[0]) if len(places) else -1


def directory_entry(m, i):
    tag, holder = int(m.tag[i]), int(m.holder[i])
    state = min(holder, P.OWNED)
    sharers = {P.OWNED: [holder - P.OWNED], P.SHARED: cores_of(int(m.word[i]))}.get(state, [])
    return {"directory": DIRECTORY_NAMES[state], "sharers": sharers, "dirty": bool(tag & P.DIRTY), "remote": bool(tag & P.REMOTE)}


def cores_of(mask):
    return [c for c in range(P.MAX_CORES) if mask >> c & 1]
