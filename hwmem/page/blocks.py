"""What a page is made of: sections of blocks, plain data that page.js draws.

    section(id, title, blocks, lead)      those that are None are left out, and a section without blocks is None
    tiles([tile(...)])                    figures, the answer first
    table(columns, rows)                  column: name or (name, kind); kind: text code int num pct bytes bar strip address, link (text, to),
                                          tone (text, "good" "bad" "")
    bars(rows, parts)                     a stacked bar a row
    chart(x, panels)                      lines over one axis that zooms, one below the other; lanes(...): activity by row
    picture(svg_or_png, says)             what matplotlib drew
    words(...), listing(...)              sentences; text as a terminal shows it

Other kinds are made where their data is: matrix, lines, history (coherence.py). Strings may come from anywhere: document.py makes sure that
nothing in them runs.
"""

import base64

MOST_ROWS = 200  # of a table: more than somebody reads
PLAIN = "text"


def section(name, title, blocks, lead=""):
    """A part of the page with a heading of its own, or None if nothing of it is there."""
    blocks = [block for block in blocks if block]
    return {"id": name, "title": title, "lead": lead, "blocks": blocks} if blocks else None


def tile(label, value, says="", tone=""):
    """`value`: as it is to be read; `tone`: "bad", "good" or neither."""
    return {"label": label, "value": value, "says": says, "tone": tone}


def tiles(found):
    found = [one for one in found if one]
    return {"kind": "tiles", "tiles": found} if found else None


def table(columns, rows, caption="", note="", sort=True):
    """`columns`: a name, or (name, kind); None if there are no rows. What lies beyond MOST_ROWS is left out, and the note says so."""
    rows = [list(row) for row in rows]
    if not rows:
        return None
    if len(rows) > MOST_ROWS:
        note = f"{note} The first {MOST_ROWS} of {len(rows):,} rows.".strip()
    made = [(c, PLAIN) if isinstance(c, str) else c for c in columns]
    return {
        "kind": "table",
        "columns": [{"name": name, "kind": kind} for name, kind in made],
        "rows": rows[:MOST_ROWS],
        "caption": caption,
        "note": note,
        "sort": sort,
    }


def bars(rows, parts, caption="", unit="", note="", of="core"):
    """A bar a row, (label, values), of `parts` (names); `of`: what a row is. None if all is 0."""
    rows = [[label, *values] for label, values in rows if any(values)]
    return {"kind": "bars", "parts": list(parts), "rows": rows, "caption": caption, "unit": unit, "note": note, "of": of} if rows else None


def chart(x, panels, caption="", spans=(), unit="s", note=""):
    """`x`: numbers that never decrease; `panels`: panel(...); `spans`: (from, to, name) in units of x, such as pauses."""
    panels = [one for one in panels if one]
    if not panels or len(x) < 2:
        return None
    return {
        "kind": "chart",
        "x": list(x),
        "panels": panels,
        "caption": caption,
        "spans": [list(s) for s in spans],
        "unit": unit,
        "note": note,
    }


def panel(title, unit, series):
    """`unit`: bytes, count or per thousand; `series`: (name, values[, shown at first]). None if all of it is 0 throughout."""
    kept = [
        {"name": name, "values": list(values), "shown": not hidden or hidden[0]}
        for name, values, *hidden in series
        if any(v for v in values if v is not None)
    ]
    return {"title": title, "unit": unit, "series": kept} if kept else None


def lanes(title, rows, kinds, note=""):
    """A panel of a chart with a lane for each of `rows`, (name, [(from, to, kind), ...]), which are in order and in units of x; `kinds`: names,
    kind k is kinds[k]. None if nothing is in any of them."""
    rows = [[name, [list(piece) for piece in pieces]] for name, pieces in rows]
    return {"title": title, "lanes": rows, "kinds": list(kinds), "series": [], "note": note} if any(pieces for _, pieces in rows) else None


def picture(data, says):
    """An image in the page: SVG as text, or PNG as bytes. `says`: a text description, for those who cannot see it."""
    kind, data = ("svg+xml", data.encode()) if isinstance(data, str) else ("png", data)
    return {"kind": "picture", "source": f"data:image/{kind};base64,{base64.b64encode(data).decode()}", "says": says}


def words(*paragraphs):
    paragraphs = [text for text in paragraphs if text]
    return {"kind": "words", "paragraphs": paragraphs} if paragraphs else None


def listing(title, text, opened=False):
    return {"kind": "listing", "title": title, "text": text, "opened": opened} if text else None
