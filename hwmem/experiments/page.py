"""Experiments as pages: one of an outcome, and a site of all with an index.

site(experiments, lab, folder, begun)      folder/index.html, folder/NAME.html ...: every number is of the run just made
"""

import shlex
from pathlib import Path

from hwmem.experiments.experiment import perform_if_possible
from hwmem.page.blocks import listing, picture, section, table, tile, tiles, words
from hwmem.page.document import document
from hwmem.report.look import svg
from hwmem.whole_file import write_whole

INDEX = "index.html"


def outcome_page(outcome, links=()):
    """The HTML as text. The picture is left out where matplotlib is missing."""
    one = outcome.experiment
    tone = {True: "good", False: "bad"}.get(outcome.verdict.holds, "")
    return document(
        one.name,
        [
            section("answer", "The answer", [tiles([tile("the claim", outcome.decided, one.claim, tone)]), words(outcome.verdict.says)]),
            section("table", "Measured", [table(columns(outcome.table), outcome.table.rows, sort=False), drawn(outcome)]),
            section("tolerance", "What is let pass, and why", [words(one.tolerance)]),
            section("commands", "What repeats it", [listing("Each run by itself", "\n".join(outcome.commands), opened=True)]),
        ],
        subtitle=one.claim,
        command=command(outcome),
        headline=f"{outcome.decided[0].upper()}{outcome.decided[1:]}: {outcome.verdict.says}.",
        about=[("document", one.source[0]), ("heading", one.source[1]), ("seed", outcome.seed)],
        links=links,
    )


def command(outcome):
    """The command that makes the outcome again."""
    given = [word for option, words_given in outcome.changes for word in (option, *words_given)]
    return shlex.join([outcome.program, "experiment", outcome.experiment.name, "--seed", str(outcome.seed), *given])


def columns(found):
    """A kind for each column: numbers where all of it is."""
    kinds = []
    for k, name in enumerate(found.columns):
        values = [row[k] for row in found.rows if row[k] is not None]
        plain = [value for value in values if not isinstance(value, (bool, str))]
        kinds.append((name, "text" if len(plain) < len(values) else "int" if all(isinstance(v, int) for v in plain) else "num"))
    return kinds


def drawn(outcome):
    """The figure as a block of the page, or None."""
    if outcome.experiment.figure is None or not outcome.table.rows:
        return None
    try:
        axes = outcome.plot()
    except ImportError:
        return None
    return picture(svg(axes), f"{outcome.experiment.figure.along} by {outcome.experiment.figure.x}")


def index_page(outcomes, program):
    """The page that names them all."""
    held = sum(bool(one.verdict.holds) for one in outcomes)
    documents = list(dict.fromkeys(one.experiment.source[0] for one in outcomes))
    return document(
        f"{program}: claims and experiments",
        [
            section("answer", "The answer", [tiles([tile("claims that hold", f"{held} of {len(outcomes)}", "each measured just now")])]),
            *(
                section(
                    f"document-{k}",
                    title,
                    [
                        table(
                            ["experiment", "claim", "verdict", "measured"],
                            [
                                [one.experiment.name, one.experiment.claim, one.decided, one.verdict.says]
                                for one in outcomes
                                if one.experiment.source[0] == title
                            ],
                            sort=False,
                        )
                    ],
                )
                for k, title in enumerate(documents)
            ),
        ],
        subtitle="What the documents say of memory, measured on the emulated machine",
        command=f"{program} experiments --all",
        links=[(one.experiment.name, f"{one.experiment.name}.html") for one in outcomes],
    )


def site(experiments, lab, folder, begun):
    """Make all experiments and their pages in `folder`, which is made if it is not there; the outcomes. `begun(name)` is called before each.
    Raises OSError."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for name, one in experiments.items():
        begun(name)
        outcomes.append(perform_if_possible(one, lab))
        write_whole(folder / f"{name}.html", outcome_page(outcomes[-1], [("all experiments", INDEX)]).encode())
    write_whole(folder / INDEX, index_page(outcomes, lab.program).encode())
    return outcomes
