"""The command: python -m tests.goalloc.cycles --cycles N --seed S: programs that go on while they are collected, for long.

An episode is a machine with 1 to 8 Ps and one of the three orderings, on which a Mutator (mutator.py) makes steps while cycle follows cycle.
Nothing that it can reach may be freed, what it has lost must be, and rt.check() finds every span in one place, and no black object
that points to a white one which nothing grey leads to.
"""

import argparse
import pathlib
import random
import sys
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from mutator import Mutator  # noqa: E402

from goalloc.errors import FatalError  # noqa: E402
from goalloc.runtime.runtime import Runtime  # noqa: E402
from hwmem import MachineConfig  # noqa: E402

ORDERINGS = ("sc", "tso", "relaxed")
MOST_PS, EPISODE = 8, 100  # Ps; cycles of an episode
COMPUTE, SHORT = 300_000, 20_000  # cycles of a step; where all is looked at after each, so that many fall into each marking
GARBAGE = [8192] * 16  # of a call, so that a cycle begins every MiB


class Told(NamedTuple):
    cycles: int
    beside: int  # steps that the program made while a cycle marked
    collected: int  # objects that it lost and that were freed


def episode(seed, gomaxprocs, ordering, cycles, check_every):
    """Steps of a Mutator until so many cycles have ended. Raises AssertionError, or FatalError by rt.check(), which is asked at each end of
    marking and every so many steps, and twice as often while marking."""
    config = MachineConfig().replace(cores=gomaxprocs, ordering=ordering)
    rt = Runtime(config=config, gomaxprocs=gomaxprocs, gogc=1, collects=True, seed=seed)
    mutator, r = Mutator(rt, seed, ballast=64, compute=(SHORT if check_every == 1 else COMPUTE) // gomaxprocs), random.Random(seed)
    done = beside = steps = collected = 0
    while done < cycles:
        if not mutator.marking():
            rt.malloc_many(GARBAGE, core=r.randrange(gomaxprocs))
        mutator.step()
        steps += 1
        beside += mutator.marking()
        if steps % check_every == 0 or (mutator.marking() and 2 * steps % check_every < 2):
            rt.check()
        if mutator.cycles() != done:
            done, before = mutator.cycles(), len(mutator.lost)
            rt.check()
            mutator.check_reachable()
            mutator.check_lost()
            collected += before - len(mutator.lost)
    rt.check()
    rt.process.exit()
    return Told(done, beside, collected)


def main(words=None):
    from tqdm import tqdm

    parser = argparse.ArgumentParser(prog="python -m tests.goalloc.cycles", description="Collections beside programs, for long.")
    parser.add_argument("--cycles", type=int, default=10_000, metavar="N", help="collections (default 10,000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first episode's; the next has the next (default 0)")
    parser.add_argument(
        "--check-every", type=int, default=100, metavar="N", help="steps between two looks at everything (default 100; 1: short steps)"
    )
    arguments = parser.parse_args(words)
    done, seed, total = 0, arguments.seed, [0, 0, 0]
    with tqdm(total=arguments.cycles, unit=" cycles", file=sys.stderr, mininterval=2.0) as bar:
        while done < arguments.cycles:
            gomaxprocs, ordering = seed % MOST_PS + 1, ORDERINGS[seed // MOST_PS % len(ORDERINGS)]
            try:
                told = episode(seed, gomaxprocs, ordering, min(EPISODE, arguments.cycles - done), arguments.check_every)
            except (AssertionError, FatalError) as error:
                print(f"seed {seed}, {gomaxprocs} Ps, {ordering}: {error}", file=sys.stderr)
                return 1
            total = [a + b for a, b in zip(total, told)]
            bar.update(told.cycles)
            done, seed = done + told.cycles, seed + 1
    print(f"{total[0]:,} cycles from seed {arguments.seed}: {total[1]:,} steps beside marking, {total[2]:,} lost objects collected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
