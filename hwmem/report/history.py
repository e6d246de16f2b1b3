"""A line's history as a table, and as a picture: a self-contained SVG, time downwards, a lane a core.

A lane's colour is the state in which its core has the line. An arrow goes from the core that had the line to the one
that asked; without one the line came from the last-level cache or memory, or was there.
"""

from html import escape

from hwmem.report.table import table

COLOURS = {"M": "#d1495b", "O": "#e08e45", "E": "#3d7ea6", "F": "#6c5b95", "S": "#66a182", "I": "#e9ecef"}
MEANINGS = {
    "M": "modified: the only copy, memory is stale",
    "O": "owned: dirty, others may share it",
    "E": "exclusive: the only copy, clean",
    "F": "forward: shared, the one that answers",
    "S": "shared",
    "I": "no copy",
}
LANE, ROW, LEFT, TOP, RIGHT = 84, 34, 210, 84, 100
FONT = "font-family='Helvetica, Arial, sans-serif'"


def history_table(moments, cores):
    """A row a request; `states` after it, a column a core."""
    rows = [[m.cycle, str(m.core), m.request, f"core {m.supplier}" if m.supplier >= 0 else "-", m.latency, *m.states] for m in moments]
    return table(["cycle", "core", "request", "answered by", "cycles", *(f"P{c}" for c in range(cores))], rows)


def picture(moments, cores, title):
    """The SVG as text."""
    width, height = LEFT + cores * LANE + RIGHT, TOP + (len(moments) + 1) * ROW + 40
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' {FONT} font-size='13'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        f"<text x='16' y='26' font-size='17' font-weight='bold' fill='#222'>{escape(title)}</text>",
        "<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
        "<path d='M0,0 L8,4 L0,8 z' fill='#222'/></marker></defs>",
    ]
    for c in range(cores):
        parts.append(words(lane(c), TOP - 14, f"core {c}", "middle", "#222", "bold"))
    states = "I" * cores
    for n, moment in enumerate([None, *moments]):
        y = TOP + n * ROW
        states = moment.states if moment else states
        parts += [block(c, y, states[c]) for c in range(cores)]
        if moment:
            parts += request(moment, y, LEFT + cores * LANE)
    parts += legend(sorted({s for m in moments for s in m.states} | {"I"}, key="MOEFSI".index), height - 18)
    return "\n".join([*parts, "</svg>"]) + "\n"


def lane(core):
    return LEFT + core * LANE + LANE / 2


def words(x, y, text, anchor="start", colour="#222", weight="normal", size=13):
    return (
        f"<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' fill='{colour}' font-weight='{weight}' font-size='{size}'>{escape(text)}</text>"
    )


def block(core, y, state):
    """The stretch of a lane until the next request."""
    dark = state != "I"
    return f"<rect x='{lane(core) - 26:g}' y='{y:g}' width='52' height='{ROW}' fill='{COLOURS[state]}'/>" + words(
        lane(core), y + ROW / 2 + 5, state, "middle", "white" if dark else "#adb5bd", "bold"
    )


def request(moment, y, right):
    """What a row says beside its lanes, and the arrow along which the line came."""
    parts = [
        words(16, y + 6, f"{moment.cycle:,}", colour="#666", size=12),
        words(LEFT - 14, y + 6, f"core {moment.core} {moment.request}", "end", weight="bold", size=12),
        f"<line x1='{LEFT - 8}' x2='{lane(moment.core) + 26:g}' y1='{y}' y2='{y}' stroke='#222' stroke-width='0.7' stroke-dasharray='2 3'/>",
        words(right, y + 4, f"{moment.latency} cycles" if moment.latency else "", size=12),
    ]
    if moment.supplier >= 0:
        towards = 1 if moment.core > moment.supplier else -1
        parts.append(
            f"<line x1='{lane(moment.supplier) + 26 * towards:g}' x2='{lane(moment.core) - 28 * towards:g}' y1='{y}' y2='{y}' "
            "stroke='#222' stroke-width='2.2' marker-end='url(#head)'/>"
        )
    return parts


def legend(states, y):
    parts, x = [], 16
    for state in states:
        parts += [
            f"<rect x='{x}' y='{y - 11}' width='13' height='13' fill='{COLOURS[state]}'/>",
            words(x + 18, y, f"{state} {MEANINGS[state].split(':')[0]}", size=12),
        ]
        x += 92
    return parts
