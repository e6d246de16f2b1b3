"""malloc-free: what is asked for is had, and what a process keeps depends on the threshold."""

import pytest

import hwmem

KIB = 1024


@pytest.mark.parametrize("threads", [1, 3])
def test_every_block_is_had_and_freed(threads):
    values = hwmem.run("malloc-free", threads=threads, size=300, blocks=50, rounds=3).values
    assert values["failed"] == 0 and values["mapped"] == 0
    assert values["heap"] >= threads * 132 * KIB and values["heap_free"] > 0.9 * (values["heap"] - threads * 20 * KIB)


def test_mappings_go_back_and_in_the_second_round_the_heap_is_used():
    one = hwmem.run("malloc-free", size=160 * KIB, blocks=20, rounds=1).values
    assert one["heap"] == 132 * KIB and one["mapped"] == 0 and one["rss"] < one["asked"] / 4
    two = hwmem.run("malloc-free", size=160 * KIB, blocks=20, rounds=2, order="fifo").values
    assert two["mapped"] == 0 and two["heap"] < two["asked"], "trimmed when the last block went"


def test_threads_do_not_wait_for_each_other_s_arenas():
    r = hwmem.run("malloc-free", threads=4, size=2000, blocks=50, rounds=4)
    assert sum(core["lock_waits"] for core in r.counters["cores"]) == 0
