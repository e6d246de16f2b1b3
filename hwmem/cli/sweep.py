"""`hwmem run WORKLOAD --sweep ...` and `hwmem diff A.hwm B.hwm`: many runs as one table, two runs side by side."""

import os
import sys

from hwmem.cli.files import given, new_file
from hwmem.cli.line import believing, draw, draw_plot, json_option, keeping, print_json, refusing, say, written
from hwmem.cli.parser import Refused

ONE_RUN = ("cores", "classify", "events", "races", "max_cycles", "live")  # options that are about one run


def sweep_options(sub):
    sub.add_argument(
        "--sweep",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUES",
        help="run every combination: threads=1..16 stride=8,64 preset=zen3,skylake-sp l1d.size=32KiB,64KiB; "
        "1..64*2 doubles; -o takes a .csv then",
    )
    sub.add_argument("--jobs", type=int, metavar="N", help="of a sweep: runs at a time (default: one a core of this host)")
    sub.add_argument("--cluster", metavar="ADDRESS", help="of a sweep: a dask scheduler to run it on")


def run_sweep(arguments):
    from hwmem.config.machine import MachineConfig
    from hwmem.programs import WORKLOADS, find
    from hwmem.programs.file import workload_name
    from hwmem.runs.sweep import sweep, values_of

    for name in ONE_RUN:
        if getattr(arguments, name):
            raise Refused(f"--{name.replace('_', '-')} is for one run, not the many of a sweep")
    if arguments.output and arguments.output.endswith(".hwm"):
        raise Refused("-o: what a sweep writes is a .csv")
    with refusing(), keeping(arguments, lambda done: done.to_csv(arguments.output)):
        over = dict(part(word, values_of) for word in arguments.sweep)
        workload = find(workload_name(arguments.workload, WORKLOADS))
        config = (
            MachineConfig.load(arguments.config)
            if arguments.config
            else MachineConfig.preset(arguments.preset)
            if arguments.preset
            else None
        )
        done = sweep(
            arguments.workload,
            config,
            over,
            arguments.changes,
            arguments.jobs,
            arguments.cluster,
            sys.stderr.isatty(),
            arguments.seed,
            **workload.parse(arguments.set),
        )
    written(
        lambda: print_json(done.rows) if arguments.json else say(done),
        arguments.output and (lambda: done.to_csv(arguments.output)),
        lambda: draw_plot(done, arguments),
    )


def part(word, values_of):
    name, equals, text = word.partition("=")
    if not equals or not text:
        raise ValueError(f"--sweep: {word!r:.60} must be name=values, such as threads=1..16")
    return name.strip(), values_of(text.strip())


def diff_command(command):
    sub = command(show_difference, "diff", "two results side by side: the settings and the figures that differ")
    sub.add_argument("first", type=given, metavar="A.hwm")
    sub.add_argument("second", type=given, metavar="B.hwm")
    sub.add_argument("--html", type=new_file, metavar="F.html", help="write it as a page")
    json_option(sub)


def short_names(*paths):
    """The files' names without their folders, if those tell them apart."""
    names = [os.path.basename(path) for path in paths]
    return tuple(names if len(set(names)) == len(names) else paths)


def show_difference(arguments):
    from hwmem.runs.difference import difference, difference_text
    from hwmem.runs.result import load_result

    with refusing():
        first, second = load_result(arguments.first), load_result(arguments.second)
    if arguments.html:
        from hwmem.page import comparison

        with believing(arguments.second):
            text = comparison(first, second, difference(first, second), short_names(arguments.first, arguments.second))
    written(
        lambda: (
            print_json(difference(first, second))
            if arguments.json
            else say(difference_text(first, second, (arguments.first, arguments.second)))
        ),
        arguments.html and (lambda: draw(arguments.html, text)),
    )
