"""Experiments as text for a terminal: the list of claims, one outcome, the verdicts of all."""

from hwmem.report.table import fold, table

MOST_COMMANDS = 4  # shown of those that repeat an outcome; --json has all
DASH = "  "


def listed(experiments):
    """The claims, document by document."""
    lines, before = [], None
    width = max(map(len, experiments))
    for one in experiments.values():
        if one.source[0] != before:
            before = one.source[0]
            lines += ["", before] if lines else [before]
        lines.append(fold(f"{one.name:{width}}  {one.claim}", " " * (width + 2)))
    return "\n".join(lines)


def outcome_text(outcome):
    """Claim, table, verdict, tolerance, and what repeats the runs."""
    one = outcome.experiment
    changed = "".join(f" {option} {' '.join(words)}" for option, words in outcome.changes)
    parts = [
        fold(f"{one.name}: {one.claim}"),
        "from " + ": ".join(one.source) + f"; seed {outcome.seed}{changed}",
        "",
        table(outcome.table.columns, [list(row) for row in outcome.table.rows]),
        "",
        fold(f"{outcome.decided}: {outcome.verdict.says}"),
        fold(f"tolerance: {one.tolerance}"),
    ]
    if outcome.commands:
        more = len(outcome.commands) - MOST_COMMANDS
        parts += ["", "measured by"]
        parts += [fold(DASH + command, DASH * 3) for command in outcome.commands[:MOST_COMMANDS]]
        parts += [f"{DASH}and {more} more (--json has them)"] if more > 0 else []
    return "\n".join(parts)


def verdicts(outcomes):
    """A row an experiment."""
    held = sum(bool(one.verdict.holds) for one in outcomes)
    rows = [[one.experiment.name, one.decided, one.verdict.says] for one in outcomes]
    return table(["experiment", "verdict", "measured"], rows) + f"\n\n{held} of {len(outcomes)} claims hold"
