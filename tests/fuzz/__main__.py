"""The command: python -m tests.fuzz KIND --count N --seed S."""

import argparse
import importlib
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS.parent):
    sys.path.insert(0, str(folder))


from hwmem.cli.interruption import whole_process  # noqa: E402

KINDS = ("calls", "physical", "results", "kernels", "cache")


def main(words=None):
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Hostile input, in forked children.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=int, default=10_000, metavar="N", help="calls, or files (default 10,000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first case's; the next has the next (default 0)")
    parser.add_argument("--alone", action="store_true", help="this case here, without a child: for a debugger")
    arguments = parser.parse_args(words)
    from tests.fuzz.harness import run_cases

    kind = importlib.import_module(f"tests.fuzz.{arguments.kind}")
    kind.prepare()
    if arguments.alone:
        import random

        kind.case(random.Random(arguments.seed), print)
        return 0
    from tqdm import tqdm

    with tqdm(total=arguments.count, unit=" steps", file=sys.stderr, mininterval=2.0) as bar:
        seeds = range(arguments.seed, arguments.seed + arguments.count)
        steps, failures = run_cases(kind.case, seeds, arguments.count, lambda done: bar.update(done - bar.n))
    print(f"{arguments.kind}: {steps:,} steps from seed {arguments.seed}, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(whole_process("tests.fuzz", main))
