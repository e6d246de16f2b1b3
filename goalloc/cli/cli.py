"""The command `goalloc`: Go programs on the emulated machine. It does what hwmem's command does for its programs, with the same words.

Exit status: 0 done, 1 the emulated program failed, 2 wrong usage or input; one line says what.
"""

import sys
from types import SimpleNamespace

from hwmem.cli import line
from hwmem.cli.files import given
from hwmem.cli.experiments import Room, experiment_commands
from hwmem.cli.parser import Refused, command_line
from goalloc.cli.compare import compare_command
from goalloc.cli.leak import faults_command, leak_command

SECTIONS = ("heap", "spans", "gc", "scavenger", "profile")  # those of report.SECTIONS, without importing it


def main(argv=None):
    """Run the command with the words `argv` (None: the process's); the exit status."""
    return line.carry_out(parser(), argv)


def parser():
    top, command = command_line("goalloc", "Go 1.21's memory allocator on an emulated machine.")

    sub = command(list_programs, "list", "the programs with their parameters")
    sub.add_argument("workload", metavar="WORKLOAD", nargs="?", help="only this one, parameter by parameter")
    line.json_option(sub)

    run_command(command)
    report_commands(command)
    experiment_commands(command, room)
    compare_command(command)
    leak_command(command)
    faults_command(command)
    escape_command(command)
    command(warm_up, "warmup", "compile now what later runs need")
    sub = command(show_classes, "sizes", "the size classes")
    line.json_option(sub)
    return top


def run_command(command):
    sub = line.run_command(command, run_program, programs, "a Go program")
    sub.add_argument("--gomaxprocs", type=int, metavar="N", help="Ps, one a core")
    sub.add_argument(
        "--gogc", type=percent, default=100, metavar="N", help="percent that the heap may grow; negative or off for none (default 100)"
    )
    sub.add_argument("--memlimit", default="off", metavar="B", help="memory limit, such as 64MiB (default off)")
    sub.add_argument(
        "--memprofile",
        type=int,
        default=0,
        metavar="BYTES",
        help="sample one object per so many bytes (Go's default: 524288) and show what was allocated where",
    )
    sub.add_argument("--godebug", default="", metavar="WORDS", help="GODEBUG, such as madvdontneed=0 or periodicscavenge=1 (docs/go.md)")
    sub.add_argument("--gctrace", action="store_true", help="a line on stderr for every collection, as GODEBUG=gctrace=1 prints it")
    sub.add_argument("--scavtrace", action="store_true", help="a line on stderr for what went back to the kernel, after each sweep")
    line.output_option(sub, "R.hwm", "keep the result, for `goalloc report` and `hwmem report`")
    line.json_option(sub)


def report_commands(command):
    sub = command(show_report, "report", "the heap at the end of a run that was kept (hwmem report: caches, TLBs, contended lines)")
    sub.add_argument("file", type=given, metavar="R.hwm", help="a result that `run -o` has kept")
    sub.add_argument(
        "section",
        metavar="SECTION",
        nargs="?",
        choices=SECTIONS,
        help=f"{', '.join(SECTIONS)} (default: all; gc, scavenger: of runs that collected; profile: of runs with --memprofile)",
    )
    line.output_option(sub, "heap.pb.gz", "the heap profile of a run with --memprofile, as a file for `go tool pprof`")
    line.json_option(sub)

    sub = command(write_page, "html", "a kept result as one self-contained HTML file: the heap, the collections, the caches")
    sub.add_argument("file", type=given, metavar="R.hwm", help="a result that `run -o` has kept")
    line.output_option(sub, "R.html", "the file to write", required=True)


def escape_command(command):
    sub = command(
        show_escapes, "escape", "what the Go 1.21 compiler inlines and what it moves to the heap, as go build -gcflags=-m reports it"
    )
    sub.add_argument("file", type=given, metavar="FILE.go")
    sub.add_argument("-m", action="store_true", help="the compiler's messages (the default)")
    sub.add_argument("-l", action="store_true", help="without inlining, as -gcflags='-m -l'")
    sub.add_argument("--cost", metavar="F", help="run the allocations of the function F on the machine, on the heap and on the stack")
    sub.add_argument("--runs", type=int, default=1000, metavar="N", help="with --cost: how often the function is called (default 1000)")
    line.json_option(sub)


def percent(text):
    """A number, or what else was written, for check_gogc to take or refuse."""
    return int(text) if text.removeprefix("-").isdecimal() else text


def warm_up(arguments):
    """The runtime's doors, the programs' kernels and those of experiments. `hwmem warmup` comes here, too."""
    from goalloc.escape.cost import measure
    from goalloc.experiments.claims import EXPERIMENTS
    from goalloc.experiments.lab import GoLab
    from goalloc.programs import PROGRAMS
    from hwmem import params
    from hwmem.cli.warmup import bind, carry_out, those_without_workloads
    from hwmem.runs.job import Job

    steps = [(name, lambda program=program: Job(program).set_up()) for name, program in PROGRAMS.items()]
    steps.insert(0, ("doors", lambda: bind(range(params.GUEST_DOORS, params.DOORS))))
    steps.append(("run", lambda: Job(PROGRAMS.find("alloc-storm"), parameters={"allocations": 100}).run()))
    steps.append(("escape", lambda: measure([SimpleNamespace(text="", at="", size=16, escapes=True, pointers=[False, False])], 1)))
    carry_out([*steps, *those_without_workloads(EXPERIMENTS, GoLab())])


def list_programs(arguments):
    from goalloc.programs import PROGRAMS
    from hwmem.report.table import table

    with line.refusing():
        described = {arguments.workload: PROGRAMS.find(arguments.workload).describe()} if arguments.workload else PROGRAMS.describe()
    if arguments.json:
        line.print_json(described)
    elif arguments.workload:
        line.show_parameters(arguments.workload, described[arguments.workload])
    else:
        line.say(table(["workload", "runs"], [[n, w["description"]] for n, w in described.items()]))


def programs():
    from goalloc.programs import PROGRAMS

    return PROGRAMS


def run_program(arguments):
    from goalloc.programs import PROGRAMS, environment, fit
    from hwmem.programs.file import workload_name
    from hwmem.runs.job import Job

    config = line.configuration(arguments)
    words = arguments.set + ([f"gomaxprocs={arguments.gomaxprocs}"] if arguments.gomaxprocs is not None else [])
    if arguments.memprofile < 0:
        raise Refused("--memprofile: takes bytes per sample, 1 for every object")
    name = workload_name(arguments.workload, PROGRAMS)
    with line.refusing():
        program = PROGRAMS.find(name)
        profiling = f"memprofilerate={arguments.memprofile}"
        godebug = f"{arguments.godebug},{profiling}" if arguments.godebug else profiling
        variables = environment(arguments.gogc, arguments.memlimit, godebug)
        job = Job(program, config, arguments.seed, arguments.cores, fit(config, program.parse(words)), variables)
    result = line.run_job(job, arguments)
    if arguments.memprofile:
        result.values["memprofile"] = {"rate": arguments.memprofile, "records": job.space.runtime.mem_profile()}
    line.show(result, arguments)
    for told in result.values.get("trace", ()):
        if arguments.scavtrace if told.startswith("scav ") else arguments.gctrace:
            print(told, file=sys.stderr)
    if arguments.memprofile and not arguments.json:
        from goalloc.cli.report import profile

        line.say("\n" + profile(result))


def show_report(arguments):
    from goalloc.cli.report import report
    from goalloc.observe.pprof import heap_profile
    from hwmem.runs.result import load_result
    from hwmem.whole_file import write_whole

    with line.refusing():
        result = load_result(arguments.file)
        text = report(result, arguments.section)
        if arguments.output and "memprofile" not in result.values:
            raise ValueError(f"{result.workload} ran without --memprofile")

    def profile():
        kept = result.values["memprofile"]
        write_whole(arguments.output, heap_profile(kept["records"], kept["rate"]))

    def tables():
        if arguments.json:
            names = ("memstats", "sizes", "gc", "turns", "trace", "memprofile")
            line.print_json({name: result.values[name] for name in names if name in result.values})
        else:
            line.say(text)

    line.written(tables, arguments.output and profile)


def write_page(arguments):
    from goalloc.cli.page import page
    from hwmem.runs.result import load_result

    with line.refusing():
        result = load_result(arguments.file)
        if "memstats" not in result.values:
            raise ValueError(f"{result.workload} is not a Go program's result; hwmem html shows it")
    with line.believing(arguments.file):
        text = page(result)
    line.draw(arguments.output, text)


def room():
    from goalloc.experiments.claims import EXPERIMENTS, TABLES
    from goalloc.experiments.lab import GoLab

    return Room(EXPERIMENTS, GoLab, TABLES)


def show_escapes(arguments):
    from goalloc.escape.driver import Analysis
    from goalloc.escape.tree import GoError

    name = arguments.file if "/" in arguments.file else f"./{arguments.file}"
    try:
        with line.refusing(), open(arguments.file, "rb") as f:
            found = Analysis(f.read(), inline=not arguments.l)
    except ImportError as error:
        raise Refused(str(error)) from None
    except GoError as error:
        raise Refused(f"{name}:{error.pos[0]}:{error.pos[1]}: {error}") from None
    if arguments.cost is not None:
        show_costs(found, arguments)
    elif arguments.json:
        refused = [{"line": at, "name": who, "reason": why} for at, who, why in found.refused]
        line.print_json({"messages": found.lines, "not analysed": refused})
    else:
        for told in found.output(name):
            line.say(told)


def show_costs(found, arguments):
    from goalloc.escape.cost import COLUMNS, Allocation, measure
    from hwmem.report.table import table

    if not 1 <= arguments.runs <= 1_000_000:
        raise Refused(f"--runs: takes 1 to 1,000,000, got {arguments.runs}")
    allocations = found.allocations(arguments.cost)
    if allocations is None:
        why = [reason for _, name, reason in found.refused if name == arguments.cost]
        raise Refused(f"--cost: {arguments.cost} " + (f"is not analysed: {why[0]}" if why else f"is no function of {arguments.file}"))
    rows = measure([Allocation(n, escapes) for n, escapes in allocations], arguments.runs)
    if arguments.json:
        line.print_json([dict(zip(COLUMNS, row)) for row in rows])
    elif rows:
        line.say(table(COLUMNS, rows))
    else:
        line.say(f"{arguments.cost} allocates nothing")


def show_classes(arguments):
    from goalloc.sizeclasses import size_classes
    from hwmem.report.table import table

    rows = size_classes()
    if arguments.json:
        line.print_json(rows)
    else:
        line.say(table(list(rows[0]), [[*list(row.values())[:-1], f"{row['max waste']:.2%}"] for row in rows]))
