"""A run compared with its variants: with padding, another lock or another loop order.

A workload declares what it is compared with (programs/registry.py): `against=("stride", (64,))`, and the parameter
that grows, `scale="threads"`. The same program then runs on fresh machines, once for each pair:

    threads   stride=8  stride=64         a row for 1, 2, 4, ... up to the run's own value
          1        8.0        8.0         a column for the run's own value, then for each other one
          4       22.3        8.0         cells: cycles an operation takes the thread that makes it (Result.cost)
"""

from hwmem.programs import grid


def compare(workload, result, run):
    """The grid (programs/registry.py) of costs for `result`, a run of `workload`; None if that has nothing to compare.

    `run(parameters)` makes a Result with other parameters.
    """
    own = result.parameters
    parameter, rows, columns = axes(workload, own)
    if len(rows) * len(columns) == 1:
        return None

    def cost(row, column):
        changed = own | ({workload.scale: row} if workload.scale else {}) | ({parameter: column} if parameter else {})
        return (result if changed == own else run(changed)).cost

    return grid(
        f"cycles per {workload.operation}, each thread",
        workload.scale,
        rows,
        parameter,
        columns,
        [[cost(row, column) for column in columns] for row in rows],
    )


def axes(workload, own):
    """(the parameter that is compared, values of the workload's scale, values of the parameter), the run's own among them."""
    parameter, others = workload.against or (None, ())
    columns = [own.get(parameter)] + [v for v in others if v != own[parameter]]
    return parameter, powers_of_two(own[workload.scale]) if workload.scale else [None], columns


def variants(workload, own):
    """How many runs a comparison makes beside the run's own."""
    _, rows, columns = axes(workload, own)
    return len(rows) * len(columns) - 1


def powers_of_two(top):
    """1, 2, 4, ... below `top`, then `top`."""
    return [1 << k for k in range(top.bit_length()) if 1 << k < top] + [top]
