"""Numbers in columns: one table, one way to write a number, one way to draw a grid, and all of it within the screen.

A table that is wider than the screen gives way in this order, and loses nothing:

    headers are folded at their spaces, down to what stands under them      stores          stores before=1
                                                                            before=1   for
    cells of words are folded, the widest column first
    columns go into blocks, one below the other, each with the columns again that name a row: the first, or the first few
    where only together no two rows have the same

The screen is as wide as COLUMNS says, else the terminal; 100 where there is neither.
"""

import re
import shutil
import textwrap
from contextlib import contextmanager
from contextvars import ContextVar

BAR_CHARACTERS = 20
MOST_NAMED_COLUMNS = 4
MOST_NAMING = 3  # columns that are repeated in each block
GAP = "  "
WITHOUT_SCREEN, NARROWEST_SCREEN = 100, 40
_KEPT = ContextVar("columns of what is kept", default=None)
BREAKS = re.compile(r"(?<=[ /])|(?<=[^. ]\.)(?!\d)")
LEAST_WORDS = 20  # characters to which a column of words gives way


def text(value):
    """A cell: thousands apart, a fraction while it matters, nothing as "-"."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 1 or value == 0 else 3
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent(part, whole):
    return f"{100 * part / whole:.1f}%" if whole else "-"


@contextmanager
def no_screen():
    """Within this context tables are as wide as without a screen: for output that is saved."""
    token = _KEPT.set(WITHOUT_SCREEN)
    try:
        yield
    finally:
        _KEPT.reset(token)


def screen():
    """Columns of the screen."""
    return _KEPT.get() or max(shutil.get_terminal_size(fallback=(WITHOUT_SCREEN, 0)).columns, NARROWEST_SCREEN)


def fold(line, indent="  ", width=None, whole=True):
    """A line of words, on as many lines as it takes. `whole`: a word that is longer than the screen, such as a command's, stays on one line."""
    return textwrap.fill(line, width or screen(), subsequent_indent=indent, break_long_words=not whole, break_on_hyphens=False)


def table(headers, rows, width=None):
    """Lines of text: a column a header, words to the left, numbers (and what looks like one) to the right.

    `width`: columns of the screen, None: as many as there are. See the file header.
    """
    cells = [[text(value) for value in row] for row in rows]
    columns = [Column(header, [row[k] for row in cells]) for k, header in enumerate(headers)]
    width = width or screen()
    for give_way in (Column.fold_header, Column.fold_cells):
        for column in sorted(columns, key=Column.excess, reverse=True):
            over = total(columns) - width
            if over > 0:
                give_way(column, over)
    return "\n\n".join(drawn(block) for block in blocks(columns, naming(cells), width))


class Column:
    """A header over cells; `width`: what it takes now."""

    def __init__(self, header, cells):
        self.header, self.cells = header, cells
        self.numeric = all(map(is_number, cells))
        self.least = max(map(len, cells), default=0)
        self.width = max(self.least, len(header))

    def excess(self):
        return self.width - self.least if self.width > self.least else self.width - LEAST_WORDS

    def fold_header(self, over):
        words = max(map(len, self.header.split()), default=0)
        self.width = max(words, self.width - over)
        self.width = max(self.least, *map(len, self.lines(self.header)))

    def fold_cells(self, over):
        if not self.numeric:
            self.width = max(min(self.width, LEAST_WORDS), self.width - over)

    def lines(self, cell):
        return wrapped(cell, self.width) if len(cell) > self.width else [cell]

    def aligned(self, line):
        return line.rjust(self.width) if self.numeric else line.ljust(self.width)


def wrapped(cell, width):
    """The lines of a cell: broken after spaces, after the dots and slashes of a name (no number's), and else where the width ends."""
    lines = [""]
    for piece in BREAKS.split(cell):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def total(columns):
    return sum(column.width + len(GAP) for column in columns) - len(GAP)


def naming(rows):
    """How many of the first columns tell the rows apart; 1 where not even MOST_NAMING do."""
    for k in range(1, MOST_NAMING + 1):
        if len({tuple(row[:k]) for row in rows}) == len(rows):
            return k
    return 1


def blocks(columns, names, width):
    """The columns in as many groups as it takes, each with the first `names` again (or, where those take half of it, the first)."""
    if total(columns[:names]) > width // 2:
        names = 1
    first, groups = columns[:names], [columns[:names]]
    for column in columns[names:]:
        if len(groups[-1]) > names and total([*groups[-1], column]) > width:
            groups.append(first)
        groups[-1] = [*groups[-1], column]
    return groups


def drawn(columns):
    """One block as text. A header of several lines stands on its cells."""
    headers = [column.lines(column.header) for column in columns]
    high = max(map(len, headers))
    rows = [[[""] * (high - len(lines)) + lines for lines in headers]]
    rows += [[column.lines(column.cells[k]) for column in columns] for k in range(len(columns[0].cells))]
    out = []
    for row in rows:
        for k in range(max(map(len, row))):
            out.append(GAP.join(c.aligned(lines[k] if k < len(lines) else "") for c, lines in zip(columns, row)).rstrip())
    return "\n".join(out)


def is_number(cell):
    return cell == "-" or cell.rstrip("%x").replace(",", "").replace(".", "", 1).isdigit()


def grid_table(grid, factor=False):
    """A grid (programs/registry.py) as a table; `factor`: with bars for how far the first column is above the least."""
    title, columns = grid["title"], [text(c) for c in grid["columns"]]
    if grid["column"] and len(columns) > MOST_NAMED_COLUMNS:
        title += f", by {grid['column']}"
    elif grid["column"]:
        columns = [f"{grid['column']}={c}" for c in columns]
    elif len(columns) == 1:
        columns = title.split(maxsplit=1)[:1]  # nothing is compared: cycles
    rows = [list(cells) for cells in grid["cells"]]
    if factor and len(columns) > 1:
        factors = [row[0] / min(row) for row in rows]
        columns.append("slowdown")
        for row, x in zip(rows, factors):
            row.append(f"{x:6.1f}x  {'█' * round(BAR_CHARACTERS * x / max(factors)) if len(rows) > 1 else ''}")
    if grid["rows"] != [None]:
        columns.insert(0, grid["row"] or "")
        rows = [[label, *row] for label, row in zip(grid["rows"], rows)]
    return f"{title}\n{table(columns, rows)}"
