"""What a notebook shows: the overview's tables, well formed, with names that run nowhere."""

from xml.etree import ElementTree

import hwmem
from hwmem.report.overview import cores_table


def test_a_cell_shows_the_tables_of_the_overview():
    r = hwmem.run("false-sharing", threads=3, iterations=300, compare=True)
    document = ElementTree.fromstring(f"<div>{r._repr_html_().replace('<br>', '<br/>')}</div>")
    tables = document.findall(".//table")
    assert len(tables) == 3
    headers, rows = cores_table(r)
    shown = [[cell.text for cell in row] for row in tables[1].iter("tr")]
    assert shown[0] == headers and len(shown) == len(rows) + 1
    assert "false sharing" in "".join(document.itertext()) and "counters[0..2]" in "".join(document.itertext())


def test_a_hostile_name_is_text():
    r = hwmem.run("false-sharing", threads=2, iterations=100)
    r.workload = "<script>alert(1)</script>"
    for row in r.lines:
        for offset in row["offsets"]:
            offset["symbol"] = "<img src=x onerror=alert(1)>"
    shown = r._repr_html_()
    assert "<script" not in shown and "<img src=x" not in shown
