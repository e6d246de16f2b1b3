"""Shared by the commands hwmem and goalloc: parsing a command line, refusing it, answering it.

    command_line ── a parser whose mistakes are one line     carry_out ── runs what was asked; the exit status

    Refused, TraceError, ... (errors.py)     2: wrong usage or input
    MachineError                             1: the emulated program failed
    KeyboardInterrupt                        130

Tables and documents go to stdout, progress and the one line of a refusal to stderr.
"""

import argparse
import errno
import json
import os
import re
import sys
from contextlib import contextmanager

from hwmem import __version__
from hwmem.cli.colour import coloured, wanted
from hwmem.cli.interruption import INTERRUPTED, heard, listening
from hwmem.errors import Interrupted, LitmusError, MachineError, ResultError, TraceError, WorkloadError
from hwmem.printable import one_line, printable

FAILED, USAGE = 1, 2
UNKNOWN_OPTION = re.compile(r"unrecognized arguments: --([\w.-]+)[ =]?([\w.-]+)?")
ASCII = str.maketrans("█─│└├┌·", "#-|``,.")
LISTS = ("--set", "--with", "--sweep")  # options that take words with an = until the next option


class Refused(Exception):
    """Wrong usage or input; the message is the line that says so."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        unknown = UNKNOWN_OPTION.search(message)
        if unknown:
            message += (
                f"; did you mean --set {unknown[1]}={unknown[2] or 'VALUE'}, a parameter of the workload, "
                f"or --with {unknown[1]}={unknown[2] or 'VALUE'}, a setting of the machine?"
            )
        raise Refused(f"{message} (see {self.prog} --help)")


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
            arguments = top.parse_args(program_first(sys.argv[1:] if words is None else words))
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


def program_first(words):
    """`run --set threads=2 NAME` as `run NAME --set threads=2`: what a list of settings swallows although it is none."""
    if len(words) < 2 or words[0] != "run" or not words[1].startswith("-"):
        return words
    swallowing = False
    for k, word in enumerate(words):
        if swallowing and not word.startswith("-") and "=" not in word:
            return ["run", word, *words[1:k], *words[k + 1 :]]
        if word.startswith("-"):
            swallowing = word in LISTS
    return words


def running():
    interrupt = sys.modules.get("hwmem.machine.interrupt")
    return bool(interrupt and interrupt.running)


def close_stdout():
    """After a failed write, do not try again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command_line(prog, description):
    """A parser, and a function that adds to it a subcommand that runs a function."""
    top = Parser(prog=prog, description=description, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{prog} {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(function, name, help, add_help=True):
        sub = commands.add_parser(name, help=help, description=help, allow_abbrev=False, add_help=add_help)
        sub.set_defaults(run=function)
        return sub

    return top, command


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
        "workload", metavar="WORKLOAD", help=f"a name from `{sub.prog.split()[0]} list`, or a Python file that registers a workload"
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


def new_file(path):
    """Check that a file can be written, before the work that fills it."""
    folder = os.path.dirname(path) or "."
    for wrong, code in (
        (not os.path.isdir(folder), errno.ENOENT),
        (os.path.isdir(path), errno.EISDIR),
        (not os.access(folder, os.W_OK), errno.EACCES),
    ):
        if wrong:
            raise argparse.ArgumentTypeError(f"{path}: {os.strerror(code)}")
    return path


def new_folder(path):
    """Check that a folder can be made, or written into, before the work that fills it."""
    at = os.path.abspath(path)
    while not os.path.lexists(at):
        at = os.path.dirname(at)
    if not os.path.isdir(at):
        raise argparse.ArgumentTypeError(f"{path}: {os.strerror(errno.ENOTDIR)}")
    if not os.access(at, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path}: {os.strerror(errno.EACCES)}")
    return path


def plot_option(sub, help):
    sub.add_argument("--plot", type=picture, metavar="F", help=f"{help} (.png, .svg or .pdf)")


def picture(path):
    """A file for a picture that can be written and drawn."""
    from hwmem.report.look import picture_file

    try:
        picture_file(path)
    except (ImportError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return new_file(path)


def draw_plot(what, arguments):
    """Draw the picture of a Result, a Sweep or an Outcome, if requested."""
    if arguments.plot:
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
    group.add_argument("--config", metavar="F", help="a machine from a TOML file")
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
    if arguments.output:
        with refusing():
            result.save(arguments.output)
    if "plot" in arguments:  # a picture that cannot be drawn costs no result
        draw_plot(result, arguments)
    if arguments.json:
        print_json(result.to_dict())
    else:
        from hwmem.report import report

        say(report(result))


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
