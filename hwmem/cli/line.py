"""Shared by the commands hwmem and goalloc: refusing a command line, answering it, and the options that several commands have.

    carry_out ── parses (parser.py), runs what was asked; the exit status

    Refused, TraceError, ... (errors.py)     2: wrong usage or input
    MachineError                             1: the emulated program failed
    KeyboardInterrupt                        130

Tables and documents go to stdout, progress and the one line of a refusal to stderr.
"""

import argparse
import errno
import json
import os
import sys
from contextlib import contextmanager

from hwmem.cli.colour import coloured, wanted
from hwmem.cli.files import given, new_file, picture, workload_or_file
from hwmem.cli.interruption import INTERRUPTED, heard, listening
from hwmem.cli.parser import Refused
from hwmem.errors import Interrupted, LitmusError, MachineError, ResultError, TraceError, WorkloadError
from hwmem.printable import one_line, printable

FAILED, USAGE = 1, 2
ASCII = str.maketrans("█─│└├┌·", "#-|``,.")


def told(error):
    """An OSError in words."""
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error.strerror or error) if error.errno == errno.ENOMEM else f"output: {error.strerror}" if error.strerror else str(error)


@contextmanager
def refusing():
    """Within this context errors from Python or the host's files, and extras that are not installed, are reported as bad input."""
    try:
        yield
    except OSError as error:
        raise Refused(told(error)) from None
    except (TypeError, ValueError, ImportError) as error:
        raise Refused(str(error)) from None


def carry_out(top, words):
    """Do what the command line asks of the parser `top`'s command (None: the process's words); the exit status."""
    try:
        with listening(top.prog):
            arguments = top.parse_args(words)
            status = arguments.run(arguments)
            if sys.stdout:
                sys.stdout.flush()
        return status or 0  # only `hwmem record` has one of its own, its program's
    except (Refused, TraceError, ResultError, LitmusError, WorkloadError) as error:
        message, status = error, USAGE
    except MachineError as error:
        message, status = error, FAILED
    except BrokenPipeError:  # the reader has seen enough
        close_stdout()
        return 0
    except KeyboardInterrupt as interruption:
        message, status = str(interruption) or "interrupted", INTERRUPTED
    except OSError as error:  # of the host: no memory, a full disk behind stdout
        message, status = told(error), USAGE
        close_stdout()
    except MemoryError:
        message, status = "this host has not enough memory for that", USAGE
    print(f"{top.prog}: {(one_line if status == USAGE else printable)(str(message))}", file=sys.stderr, flush=True)
    if hasattr(message, "exit_status"):  # the emulated program's, in the words of `go run`
        print(f"exit status {message.exit_status}", file=sys.stderr, flush=True)
    if running():  # a kernel, or the compiler, goes on that nobody waits for
        os._exit(status)
    return status


def running():
    interrupt = sys.modules.get("hwmem.machine.interrupt")
    return bool(interrupt and interrupt.running)


def close_stdout():
    """After a failed write, do not try again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def json_option(sub):
    sub.add_argument("--json", action="store_true", help="one JSON document instead of tables")


class HelpWithParameters(argparse.Action):
    """--help behind a program's name: its parameters as well."""

    def __init__(self, option_strings, dest, registry, **_):
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help="show this help; with WORKLOAD, its parameters too")
        self.registry = registry

    def __call__(self, parser, namespace, values, option_string=None):
        parser.print_help()
        name = getattr(namespace, "workload", None)
        if name:
            from hwmem.programs.file import workload_name

            registry = self.registry()
            with refusing():
                described = registry.find(workload_name(name, registry)).describe()
            print()
            show_parameters(name, described)
        parser.exit()


def run_command(command, function, registry, example):
    """The subcommand `run`, as far as both commands have it. `registry`: a function that gives the programs."""
    sub = command(function, "run", f"run {example} on an emulated machine", add_help=False)
    sub.add_argument(
        "workload",
        type=workload_or_file,
        metavar="WORKLOAD",
        help=f"a name from `{sub.prog.split()[0]} list`, or a Python file that registers a workload",
    )
    sub.add_argument("-h", "--help", action=HelpWithParameters, registry=registry)
    sub.add_argument("--set", nargs="+", action="extend", default=[], metavar="PARAMETER=VALUE", help="the workload's parameters")
    machine_options(sub)
    sub.add_argument("--cores", type=integers, metavar="0,1,...", help="cores its threads run on, in order (default: all)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all that is random (default 0)")
    sub.add_argument("--classify", action="store_true", help="count misses by cause: cold, capacity, true and false sharing")
    sub.add_argument("--events", type=int, default=0, metavar="N", help="log the first N coherence requests into the result")
    sub.add_argument("--races", action="store_true", help="look for data races")
    sub.add_argument("--max-cycles", type=int, metavar="N", help="stop the program after so many cycles, if it has not ended")
    sub.add_argument("--live", action="store_true", help="show the run as it goes: accesses a second, misses, the hottest lines, memory")
    sub.add_argument("--alone", action="store_true", help="no comparison with its variants")
    plot_option(sub, "draw it: the comparison, the program's figures, memory over time, a collector's pauses")
    return sub


def run_job(job, arguments):
    """The result of a Job, watched as the options say."""
    from hwmem.observe.switches import EVENTS
    from hwmem.programs.file import blaming
    from hwmem.runs.job import MAX_CYCLES
    from hwmem.runs.watch import Watch

    with refusing():
        watch = Watch(classify=arguments.classify, events=EVENTS.check("--events", arguments.events), races=arguments.races)
        if arguments.max_cycles is not None:
            MAX_CYCLES.check("--max-cycles", arguments.max_cycles)
    with blaming(arguments.workload), keeping(arguments):
        return job.run(progress=how_to_tell(arguments), compare=not arguments.alone, watch=watch, max_cycles=arguments.max_cycles)


def how_to_tell(arguments):
    """The `progress` argument for a Job."""
    if arguments.live:
        from hwmem.cli.live import live

        return live
    return sys.stderr.isatty()


def output_option(sub, metavar, help, required=False):
    sub.add_argument("-o", "--output", type=new_file, metavar=metavar, required=required, help=help)


def plot_option(sub, help):
    sub.add_argument("--plot", type=picture, metavar="F", help=f"{help} (.png, .svg or .pdf)")


def draw_plot(what, arguments):
    """Draw the picture of a Result, a Sweep or an Outcome, if requested."""
    if getattr(arguments, "plot", None):
        with refusing():
            what.plot(arguments.plot)


def integers(text):
    """A list of them with commas."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes numbers, such as 0,1, not {text!r:.60}") from None


def one_of(option, word, names):
    """`word`, which must be one of `names`; Refused."""
    if word not in names:
        raise Refused(f"{option}: {word!r:.60} is none of {', '.join(names)}")
    return word


def machine_options(sub):
    group = sub.add_mutually_exclusive_group()
    group.add_argument("--preset", metavar="P", help="a machine that ships with hwmem (default: generic)")
    group.add_argument("--config", type=given, metavar="F", help="a machine from a TOML file")
    sub.add_argument(
        "--with",
        dest="changes",
        nargs="+",
        action="extend",
        default=[],
        metavar="SETTING=VALUE",
        help="change some of its settings, such as cores=8 l1d.size=64KiB",
    )


def configuration(arguments, workload=None):
    """The machine that the options describe; a preset is combined with the settings that `workload` declares, a file is used as it is."""
    from hwmem.config.machine import MachineConfig

    with refusing():
        base = MachineConfig.load(arguments.config) if arguments.config else MachineConfig.preset(arguments.preset or "generic")
        if workload and not arguments.config:
            base = workload.config(base)
        return base.with_overrides(arguments.changes)


@contextmanager
def believing(file):
    """Within this context errors are blamed on a damaged or hand-made result."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ResultError(f"{file}: damaged: {type(error).__name__}: {error}") from None


def draw(path, text):
    """A picture or a page, whole or not at all."""
    from hwmem.whole_file import write_whole

    with refusing():
        write_whole(path, text.encode(errors="backslashreplace"))


@contextmanager
def keeping(arguments, keep=None):
    """Within this context what was measured before Ctrl-C is kept if a file was requested, by `keep(it)` or as a Result. A kernel that does not
    react is abandoned: the process ends."""
    from hwmem.machine import interrupt

    interrupt.on_interrupt.append(heard)
    try:
        yield
    except Interrupted as interruption:
        heard()
        if not arguments.output or interruption.result is None:
            raise
        with refusing():
            keep(interruption.result) if keep else interruption.result.save(arguments.output)
        raise Interrupted(interruption.result, f"interrupted; what was measured so far is in {arguments.output}") from None
    finally:
        interrupt.on_interrupt.remove(heard)


def show(result, arguments):
    """Show a result in the requested form, once it is kept and drawn, if requested."""

    def tables():
        if arguments.json:
            print_json(result.to_dict())
        else:
            from hwmem.report import report

            say(report(result))

    written(tables, arguments.output and (lambda: result.save(arguments.output)), lambda: draw_plot(result, arguments))


def written(show, *writes):
    """Write files by `writes`, functions or what is false, then `show()`: what was computed is shown, and the other files are written, where
    one cannot be. Raises Refused for the first of those in the end."""
    refused = []
    for write in filter(None, writes):
        try:
            with refusing():
                write()
        except Refused as error:
            refused.append(error)
    show()
    if refused:
        raise refused[0]


def show_parameters(name, described):
    """What a workload is, parameter by parameter; `described`: what its describe() says."""
    from hwmem.report.table import fold, table, text

    say(fold(f"{name}: {described['description']}") + "\n")
    say(
        table(
            ["parameter", "default", "takes", "is"],
            [[n, text(p["default"]), p["takes"], p["doc"]] for n, p in described["parameters"].items()],
        )
    )


def say(text, end="\n"):
    """Print to stdout; control characters in names from a file are shown, not executed, and characters that its encoding lacks are
    replaced."""
    text = printable(str(text))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(ASCII).encode(encoding, "replace").decode(encoding)
    print(coloured(text) if wanted(sys.stdout) else text, end=end)


def print_json(document):
    print(json.dumps(document, indent=1))
