"""Pictures of figures over settings, by matplotlib (`pip install 'hwmem[plot]'`)."""

BARS = 0.8  # of the room of a group
MOST_LABELS = 70  # characters beside one another


def new_axes():
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'hwmem[plot]'") from None
    return Figure(figsize=(8, 5), layout="constrained").add_subplot()


def finished(axes, across, along, title, named, path, log=False):
    """Labels and scales; drawn into `path` if given. The axes."""
    axes.set(xlabel=across, ylabel=along, title=title)
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, axis="y" if axes.patches else "both")
    if named:
        axes.legend()
    if path is not None:
        axes.figure.savefig(path)
    return axes


def lines(series, across, along, title, path=None, log=False):
    """A line for each of `series`, {name: [(x, y)]}, with points; words on the x axis are set out evenly. Drawn into `path` if
    given; `log`: the vertical axis. Returns matplotlib's Axes."""
    axes = new_axes()
    for name, points in series.items():
        axes.plot([x if isinstance(x, (int, float)) else str(x) for x, _ in points], [y for _, y in points], marker="o", label=name or None)
    return finished(axes, across, along, title, len(series) > 1, path, log)


def bars(series, across, along, title, path=None, log=False):
    """As lines, with a group of bars for each x, one a series, in the order of the points."""
    axes = new_axes()
    wide = BARS / len(series)
    for k, (name, points) in enumerate(series.items()):
        at = [i + (k - (len(series) - 1) / 2) * wide for i in range(len(points))]
        axes.bar(at, [y if y is not None else 0 for _, y in points], wide, label=name)
    labels = [str(x) for x, _ in next(iter(series.values()))]
    turned = sum(map(len, labels)) > MOST_LABELS
    axes.set_xticks(range(len(labels)), labels, rotation=35 if turned else 0, ha="right" if turned else "center")
    return finished(axes, across, along, title, len(series) > 1, path, log)


def comparison(result, path=None):
    """The table of a result's comparison: a line a column. Raises ValueError if there is none."""
    grid = result.comparison
    if not grid:
        raise ValueError(f"{result.workload}: nothing to draw; run it with compare=True")
    name = grid["column"]
    series = {
        f"{name}={column}": [(row, cells[k]) for row, cells in zip(grid["rows"], grid["cells"])] for k, column in enumerate(grid["columns"])
    }
    return lines(series, grid["row"] or "", grid["title"], result.workload, path)
