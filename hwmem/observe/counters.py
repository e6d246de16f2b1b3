"""Counters by name, and the identities that tie them.

The kernels count into fields of the record; here the fields get the names that users see (docs/counters.md).
What the hit filter serves is counted once, as an access: an access that did not leave the filter was a hit of
the L1D and the L1 DTLB, which is where those counts come from here. Of each core:

    l1d.hits + l1d.misses     = loads + stores + atomics + split_accesses + walk_accesses + kernel_accesses
                                + store_buffer.drains + store_buffer.fetches - store_buffer.stores - store_buffer.forwards
                                - store_buffer.streams - invalidation_queue.loads - refused_accesses
    dtlb.hits + dtlb.misses   = loads + stores + atomics + split_accesses      (give or take refused_accesses)
    stlb.hits + stlb.misses   = dtlb.misses <= walks                           (without an STLB: dtlb.misses <= walks)
    l2.hits + l2.misses       = l1d.misses
    llc.hits + llc.misses     = misses of the last private level = requests of the core
    invalidation_queue.lines  = invalidation_queue.processed + lines that wait; at most invalidations_received
    miss.cold + capacity + true_sharing + false_sharing + upgrades = l1d.misses    (while observe/sharing.py classifies)

and of the machine:

    directory: gets + getx + upgrades = hits + misses = requests of all cores
               fwd_gets + fwd_getx + remote_requests + memory_fills + make_unique = misses
               inv + fwd_getx = invalidations_received of all cores
    dram:      reads = memory_fills;  row_hits + row_misses + row_conflicts = reads + writes

Machine.check() holds the counters to them (checks/counts.py).
"""
import numpy as np

from hwmem.layout import VMSTAT_NAMES
from hwmem.observe.sharing import FALSE_SHARING

CORE_FIELDS = {
    "loads": "loads", "stores": "stores", "atomics": "atomics", "split_accesses": "split_accesses",
    "split_double_misses": "split_double_misses", "walk_accesses": "walk_accesses", "kernel_accesses": "kernel_accesses",
    "llc.hits": "llc_hits", "llc.misses": "llc_misses", "walks": "walks", "upgrades": "upgrades",
    "invalidations_received": "invalidations_received", "interventions_hit_modified": "interventions_hit_modified",
    "interventions_remote": "interventions_remote", "writebacks": "writebacks",
    "line_waits": "line_waits", "line_wait_cycles": "line_wait_cycles",
    "lock_waits": "lock_waits", "lock_wait_cycles": "lock_wait_cycles",
    "faults.minor": "faults_minor", "faults.major": "faults_major", "fences": "fences",
    "store_buffer.stores": "store_buffer_stores", "store_buffer.drains": "store_buffer_drains",
    "store_buffer.forwards": "store_buffer_forwards", "store_buffer.stalls": "store_buffer_stalls",
    "store_buffer.fetches": "store_buffer_fetches", "store_buffer.streams": "store_buffer_streams",
    "invalidation_queue.lines": "invalidations_queued", "invalidation_queue.processed": "invalidations_processed",
    "invalidation_queue.loads": "early_loads",
    "cycles": "cycles", "idle_cycles": "idle_cycles", "context_switches": "context_switches",
    "shootdowns.sent": "shootdowns_sent", "shootdowns.received": "shootdowns_received",
    "refused_accesses": "refused_accesses"}
CACHE_FIELDS = ("hits", "misses", "write_back_misses", "replacements", "dirty_evictions")
TLB_FIELDS = ("hits", "misses")         # also what is counted of the LLC by core, not by socket
DIRECTORY_FIELDS = ("gets", "getx", "upgrades", "fwd_gets", "fwd_getx", "inv", "putx", "memory_fills", "make_unique", "hits", "misses",
                    "back_invalidations", "remote_requests")
DRAM_FIELDS = ("reads", "writes", "row_hits", "row_misses", "row_conflicts", "queue_cycles")
DISK_FIELDS = ("reads", "writes", "wait_cycles")
MISS_CAUSES = ("miss.cold", "miss.capacity", "miss.true_sharing", "miss.false_sharing")


def core_counts(machine, c):
    """Name -> count of one core."""
    core = machine.state.core[c]
    counts = {name: int(core[field]) for name, field in CORE_FIELDS.items()}
    filtered = counts["loads"] + counts["stores"] + counts["atomics"] - int(core.slow_accesses)
    for level in ("l1d", "l2"):
        counts |= {f"{level}.{field}": int(core[level][field]) for field in CACHE_FIELDS}
    for tlb in ("dtlb", "stlb"):
        counts |= {f"{tlb}.{field}": int(core[tlb][field]) for field in TLB_FIELDS}
    counts["l1d.hits"] += filtered
    if machine.config.mmu:
        counts["dtlb.hits"] += filtered
    counts |= dict(zip(MISS_CAUSES, map(int, core.miss)))
    counts[MISS_CAUSES[FALSE_SHARING]] += int(machine.state.observe.pending[c])
    return counts


def tree(machine):
    """All counters since the machine was made: lists and dicts with int leaves."""
    m, config = machine.state, machine.config
    sockets = range(config.sockets)
    cores = [core_counts(machine, c) for c in range(config.cores)]
    llc = {f: sum(int(m.llc[s][f]) for s in sockets) for f in CACHE_FIELDS}
    return {"cores": cores,
            "llc": llc | {f: sum(core[f"llc.{f}"] for core in cores) for f in TLB_FIELDS},
            "directory": {f: int(m.directory[f]) for f in DIRECTORY_FIELDS},
            "dram": {f: sum(int(m.dram[s][f]) for s in sockets) for f in DRAM_FIELDS},
            "linux": {f: int(m.vmstat[f]) for f in VMSTAT_NAMES} | {f"disk.{f}": int(m.disk[f]) for f in DISK_FIELDS}}


def leaves(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        return [leaf for child in node for leaf in leaves(child)]
    return [node]


def raw(machine):
    """The counters as one int64 vector, to subtract."""
    return np.array(leaves(tree(machine)), dtype=np.int64)


def named(machine, vector):
    """The nested dict whose leaves are `vector`'s."""
    values = iter(vector.tolist())

    def fill(node):
        if isinstance(node, dict):
            return {name: fill(child) for name, child in node.items()}
        if isinstance(node, list):
            return [fill(child) for child in node]
        return next(values)
    return with_totals(machine, fill(tree(machine)))


def with_totals(machine, counts):
    """Adds "tlb", the sums over cores."""
    names = [n for n in counts["cores"][0] if n.startswith(("dtlb.", "stlb.", "walk"))]
    counts["tlb"] = {n: sum(c[n] for c in counts["cores"]) for n in names}
    return counts
