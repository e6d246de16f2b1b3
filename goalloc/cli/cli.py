"""The command `goalloc`: Go programs on the emulated machine. What hwmem's command does for its own, with the same words.

Exit status: 0 done, 1 the emulated program failed, 2 wrong usage or input; one line says what.
"""
import sys

from hwmem.cli import cli

SECTIONS = ("heap", "spans", "profile")            # those of report.SECTIONS, without importing it


def main(argv=None):
    """Run the command with the words `argv` (None: the process's); the exit status."""
    return cli.carry_out(parser(), argv)


def parser():
    top, command = cli.command_line("goalloc", "Go 1.21's memory allocator on an emulated machine.")

    sub = command(list_programs, "list", "the programs with their parameters")
    sub.add_argument("workload", metavar="WORKLOAD", nargs="?", help="only this one, parameter by parameter")
    cli.json_option(sub)

    sub = command(run_program, "run", "run a Go program on an emulated machine")
    sub.add_argument("workload", metavar="WORKLOAD", help="a name from `goalloc list`")
    sub.add_argument("--gomaxprocs", type=int, metavar="N", help="Ps, one a core")
    sub.add_argument("--gogc", type=percent, default=100, metavar="N", help="percent that the heap may grow; negative or off for none (default 100)")
    sub.add_argument("--memlimit", default="off", metavar="B", help="memory limit, such as 64MiB (default off)")
    sub.add_argument("--set", nargs="+", action="extend", default=[], metavar="PARAMETER=VALUE", help="the program's parameters")
    cli.machine_options(sub)
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all that is random (default 0)")
    cli.limit_option(sub)
    sub.add_argument("--alone", action="store_true", help="no comparison with its variants")
    sub.add_argument("--memprofile", type=int, default=0, metavar="BYTES",
                     help="sample an object in so many bytes (Go's default: 524288) and show what was allocated where")
    cli.output_option(sub, "R.hwm", "keep the result, for `goalloc report` and `hwmem report`")
    cli.json_option(sub)

    sub = command(show_report, "report", "the heap at the end of a run that was kept (hwmem report: caches, TLBs, contended lines)")
    sub.add_argument("file", metavar="R.hwm")
    sub.add_argument("section", metavar="SECTION", nargs="?", choices=SECTIONS,
                     help=f"{', '.join(SECTIONS)} (default: all; profile: of runs with --memprofile)")
    cli.json_option(sub)

    sub = command(run_experiment, "experiment", "what the allocator's design buys, as a table")
    sub.add_argument("name", metavar="NAME", help="tiny, waste, fragmentation, large, linear or caches")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the sizes and of what is freed (default 0)")
    cli.json_option(sub)

    sub = command(show_classes, "sizes", "the size classes")
    cli.json_option(sub)
    return top


def percent(text):
    """A number, or what else was written, for check_gogc to take or refuse."""
    return int(text) if text.removeprefix("-").isdecimal() else text


def list_programs(arguments):
    from goalloc.programs import PROGRAMS
    from hwmem.report.table import table
    with cli.refusing():
        described = {arguments.workload: PROGRAMS.find(arguments.workload).describe()} if arguments.workload else PROGRAMS.describe()
    if arguments.json:
        cli.print_json(described)
    elif arguments.workload:
        cli.show_parameters(arguments.workload, described[arguments.workload])
    else:
        cli.say(table(["workload", "runs"], [[n, w["description"]] for n, w in described.items()]))


def run_program(arguments):
    from goalloc.programs import PROGRAMS, environment, fit
    from hwmem.runs.watch import Watch
    from hwmem.runs.job import Job
    config = cli.configuration(arguments)
    words = arguments.set + ([f"gomaxprocs={arguments.gomaxprocs}"] if arguments.gomaxprocs is not None else [])
    if arguments.memprofile < 0:
        raise cli.Refused("--memprofile: takes bytes a sample, 1 for every object")
    with cli.refusing():
        program = PROGRAMS.find(arguments.workload)
        variables = environment(arguments.gogc, arguments.memlimit, f"memprofilerate={arguments.memprofile}")
        job = Job(program, config, arguments.seed, None, fit(config, program.parse(words)), variables)
    with cli.keeping(arguments):
        result = job.run(progress=sys.stderr.isatty(), compare=not arguments.alone, watch=Watch(), max_cycles=arguments.max_cycles)
    if arguments.memprofile:
        result.values["memprofile"] = {"rate": arguments.memprofile, "records": job.space.runtime.mem_profile()}
    cli.show(result, arguments)
    if arguments.memprofile and not arguments.json:
        from goalloc.cli.report import profile
        cli.say("\n" + profile(result))


def show_report(arguments):
    from goalloc.cli.report import report
    from hwmem.runs.result import load_result
    with cli.refusing():
        result = load_result(arguments.file)
        text = report(result, arguments.section)
    if arguments.json:
        cli.print_json({name: result.values[name] for name in ("memstats", "sizes", "memprofile") if name in result.values})
    else:
        cli.say(text)


def run_experiment(arguments):
    from goalloc.runtime.arguments import check_seed
    from goalloc.experiments.design import EXPERIMENTS
    from hwmem.report.table import table
    if arguments.name not in EXPERIMENTS:
        raise cli.Refused(f"experiment {arguments.name!r} does not exist; there are {', '.join(EXPERIMENTS)}")
    with cli.refusing():
        check_seed(arguments.seed)
    columns, rows = EXPERIMENTS[arguments.name](arguments.seed)
    if arguments.json:
        cli.print_json([dict(zip(columns, row)) for row in rows])
    else:
        cli.say(table(columns, rows))


def show_classes(arguments):
    from goalloc.sizeclasses import size_classes
    from hwmem.report.table import table
    rows = size_classes()
    if arguments.json:
        cli.print_json(rows)
    else:
        cli.say(table(list(rows[0]), [[*list(row.values())[:-1], f"{row['max waste']:.2%}"] for row in rows]))
