"""What the project promises of its speed, and whether a run kept it."""

from typing import NamedTuple

from hwmem.report.table import table

AT_LEAST, UNDER = ">=", "<"


class Floor(NamedTuple):
    """`what` was measured, in `case`: `value`; promised is `sense` `floor` (None: nothing, it is only reported)."""

    what: str
    case: str
    value: float
    floor: float | None = None
    sense: str = AT_LEAST

    @property
    def mark(self):
        if self.floor is None:
            return ""
        kept = self.value < self.floor if self.sense == UNDER else self.value >= self.floor
        return "pass" if kept else "below" if self.sense == AT_LEAST else "above"

    def to_dict(self):
        return self._asdict() | {"mark": self.mark}


def floors_table(floors):
    """One row for each promise, with the cases it was measured in."""
    rows = {}
    for f in floors:
        rows.setdefault((f.what, f.sense, f.floor), []).append(f)
    return table(
        ["", "promised", "measured", ""],
        [[what, promise(sense, floor), "  ".join(map(measured, cases)), verdict(cases)] for (what, sense, floor), cases in rows.items()],
    )


def promise(sense, floor):
    return "" if floor is None else f"{sense} {floor:g}"


def measured(f):
    return f"{f.case} {f.value:.3g}" if f.value < 1000 else f"{f.case} {f.value:.0f}"


def verdict(cases):
    broken = [f for f in cases if f.mark not in ("", "pass")]
    return f"{broken[0].mark}: {' '.join(f.case for f in broken)}" if broken else cases[0].mark
