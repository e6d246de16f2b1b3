"""A heap that begins as the real one was recorded gives the real one's addresses, spans and statistics."""

import numpy as np
import pytest
from recorded import fnv1a, program, run_lengths, scenarios

from goalloc.observe.inspect import Inspector
from goalloc.layout import mheap, p_, variables as V
from goalloc.params import pageSize

ARENA = 0xC0_0000_0000
NAMES = [name for name in scenarios() if name != "map_int_int"]


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_the_program_gets_the_recorded_addresses_and_leaves_the_recorded_heap(runtime, name):
    recorded = scenarios()[name]
    rt = runtime(start=recorded)
    noted = program(name)(rt)
    addresses = np.array(noted)
    assert addresses[0] == recorded["base"] and len(addresses) == recorded["n"]
    assert run_lengths(np.diff(addresses[:2000])) == recorded["delta_rle_2000"]
    assert fnv1a(addresses - addresses[0]) == recorded["fnv1a64_all_offsets_le8"]
    if name == "goroutines":
        assert noted.rows == recorded["extra"]
    for i, page, npages, spanclass in recorded["spans_[alloc_index,page_from_0xc000000000,npages,spanclass]"][::20]:
        span = rt.span_of(addresses[i])
        assert ((span["base"] - ARENA) // pageSize, span["npages"], span["spanclass"]) == (page, npages, spanclass)
    stats = rt.memstats()
    assert {key: stats[key] for key in recorded["memstats_after"]} == recorded["memstats_after"]
    look, after = Inspector(rt.process), recorded["after"]
    assert list(look.words(V.mheap_ + mheap.curArena, 2)) == after["curArena"]
    assert look.words(rt.ps[0] + p_.pcache, 3) == (after["pcache_base"], int(after["pcache_bits"], 16), int(after["pcache_scav"], 16))
    rt.check()


@pytest.mark.oracle
def test_a_heap_that_cannot_be_rebuilt_is_refused(runtime):
    recorded = dict(scenarios()["n16_noscan"])
    recorded["memstats_before"] = recorded["memstats_before"] | {"HeapInuse": 0}
    with pytest.raises(ValueError, match="HeapInuse 303104, recorded 0"):
        runtime(start=recorded)
