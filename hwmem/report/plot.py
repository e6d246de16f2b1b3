"""Pictures of figures over settings, by matplotlib (`pip install 'hwmem[plot]'`)."""


def lines(series, across, along, title, path=None):
    """A line for each of `series`, {name: [(x, y)]}, with points; words on the x axis are set out evenly. Drawn into `path` if
    given. Returns matplotlib's Axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'hwmem[plot]'") from None
    axes = Figure(figsize=(8, 5), layout="constrained").add_subplot()
    for name, points in series.items():
        axes.plot([x if isinstance(x, (int, float)) else str(x) for x, _ in points], [y for _, y in points], marker="o", label=name or None)
    axes.set(xlabel=across, ylabel=along, title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if len(series) > 1:
        axes.legend()
    if path is not None:
        axes.figure.savefig(path)
    return axes


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
