"""A result as one HTML file that needs nothing beside itself: `hwmem html R.hwm -o R.html`.

    what the run printed, the contended lines with a cell a byte, the busiest line's history as a picture (of runs with
    --events), then every section of `hwmem report`

The tables are those of the terminal; a cell has the colour of the thread that wrote the byte, or read it if nobody did.
"""

from html import escape

from hwmem.observe.history import busiest, history
from hwmem.report import SECTIONS
from hwmem.report.history import picture
from hwmem.report.lines import LETTERS, variables
from hwmem.report.overview import overview
from hwmem.report.table import no_screen

MOST_LINES = 20
MOST_MOMENTS = 200  # of the picture: what a browser scrolls through
NOBODY, SEVERAL = "#e9ecef", "#343a40"
HUE_STEP = 137  # degrees: neighbouring threads' colours lie far apart
TITLES = {
    "c2c": "Contended lines as perf c2c shows them",
    "caches": "Caches",
    "tlb": "TLBs",
    "faults": "Page faults",
    "memory": "Memory",
    "ordering": "Ordering",
    "events": "Coherence requests",
    "races": "Data races",
    "where": "Where a trace misses",
}
STYLE = """body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2em auto; max-width: 70em; padding: 0 1em }
pre { background: #f8f9fa; padding: 1em; overflow-x: auto; font-size: 13px; line-height: 1.35 }
.line { white-space: nowrap; overflow-x: auto; margin: .6em 0 } .line b { display: block; font-weight: 600 }
.line i { display: inline-block; width: 14px; height: 20px; font: 11px/20px monospace; text-align: center; color: white }
.line i:nth-child(8n+1) { border-right: 1px solid white }"""


def page(result):
    """The HTML as text."""
    title = escape(f"{result.workload} on {result.config.name}")
    with no_screen():
        parts = [f"<h1>{title}</h1>", preformatted(overview(result)), *contended(result), *busiest_history(result)]
        for name, section in SECTIONS.items():
            parts += [f"<h2 id='{name}'>{TITLES[name]}</h2>", preformatted(section(result))]
    body = "\n".join(parts)
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>\n<style>\n{STYLE}\n</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def preformatted(text):
    return f"<pre>{escape(text)}</pre>"


def contended(result):
    rows = result.c2c()[:MOST_LINES]
    if not rows:
        return []
    return ["<h2>Who touches which bytes</h2>", *map(line, rows)]


def line(row):
    said = f"{variables(row)}: {row['sharing']} sharing, {row['hitm']:,} HITMs"
    return f"<div class='line'><b>{escape(said)}</b>{cells(row)}</div>"


def cells(row):
    return "".join(
        f"<i style='background:{colour(thread)}' title='byte {byte}: {owner(thread)}'>{letter(thread)}</i>"
        for byte, thread in enumerate(row["bytes"])
    )


def colour(thread):
    if thread is None:
        return NOBODY
    return SEVERAL if thread < 0 else f"hsl({thread * HUE_STEP % 360} 55% 45%)"


def owner(thread):
    if thread is None:
        return "nobody"
    return "several threads" if thread < 0 else f"thread {thread}"


def letter(thread):
    if thread is None:
        return "."
    return "#" if thread < 0 else LETTERS[thread]


def busiest_history(result):
    """The picture of the line with the most requests, from its first one on; of a run without a log, nothing."""
    number = None if result.events is None else busiest(result.events)
    if number is None:
        return []
    cores = result.config.cores
    moments = history(result.events, number, cores, result.config.protocol)
    title = f"{result.line_name(number)}: {min(len(moments), MOST_MOMENTS)} of {len(moments)} requests"
    return ["<h2>One line's history</h2>", picture(moments[:MOST_MOMENTS], cores, title)]
