"""`experiments` and `experiment NAME`, of hwmem and of goalloc: claims, measured.

Both commands give what they have as a Room: its experiments by name, the Lab that makes them, and, of goalloc, tables without a claim.
"""

import argparse
import sys
from contextlib import nullcontext
from difflib import get_close_matches
from typing import NamedTuple

from hwmem.cli.files import new_file, new_folder
from hwmem.cli.line import draw, draw_plot, json_option, keeping, plot_option, print_json, refusing, say, written
from hwmem.cli.parser import Refused
from hwmem.errors import Interrupted


class Room(NamedTuple):
    experiments: dict
    lab: type
    tables: dict  # name: function of a seed that gives (columns, rows)


def experiment_commands(command, room):
    """Add both subcommands. `room`: a function that gives the Room."""
    sub = command(list_or_make, "experiments", "the claims about memory that can be measured here, in the documents' order")
    sub.add_argument("--all", action="store_true", help="measure them all and say which hold")
    sub.add_argument("-o", "--output", type=new_folder, metavar="DIR", help="with --all: write a page of each, and an index, into a folder")
    settings(sub)
    sub.set_defaults(room=room)

    sub = command(make_one, "experiment", "measure one claim: a table, whether it holds, and why")
    sub.add_argument("name", metavar="NAME", help=f"one that `{sub.prog.split()[0]} experiments` lists")
    plot_option(sub, "draw it")
    sub.add_argument("--html", type=new_file, metavar="F", help="write it as a page")
    sub.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="PARAMETER=VALUE",
        help="parameters of its runs, in place of the experiment's",
    )
    settings(sub)
    sub.set_defaults(room=room)


def seed(word):
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"takes an integer from 0, got {number}")
    return number


def settings(sub):
    sub.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of all that is random (default 0)")
    sub.add_argument("--preset", metavar="P", help="the machine (default: generic)")
    sub.add_argument(
        "--with",
        dest="changes",
        nargs="+",
        action="extend",
        default=[],
        metavar="SETTING=VALUE",
        help="settings of its machines, such as ordering=sc: does the claim hold there?",
    )
    json_option(sub)


def lab_of(room, arguments, words=(), tick=None):
    """The Lab that the options describe."""
    from hwmem.config.machine import MachineConfig

    with refusing():
        base = MachineConfig.preset(arguments.preset) if arguments.preset else None
        return room.lab(arguments.seed, base, arguments.changes, words, tick)


def bar(name, unit, total=None):
    """A bar on stderr, where that is a terminal."""
    from tqdm import tqdm

    shown = sys.stderr.isatty()
    return tqdm(desc=name, unit=f" {unit}", total=total, delay=1.0, file=sys.stderr, leave=False) if shown else nullcontext()


def list_or_make(arguments):
    room = arguments.room()
    if arguments.all:
        make_all(room, arguments)
        return
    if arguments.output or arguments.changes or arguments.preset:
        raise Refused("-o, --with and --preset take --all")
    if arguments.json:
        print_json(
            [
                {"experiment": one.name, "claim": one.claim, "source": list(one.source), "workloads": list(one.workloads)}
                for one in room.experiments.values()
            ]
        )
    else:
        from hwmem.experiments.show import listed

        say(listed(room.experiments))


def make_all(room, arguments):
    from hwmem.experiments.experiment import perform_if_possible
    from hwmem.experiments.page import site
    from hwmem.experiments.show import verdicts

    outcomes = []
    with bar("experiments", "experiment", len(room.experiments)) as ticks, keeping(argparse.Namespace(output=None)), refusing():
        lab = lab_of(room, arguments)

        def begun(name):
            if ticks is not None:
                ticks.set_postfix_str(name)
                ticks.update()

        if arguments.output:
            try:
                outcomes = site(room.experiments, lab, arguments.output, begun)
            except Interrupted as interruption:
                if interruption.result is None:
                    raise
                raise Interrupted(None, f"interrupted; what was measured so far is in {arguments.output}") from None
        else:
            for name, one in room.experiments.items():
                begun(name)
                outcomes.append(perform_if_possible(one, lab))
    if arguments.json:
        print_json([one.to_dict() for one in outcomes])
    else:
        say(verdicts(outcomes))


def make_one(arguments):
    from hwmem.experiments.experiment import perform
    from hwmem.experiments.page import outcome_page
    from hwmem.experiments.show import outcome_text

    room = arguments.room()
    if arguments.name in room.tables:
        make_table(room.tables[arguments.name], arguments)
        return
    if arguments.name not in room.experiments:
        close = get_close_matches(arguments.name, [*room.experiments, *room.tables], 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join([*room.experiments, *room.tables])}"
        raise Refused(f"experiment {arguments.name!r:.60} does not exist; {hint}")
    with bar(arguments.name, "run") as ticks, keeping(argparse.Namespace(output=None)), refusing():
        lab = lab_of(room, arguments, arguments.set, ticks.update if ticks is not None else None)
        outcome = perform(room.experiments[arguments.name], lab)
    written(
        lambda: print_json(outcome.to_dict()) if arguments.json else say(outcome_text(outcome)),
        lambda: draw_plot(outcome, arguments),
        arguments.html and (lambda: draw(arguments.html, outcome_page(outcome))),
    )


def make_table(measure, arguments):
    """A table without a claim."""
    from hwmem.report.table import table

    if arguments.set or arguments.changes or arguments.preset or arguments.plot or arguments.html:
        raise Refused(f"{arguments.name} is a table alone: it takes --seed and --json")
    with refusing():
        columns, rows = measure(arguments.seed)
    if arguments.json:
        print_json([dict(zip(columns, row)) for row in rows])
    else:
        say(table(columns, rows))
