"""`goalloc compare allocators`: the same programs on each of them, as tables. What else is compared is a line of COMPARISONS.

A comparison is a function that adds its options to a parser, and one that carries it out.
"""

from hwmem.cli import line
from hwmem.cli.experiments import seed


def allocator_options(sub):
    sub.add_argument("--program", nargs="+", action="extend", default=[], metavar="P", help="programs (default: all)")
    sub.add_argument("--allocator", nargs="+", action="extend", default=[], metavar="A", help="allocators (default: all)")
    sub.add_argument("--threads", type=counts, default=(1, 4, 16), metavar="N,N", help="threads, 1 to 64 (default 1,4,16)")
    sub.add_argument("--factor", type=int, default=1, metavar="N", help="how much each program does (default 1)")


def counts(text):
    return tuple(int(word) for word in text.split(","))


def compare_allocators(arguments):
    import sys

    from goalloc.baselines.api import NAMES
    from goalloc.programs.comparison import FIGURES, row, run
    from goalloc.programs.requests import PROGRAMS
    from hwmem.report.table import table
    from tqdm import tqdm

    programs = chosen("--program", arguments.program, PROGRAMS)
    allocators = chosen("--allocator", arguments.allocator, NAMES)
    if not all(1 <= n <= 64 for n in arguments.threads):
        raise line.Refused(f"--threads: takes 1 to 64, got {','.join(map(str, arguments.threads))}")
    runs = [(p, a, n) for p in programs for n in arguments.threads for a in allocators]
    found = {}
    for program, allocator, n in tqdm(runs, desc="compare", unit="run", delay=1.0, file=sys.stderr, leave=False):
        with line.refusing():
            found.setdefault(program, []).append(row(run(program, allocator, n, arguments.factor, arguments.seed)))
    if arguments.json:
        line.print_json(found)
        return
    for program, rows in found.items():
        keys = [key for key in FIGURES if any(one[key] is not None for one in rows)]
        line.say(f"{program}\n" + table([FIGURES[key] for key in keys], [[one[key] for key in keys] for one in rows]) + "\n")


def chosen(option, words, known):
    """The names that were asked for, or all. Raises Refused."""
    for word in words:
        if word not in known:
            raise line.Refused(f"{option}: {word!r:.60} is none of {', '.join(known)}")
    return list(dict.fromkeys(words)) or list(known)


COMPARISONS = {"allocators": (allocator_options, compare_allocators, "malloc and free of each allocator on the same programs")}


def compare_command(command):
    """Add `compare` and what can be compared."""
    top = command(None, "compare", "the same programs on other allocators: " + ", ".join(COMPARISONS))
    kinds = top.add_subparsers(metavar="WHAT", required=True, parser_class=line.Parser)
    for name, (options, run, what) in COMPARISONS.items():
        sub = kinds.add_parser(name, help=what, description=what, allow_abbrev=False)
        options(sub)
        sub.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of all that is random (default 0)")
        line.json_option(sub)
        sub.set_defaults(run=run)
