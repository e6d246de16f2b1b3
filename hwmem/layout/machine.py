"""The machine's record: all the others in one."""
from hwmem import params as P
from hwmem.layout.hardware import BUSY, CORE, COST, DIRECTORY, DRAM, LOCK, PROTOCOL, SETS
from hwmem.layout.linux import (CURSOR, DISK, FILE, FILES, FRAME, FRAMES, GROUP, LRU, MM, PROCESS, RECLAIM, RMAP, SWAP, SWAP_OWNER, THREAD,
                                VMA, VMA_NODE, VMSTAT)
from hwmem.layout.observers import (CELL, CELL_SLOTS, CELLS, EVENT, EVENT_SLOTS, OBSERVE, RACE, RACE_CELL, RACE_CELLS, RACE_LOG,
                                    PROBES, RACE_ROWS, RACE_SLOTS, SAMPLES, SERIES, SERIES_COUNTS, SHARED_ROWS, SYNC, WATCHED,
                                    WATCHED_SLOTS)
from hwmem.layout.rules import record


def machine(before_core, before_tag):
    """Laid out with so many bytes of nothing before the cores and before the pools."""
    return record(
        ("doors", "i8", P.DOORS), "ram_base", "ram_size",
        "cores", "sockets", "cores_per_socket", "mmu", "tables_uncached", "ordering", "inclusion", "recency", "has_l2", "has_llc", "sharers_supply",
        "direct",                       # misses of both private levels go straight to one inclusive LLC, and nobody logs requests
        "store_buffer_entries", "store_buffer_always", "invalidation_entries", "current_core", "threads", "deadlocked",
        "pinned",                       # frame + 1 that reclaim leaves alone: an access is under way in it (core/long_way.py)
        "outside",                      # host addresses asked for that the machine does not have (memory/ram.py)
        "until", "stopped",             # sched/scheduler.py: the cycle at which no thread runs any more; whether that came
        ("sys", "i8", 6),
        ("cost", COST), ("protocol", PROTOCOL), ("directory", DIRECTORY), ("dram", DRAM, P.MAX_SOCKETS), ("observe", OBSERVE), ("series", SERIES),
        ("align_core", "u1", before_core), ("core", CORE, P.MAX_CORES), ("llc", SETS, P.MAX_SOCKETS), ("key", "i8", P.MAX_CORES),
        ("turn", "i8", P.MAX_CORES),    # where core c's slice ends, whether or not somebody looks before (linux/series.py)
        ("thread", THREAD, P.MAX_THREADS), ("process", PROCESS, P.MAX_PROCESSES),
        ("frames", FRAMES), ("lru", LRU), ("reclaim", RECLAIM), ("swap", SWAP), ("disk", DISK), ("mm", MM), ("cursor", CURSOR),
        ("vmstat", VMSTAT), ("files", FILES), ("file", FILE, P.MAX_FILES),
        "vma_fresh", "vma_free", "rmap_fresh", "rmap_free", "groups", ("group", GROUP, P.MAX_GROUPS),      # groups: beside group 0
        ("busy", BUSY, P.BUSY_SLOTS), ("lock", LOCK, P.LOCK_SLOTS), ("align_tag", "u1", before_tag),
        ("tag", "i8", P.MAX_LINES), ("word", "i8", P.MAX_LINES), ("order", "u8", P.MAX_SETS), ("stamp", "i8", P.MAX_LINES),
        ("holder", "u1", P.MAX_LINES), ("vma", VMA, P.MAX_VMAS), ("vma_node", VMA_NODE, P.MAX_VMAS),
        ("watched", WATCHED, WATCHED_SLOTS), ("others_wrote", "u8", (SHARED_ROWS, P.MAX_CORES)),
        ("cell_index", "i4", CELL_SLOTS), ("cell", CELL, CELLS), ("event", EVENT, EVENT_SLOTS),
        ("race_index", "i4", RACE_SLOTS), ("race_cell", RACE_CELL, RACE_CELLS), ("race_row", "i4", (RACE_ROWS, P.MAX_THREADS)),
        ("race_sync", SYNC, RACE_ROWS), ("race_clock", "i4", (P.MAX_THREADS, P.MAX_THREADS)), ("race", RACE, RACE_LOG),
        ("sample", "i8", (SAMPLES, SERIES_COUNTS + PROBES)),
        ("rmap", RMAP, P.MAX_RMAPS), ("frame", FRAME, P.MAX_FRAMES),
        ("swap_map", "i4", P.MAX_SLOTS), ("swap_cache", "i4", P.MAX_SLOTS), ("page_cache", "i4", P.CACHE_SLOTS),
        ("swap_owner", SWAP_OWNER, P.MAX_SLOTS), ("frame_group", "i1", P.MAX_FRAMES), ("slot_group", "i1", P.MAX_SLOTS))


_to_core = P.LINE + -machine(P.LINE, P.LINE).fields["core"][1] % P.LINE         # where things begin on a line of the host's cache:
_to_tag = P.LINE + -machine(_to_core, P.LINE).fields["tag"][1] % P.LINE         # a core, and a set's row of eight tags
MACHINE = machine(_to_core, _to_tag)
assert MACHINE.fields["core"][1] % P.LINE == CORE.itemsize % P.LINE == 0
assert MACHINE.fields["tag"][1] % P.LINE == MACHINE.fields["vma"][1] % P.LINE == VMA.itemsize % P.LINE == 0
assert 0 < MACHINE.itemsize < 1 << 31                     # numpy's limit, which it does not tell
