"""A result in a notebook's cell: the overview's tables as HTML, and what can be drawn of it, inline (Result._repr_html_)."""

import base64
from html import escape

from hwmem.report.lines import LINE_HEADERS, MOST_LINES, line_row, verdict
from hwmem.report.overview import cores_table, header, outcome
from hwmem.report.table import is_number, no_screen, text

LEFT, RIGHT = "text-align:left", "text-align:right"


def html(result):
    """The HTML as text; names from files are escaped."""
    with no_screen():
        parts = [paragraph(header(result)), paragraph(outcome(result))]
    if result.comparison:
        parts.append(grid(result.comparison))
    parts.append(table(*cores_table(result)))
    rows = result.c2c()[:MOST_LINES]
    if rows:
        parts.append(table(LINE_HEADERS, map(line_row, rows)))
        parts += [paragraph(said) for said in [verdict(result)] if said]
    parts.append(inline(result.plot, f"{result.workload}, drawn"))
    return "\n".join(filter(None, parts))


def inline(plot, says):
    """An element with the picture that `plot` draws, "" where there is none or matplotlib is missing; `says`: what it shows."""
    from hwmem.report.look import svg

    try:
        data = base64.b64encode(svg(plot()).encode()).decode()
    except (ImportError, ValueError):
        return ""
    return f'<img alt="{escape(says)}" src="data:image/svg+xml;base64,{data}"/>'


def paragraph(lines):
    return f"<p>{escape(lines).replace(chr(10), '<br>')}</p>"


def grid(comparison):
    """A comparison's table, a row a value of what grows."""
    columns = [f"{comparison['column']}={text(column)}" if comparison["column"] else text(column) for column in comparison["columns"]]
    rows = [[label, *cells] if label is not None else list(cells) for label, cells in zip(comparison["rows"], comparison["cells"])]
    labelled = [comparison["row"] or ""] if comparison["rows"] != [None] else []
    return paragraph(comparison["title"]) + table([*labelled, *columns], rows)


def table(headers, rows):
    cells = [[text(value) for value in row] for row in rows]
    styles = [RIGHT if all(is_number(row[k]) for row in cells) else LEFT for k in range(len(headers))]

    def line(row, tag):
        return "<tr>" + "".join(f"<{tag} style='{style}'>{escape(cell)}</{tag}>" for cell, style in zip(row, styles)) + "</tr>"

    return f"<table><thead>{line(headers, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in cells)}</tbody></table>"
