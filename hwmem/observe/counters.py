"""Counters by name, and the identities that tie them.

The kernels count into fields of the record; here the fields get the names that users see (docs/counters.md).
What the hit filter serves is counted once, as an access: an access that did not leave the filter was a hit of
the L1D and the L1 DTLB, which is where those counts come from here. Of each core:

    l1d.hits + l1d.misses     = loads + stores + atomics + split_accesses + walk_accesses + kernel_accesses
                                + store_buffer.drains + store_buffer.fetches - store_buffer.stores - store_buffer.forwards
                                - store_buffer.streams - invalidation_queue.loads - refused_accesses
                                - uncached.reads - uncached.writes
    dtlb.hits + dtlb.misses   = loads + stores + atomics + split_accesses      (give or take refused_accesses)
    stlb.hits + stlb.misses   = dtlb.misses
    l2.hits + l2.misses       = l1d.misses
    llc.hits + llc.misses     = misses of the last private level = requests of the core
    invalidation_queue.lines  = invalidation_queue.processed + lines that wait; at most invalidations_received
    miss.cold + capacity + true_sharing + false_sharing + upgrades = l1d.misses    (while observe/sharing.py classifies)
    walks                     = misses of the last TLB + faults.minor + faults.major    (an access that faulted is tried again)

The program, the page walker and the kernel each have their part of what the caches, TLBs and DRAM count ("program", "walker",
"kernel"; cache/shares.py): the three together are the core's. Of each of them

    walker: l1d.hits + l1d.misses + uncached.reads + uncached.writes = walk_accesses              kernel: = kernel_accesses
    l2.hits + l2.misses = l1d.misses;  llc.hits + llc.misses = misses of the last private level

and of the machine:

    directory: gets + getx + upgrades = hits + misses = requests of all cores
               fwd_gets + fwd_getx + remote_requests + memory_fills + make_unique = misses
               inv + fwd_getx = invalidations_received of all cores
    dram:      reads = memory_fills + uncached.reads = dram.reads of all cores;  writes = dram.writes of all cores;  row_hits + row_misses + row_conflicts = reads + writes

Machine.check() holds the counters to them (checks/counts.py).
"""

import functools

import numpy as np

from hwmem import params as P
from hwmem.layout import MACHINE, VMSTAT_NAMES
from hwmem.observers.sharing import FALSE_SHARING

CORE_FIELDS = {
    "loads": "loads",
    "stores": "stores",
    "atomics": "atomics",
    "split_accesses": "split_accesses",
    "split_double_misses": "split_double_misses",
    "walk_accesses": "walk_accesses",
    "kernel_accesses": "kernel_accesses",
    "llc.hits": "llc_hits",
    "llc.misses": "llc_misses",
    "walks": "walks",
    "upgrades": "upgrades",
    "l1d.upgrades": "l1d_upgrades",
    "invalidations_received": "invalidations_received",
    "interventions_hit_modified": "interventions_hit_modified",
    "interventions_remote": "interventions_remote",
    "writebacks": "writebacks",
    "dram.reads": "dram_reads",
    "dram.writes": "dram_writes",
    "line_waits": "line_waits",
    "line_wait_cycles": "line_wait_cycles",
    "lock_waits": "lock_waits",
    "lock_wait_cycles": "lock_wait_cycles",
    "faults.minor": "faults_minor",
    "faults.major": "faults_major",
    "fences": "fences",
    "store_buffer.stores": "store_buffer_stores",
    "store_buffer.drains": "store_buffer_drains",
    "store_buffer.forwards": "store_buffer_forwards",
    "store_buffer.stalls": "store_buffer_stalls",
    "store_buffer.blocked": "store_buffer_blocked",
    "store_buffer.aliases": "store_buffer_aliases",
    "store_buffer.fetches": "store_buffer_fetches",
    "store_buffer.streams": "store_buffer_streams",
    "invalidation_queue.lines": "invalidations_queued",
    "invalidation_queue.processed": "invalidations_processed",
    "invalidation_queue.loads": "early_loads",
    "cycles": "cycles",
    "idle_cycles": "idle_cycles",
    "context_switches": "context_switches",
    "shootdowns.sent": "shootdowns_sent",
    "shootdowns.received": "shootdowns_received",
    "refused_accesses": "refused_accesses",
}
CACHE_FIELDS = ("hits", "misses", "write_back_misses", "replacements", "dirty_evictions")
TLB_FIELDS = ("hits", "misses")  # also what is counted of the LLC by core, not by socket
DIRECTORY_FIELDS = (
    "gets",
    "getx",
    "upgrades",
    "fwd_gets",
    "fwd_getx",
    "inv",
    "putx",
    "memory_fills",
    "make_unique",
    "hits",
    "misses",
    "back_invalidations",
    "remote_requests",
)
DRAM_FIELDS = ("reads", "writes", "row_hits", "row_misses", "row_conflicts", "queue_cycles")
DISK_FIELDS = ("reads", "writes", "wait_cycles")
OTHERS = {"walker": "walk_accesses", "kernel": "kernel_accesses"}  # beside the program: what counts their accesses
SHARED = (
    "l1d.misses",
    "l1d.replacements",
    "l1d.dirty_evictions",
    "l1d.upgrades",
    "l2.misses",
    "l2.write_back_misses",
    "l2.replacements",
    "l2.dirty_evictions",
    "llc.hits",
    "llc.misses",
    "writebacks",
    "dram.writes",
)  # what is counted apart for them (layout.SHARE)
SERVED = {
    "l2.hits": (P.FROM_L2,),
    "upgrades": (P.FROM_UPGRADE,),
    "interventions_hit_modified": (P.FROM_HITM, P.FROM_REMOTE_HITM),
    "interventions_remote": (P.FROM_REMOTE_HITM,),
    "dram.reads": (P.FROM_DRAM, P.FROM_REMOTE_DRAM),
}  # of what served their misses
UNCACHED = ("uncached.reads", "uncached.writes")  # only theirs: page tables, with walker.path = "memory"
PROGRAMS = ("l1d.write_back_misses", "dtlb.hits", "dtlb.misses", "stlb.hits", "stlb.misses")  # only a program's accesses count here
MISS_CAUSES = ("miss.cold", "miss.capacity", "miss.true_sharing", "miss.false_sharing")


@functools.lru_cache(maxsize=16)
def plan(cores, sockets, mmu):
    """What the counters of such a machine are made of: lists and dicts whose leaves are sums, [(word of the record, weight)]."""
    each = [core_plan(c, mmu) for c in range(cores)]
    llc = {f: [(word("llc", s, f), 1) for s in range(sockets)] for f in CACHE_FIELDS}
    return {
        "cores": each,
        "llc": llc | {f: [part for core in each for part in core[f"llc.{f}"]] for f in TLB_FIELDS},
        "directory": {f: [(word("directory", f), 1)] for f in DIRECTORY_FIELDS},
        "dram": {f: [(word("dram", s, f), 1) for s in range(sockets)] for f in DRAM_FIELDS},
        "linux": {f: [(word("vmstat", f), 1)] for f in VMSTAT_NAMES} | {f"disk.{f}": [(word("disk", f), 1)] for f in DISK_FIELDS},
    }


def core_plan(c, mmu):
    """Name -> sum, of one core."""

    def field(*path):
        return [(word("core", c, *path), 1)]

    sums = {name: field(path) for name, path in CORE_FIELDS.items()}
    filtered = sums["loads"] + sums["stores"] + sums["atomics"] + [(word("core", c, "slow_accesses"), -1)]
    for level in ("l1d", "l2"):
        sums |= {f"{level}.{name}": field(level, name) for name in CACHE_FIELDS}
    for tlb in ("dtlb", "stlb"):
        sums |= {f"{tlb}.{name}": field(tlb, name) for name in TLB_FIELDS}
    in_flight = field("forwards_in_flight")  # the L1 was asked too, but the store answered
    sums["store_buffer.forwards"] += in_flight
    sums["l1d.hits"] += filtered + [(at, -1) for at, _ in in_flight]
    if mmu:
        sums["dtlb.hits"] += filtered
    sums |= {name: field("miss", cause) for cause, name in enumerate(MISS_CAUSES)}
    sums[MISS_CAUSES[FALSE_SHARING]] += [(word("observe", "pending", c), 1)]
    parts = shares(c, sums)
    return sums | parts


def shares(c, sums):
    """The sums of core `c` by who caused what they count: {"program": {name: sum}, "walker": ..., "kernel": ...}."""
    nothing = [(word("core", c, "loads"), 0)]
    parts = {}
    for who, accesses in OTHERS.items():
        part = {name: [(word("core", c, who, name.replace(".", "_")), 1)] for name in SHARED}
        part |= {name: [(word("core", c, who, "served", k), 1) for k in sources] for name, sources in SERVED.items()}
        uncached = {name: [(word("core", c, who, name.replace(".", "_")), 1)] for name in UNCACHED}
        hits = sums[accesses] + negative(part["l1d.misses"] + uncached["uncached.reads"] + uncached["uncached.writes"])
        part["dram.reads"] = part["dram.reads"] + uncached["uncached.reads"]
        parts[who] = {"l1d.hits": hits} | part | uncached | dict.fromkeys(PROGRAMS, nothing)
    for name in UNCACHED:
        sums[name] = [term for part in parts.values() for term in part[name]]
    program = {name: sums[name] + negative([term for part in parts.values() for term in part[name]]) for name in parts["walker"]}
    return {"program": program} | parts


def negative(terms):
    return [(word, -weight) for word, weight in terms]


def word(*path):
    """Number of the 8-byte word of the record that `path`, names of fields and indices, leads to."""
    dtype, offset = MACHINE, 0
    for step in path:
        if isinstance(step, str):
            dtype, begin = dtype.fields[step][:2]
            offset += begin
        else:
            dtype = dtype.base
            offset += step * dtype.itemsize
    return offset // 8


@functools.lru_cache(maxsize=16)
def gathered(cores, sockets, mmu):
    """The plan's leaves in order, as arrays: words, their weights, where each leaf's begin."""
    sums = leaves(plan(cores, sockets, mmu))
    words, weights = np.array([part for parts in sums for part in parts]).T
    return words, weights, np.cumsum([0] + [len(parts) for parts in sums[:-1]])


def leaves(node):
    if isinstance(node, dict):
        node = node.values()
    elif isinstance(node[0], tuple):
        return [node]
    return [leaf for child in node for leaf in leaves(child)]


def shape_of(machine):
    return machine.config.cores, machine.config.sockets, machine.config.mmu


def raw(machine):
    """The counters as one int64 vector, to subtract."""
    words, weights, begin = gathered(*shape_of(machine))
    first = machine.state.doors  # the record's first field
    record = np.lib.stride_tricks.as_strided(first, (MACHINE.itemsize // 8,), (8,))
    return np.add.reduceat(record[words] * weights, begin)


def named(machine, vector):
    """The nested dict whose leaves are `vector`'s."""
    values = iter(vector.tolist())

    def fill(node):
        if isinstance(node, tuple):  # names alone
            return dict(zip(node, values))
        if isinstance(node, dict):
            return {name: next(values) if child is None else fill(child) for name, child in node.items()}
        return [fill(child) for child in node]

    return with_totals(fill(outline(*shape_of(machine))))


@functools.lru_cache(maxsize=16)
def outline(cores, sockets, mmu):
    """The plan without its sums: None for a leaf, and a tuple of names for a dict that has only leaves."""

    def draw(node):
        if isinstance(node, list):
            return None if isinstance(node[0], tuple) else [draw(child) for child in node]
        drawn = {name: draw(child) for name, child in node.items()}
        return drawn if any(child is not None for child in drawn.values()) else tuple(drawn)

    return draw(plan(cores, sockets, mmu))


def with_totals(counts):
    """Adds "tlb", the sums over cores."""
    names = [n for n in counts["cores"][0] if n.startswith(("dtlb.", "stlb.")) or n in ("walks", "walk_accesses")]
    counts["tlb"] = {n: sum(c[n] for c in counts["cores"]) for n in names}
    return counts
