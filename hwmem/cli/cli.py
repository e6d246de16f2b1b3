"""The command `hwmem`: arguments in, a table or a JSON document out.

    main ── parser ── a function a subcommand      line.py: reading, refusing, answering
                      ordering.py, sweep.py        more of them

What a subcommand needs is imported when it runs, so that `--help`, mistakes and reports answer at once.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

from hwmem.cli.experiments import Room, experiment_commands
from hwmem.cli.files import given
from hwmem.cli.line import (
    USAGE,
    believing,
    carry_out,
    configuration,
    draw,
    draw_plot,
    json_option,
    keeping,
    machine_options,
    output_option,
    plot_option,
    print_json,
    refusing,
    run_command,
    run_job,
    say,
    show,
    show_parameters,
    written,
)
from hwmem.cli.export import export_commands
from hwmem.cli.ordering import ordering_commands
from hwmem.cli.parser import Refused, command_line
from hwmem.cli.recording import record_command, recording_options, wishes_of
from hwmem.cli.sweep import diff_command, run_sweep, sweep_options
from hwmem.ctrl_c import heard

SECTIONS = (
    "c2c",
    "caches",
    "tlb",
    "faults",
    "memory",
    "ordering",
    "events",
    "races",
    "where",
)  # those of report.SECTIONS, without importing it
BENCH = "bench"
HEARD_SECONDS = 0.3  # for the child to end by itself


def main(argv=None):
    """Run the command with the words `argv` (None: the process's); the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == [BENCH]:  # a command of its own, with options of its own
        return run_benchmarks(words[1:])
    return carry_out(parser(), words)


def run_benchmarks(words):
    """`python -m benchmarks` of the checkout that this package lies in; the exit status."""
    checkout = pathlib.Path(__file__).resolve().parents[2]
    if not (checkout / "benchmarks" / "command.py").is_file():
        print(
            "hwmem bench: the benchmarks are not installed with the package; in a checkout of the source: python -m benchmarks",
            file=sys.stderr,
        )
        return USAGE
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
    child = subprocess.Popen([sys.executable, "-m", "benchmarks", *words], env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # a terminal interrupts the child as well, which says so; whoever interrupts this process does not
            heard.clear()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(HEARD_SECONDS)
            child.send_signal(signal.SIGINT)


def parser():
    top, command = command_line("hwmem", "A multi-core memory system, emulated: caches, coherence, TLBs, faults.")

    sub = command(list_workloads, "list", "the workloads with their parameters, and the presets")
    sub.add_argument("workload", metavar="WORKLOAD", nargs="?", help="only this one, parameter by parameter")
    json_option(sub)

    sub = run_command(command, run_workload, programs, "a workload")
    sweep_options(sub)
    output_option(sub, "R.hwm", "keep the result, for `hwmem report`")
    json_option(sub)

    record_command(command)

    sub = command(replay_trace, "trace", "replay a recorded trace of a program's loads and stores")
    sub.add_argument(
        "files",
        type=given,
        metavar="FILE",
        nargs="+",
        help="what `hwmem record` made, or lackey, din, xdin, data, cores, rw, memtrace or champsim; plain, gzip or xz. Of several files, each runs on its own core",
    )
    sub.add_argument("--format", metavar="F", help="its format (default: what its first lines look like)")
    machine_options(sub)
    sub.add_argument("--core", type=int, metavar="N", help="the core that makes all accesses (default: a core per thread, from 0)")
    sub.add_argument(
        "--top", type=int, default=10, metavar="N", help="show the N lines, pages, ... with the most misses (default 10; 0: none)"
    )
    sub.add_argument("--classify", action="store_true", help="count misses by cause: cold, capacity, true and false sharing")
    sub.add_argument("--events", type=int, default=0, metavar="N", help="log the first N coherence requests into the result")
    recording_options(sub)
    output_option(sub, "R.hwm", "keep the result, for `hwmem report`")
    json_option(sub)

    sub = command(show_report, "report", "tables from a result that was kept")
    sub.add_argument("file", type=given, metavar="R.hwm", help="a result that `run -o` or `trace -o` has kept")
    sub.add_argument("section", metavar="SECTION", nargs="?", choices=SECTIONS, help=f"one of {', '.join(SECTIONS)} (default: an overview)")
    plot_option(sub, "draw it")
    json_option(sub)

    sub = command(write_page, "html", "a kept result as one self-contained HTML file")
    sub.add_argument("file", type=given, metavar="R.hwm", help="a result that `run -o` or `trace -o` has kept")
    output_option(sub, "R.html", "the file to write", required=True)

    experiment_commands(command, room)
    diff_command(command)
    export_commands(command)
    ordering_commands(command)
    machine_options(command(show_config, "config", "print a machine's configuration as the file that --config reads"))
    command(warm_up, "warmup", "compile now what later commands need")
    command(None, BENCH, "how fast it is here, compared with C and other simulators (hwmem bench --help)")
    return top


def list_workloads(arguments):
    from hwmem.config.machine import MachineConfig, presets
    from hwmem.programs import find, workloads
    from hwmem.report.table import fold, table

    if arguments.workload:
        with refusing():
            described = {arguments.workload: find(arguments.workload).describe()}
    else:
        described = workloads()
    machines = {name: MachineConfig.preset(name).description for name in presets()}
    if arguments.json:
        print_json(described if arguments.workload else {"workloads": described, "presets": machines})
    elif arguments.workload:
        one = described[arguments.workload]
        show_parameters(arguments.workload, one)
        if one["machine"]:
            wants = " ".join(f"{n}={v}" for n, v in one["machine"].items())
            say("\n" + fold(f"runs --with {wants}, unless --with or --config say otherwise"))
    else:
        say(table(["workload", "runs"], [[n, w["description"]] for n, w in described.items()]), end="\n\n")
        say(table(["preset", "machine"], list(machines.items())), end="\n\n")
        say(fold("hwmem list WORKLOAD: its parameters; hwmem config --preset P: the machine's settings"))


def programs():
    from hwmem.programs import WORKLOADS

    return WORKLOADS


def run_workload(arguments):
    from hwmem.programs import WORKLOADS
    from hwmem.programs.file import workload_name
    from hwmem.runs.job import Job

    if arguments.sweep:
        run_sweep(arguments)
        return
    if arguments.jobs is not None or arguments.cluster is not None:
        raise Refused("--jobs, --cluster: go with --sweep")
    name = workload_name(arguments.workload, WORKLOADS)
    with refusing():
        workload = WORKLOADS.find(name)
        job = Job(workload, configuration(arguments, workload), arguments.seed, arguments.cores, workload.parse(arguments.set))
    result = run_job(job, arguments)
    show(result, arguments)


def replay_trace(arguments):
    from hwmem.config.record import Integer
    from hwmem.observe.switches import EVENTS
    from hwmem.runs.job import replay
    from hwmem.runs.watch import Watch
    from hwmem.trace import open_trace

    config = configuration(arguments)
    with refusing():
        traces = [open_trace(file, arguments.format, progress=sys.stderr.isatty()) for file in arguments.files]
    if arguments.core is not None and not 0 <= arguments.core < config.cores:
        raise Refused(f"--core takes 0 to {config.cores - 1}, not {arguments.core}")
    if len(traces) > 1 and (arguments.core is not None or len(traces) > config.cores):
        raise Refused(
            "--core takes one file: several run on a core each"
            if arguments.core is not None
            else f"{len(traces)} files need as many cores, and the machine has {config.cores}: --with cores={len(traces)}"
        )
    with refusing(), keeping(arguments):
        watch = Watch(classify=arguments.classify, events=EVENTS.check("--events", arguments.events))
        top = Integer(0, 10_000).check("--top", arguments.top)
        result = replay(traces, config, arguments.core, watch, top, wishes_of(arguments, traces))
    show(result, arguments)


def show_report(arguments):
    from hwmem.runs.result import load_result

    with refusing():
        result = load_result(arguments.file)

    def tables():
        if arguments.json:
            from hwmem.runs.data import section_data

            print_json(section_data(result, arguments.section) if arguments.section else result.to_dict())
        else:
            from hwmem.report import report

            say(report(result, arguments.section))

    def picture():
        with believing(arguments.file):
            draw_plot(result, arguments)

    written(tables, picture)


def write_page(arguments):
    from hwmem.page import page
    from hwmem.runs.result import load_result

    with refusing():
        result = load_result(arguments.file)
    with believing(arguments.file):
        text = page(result)
    draw(arguments.output, text)


def room():
    from hwmem.experiments.claims import EXPERIMENTS
    from hwmem.experiments.experiment import Lab

    return Room(EXPERIMENTS, Lab, {})


def show_config(arguments):
    from hwmem.config.file import dump

    say(dump(configuration(arguments)), end="")


def warm_up(arguments):
    from hwmem.cli import warmup

    warmup.warm_up(arguments)
