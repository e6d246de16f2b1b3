"""The options of `hwmem trace` that are about recordings of threads."""

import argparse
import os

from hwmem.cli.line import Refused

ORDERS = ("clock", "conflict", "recorded")  # trace/order.ORDERS, without importing it


def recording_options(sub):
    group = sub.add_argument_group("of a recording of threads (hwmem record)")
    group.add_argument(
        "--order",
        choices=ORDERS,
        help="who goes on next: clock: whose core's clock is least, held by starts, waits and conflicts (default); conflict: so that also critical "
        "sections keep their order, and every load reads what it read; recorded: as recorded",
    )
    group.add_argument("--symbols", metavar="DIR", help="where the program's files are looked for by name, if they are not where they were")
    group.add_argument(
        "--stores", type=address_range, metavar="START:END", help="tell every store to these addresses, in the order made (--json)"
    )


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
        for name in ("order", "symbols", "stores"):
            if getattr(arguments, name) is not None:
                raise Refused(f"--{name} takes a recording of threads (hwmem record), not a trace of {traces[0].format}")
        return None
    from hwmem.runs.recorded import Wishes

    if arguments.symbols is not None and not os.path.isdir(arguments.symbols):
        raise Refused(f"--symbols: {arguments.symbols}: no such folder")
    given = arguments.config is not None or any(change.split("=")[0].strip() == "cores" for change in arguments.changes)
    return Wishes(arguments.order or ORDERS[0], arguments.symbols, arguments.stores, not given)
