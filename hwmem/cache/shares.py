"""Who caused it: what of a core's counts is the page walker's, and what the kernel's. The rest is the program's.

    an access of the kernel ── the L1 has the line: nothing more is counted
                            └─ it misses:  open_share ── take_miss ── close_share
    one of the walker, missing:  take_miss with BY_WALKER, and core.walking set

What a miss changes of the core's counts between the two is the kernel's; it opens a share once a range (core/physical.py). The walker
misses one line at a time and often: where a miss counts something, it is counted in `core.walker` too, on the way of most misses because
of BY_WALKER, which is a constant there, elsewhere because of `core.walking`. What served the miss (core.source) is counted in
`share.served`, which has L2 hits, upgrades, HITMs and DRAM reads. Their L1 hits are their accesses less their misses
(observe/counters.py). A program's own access pays nothing for it, and the core's counts stay sums over all three.
"""

from hwmem._jit import hot

BY_WALKER = 2  # beside `write` (0/1) of a miss: it is the page walker's


@hot
def open_share(core):
    """What the core counts from now on is somebody's."""
    before, l1, l2 = core.before, core.l1d, core.l2
    before.l1d_misses, before.l1d_replacements, before.l1d_dirty_evictions = l1.misses, l1.replacements, l1.dirty_evictions
    before.l2_misses, before.l2_write_back_misses = l2.misses, l2.write_back_misses
    before.l2_replacements, before.l2_dirty_evictions = l2.replacements, l2.dirty_evictions
    before.llc_hits, before.llc_misses, before.l1d_upgrades = core.llc_hits, core.llc_misses, core.l1d_upgrades
    before.writebacks, before.dram_writes = core.writebacks, core.dram_writes


@hot
def close_share(core, share):
    """What the core has counted since open_share is also counted in `share`."""
    before, l1, l2 = core.before, core.l1d, core.l2
    share.l1d_misses += l1.misses - before.l1d_misses
    share.l1d_replacements += l1.replacements - before.l1d_replacements
    share.l1d_dirty_evictions += l1.dirty_evictions - before.l1d_dirty_evictions
    share.l2_misses += l2.misses - before.l2_misses
    share.l2_write_back_misses += l2.write_back_misses - before.l2_write_back_misses
    share.l2_replacements += l2.replacements - before.l2_replacements
    share.l2_dirty_evictions += l2.dirty_evictions - before.l2_dirty_evictions
    share.llc_hits += core.llc_hits - before.llc_hits
    share.llc_misses += core.llc_misses - before.llc_misses
    share.l1d_upgrades += core.l1d_upgrades - before.l1d_upgrades
    share.writebacks += core.writebacks - before.writebacks
    share.dram_writes += core.dram_writes - before.dram_writes
