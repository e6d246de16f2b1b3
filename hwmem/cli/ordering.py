"""The commands on memory ordering and coherence: litmus tests, a line's history, the protocol step by step."""

import sys

from hwmem.cli.files import given
from hwmem.cli.line import believing, draw, json_option, output_option, print_json, refusing, say, written
from hwmem.cli.parser import Refused

ORDERINGS = ("sc", "tso", "relaxed")


def ordering_commands(command):
    """Litmus tests and line histories."""
    sub = command(run_litmus, "litmus", "all outcomes of litmus tests under sc, tso and relaxed")
    sub.add_argument("files", type=given, metavar="FILE", nargs="+", help="herd's x86 .litmus, or .json; plain or gzip")
    sub.add_argument("--random", type=int, default=0, metavar="N", help="also make N random runs")
    sub.add_argument("--ordering", choices=ORDERINGS, default="tso", help="of the random runs and of --show (default tso)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random runs (default 0)")
    sub.add_argument("--show", metavar="STATE", help='show the shortest way to this final state, such as "0:EAX=0 1:EAX=0"')
    json_option(sub)

    sub = command(trace_line, "trace-line", "the history of one line, request by request, from a result with --events")
    sub.add_argument("file", type=given, metavar="R.hwm", help="a result that `run -o` or `trace -o` has kept")
    sub.add_argument("line", metavar="LINE", nargs="?", help="a variable's name or an address (default: the line with the most requests)")
    output_option(sub, "LINE.svg", "also draw it")
    json_option(sub)

    sub = command(show_classroom, "classroom", "the MESI protocol step by step, on three cores and four lines")
    sub.add_argument("--step", type=int, metavar="N", help="show it after N steps (default: all)")
    sub.add_argument("--walk", action="store_true", help="step forwards (Enter) and backwards (b) at the prompt; q ends it")
    sub.add_argument("--protocol", choices=("msi", "mesi", "moesi", "mesif"), default="mesi", help="(default mesi)")
    output_option(sub, "A0.svg", "draw the history of line a0")


def run_litmus(arguments):
    from tqdm import tqdm
    from hwmem.litmus import read_file
    from hwmem.litmus.text import parse_state, report, results_of, summary, to_dict

    with refusing():
        tests = [test for path in arguments.files for test in read_file(path)]
        if arguments.show is not None and len(tests) != 1:
            raise ValueError(f"--show takes one test, not {len(tests)}")
        results = [
            results_of(test, arguments.ordering, arguments.random, arguments.seed)
            for test in tqdm(tests, desc="litmus", unit="test", delay=1.0, file=sys.stderr, leave=False, disable=not sys.stderr.isatty())
        ]
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
    written(
        lambda: (
            print_json([moment._asdict() for moment in moments])
            if arguments.json
            else say(f"{name}: {len(moments):,} request{'s' * (len(moments) != 1)}\n\n{text}")
        ),
        arguments.output and (lambda: draw(arguments.output, drawn)),
    )


def show_classroom(arguments):
    from hwmem.experiments.classroom import BASE, CORES, LESSON, LINE, Classroom, walk
    from hwmem.observe.history import history
    from hwmem.report.history import picture

    if arguments.step is not None and not 0 <= arguments.step <= len(LESSON):
        raise Refused(f"--step takes 0 to {len(LESSON)}, not {arguments.step}")
    if arguments.walk and (arguments.step is not None or arguments.output):
        raise Refused("--walk begins before the first step and draws nothing: it takes no --step and no -o")
    lesson = Classroom(arguments.protocol)
    if arguments.walk:
        walk(lesson, sys.stdin)
        return
    while lesson.at < (len(LESSON) if arguments.step is None else arguments.step):
        lesson.forward()

    def drawn():
        draw(arguments.output, picture(history(lesson.log(), BASE // LINE, CORES, arguments.protocol), CORES, "classroom: line a0"))

    written(lambda: say(lesson.text()), arguments.output and drawn)
