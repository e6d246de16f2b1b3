"""The counters of a result by subject, a table each. Names are those of Machine.counters()."""

from hwmem.params import HUGE_PAGE, PAGE
from hwmem.report.table import percent, table
from hwmem.units import format_size

CACHE_LEVELS = (("l1d", "L1D"), ("l2", "L2"), ("llc", "LLC"))
FAULT_EVENTS = ("pgfault", "pgmajfault", "thp_", "swap_ra", "workingset_", "disk.")  # beginnings of names of linux's counters
MEMORY_EVENTS = (
    "pgalloc",
    "pgfree",
    "pglazy",
    "pgscan",
    "pgsteal",
    "pgactivate",
    "pgdeactivate",
    "allocstall",
    "pageoutrun",
    "pswp",
    "pgpg",
    "oom_kill",
    "disk.",
)


def per_core(result, columns):
    """A row a core that did something, a column for each (header, function of the core's counters)."""
    rows = [
        [str(c), *(of(counts) for _, of in columns)]
        for c, counts in enumerate(result.counters["cores"])
        if counts["loads"] + counts["stores"] + counts["atomics"] + counts["kernel_accesses"]
    ]
    return table(["core", *(header for header, _ in columns)], rows)


def by_whom(result, columns):
    """The same with a row for each cause: the program, the page walker, the kernel."""
    rows = [
        [str(c), who, *(of(part) for _, of in columns)]
        for c, counts in enumerate(result.counters["cores"])
        for who, part in parts_of(counts)
        if any(part.values())
    ]
    return table(["core", "by", *(header for header, _ in columns)], rows)


def parts_of(counts):
    """(who, counters); a result may be older than the parts."""
    return [(who, counts[who]) for who in ("program", "walker", "kernel")] if "program" in counts else [("all", counts)]


def count(name):
    """Of a core's counters; a result may be older than a counter."""
    return lambda counts: counts.get(name, "-")


def miss_ratio(level):
    return lambda c: percent(c[f"{level}.misses"], c[f"{level}.hits"] + c[f"{level}.misses"])


def events(result, beginnings):
    """The kernel's events whose names begin so, where there were any: a table, or nothing."""
    rows = [[name, n] for name, n in result.counters.get("linux", {}).items() if n and name.startswith(beginnings)]
    return [table(["Linux", "count"], rows)] if rows else []


def caches(result):
    """Hits and misses of every core at every level, by who caused them; the directory's transactions; misses by cause if
    classified."""
    columns = []
    for level, name in CACHE_LEVELS:
        if level == "llc" or getattr(result.config, level):
            columns += [(f"{name} hits", count(f"{level}.hits")), ("misses", count(f"{level}.misses")), ("ratio", miss_ratio(level))]
    directory = result.counters["directory"]
    parts = [
        by_whom(result, columns),
        by_whom(
            result,
            [
                ("L1D replaced", count("l1d.replacements")),
                ("dirty", count("l1d.dirty_evictions")),
                ("L2 replaced", count("l2.replacements")),
                ("dirty", count("l2.dirty_evictions")),
                ("written back", count("writebacks")),
                ("upgrades", count("upgrades")),
                ("HITM", count("interventions_hit_modified")),
                ("remote", count("interventions_remote")),
                ("DRAM reads", count("dram.reads")),
                ("writes", count("dram.writes")),
            ],
        ),
        per_core(
            result,
            [
                ("invalidated", count("invalidations_received")),
                ("waits for a line", count("line_waits")),
                ("cycles", count("line_wait_cycles")),
            ],
        ),
    ]
    if any(c["miss.cold"] for c in result.counters["cores"]):
        parts.append(
            per_core(
                result,
                [
                    (f"{cause} misses", count(f"miss.{cause.replace(' ', '_')}"))
                    for cause in ("cold", "capacity", "true sharing", "false sharing")
                ],
            )
        )
    parts.append(table(["directory", "count"], [list(row) for row in directory.items()]))
    return "\n\n".join(parts)


def tlb(result):
    """First- and second-level TLB hits and misses, page walks (one a miss, one more for an access that faulted and is tried
    again) and the accesses they make; how far the TLBs reach."""
    levels = [(name, getattr(result.config, name)) for name in ("dtlb", "dtlb_2m", "stlb")]
    sizes = {"dtlb": [PAGE] if result.config.dtlb_2m else [PAGE, HUGE_PAGE], "dtlb_2m": [HUGE_PAGE], "stlb": [PAGE, HUGE_PAGE]}
    reach = table(
        ["TLB", "entries", "reach, 4 KiB", "2 MiB"],
        [
            [name, level.entries, *(format_size(level.entries * size) if size in sizes[name] else "-" for size in (PAGE, HUGE_PAGE))]
            for name, level in levels
            if level
        ],
    )
    return "\n\n".join(
        [
            reach,
            per_core(
                result,
                [
                    ("DTLB hits", count("dtlb.hits")),
                    ("misses", count("dtlb.misses")),
                    ("ratio", miss_ratio("dtlb")),
                    ("STLB hits", count("stlb.hits")),
                    ("misses", count("stlb.misses")),
                    ("ratio", miss_ratio("stlb")),
                    ("faults", lambda c: c["faults.minor"] + c["faults.major"]),
                    ("walks", count("walks")),
                    ("walk accesses", count("walk_accesses")),
                ],
            ),
        ]
    )


def faults(result):
    """Page faults, the kernel's own accesses, context switches and TLB shootdowns; the kernel's events behind faults."""
    return "\n\n".join(
        [
            per_core(
                result,
                [
                    ("minor faults", count("faults.minor")),
                    ("major", count("faults.major")),
                    ("kernel accesses", count("kernel_accesses")),
                    ("context switches", count("context_switches")),
                    ("shootdowns sent", count("shootdowns.sent")),
                    ("received", count("shootdowns.received")),
                    ("idle cycles", count("idle_cycles")),
                ],
            ),
            *events(result, FAULT_EVENTS),
        ]
    )


def memory(result):
    """DRAM's reads and writes, how they met the open rows, and the bandwidth used; frames, reclaim and swap."""
    dram = result.counters["dram"]
    lines = dram["reads"] + dram["writes"]
    rate = f"{lines * 64 / result.seconds / 1e9:.2f} GB/s" if result.seconds else "-"
    return "\n\n".join(
        [
            table(
                ["DRAM", "count", "share"],
                [
                    ["reads", dram["reads"], percent(dram["reads"], lines)],
                    ["writes", dram["writes"], percent(dram["writes"], lines)],
                    ["row hits", dram["row_hits"], percent(dram["row_hits"], lines)],
                    ["row misses", dram["row_misses"], percent(dram["row_misses"], lines)],
                    ["row conflicts", dram["row_conflicts"], percent(dram["row_conflicts"], lines)],
                    ["cycles in queues", dram["queue_cycles"], "-"],
                    ["bytes", lines * 64, rate],
                ],
            ),
            *events(result, MEMORY_EVENTS),
        ]
    )


def ordering(result):
    """The store buffers, fences and atomics. Asked ahead: lines fetched before their store, early: loads that missed another's
    store (both relaxed); past caches: non-temporal."""
    return per_core(
        result,
        [
            ("stores", count("stores")),
            ("buffered", count("store_buffer.stores")),
            ("drained", count("store_buffer.drains")),
            ("forwarded", count("store_buffer.forwards")),
            ("blocked", count("store_buffer.blocked")),
            ("aliases", count("store_buffer.aliases")),
            ("stalls", count("store_buffer.stalls")),
            ("asked ahead", count("store_buffer.fetches")),
            ("past caches", count("store_buffer.streams")),
            ("early", count("invalidation_queue.loads")),
            ("fences", count("fences")),
            ("atomics", count("atomics")),
        ],
    )
