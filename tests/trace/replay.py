"""Replay references on the machine, set up as the tools it is compared with: one core, no address translation, stores
performed at once, LRU levels that are neither inclusive nor exclusive of each other."""

LEVELS = ("l1d", "l2", "llc")  # first level first; those not asked for are left out
LATENCIES = (4, 14, 40)  # cycles; they decide nothing that is counted here
LINE_BYTES = 64


def replay_counts(addresses, is_store, sizes, levels):
    """What the machine counts for these references with `levels`, a list of (sets, ways).

    "levels": {"hits", "misses", "dirty_evictions", "write_back_misses"} of each (a reference to two lines is two
    lookups); "loads", "stores": references; "split_accesses": references to two lines; "split_double_misses":
    those of them that missed the first level with both.
    """
    import hwmem

    caches = {
        name: hwmem.CacheConfig(size=sets * ways * LINE_BYTES, ways=ways, latency=latency, replacement="lru")
        for name, latency, (sets, ways) in zip(LEVELS, LATENCIES, levels)
    }
    config = hwmem.MachineConfig().replace(cores=1, mmu=False, ordering="sc", inclusion="nine", **(dict.fromkeys(LEVELS) | caches))
    counters = hwmem.Machine(config).replay((addresses, is_store, sizes))
    core = counters["cores"][0]

    def of_level(name):
        box = {f"llc.{field}": count for field, count in counters["llc"].items()} | core  # the LLC is no core's
        return {field: box[f"{name}.{field}"] for field in ("hits", "misses", "dirty_evictions", "write_back_misses")}

    return {
        "levels": [of_level(name) for name in caches],
        **{name: core[name] for name in ("loads", "stores", "split_accesses", "split_double_misses")},
    }
