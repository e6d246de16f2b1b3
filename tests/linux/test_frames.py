"""The buddy allocator and the cores' lists: no frame twice, none lost, neighbours joined again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pressure import free_frames, small_machine

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.linux.frames import give_frame, give_huge, take_frame, take_huge
from hwmem.linux.reclaim import drain_core_lists

TAKE, GIVE, TAKE_HUGE, GIVE_HUGE, DRAIN = range(5)
TOTAL = 4096


@kernel
def run_frames(m, script, results):
    """Rows (core, operation, frame)."""
    for i in range(len(script)):
        c, operation, frame = script[i, 0], script[i, 1], script[i, 2]
        if operation == TAKE:
            results[i] = take_frame(m, c)
        elif operation == GIVE:
            give_frame(m, c, frame)
        elif operation == TAKE_HUGE:
            results[i] = take_huge(m, c)
        elif operation == GIVE_HUGE:
            give_huge(m, frame)
        else:
            drain_core_lists(m)


def run(machine, rows):
    results = np.zeros(len(rows), np.int64)
    run_frames(machine.state, np.array(rows, np.int64).reshape(-1, 3), results)
    return results.tolist()


@pytest.fixture(scope="module")
def machine():
    return small_machine(TOTAL * P.PAGE, 0)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from((TAKE, TAKE, TAKE, GIVE, GIVE, TAKE_HUGE, GIVE_HUGE, DRAIN)), st.integers(0, 1 << 30)),
        max_size=60,
    )
)
def test_frames_are_handed_out_once_and_all_come_back(machine, steps):
    used = int(machine.state.frames.used)
    small, huge, taken = [], [], set()
    for core, operation, choice in steps:
        if operation in (GIVE, GIVE_HUGE):
            held = small if operation == GIVE else huge
            if not held:
                continue
            frame = held.pop(choice % len(held))
            taken -= set(range(frame, frame + (1 if operation == GIVE else 512)))
            run(machine, [(core, operation, frame)])
            continue
        (frame,) = run(machine, [(core, operation, 0)])
        if operation in (TAKE, TAKE_HUGE) and frame >= 0:
            block = set(range(frame, frame + (1 if operation == TAKE else 512)))
            assert 0 < frame and max(block) < TOTAL and not block & taken
            assert operation == TAKE or frame % 512 == 0
            taken |= block
            (small if operation == TAKE else huge).append(frame)
        assert machine.state.frames.used == used + len(taken)
    run(machine, [(0, GIVE, f) for f in small] + [(0, GIVE_HUGE, f) for f in huge] + [(0, DRAIN, 0)])
    machine.check()
    assert free_frames(machine) == TOTAL - 1 - used


def test_when_all_is_free_only_the_largest_blocks_are_left_but_for_frame_0s_neighbours():
    machine = small_machine(TOTAL * P.PAGE, 0)
    frames = run(machine, [(0, TAKE, 0)] * 3000)
    assert len(set(frames)) == 3000
    rng = np.random.default_rng(5)
    run(machine, [(1, GIVE, f) for f in rng.permutation(frames)] + [(0, DRAIN, 0)])
    machine.check()
    largest = int(machine.state.frames.fresh) // 1024 - 1
    assert [int(machine.state.frames.count[order]) for order in range(11)] == [1] * 10 + [largest]


def test_memory_in_pieces_has_no_huge_block_until_neighbours_return():
    machine = small_machine(TOTAL * P.PAGE, 0)
    frames = run(machine, [(0, TAKE, 0)] * (TOTAL - 200))
    run(machine, [(0, GIVE, f) for f in frames if f % 2] + [(0, DRAIN, 0)])
    assert run(machine, [(0, TAKE_HUGE, 0)]) == [-1]
    assert machine.unusable_index()[9] > 0.9
    run(machine, [(0, GIVE, f) for f in frames if f % 2 == 0] + [(0, DRAIN, 0)])
    assert run(machine, [(0, TAKE_HUGE, 0)])[0] % 512 == 0
