"""A run beside its variants: what padding, another lock or another loop order would make of it.

A workload declares what it is compared with (registry.py): `against=("stride", (64,))`, and with which parameter that
grows, `scale="threads"`. The same program then runs on fresh machines, once for each pair:

    threads   stride=8  stride=64         a row for 1, 2, 4, ... up to the run's own value
          1        8.0        8.0         a column for the run's own value, then for each other one
          4      113.0        8.0         cells: cycles an operation takes the thread that makes it (Result.cost)
"""


def compare(workload, result, run):
    """{"scale", "rows", "parameter", "columns", "cost"} for `result`, a run of `workload`; cost[row][column].

    `run(parameters)` makes a Result with other parameters. A workload without `scale` has one row, [None]; one
    without `against` one column, [None].
    """
    own = result.parameters
    parameter, others = workload.against or (None, ())
    columns = [own.get(parameter)] + [v for v in others if v != own[parameter]]
    rows = powers_of_two(own[workload.scale]) if workload.scale else [None]

    def cost(row, column):
        changed = own | ({workload.scale: row} if workload.scale else {}) | ({parameter: column} if parameter else {})
        return (result if changed == own else run(changed)).cost

    return {"scale": workload.scale, "rows": rows, "parameter": parameter, "columns": columns,
            "cost": [[cost(row, column) for column in columns] for row in rows]}


def powers_of_two(top):
    """1, 2, 4, ... below `top`, then `top`."""
    return [1 << k for k in range(top.bit_length()) if 1 << k < top] + [top]
