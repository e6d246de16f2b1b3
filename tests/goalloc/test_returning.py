"""512 MiB that are freed, given back and used again: memory, faults and collections of the real program (madvise.json.gz), for objects of
1 MiB and both kinds of madvise, and of 1 KiB (whose spans, mark bits and lists count too)."""

import pytest
from recorded import oracle
from returning import Returning

STEPS = oracle("madvise")["steps"]
RSS, FAULTS = 0.02, 80  # of RSS; page faults of a step that the process's own memory may make


def all_of(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.slow
@pytest.mark.parametrize("kind, madvdontneed", [("large", 1), ("large", 0), ("small", 1)])  # ("small", 0) as well, but 20 seconds more
def test_memory_goes_back_and_comes_again_as_in_the_real_process(kind, madvdontneed):
    ours = Returning(kind, madvdontneed).run()
    start = ours["start"]["RssKB"]
    for row in STEPS[f"{kind}_madvdontneed{madvdontneed}"][1:]:
        step, told = row["step"], ours[row["step"]]
        base = all_of(STEPS[f"{kind}_madvdontneed{madvdontneed}"][0]["RssKB"])[0]
        rss = [r - base for r in all_of(row["RssKB"])]
        slack = RSS * max(all_of(row["RssKB"]))
        faults = all_of(row["MinFlt_step"])
        assert min(faults) - FAULTS <= told["MinFlt_step"] <= max(faults) + FAULTS, step
        if "256MiB" not in step:  # there the real scavenger has begun, at its own time
            assert min(rss) - slack <= told["RssKB"] - start <= max(rss) + slack, step
            lazy = all_of(row["LazyFreeKB"])
            assert min(lazy) - slack <= told["LazyFreeKB"] <= max(lazy) + slack, step
        assert told["NumGC"] in all_of(row["NumGC"]), step
        if step in ("after_runtime.GC", "after_FreeOSMemory"):
            assert told["HeapIdle"] == pytest.approx(all_of(row["HeapIdle"])[0], rel=0.001)
    assert ours["after_FreeOSMemory"]["HeapIdle"] == ours["after_FreeOSMemory"]["HeapReleased"]
