"""What a collector must not do, as hypotheses: whatever a program does beside marking, on any number of Ps and under any ordering, nothing that it can
reach is freed, and what it has lost is, by the second collection after. (python -m tests.goalloc.cycles: the same for long.)"""

from cycles import ORDERINGS, SHORT
from hypothesis import given, settings, strategies as st
from mutator import Mutator

import goalloc
from hwmem import MachineConfig

MOST_PS, MOST_STEPS = 8, 24
GARBAGE = [8192] * 64  # of a call: a cycle begins every second time


@settings(max_examples=8, deadline=None)
@given(
    gomaxprocs=st.integers(1, MOST_PS),
    ordering=st.sampled_from(ORDERINGS),
    steps=st.integers(1, MOST_STEPS),
    random=st.randoms(use_true_random=False),
)
def test_what_a_program_reaches_is_kept_and_what_it_lost_is_freed_whatever_it_does_beside_marking(gomaxprocs, ordering, steps, random):
    """Objects, edges that move, variables, frames that come and go on stacks that grow and shrink: looked at after each step beside marking
    (the tricolour invariant, lists of spans), and after two collections more."""
    rt = goalloc.Runtime(config=MachineConfig().replace(cores=gomaxprocs, ordering=ordering), gomaxprocs=gomaxprocs, gogc=1, collects=True)
    mutator = Mutator(rt, 0, ballast=32, compute=SHORT // gomaxprocs)
    mutator.random = random
    for _ in range(steps):
        if not mutator.marking():
            rt.malloc_many(GARBAGE, core=random.randrange(gomaxprocs))
        mutator.step()
        if mutator.marking():
            rt.check()
    rt.gc(), rt.gc()
    rt.check()
    mutator.check_reachable()
    mutator.check_lost()
    assert not mutator.lost, "nothing that was lost is left"
    rt.process.exit()
