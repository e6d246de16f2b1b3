"""The command: `hwmem bench`, `python -m benchmarks`. Tables on stdout, progress on stderr.

A part is a module with measure(repeats) -> dict, text(dict) -> str and floors(dict) -> Floors; parts are imported when
they run, so that `--help` and mistakes answer at once.
"""

import argparse
import json
import os
import platform
import sys
from importlib import import_module

from hwmem.cli.interruption import listening

PARTS = (
    "streams",
    "workloads",
    "sharing",
    "ordering",
    "startup",
    "memory",
    "recorded",
    "linux",
    "malloc",
    "collector",
    "collectors",
    "allocators",
)
REPEATS = 5
USAGE, FAILED, INTERRUPTED = 2, 1, 130


class Refused(Exception):
    """Wrong usage; the message is the line that says so."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refused(f"{message} (see {self.prog} --help)")


def main(argv=None):
    """Run the benchmarks with the words `argv` (None: the process's); 0 done, 1 one could not run, 2 wrong usage.

    A number below its floor is no failure: it is marked.
    """
    try:
        with listening("hwmem bench"):
            return measured(parser().parse_args(argv))
    except Refused as error:
        return say(error, USAGE)
    except (RuntimeError, OSError) as error:
        return say(error, FAILED)
    except KeyboardInterrupt:
        return say("interrupted", INTERRUPTED)


def measured(arguments):
    results = {part: import_module(f"benchmarks.{part}").measure(arguments.repeats) for part in arguments.only}
    show(results, arguments.json)
    return 0


def say(message, status):
    print(f"hwmem bench: {message}", file=sys.stderr)
    return status


def parser():
    top = Parser(
        prog="hwmem bench",
        allow_abbrev=False,
        description="How fast hwmem is, beside a bare C loop and other simulators, and whether it keeps its floors.",
    )
    top.add_argument("--only", type=parts, default=PARTS, metavar="PART,...", help=f"of {', '.join(PARTS)} (default: all)")
    top.add_argument("--repeats", type=count, default=REPEATS, metavar="N", help=f"the best of N (default {REPEATS})")
    top.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    return top


def parts(words):
    chosen = words.split(",")
    for word in chosen:
        if word not in PARTS:
            raise argparse.ArgumentTypeError(f"{word!r:.60} is none of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in chosen)


def count(word):
    if not word.isdecimal() or not 1 <= int(word) <= 1000:
        raise argparse.ArgumentTypeError(f"takes 1 to 1000, not {word!r:.60}")
    return int(word)


def show(results, as_json):
    from benchmarks.floors import floors_table

    modules = {part: import_module(f"benchmarks.{part}") for part in results}
    floors = [floor for part, result in results.items() for floor in modules[part].floors(result)]
    if as_json:
        print(json.dumps({"host": host(), **results, "floors": [floor.to_dict() for floor in floors]}, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in host().items()))
    for part, result in results.items():
        print(f"\n{modules[part].text(result)}")
    if floors:
        print(f"\n{floors_table(floors)}")


def host():
    """What the numbers depend on."""
    import numba

    from hwmem import __version__

    return {
        "hwmem": __version__,
        "numba": numba.__version__,
        "python": platform.python_version(),
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def processor():
    """The processor's name as Linux reports it."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    except OSError:
        return platform.machine()
