"""runtime.MemStats: every field is there, and what they have to do with one another holds after any allocations."""

import numpy as np
from hypothesis import given, settings, strategies as st

from goalloc.runtime.runtime import Runtime
from goalloc.sizeclasses import class_to_size, size_class
from goalloc.types import pointer, struct

# In the order of the real struct. Go: mstats.go MemStats
FIELDS = """Alloc TotalAlloc Sys Lookups Mallocs Frees HeapAlloc HeapSys HeapIdle HeapInuse HeapReleased HeapObjects StackInuse StackSys
    MSpanInuse MSpanSys MCacheInuse MCacheSys BuckHashSys GCSys OtherSys NextGC LastGC PauseTotalNs PauseNs PauseEnd NumGC
    NumForcedGC GCCPUFraction EnableGC DebugGC BySize""".split()
SIZES = st.lists(st.one_of(st.integers(0, 64), st.integers(1, 40_000), st.integers(32_769, 1 << 20)), min_size=1, max_size=80)


def identities(s):
    assert list(s) == FIELDS
    assert s["Sys"] == sum(s[name] for name in FIELDS if name.endswith("Sys") and name != "Sys")
    assert s["HeapSys"] == s["HeapIdle"] + s["HeapInuse"] and s["HeapReleased"] <= s["HeapIdle"]
    assert s["Alloc"] == s["HeapAlloc"] <= s["HeapInuse"] and s["HeapAlloc"] <= s["TotalAlloc"]
    assert s["HeapObjects"] == s["Mallocs"] - s["Frees"]
    assert s["StackInuse"] <= s["StackSys"] and s["MSpanInuse"] <= s["MSpanSys"] and s["MCacheInuse"] <= s["MCacheSys"]
    assert len(s["BySize"]) == 61 and len(s["PauseNs"]) == len(s["PauseEnd"]) == 256
    assert [row["Size"] for row in s["BySize"]] == list(class_to_size[:61])
    assert s["EnableGC"] and not s["DebugGC"] and s["Lookups"] == s["NumGC"] == s["PauseTotalNs"] == s["LastGC"] == 0


def test_the_identities_hold_and_the_changes_are_what_was_allocated(machine):
    """Plain Python counts along: objects, bytes by size class, tiny objects, which count as allocated and freed."""

    @settings(max_examples=15, deadline=None)
    @given(SIZES, st.booleans())
    def holds(wanted, noscan):
        rt = Runtime(machine=machine, gomaxprocs=1)
        try:
            before = rt.memstats()
            identities(before)
            sizes = [size if noscan else -(-size // 8) * 8 for size in wanted]
            rt.malloc_many(np.array(sizes, np.int64), noscan=noscan)
            after = rt.memstats()
            identities(after)
            small = [size for size in sizes if (16 if noscan else 1) <= size <= 32768]
            large = [-(-size // 8192) * 8192 for size in sizes if size > 32768]
            tiny = sum(0 < size < 16 for size in sizes) if noscan else 0
            change = {name: after[name] - before[name] for name in ("Mallocs", "Frees", "TotalAlloc", "HeapObjects")}
            by_size = {row["Size"]: row["Mallocs"] - old["Mallocs"] for row, old in zip(after["BySize"], before["BySize"])}
            blocks = by_size[16] - sum(class_to_size[size_class(size)] == 16 for size in small)
            assert change["Mallocs"] - change["Frees"] == change["HeapObjects"] == len(small) + len(large) + blocks
            assert change["Frees"] == tiny - blocks and 0 <= blocks <= tiny
            assert change["TotalAlloc"] == sum(class_to_size[size_class(size)] for size in small) + sum(large) + 16 * blocks
            for size in set(class_to_size[:61]) - {0, 16}:
                assert by_size[size] == sum(class_to_size[size_class(n)] == size for n in small)
            rt.check()
        finally:
            rt.process.exit()

    holds()


def test_stacks_buckets_and_arenas_count_under_their_names(runtime):
    rt = runtime(gomaxprocs=2, godebug="memprofilerate=1")
    before = rt.memstats()
    assert before["BuckHashSys"] == 0
    gs = [rt.go(core=i % 2) for i in range(20)]
    gs[3].call(40_000)
    rt.arena().new(struct("N", p=pointer))
    after = rt.memstats()
    identities(before)
    identities(after)
    assert after["StackInuse"] - before["StackInuse"] >= 65536 and after["StackSys"] == after["StackInuse"]
    assert after["BuckHashSys"] >= 179_999 * 8 and after["HeapInuse"] - before["HeapInuse"] >= 8 << 20
    assert after["MCacheInuse"] == 2 * 1200
    rt.check()


def test_the_sizes_statistics_add_up(runtime):
    rt = runtime(gomaxprocs=1)
    for size in (8, 24, 1000, 5000, 30_000, 50_000):
        rt.malloc_many(np.full(37, size), noscan=False)
    rows, stats = rt.size_stats(), rt.memstats()
    for row in rows:
        assert row["slots"] == row["live"] + row["free"] and row["live"] == row["mallocs"] - row["frees"]
        assert row["class"] == 0 or row["span bytes"] == row["slots"] * row["size"] + row["tail"]
    assert sum(row["span bytes"] for row in rows) == stats["HeapInuse"]
    assert sum(row["live"] for row in rows) == stats["HeapObjects"] and rows[0]["mallocs"] >= 37
    assert sum(row["live"] * row["size"] for row in rows[1:]) + rows[0]["span bytes"] == stats["HeapAlloc"]
