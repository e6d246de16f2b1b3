"""spin-lock and reader-writer: mutual exclusion first, then what each kind is known for."""

import pytest

import hwmem

LOCKS = ("test-and-set", "ttas", "ticket", "mcs")
SHORT_SLICES = hwmem.MachineConfig().replace(kernel={"time_slice": 20_000, "context_switch": 100})


@pytest.mark.parametrize("ordering", ["tso", "sc"])
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("lock", LOCKS)
def test_no_addition_is_lost_under_a_lock(lock, threads, ordering):
    config = hwmem.MachineConfig().replace(ordering=ordering)
    values = hwmem.run("spin-lock", config, lock=lock, threads=threads, iterations=300, additions=2).values
    assert values["counter"] == values["expected"] == threads * 600


@pytest.mark.parametrize("lock", LOCKS)
def test_no_addition_is_lost_when_threads_outnumber_cores(lock):
    values = hwmem.run("spin-lock", SHORT_SLICES, lock=lock, threads=6, iterations=20).values
    assert values["counter"] == values["expected"]


@pytest.mark.parametrize("lock", ["ticket", "mcs"])
def test_queueing_locks_go_to_another_thread_nearly_every_time(lock):
    values = hwmem.run("spin-lock", lock=lock, threads=4, iterations=500).values
    assert values["hand_overs"] > 0.9 * values["operations"]


def test_waiters_of_mcs_wait_at_lines_of_their_own():
    r = hwmem.run("spin-lock", lock="mcs", threads=4, iterations=500)
    waiting = [o for row in r.c2c() for o in row["offsets"] if o["symbol"].startswith("nodes[") and o["offset"] == 8]
    assert waiting and all(row["symbol"] != "lock" or row["loads"] == 0 for row in r.c2c())
    assert {o["thread"] for o in waiting} == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["rwlock", "seqlock"])
@pytest.mark.parametrize("readers, writers", [(3, 1), (2, 2), (0, 4), (4, 0)])
def test_no_reader_sees_the_two_words_differ(kind, readers, writers):
    values = hwmem.run("reader-writer", kind=kind, readers=readers, writers=writers, iterations=300).values
    assert values["data"] == [writers * 300] * 2 == [values["written"]] * 2
    assert values["torn"] == 0


def test_readers_of_a_seqlock_read_again_when_a_writer_came_between():
    assert hwmem.run("reader-writer", kind="seqlock", iterations=1000).values["retries"] > 0


def test_without_writers_a_seqlock_moves_no_line_and_a_lock_does():
    def invalidated(kind):
        r = hwmem.run("reader-writer", kind=kind, readers=4, writers=0, iterations=500)
        return sum(core["invalidations_received"] for core in r.counters["cores"])

    assert invalidated("seqlock") < 10 and invalidated("rwlock") > 1000


def test_a_program_of_no_threads_is_refused():
    with pytest.raises(ValueError, match=r"^reader-writer.readers must be above 0 without writers, not 0$"):
        hwmem.run("reader-writer", readers=0, writers=0)


def test_threads_do_not_keep_step_for_ever():
    """32 threads on Graviton2: what a round takes differs, by the seed, and the lock goes round."""

    def hand_overs(jitter, seed=0):
        return hwmem.run(
            "spin-lock", hwmem.MachineConfig.preset("graviton2"), seed=seed, threads=32, iterations=100, jitter=jitter, c2c=False
        ).values["hand_overs"]

    assert hand_overs(50) > 320, "a tenth of the critical sections"
    assert hand_overs(50) == hand_overs(50) != hand_overs(50, seed=1)
