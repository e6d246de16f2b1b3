"""The command `hwmem`: arguments in, a table or a JSON document out.

    main ── parser ── a function a subcommand ── 0, or a refusal
                                                   Refused, TraceError, ... (errors.py)             2: wrong usage or input
                                                   MachineError                                     1: the emulated program failed

Tables and documents go to stdout, progress and the one line of a refusal to stderr. What a subcommand needs is imported
when it runs, so that `--help`, mistakes and reports answer at once.
"""
import argparse
import errno
import json
import os
import pathlib
import subprocess
import sys
from contextlib import contextmanager

from hwmem import __version__
from hwmem.printable import printable
from hwmem.errors import Interrupted, LitmusError, MachineError, ResultError, TraceError, WorkloadError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
PATIENCE_SECONDS = 0.8          # for what was interrupted to end by itself
ORDERINGS = ("sc", "tso", "relaxed")
SECTIONS = ("c2c", "caches", "tlb", "faults", "memory", "ordering", "events", "races")        # those of report.SECTIONS, without importing it


class Refused(Exception):
    """Wrong usage or input; the message is the line that says so."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refused(f"{message} (see {self.prog} --help)")


def told(error):
    """An OSError in words."""
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error.strerror or error) if error.errno == errno.ENOMEM else f"output: {error.strerror}" if error.strerror else str(error)


@contextmanager
def refusing():
    """Inside, what Python or the host's files refuse is the user's input."""
    try:
        yield
    except OSError as error:
        raise Refused(told(error)) from None
    except (TypeError, ValueError) as error:
        raise Refused(str(error)) from None


BENCH = "bench"


def main(argv=None):
    """Run the command with the words `argv` (None: the process's); the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == [BENCH]:                    # a command of its own, with options of its own
        return run_benchmarks(words[1:])
    return carry_out(parser(), words)


def run_benchmarks(words):
    """`python -m benchmarks` of the checkout that this package lies in; the exit status."""
    checkout = pathlib.Path(__file__).resolve().parents[2]
    if not (checkout / "benchmarks" / "command.py").is_file():
        print("hwmem bench: the benchmarks are not installed with the package; in a checkout of the source: python -m benchmarks", file=sys.stderr)
        return USAGE
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
    child = subprocess.Popen([sys.executable, "-m", "benchmarks", *words], env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:               # the child was interrupted as well, and says so
            continue


def carry_out(top, words):
    """Do what the command line asks of the parser `top`'s command (None: the process's words); the exit status."""
    try:
        arguments = top.parse_args(words)
        arguments.run(arguments)
        if sys.stdout:
            sys.stdout.flush()
        return 0
    except (Refused, TraceError, ResultError, LitmusError, WorkloadError) as error:
        message, status = error, USAGE
    except MachineError as error:
        message, status = error, FAILED
    except BrokenPipeError:                     # the reader has seen enough
        close_stdout()
        return 0
    except KeyboardInterrupt as interruption:
        message, status = str(interruption) or "interrupted", INTERRUPTED
    except OSError as error:                    # of the host: no memory, a full disk behind stdout
        message, status = told(error), USAGE
        close_stdout()
    except MemoryError:
        message, status = "this host has not enough memory for that", USAGE
    print(f"{top.prog}: {printable(str(message))}", file=sys.stderr, flush=True)
    if running():                               # a kernel, or the compiler, goes on that nobody waits for
        os._exit(status)
    return status


def running():
    interrupt = sys.modules.get("hwmem.machine.interrupt")
    return bool(interrupt and interrupt.running)


def close_stdout():
    """What could not be written is not tried again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command_line(prog, description):
    """A parser, and a function that adds to it a subcommand that runs a function."""
    top = Parser(prog=prog, description=description, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{prog} {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(function, name, help):
        sub = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        sub.set_defaults(run=function)
        return sub

    return top, command


def parser():
    top, command = command_line("hwmem", "A multi-core memory system, emulated: caches, coherence, TLBs, faults.")

    sub = command(list_workloads, "list", "the workloads with their parameters, and the presets")
    sub.add_argument("workload", metavar="WORKLOAD", nargs="?", help="only this one, parameter by parameter")
    json_option(sub)

    sub = command(run_workload, "run", "run a workload on an emulated machine")
    sub.add_argument("workload", metavar="WORKLOAD", help="a name from `hwmem list`, or a Python file that registers a workload")
    sub.add_argument("--set", nargs="+", action="extend", default=[], metavar="PARAMETER=VALUE", help="the workload's parameters")
    machine_options(sub)
    sub.add_argument("--cores", type=core_numbers, metavar="0,1,...", help="cores its threads run on, in order (default: all)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all that is random (default 0)")
    sub.add_argument("--classify", action="store_true", help="count misses by cause: cold, capacity, true and false sharing")
    sub.add_argument("--events", type=int, default=0, metavar="N", help="log the first N coherence requests into the result")
    sub.add_argument("--races", action="store_true", help="look for data races")
    limit_option(sub)
    sub.add_argument("--alone", action="store_true", help="no comparison with its variants")
    output_option(sub, "R.hwm", "keep the result, for `hwmem report`")
    json_option(sub)

    sub = command(replay_trace, "trace", "replay a recorded trace of a program's loads and stores")
    sub.add_argument("files", metavar="FILE", nargs="+",
                     help="lackey, din, xdin, data, cores or rw; plain, gzip or xz. Of several files each runs on a core of its own")
    sub.add_argument("--format", metavar="F", help="its format, when the first lines do not tell")
    machine_options(sub)
    sub.add_argument("--core", type=int, metavar="N", help="the core that makes all accesses (default: a core a thread, from 0 on)")
    output_option(sub, "R.hwm", "keep the result, for `hwmem report`")
    json_option(sub)

    sub = command(show_report, "report", "tables from a result that was kept")
    sub.add_argument("file", metavar="R.hwm")
    sub.add_argument("section", metavar="SECTION", nargs="?", choices=SECTIONS, help=f"one of {', '.join(SECTIONS)} (default: an overview)")
    json_option(sub)

    sub = command(write_page, "html", "a kept result as one HTML file that needs nothing beside itself")
    sub.add_argument("file", metavar="R.hwm")
    output_option(sub, "R.html", "the file to write", required=True)

    ordering_commands(command)
    machine_options(command(show_config, "config", "print a machine's configuration as the file that --config reads"))
    command(warm_up, "warmup", "compile everything now, so that no later run has to")
    command(None, BENCH, "how fast it is here, beside C and other simulators (hwmem bench --help)")
    return top


def ordering_commands(command):
    """Litmus tests and line histories."""
    sub = command(run_litmus, "litmus", "all outcomes of litmus tests under sc, tso and relaxed")
    sub.add_argument("files", metavar="FILE", nargs="+", help="herd's x86 .litmus, or .json; plain or gzip")
    sub.add_argument("--random", type=int, default=0, metavar="N", help="also make N random runs")
    sub.add_argument("--ordering", choices=ORDERINGS, default="tso", help="of the random runs and of --show (default tso)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random runs (default 0)")
    sub.add_argument("--show", metavar="STATE", help="show the shortest way to this final state, such as \"0:EAX=0 1:EAX=0\"")
    json_option(sub)

    sub = command(trace_line, "trace-line", "the history of one line, request by request, from a result with --events")
    sub.add_argument("file", metavar="R.hwm")
    sub.add_argument("line", metavar="LINE", nargs="?", help="a variable's name or an address (default: the line with the most requests)")
    output_option(sub, "LINE.svg", "also draw it")
    json_option(sub)

    sub = command(show_classroom, "classroom", "the MESI protocol step by step, on three cores and four lines")
    sub.add_argument("--step", type=int, metavar="N", help="show it after N steps (default: all)")
    sub.add_argument("--walk", action="store_true", help="step forwards (Enter) and backwards (b) at the prompt; q ends it")
    sub.add_argument("--protocol", choices=("msi", "mesi", "moesi", "mesif"), default="mesi", help="(default mesi)")
    output_option(sub, "A0.svg", "draw the history of line a0")


def json_option(sub):
    sub.add_argument("--json", action="store_true", help="one JSON document instead of tables")


def limit_option(sub):
    sub.add_argument("--max-cycles", type=int, metavar="N", help="stop the program after so many cycles, if it has not ended")


def output_option(sub, metavar, help, required=False):
    sub.add_argument("-o", "--output", type=new_file, metavar=metavar, required=required, help=help)


def new_file(path):
    """A file that can be written: what is asked before the work that fills it."""
    folder = os.path.dirname(path) or "."
    for wrong, code in ((not os.path.isdir(folder), errno.ENOENT), (os.path.isdir(path), errno.EISDIR),
                        (not os.access(folder, os.W_OK), errno.EACCES)):
        if wrong:
            raise argparse.ArgumentTypeError(f"{path}: {os.strerror(code)}")
    return path


def core_numbers(text):
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes numbers, such as 0,1, not {text!r:.60}") from None


def machine_options(sub):
    group = sub.add_mutually_exclusive_group()
    group.add_argument("--preset", metavar="P", help="a machine that ships with hwmem (default: generic)")
    group.add_argument("--config", metavar="F", help="a machine from a TOML file")
    sub.add_argument("--with", dest="changes", nargs="+", action="extend", default=[], metavar="SETTING=VALUE",
                     help="change some of its settings, such as cores=8 l1d.size=64KiB")


def configuration(arguments, workload=None):
    """The machine that the options describe; a preset comes with what `workload` wants of a machine, a file as it is."""
    from hwmem.config.machine import MachineConfig
    with refusing():
        base = MachineConfig.load(arguments.config) if arguments.config else MachineConfig.preset(arguments.preset or "generic")
        if workload and not arguments.config:
            base = workload.config(base)
        return base.with_overrides(arguments.changes)


def list_workloads(arguments):
    from hwmem.config.machine import MachineConfig, presets
    from hwmem.programs import find, workloads
    from hwmem.report.table import table
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
            say(f"\nruns --with {' '.join(f'{n}={v}' for n, v in one['machine'].items())}, unless --with or --config say otherwise")
    else:
        say(table(["workload", "runs"], [[n, w["description"]] for n, w in described.items()]), end="\n\n")
        say(table(["preset", "machine"], list(machines.items())), end="\n\n")
        say("hwmem list WORKLOAD: its parameters; hwmem config --preset P: the machine's settings")


def show_parameters(name, described):
    """What a workload is, parameter by parameter; `described`: what its describe() says."""
    from hwmem.report.table import table, text
    say(f"{name}: {described['description']}\n")
    say(table(["parameter", "default", "takes", "is"],
                [[n, text(p["default"]), p["takes"], p["doc"]] for n, p in described["parameters"].items()]))


def run_workload(arguments):
    from hwmem.runs.watch import Watch
    from hwmem.observe.switches import EVENTS
    from hwmem.programs import WORKLOADS, find
    from hwmem.programs.file import blaming, workload_name
    from hwmem.runs.job import Job
    name = workload_name(arguments.workload, WORKLOADS)
    with refusing():
        workload = find(name)
        config = configuration(arguments, workload)
        watch = Watch(classify=arguments.classify, events=EVENTS.check("--events", arguments.events), races=arguments.races)
        job = Job(workload, config, arguments.seed, arguments.cores, workload.parse(arguments.set))
    with blaming(arguments.workload):
        with keeping(arguments):
            result = job.run(progress=sys.stderr.isatty(), compare=not arguments.alone, watch=watch, max_cycles=arguments.max_cycles)
    show(result, arguments)


def replay_trace(arguments):
    from hwmem.runs.job import replay
    from hwmem.trace import open_trace
    config = configuration(arguments)
    with refusing():
        traces = [open_trace(file, arguments.format, progress=sys.stderr.isatty()) for file in arguments.files]
    if arguments.core is not None and not 0 <= arguments.core < config.cores:
        raise Refused(f"--core takes 0 to {config.cores - 1}, not {arguments.core}")
    if len(traces) > 1 and (arguments.core is not None or len(traces) > config.cores):
        raise Refused("--core takes one file: several run on a core each" if arguments.core is not None else
                      f"{len(traces)} files need as many cores, and the machine has {config.cores}: --with cores={len(traces)}")
    with refusing(), keeping(arguments):
        result = replay(traces, config, arguments.core)
    show(result, arguments)


def show_report(arguments):
    from hwmem.runs.result import load_result
    with refusing():
        result = load_result(arguments.file)
    if arguments.json:
        print_json(result.to_dict())
    else:
        from hwmem.report import report
        say(report(result, arguments.section))


def write_page(arguments):
    from hwmem.report.page import page
    from hwmem.runs.result import load_result
    with refusing():
        result = load_result(arguments.file)
    with believing(arguments.file):
        text = page(result)
    draw(arguments.output, text)


def run_litmus(arguments):
    from tqdm import tqdm
    from hwmem.litmus import read_file
    from hwmem.litmus.text import parse_state, report, results_of, summary, to_dict
    with refusing():
        tests = [test for path in arguments.files for test in read_file(path)]
        if arguments.show is not None and len(tests) != 1:
            raise ValueError(f"--show takes one test, not {len(tests)}")
        results = [results_of(test, arguments.ordering, arguments.random, arguments.seed)
                   for test in tqdm(tests, desc="litmus", unit="test", delay=1.0, file=sys.stderr, leave=False)]
    if arguments.json:
        print_json([to_dict(*one) for one in zip(tests, results)])
        return
    shown = None
    if arguments.show is not None:
        with refusing():
            shown = arguments.ordering, parse_state(tests[0], arguments.show)
        if shown[1] not in results[0][arguments.ordering].shortest:
            raise Refused(f"--show: {arguments.ordering} does not allow {arguments.show}")
    say(report(tests[0], results[0], shown) if len(tests) == 1 else summary(tests, results))


@contextmanager
def believing(file):
    """Inside, what goes wrong is a result's fault that was damaged or made by hand."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ResultError(f"{file}: damaged: {type(error).__name__}: {error}") from None


def trace_line(arguments):
    from hwmem.observe.history import busiest, history
    from hwmem.report.history import history_table, picture
    from hwmem.runs.result import load_result
    with refusing():
        result = load_result(arguments.file)
        if result.events is None:
            raise ValueError(f"{arguments.file}: no requests were logged; make it with hwmem run --events N")
        line = result.physical_line(arguments.line) if arguments.line else busiest(result.events)
    with believing(arguments.file):
        moments = history(result.events, line, result.config.cores, result.config.protocol)
        name, text = result.line_name(line), history_table(moments, result.config.cores)
        drawn = picture(moments, result.config.cores, f"{result.workload}: {name}")
    if arguments.output:
        draw(arguments.output, drawn)
    if arguments.json:
        print_json([moment._asdict() for moment in moments])
    else:
        say(f"{name}: {len(moments)} requests\n\n{text}")


def show_classroom(arguments):
    from hwmem.experiments.classroom import BASE, CORES, LESSON, LINE, Classroom, walk
    from hwmem.observe.history import history
    from hwmem.report.history import picture
    if arguments.step is not None and not 0 <= arguments.step <= len(LESSON):
        raise Refused(f"--step takes 0 to {len(LESSON)}, not {arguments.step}")
    lesson = Classroom(arguments.protocol)
    if arguments.walk:
        walk(lesson, sys.stdin)
        return
    while lesson.at < (len(LESSON) if arguments.step is None else arguments.step):
        lesson.forward()
    if arguments.output:
        draw(arguments.output, picture(history(lesson.log(), BASE // LINE, CORES, arguments.protocol), CORES, "classroom: line a0"))
    say(lesson.text())


def draw(path, text):
    """A picture or a page, whole or not at all."""
    from hwmem.whole_file import write_whole
    with refusing():
        write_whole(path, text.encode(errors="backslashreplace"))


def show_config(arguments):
    from hwmem.config.file import dump
    say(dump(configuration(arguments)), end="")


def warm_up(arguments):
    from tqdm import tqdm
    from hwmem.programs import WORKLOADS
    from hwmem.runs.job import Job
    for workload in (bar := tqdm(WORKLOADS.values(), desc="compiling", unit="kernel", file=sys.stderr)):
        bar.set_postfix_str(workload.name)
        Job(workload).set_up()


@contextmanager
def keeping(arguments):
    """Inside, what was measured before Ctrl-C is kept if a file was asked for. What does not hear it is left running: the process
    ends."""
    from hwmem.machine import interrupt
    before, interrupt.patience_seconds = interrupt.patience_seconds, PATIENCE_SECONDS
    try:
        yield
    except Interrupted as interruption:
        if not arguments.output or interruption.result is None:
            raise
        with refusing():
            interruption.result.save(arguments.output)
        raise Interrupted(interruption.result, f"interrupted; what was measured so far is in {arguments.output}") from None
    finally:
        interrupt.patience_seconds = before


def show(result, arguments):
    """A result as asked for, and kept if asked to."""
    if arguments.output:
        with refusing():
            result.save(arguments.output)
    if arguments.json:
        print_json(result.to_dict())
    else:
        from hwmem.report import report
        say(report(result))


def say(text, end="\n"):
    """Onto stdout; what names from a file would do to a terminal is shown, not done."""
    print(printable(text), end=end)


def print_json(document):
    print(json.dumps(document, indent=1))
