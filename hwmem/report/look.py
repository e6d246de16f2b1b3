"""How pictures look, in one place: matplotlib's figures, light, readable, in colours that the colour-blind tell apart.

    figure(painters, path)      a panel each, one below the other          painters: functions of matplotlib's Axes (plot.py)
    picture_file(path)          whether a picture can be made there, asked before the work that it shows

Colours are Okabe and Ito's (2008), and each line has a marker of its own. Names come from files: none is taken for markup or for TeX.
matplotlib is an extra (`pip install 'hwmem[plot]'`) and loaded here alone; nothing of it is changed outside.
"""

import io
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path

from hwmem.printable import printable
from hwmem.whole_file import write_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#595959", "#8C6D00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SCALE = "cividis"  # of what has a colour for each value
INK, SOFT, FAINT = "#1b1e23", "#565e69", "#e3e6ea"
WIDTH, PANEL = 8.0, 3.4  # inches
FORMATS = (".png", ".svg", ".pdf")
STYLE = {
    "text.parse_math": False,
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "savefig.dpi": 150,
    "svg.hashsalt": "hwmem",
}
GROUNDS = "#figure_1 > #patch_1 path, [id^=axes_] > [id^=patch_]:first-child path"  # as matplotlib names them
DARK = f"""@media screen and (prefers-color-scheme: dark) {{
  {GROUNDS} {{ fill: #1a1d22 !important; }}
  [style*="fill: {INK}"] {{ fill: #e7e9ec !important; }} [style*="fill: {SOFT}"] {{ fill: #a3abb6 !important; }}
  [style*="stroke: {SOFT}"] {{ stroke: #a3abb6 !important; }} [style*="stroke: {FAINT}"] {{ stroke: #31363d !important; }}
}}"""
MISSING = "plots need matplotlib: pip install 'hwmem[plot]'"


def picture_file(path):
    """Raises ValueError for a name that is no picture's, ImportError where matplotlib is missing."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"{path}: a picture's name ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if find_spec("matplotlib") is None:
        raise ImportError(MISSING)
    return ending[1:]


def figure(painters, path=None, title=""):
    """A panel for each of `painters`, drawn into `path` if that is given: matplotlib's Axes of the first one, whose `figure` has all."""
    kind = picture_file(path) if path is not None else None
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(MISSING) from None
    with rc_context(STYLE):
        made = Figure(figsize=(WIDTH, 0.6 + PANEL * len(painters)), layout="constrained")
        panels = made.subplots(len(painters), squeeze=False)[:, 0]
        for axes, paint in zip(panels, painters):
            paint(axes)
        if title:
            made.suptitle(shown(title, 90), fontsize=12)
        if path is not None:
            write_whole(path, drawn(made, kind))
    return panels[0]


def drawn(made, kind):
    """A figure as a file's bytes, the same every time."""
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context(STYLE):
        made.savefig(file, format=kind, metadata={"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind))
    return file.getvalue()


def svg(axes):
    """The figure that has these axes, as SVG, which is dark where the page around it is."""
    return drawn(axes.figure, "svg").decode().replace("<defs>", f"<style>{DARK}</style>\n<defs>", 1)


def shown(text, most=110):
    """A text as a panel has room for it, on one line."""
    text = printable(" ".join(text.splitlines()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def label(name):
    """A name as a legend shows it; one that begins with _ would be hidden."""
    return shown(f" {name}" if name.startswith("_") else name, 40)


def ways():
    """(colour, marker) of one line after another."""
    return zip(cycle(COLOURS), cycle(MARKERS))


def dress(axes, across, along, title="", grid="both"):
    """What every panel has: labels, faint lines behind it, no frame."""
    axes.set_xlabel(shown(across, 90))
    axes.set_ylabel(shown(along, 50))
    axes.set_title(shown(title), loc="left", fontsize=10.5)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=FAINT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)


def legend(axes, lines, beside=False):
    """A legend where there is more than one line; `lines`: how many; `beside`: where it hides nothing."""
    if lines > 1:
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if beside else {"ncols": 1 + (lines > 4)}
        axes.legend(frameon=False, fontsize=9, **place)
