"""Experiments as pages: one of an outcome, and a site of all with an index.

site(experiments, lab, folder, begun)      folder/index.html, folder/NAME.html ...: every number is of the run just made
"""

import shlex
from pathlib import Path

from hwmem.errors import Interrupted
from hwmem.experiments.experiment import perform_if_possible
from hwmem.page.blocks import listing, picture, section, table, tile, tiles, words
from hwmem.page.document import document
from hwmem.report.look import svg
from hwmem.whole_file import write_whole

INDEX = "index.html"
KINDS = (
    lambda one: bool(one.verdict.holds),
    lambda one: bool(one.verdict.holds and one.experiment.within),
    lambda one: one.verdict.holds is False,
    lambda one: one.verdict.holds is None,
)


def outcome_page(outcome, links=()):
    """The HTML as text. The picture is left out where matplotlib is missing."""
    one = outcome.experiment
    return document(
        one.name,
        [
            section("answer", "The answer", [tiles([tile("this claim", outcome.decided, sentence(outcome.verdict.says), tone(outcome))])]),
            section("table", "Measured", [table(columns(outcome.table), outcome.table.rows, sort=False), drawn(outcome)]),
            section("tolerance", "Tolerance, and why", [words(sentence(one.tolerance))]),
            section("commands", "Commands that repeat it", [listing("Each run by itself", "\n".join(outcome.commands), opened=True)]),
        ],
        command=command(outcome),
        headline=one.claim,
        about=[("document", one.source[0]), ("heading", one.source[1]), ("seed", outcome.seed)],
        links=links,
    )


def tone(outcome):
    """Whether a page says it as good or as bad news."""
    return {True: "good", False: "bad"}.get(outcome.verdict.holds, "")


def sentence(text):
    return f"{text[:1].upper()}{text[1:]}."


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


def index_page(outcomes, program, of=None):
    """The page that names them all; fewer than `of` where Ctrl-C came before the others."""
    held, within, failed, unmeasured = (sum(is_so(one) for one in outcomes) for is_so in KINDS)
    counted = (
        ("hold", held, f"{within} of them within a stated error" if within else "", "good"),
        ("do not hold", failed, "on this machine, with these parameters", "bad"),
        ("not measured", unmeasured, "this host lacks what they take", ""),
    )
    documents = list(dict.fromkeys(one.experiment.source[0] for one in outcomes))
    return document(
        f"{program}: claims and experiments",
        [
            section(
                "answer",
                "The answer",
                [tiles([tile(words, f"{n} of {len(outcomes)}", says, good) for words, n, says, good in counted if n])],
            ),
            *(
                section(
                    f"document-{k}",
                    title,
                    [
                        table(
                            [("experiment", "link"), "claim", ("verdict", "tone"), "measured"],
                            [
                                [
                                    [one.experiment.name, address(one.experiment)],
                                    one.experiment.claim,
                                    [one.decided, tone(one)],
                                    one.verdict.says,
                                ]
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
        headline=f"{held} of {len(outcomes)} claims hold.",
        subtitle="What the documents say of memory, each measured just now on the emulated machine"
        if of in (None, len(outcomes))
        else f"Interrupted: {of - len(outcomes)} of {of} claims were not measured",
        command=f"{program} experiments --all",
    )


def address(experiment):
    """Its page, from beside it."""
    return f"{experiment.name}.html"


def around(experiments, name):
    """Links from an experiment's page: the index, the one before, the one after."""
    names = list(experiments)
    at = names.index(name)
    beside = [(f"{arrow} {names[k]}", address(experiments[names[k]])) for arrow, k in (("←", at - 1), ("→", at + 1)) if 0 <= k < len(names)]
    return [("all experiments", INDEX), *beside]


def site(experiments, lab, folder, begun):
    """Make all experiments and their pages in `folder`, which is made if it is not there; the outcomes. `begun(name)` is called before each.
    Raises OSError; after Ctrl-C Interrupted with the outcomes so far, which have their pages and an index that says so."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    try:
        for name, one in experiments.items():
            begun(name)
            outcome = perform_if_possible(one, lab)
            write_whole(folder / address(one), outcome_page(outcome, around(experiments, name)).encode())
            outcomes.append(outcome)
    except KeyboardInterrupt:
        if outcomes:
            write_whole(folder / INDEX, index_page(outcomes, lab.program, len(experiments)).encode())
        raise Interrupted(outcomes or None) from None
    write_whole(folder / INDEX, index_page(outcomes, lab.program, len(experiments)).encode())
    return outcomes
