"""Numbers in columns: one table, one way to write a number, one way to draw a grid."""
import re

BAR_CHARACTERS = 20
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MOST_NAMED_COLUMNS = 4


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


def printable(text):
    """The text with what a terminal would obey, or could not show, spelt out."""
    return HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def percent(part, whole):
    return f"{100 * part / whole:.1f}%" if whole else "-"


def table(headers, rows):
    """Lines of text: a column a header, words to the left, numbers (and what looks like one) to the right."""
    cells = [[text(value) for value in row] for row in rows]
    numeric = [all(is_number(row[k]) for row in cells) for k in range(len(headers))]
    widths = [max(len(row[k]) for row in [headers, *cells]) for k in range(len(headers))]

    def line(row):
        return "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric)).rstrip()
    return "\n".join(map(line, [headers, *cells]))


def is_number(cell):
    return cell == "-" or cell.rstrip("%x").replace(",", "").replace(".", "", 1).isdigit()


def grid_table(grid, factor=False):
    """A grid (programs/registry.py) as a table; `factor`: with bars for how far the first column is above the least."""
    title, columns = grid["title"], [text(c) for c in grid["columns"]]
    if grid["column"] and len(columns) > MOST_NAMED_COLUMNS:
        title += f", by {grid['column']}"
    elif grid["column"]:
        columns = [f"{grid['column']}={c}" for c in columns]
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
