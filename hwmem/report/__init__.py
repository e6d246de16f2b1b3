"""Results as text for a terminal, at most 100 columns wide.

overview.py     what a run prints: machine, comparison, cores, contended lines
lines.py        contended lines, byte by byte; the event log; data races
program.py      a recorded program: contended lines with variable, code and source
where.py        where a trace misses
sections.py     caches, tlb, faults, memory, ordering
table.py        numbers in columns
history.py      a line's history as a table and as a picture
"""

from hwmem.report.lines import events_table, lines_table, races_text
from hwmem.report.overview import header, overview
from hwmem.report.sections import caches, faults, memory, ordering, tlb
from hwmem.report.where import where

SECTIONS = {
    "c2c": lines_table,
    "caches": caches,
    "tlb": tlb,
    "faults": faults,
    "memory": memory,
    "ordering": ordering,
    "events": events_table,
    "races": races_text,
    "where": where,
}


def report(result, section=None):
    """The text of one section (a name in SECTIONS), or the overview. Raises ValueError for another name."""
    if section is None:
        return overview(result)
    if section not in SECTIONS:
        raise ValueError(f"section: {section!r} is none of {', '.join(SECTIONS)}")
    return f"{header(result)}\n\n{SECTIONS[section](result)}"
