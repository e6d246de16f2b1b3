"""Which core requested what, when, and what answered: the first coherence requests after switches.start(machine, events=n).

hooks.log_event writes a record for each request that reaches the directory and each PUTX. The log keeps the first n and only counts the
rest: its contents do not depend on where a run stops, and the beginning shows how a line came to be shared. (To see a later part, start the
log there.)

    cycle      the core's clock when the request left     before, after   the core's state of the line
    latency    cycles until the answer                    responder       the core that supplied the line, or -1
    thread     that runs on the core, -1: the prompt's    line            physical address >> 6

Lines of a log are in the order in which the machine made the requests. Cores have clocks of their own; within a core
cycles never decrease, across cores they may.
"""

from hwmem.cache.protocol import REQUEST_NAMES
from hwmem.params import LINE_SHIFT, STATE_NAMES

HEAD = f"{'cycle':>12} {'core':>4} {'thread':>6} {'request':>8} {'line':>14}  {'state':<6} {'from':<8} {'latency':>7}"


def events(machine):
    """The log so far: (a copy, as a structured array with the fields above; how many more there were)."""
    o = machine.state.observe
    kept = min(int(o.event_count), int(o.event_limit))
    return machine.state.event[:kept].copy(), int(o.event_count) - kept


def text(log, dropped=0):
    """The log as a table."""
    lines = [HEAD, *map(row_text, log)]
    if dropped:
        lines.append(f"... and {dropped} more requests, which the log had no room for")
    return "\n".join(lines) + "\n"


def row_text(event):
    states = f"{STATE_NAMES[event['before']]}->{STATE_NAMES[event['after']]}"
    source = f"core {event['responder']}" if event["responder"] >= 0 else "-"
    thread = event["thread"] if event["thread"] >= 0 else "-"
    return (
        f"{event['cycle']:>12} {event['core']:>4} {thread:>6} {REQUEST_NAMES[event['request']]:>8} "
        f"{int(event['line']) << LINE_SHIFT:>#14x}  {states:<6} {source:<8} {event['latency']:>7}"
    )
