"""Shapes of pictures: each paints one panel, matplotlib's Axes, that look.py has made.

    lines, bars      figures over settings                mountain     a colour for each value of a grid
    steps            what changes over time               histogram    how often which duration
    spans            from which address to which

Words on an axis are set out evenly; numbers that grow by a factor stand on a logarithmic axis.
"""

from math import ceil, log2

from hwmem.report.look import COLOURS, SCALE, SOFT, dress, label, legend, shown, ways

BARS = 0.8  # of the room of a group
MOST_LABELS = 60  # characters beside one another
UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
FACTOR, DECADES = (
    1.4,
    16,
)  # numbers grow by a factor if each is this much more than the one before, and the last one that much than the first
NARROWEST = 200  # bars of spans that would fit beside one another
BINS, WIDE = 24, 50  # of a histogram; how many times the least the most is where its axis is logarithmic
TICKS, MOST_TICKS = 6, 12  # about as many as an axis of bytes has; at most as many where each point has one


def size(n, _=None):
    """Bytes on an axis: 5.2 MiB."""
    for unit, name in UNITS:
        if abs(n) >= unit:
            return f"{n / unit:.4g} {name}"
    return f"{n:,.4g} B"


def count(n, _=None):
    """A number on an axis, as people write it."""
    return f"{n:,.0f}" if abs(n) >= 1000 else f"{n:.4g}"


def duration(seconds, _=None):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if abs(seconds) >= unit:
            return f"{seconds / unit:.4g} {name}"
    return f"{seconds * 1e9:.4g} ns"


def grow_by_a_factor(values):
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) < len(values) or len(numbers) < 3 or min(numbers) <= 0:
        return False
    return numbers[-1] >= DECADES * numbers[0] and all(b >= FACTOR * a for a, b in zip(numbers, numbers[1:]))


def tell(axis, format):
    """Numbers of an axis by `format`: never matplotlib's own, which are TeX."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(format))
    axis.set_minor_formatter(NullFormatter())


def ground(axes, log):
    """The vertical axis begins at 0, or is logarithmic."""
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    tell(axes.yaxis, count)


def binary(axis):
    """Ticks at multiples of a power of two."""
    from matplotlib.ticker import MultipleLocator

    top = axis.get_view_interval()[1]
    axis.set_major_locator(MultipleLocator(2 ** ceil(log2(top / TICKS)) if top > TICKS else 1))


def lines(axes, series, across, along, title="", log=False):
    """A line for each of `series`, {name: [(x, y)]}, with points; `log`: the vertical axis."""
    xs = [x for x, _ in next(iter(series.values()), [])]
    words = any(isinstance(x, (str, bool)) or x is None for x in xs)
    for (name, points), (colour, marker) in zip(series.items(), ways()):
        kept = [(shown(str(x), 24) if words else x, y) for x, y in points if y is not None]
        axes.plot([x for x, _ in kept], [y for _, y in kept], color=colour, marker=marker, markersize=5, label=label(name))
    if not words:
        if grow_by_a_factor(xs):
            axes.set_xscale("log")
        if len(xs) <= MOST_TICKS:
            axes.set_xticks(xs)
        tell(axes.xaxis, count)
    else:
        turn(axes, [shown(str(x), 24) for x in xs])
    ground(axes, log)
    dress(axes, across, along, title)
    legend(axes, len(series))


def turn(axes, labels):
    """Labels that would run into each other are turned."""
    turned = sum(map(len, labels)) > MOST_LABELS
    axes.set_xticks(range(len(labels)), labels, rotation=35 if turned else 0, ha="right" if turned else "center")


def bars(axes, series, across, along, title="", log=False):
    """As lines, with a group of bars for each x, one a series, in the order of the points."""
    wide = BARS / len(series)
    for k, (name, points) in enumerate(series.items()):
        at = [i + (k - (len(series) - 1) / 2) * wide for i in range(len(points))]
        axes.bar(at, [y if y is not None else 0 for _, y in points], wide, label=label(name), color=COLOURS[k % len(COLOURS)])
    turn(axes, [shown(x if isinstance(x, str) else count(x), 32) for x, _ in next(iter(series.values()))])
    ground(axes, log)
    dress(axes, across, along, title, "y")
    legend(axes, len(series), beside=True)


def spans(axes, series, across, along, title="", log=False):
    """For each x of two `series`, the first address and the one after the last, as numbers or in hexadecimal: a bar between them, the first x at
    the top; what would be narrower than can be seen is drawn wider."""
    names = [shown(str(x), 24) for x, _ in next(iter(series.values()))]
    begins, ends = ([int(y, 16) if isinstance(y, str) else y for _, y in points] for points in series.values())
    least = (max(ends) - min(0, *begins)) / NARROWEST
    for row, (name, begin, end) in enumerate(zip(names, begins, ends)):
        axes.barh(row, max(end - begin, least), left=begin, height=BARS, color=COLOURS[row % len(COLOURS)])
        right = begin < max(ends) / 2
        axes.text(
            max(end, begin + least) if right else begin,
            row,
            f" {begin:#x} ",
            va="center",
            ha="left" if right else "right",
            fontsize=8,
            color=SOFT,
        )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(ends))
    binary(axes.xaxis)
    tell(axes.xaxis, size)
    dress(axes, along, across, title, "x")


def mountain(axes, rows, columns, cells, across, along, title=""):
    """A colour for each of `cells`[row][column], the numbers in them; the first row is at the top."""
    from matplotlib.colors import LogNorm

    least, most = (extreme(v for row in cells for v in row if v) for extreme in (min, max))
    image = axes.imshow(cells, aspect="auto", cmap=SCALE, norm=LogNorm(least, most) if most > 10 * least > 0 else None)
    middle = (least * most) ** 0.5 if most > 10 * least > 0 else (least + most) / 2
    for i, row in enumerate(cells):
        for k, value in enumerate(row):
            axes.text(
                k, i, count(float(f"{value:.3g}")), ha="center", va="center", fontsize=7, color="black" if value > middle else "white"
            )
    turn(axes, [shown(str(c), 24) for c in columns])
    axes.set_yticks(range(len(rows)), [shown(str(r), 24) for r in rows])
    bar = axes.figure.colorbar(image, ax=axes)
    tell(bar.ax.yaxis, count)
    dress(axes, across, along, title)
    axes.grid(visible=False)


def steps(axes, seconds, series, along, title="", format=size, spans=()):
    """What each of `series`, {name: values}, was at each of `seconds`, None where it was nothing; `spans`: (from, to) that are shaded."""
    for (name, values), (colour, _) in zip(series.items(), ways()):
        there = [(t, v) for t, v in zip(seconds, values) if v is not None]
        axes.plot([t for t, _ in there], [v for _, v in there], color=colour, label=label(name), drawstyle="steps-post", linewidth=1.6)
    for begin, end in spans:
        axes.axvspan(begin, end, color=COLOURS[5], alpha=0.25, linewidth=0)
    ground(axes, False)
    if format is size:
        binary(axes.yaxis)
    tell(axes.yaxis, format)
    tell(axes.xaxis, duration)
    dress(axes, "time", along, title)
    legend(axes, len(series), beside=True)


def histogram(axes, values, across, along, title=""):
    """How many of `values`, durations in seconds, are about how long."""
    least, most = min(values), max(values)
    bins = BINS
    if most > WIDE * least > 0:
        bins = [least * (most / least) ** (k / BINS) for k in range(BINS + 1)]
        axes.set_xscale("log")
    axes.hist(values, bins, color=COLOURS[0], edgecolor="white", linewidth=0.6)
    ground(axes, False)
    tell(axes.xaxis, duration)
    dress(axes, across, along, title, "y")
