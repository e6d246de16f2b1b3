"""`goalloc compare allocators`: the same programs on each of them, as tables. What else is compared is a line of COMPARISONS.

A comparison is a function that adds its options to a parser, and one that carries it out.
"""

import argparse

from hwmem.cli import line
from hwmem.cli.experiments import bar, seed
from hwmem.cli.files import given
from hwmem.cli.parser import Parser, Refused
from hwmem.report.table import table


def allocator_options(sub):
    sub.add_argument("--program", nargs="+", action="extend", default=[], metavar="P", help="programs (default: all)")
    sub.add_argument("--allocator", nargs="+", action="extend", default=[], metavar="A", help="allocators (default: all)")
    sub.add_argument("--threads", type=counts, default=(1, 4, 16), metavar="N,N", help="threads, 1 to 64 (default 1,4,16)")
    sub.add_argument("--factor", type=factor, default=1, metavar="N", help="how much each program does (default 1)")
    sub.add_argument(
        "--trace", type=given, metavar="F", help="of the program trace: a recording of `hwmem record --heap` (default: one of perl)"
    )


def counts(text):
    """Threads, as --threads takes them."""
    found = tuple(line.integers(text))
    if not all(1 <= n <= 64 for n in found):
        raise argparse.ArgumentTypeError(f"takes 1 to 64, got {text}")
    return found


def factor(text):
    if not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"takes 1 to 100, got {text}")
    return int(text)


def compare_allocators(arguments):
    from goalloc.baselines.api import NAMES
    from goalloc.programs.comparison import FIGURES, row, run
    from goalloc.programs.requests import PROGRAMS
    from goalloc.programs.trace import recorded

    programs = chosen("--program", arguments.program, PROGRAMS)
    allocators = chosen("--allocator", arguments.allocator, NAMES)
    with line.refusing():
        recording = recorded(arguments.trace) if arguments.trace else None
    runs = [(p, a, n) for p in programs for n in arguments.threads for a in allocators]
    found = {}
    with bar("compare", "run", len(runs)) as ticks:
        for program, allocator, n in runs:
            with line.refusing():
                found.setdefault(program, []).append(row(run(program, allocator, n, arguments.factor, arguments.seed, recording=recording)))
            if ticks is not None:
                ticks.update()
    if arguments.json:
        line.print_json(found)
        return
    for program, rows in found.items():
        keys = [key for key in FIGURES if any(one[key] is not None for one in rows)]
        line.say(f"{program}\n" + table([FIGURES[key] for key in keys], [[one[key] for key in keys] for one in rows]) + "\n")


def collector_options(sub):
    sub.add_argument("--program", nargs="+", action="extend", default=[], metavar="P", help="programs (default: all)")
    sub.add_argument("--collector", nargs="+", action="extend", default=[], metavar="C", help="collectors (default: all)")
    sub.add_argument(
        "--heap",
        nargs="+",
        type=float,
        action="extend",
        default=[],
        metavar="F",
        help="heap sizes, as multiples of the live data (default: 1.2 2 3 6)",
    )


def compare_collectors(arguments):
    from goalloc.programs import criteria

    programs = chosen("--program", arguments.program, criteria.PROGRAMS)
    collectors = chosen("--collector", arguments.collector, criteria.ALL)
    factors = arguments.heap or criteria.FACTORS
    for factor in factors:
        if not 1 <= factor <= 100:
            raise Refused(f"--heap: takes 1 to 100 times the live data, got {factor:g}")
    found, runs = {}, criteria.runs(programs, collectors, factors, arguments.seed)
    with bar("compare", "run", len(runs)) as ticks:
        for program, collector, factor in runs:
            found.setdefault(program, []).append(criteria.compare(program, collector, factor, arguments.seed))
            if ticks is not None:
                ticks.update()
    if arguments.json:
        line.print_json(found)
        return
    for program, rows in found.items():
        live = criteria.live_bytes(program, arguments.seed)
        shown = [[one[key] if one[key] is not None else "-" for key in criteria.FIGURES] for one in rows]
        line.say(f"{program}: at most {live:,} bytes are live\n" + table(list(criteria.FIGURES.values()), shown) + "\n")
    line.say("-: the heap was exhausted; L1, TLB: misses in a thousand loads of a walk after a collection")


def chosen(option, words, known):
    """The names that were asked for, or all. Raises Refused."""
    return list(dict.fromkeys(line.one_of(option, word, known) for word in words)) or list(known)


COMPARISONS = {
    "allocators": (allocator_options, compare_allocators, "malloc and free of each allocator on the same programs"),
    "collectors": (collector_options, compare_collectors, "pauses, throughput, memory and locality of each collector on the same programs"),
}


def compare_command(command):
    """Add `compare` and what can be compared."""
    top = command(None, "compare", "the same programs on other allocators or collectors: " + ", ".join(COMPARISONS))
    kinds = top.add_subparsers(metavar="WHAT", required=True, parser_class=Parser)
    for name, (options, run, what) in COMPARISONS.items():
        sub = kinds.add_parser(name, help=what, description=what, allow_abbrev=False)
        options(sub)
        sub.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of all that is random (default 0)")
        line.json_option(sub)
        sub.set_defaults(run=run)
