"""`hwmem record PROG`, and the options of `hwmem trace` that are about what it makes."""

import argparse
import errno
import os

from hwmem.cli.interruption import heard
from hwmem.cli.files import check_apart, new_file
from hwmem.cli.line import USAGE, refusing
from hwmem.cli.parser import Refused

ORDERS = ("clock", "conflict", "recorded")  # trace/order.ORDERS, without importing it


def record_command(command):
    sub = command(record_program, "record", "run a program under Valgrind and keep what its threads do, for `hwmem trace`")
    sub.usage = "hwmem record [-o F] [--heap] [--children] -- PROG [ARGS ...]"
    sub.add_argument("-o", "--output", type=new_file, metavar="F", help="the recording (default: PROG.trace)")
    sub.add_argument("--heap", action="store_true", help="name heap blocks by the call that allocated them (needs a C compiler)")
    sub.add_argument("--children", action="store_true", help="record child processes too, each in a file F.PID")
    sub.add_argument("command", metavar="PROG", nargs=argparse.REMAINDER, help="the program and its arguments")


def record_program(arguments):
    """The program's own exit status; 128 and the signal's number if one ended it."""
    from hwmem.trace.recorder import record

    words = arguments.command[arguments.command[:1] == ["--"] :]
    if not words:
        raise Refused("record needs a program: hwmem record -- ./prog args")
    output = arguments.output
    with refusing():
        output = output or new_file(f"{os.path.basename(words[0])}.trace")
        files = words if os.sep in words[0] else words[1:]  # a bare name is looked for in PATH
        check_apart([("the program's command line", word) for word in files], [("-o/--output", output)])
    heard()  # Ctrl-C is the program's; what it leaves is kept
    with refusing():
        status = record(words, output, arguments.heap, arguments.children)
    return status if status is not None else USAGE


def recording_options(sub):
    group = sub.add_argument_group("of a recording of threads (hwmem record)")
    group.add_argument(
        "--order",
        choices=ORDERS,
        help="which thread goes on next: clock: the one with the lowest clock, held back by starts, waits and conflicts (default); conflict: the same, "
        "but critical sections keep their order too, and every load reads what it read; recorded: as recorded",
    )
    group.add_argument("--symbols", metavar="DIR", help="a folder to look for the program's files in, by name, if they have moved")
    group.add_argument(
        "--stores", type=address_range, metavar="START:END", help="list every store to these addresses, in the order made (--json)"
    )
    group.add_argument(
        "--apart",
        metavar="PART,PART",
        help="also replay it with these parts of variables, named as in a report, on cache lines of their own, and show the gain",
    )
    group.add_argument(
        "--callgrind", type=new_file, metavar="OUT", help="write a profile that KCachegrind opens: misses, HITMs and cycles by line"
    )
    group.add_argument("--pprof", type=new_file, metavar="OUT", help="write the same as a profile that `go tool pprof` opens")


def address_range(text):
    """(start, end) of "0x1000:0x1040"."""
    start, colon, end = text.partition(":")
    try:
        found = int(start, 0), int(end, 0)
    except ValueError:
        found = (0, 0)
    if not colon or not 0 <= found[0] < found[1] <= 1 << 47:
        raise argparse.ArgumentTypeError(f"takes START:END, such as 0x10c0c0:0x10c100, not {text!r:.60}")
    return found


def wishes_of(arguments, traces):
    """What the options say of a recording; None for other traces, which must not have them. Raises Refused."""
    if not any(trace.format == "threads" for trace in traces):
        for name in ("order", "symbols", "stores", "apart", "callgrind", "pprof"):
            if getattr(arguments, name) is not None:
                raise Refused(f"--{name} takes a recording of threads (hwmem record), not a trace of {traces[0].format}")
        return None
    from hwmem.report.program import split
    from hwmem.runs.recorded import Wishes

    if arguments.symbols is not None and not os.path.isdir(arguments.symbols):
        wrong = errno.ENOTDIR if os.path.exists(arguments.symbols) else errno.ENOENT
        raise Refused(f"--symbols: {arguments.symbols}: {os.strerror(wrong)}")
    given = arguments.config is not None or any(change.split("=")[0].strip() == "cores" for change in arguments.changes)
    apart = tuple(split(arguments.apart)) if arguments.apart is not None else ()
    if arguments.apart is not None and not apart:
        raise Refused("--apart takes parts of variables, such as 'counters[0],counters[1]'")
    return Wishes(arguments.order or ORDERS[0], arguments.symbols, arguments.stores, not given, apart, arguments.callgrind, arguments.pprof)
