"""What false sharing costs on every preset: `python -m benchmarks.presets [--json]`. docs/false-sharing.md discusses it.

The workload false-sharing: each thread increments a counter of its own, `plain` (a load and a store) or `atomic`
(one locked operation), adjacent (stride 8, one line) or padded (stride 64). Threads 0, 1, ... run on cores 0, 1, ...;
"2 apart" are two threads on the first cores of two sockets. A preset with fewer cores than threads has no figure.

    cost        cycles an increment takes the thread that waits longest; ns at the preset's frequency
    slowdown    the adjacent cost, the median of several seeds, over the padded cost with as many threads

A seed decides by how many cycles the threads start apart. Then a program on which detectors of false sharing are tried,
Phoenix's linear-regression, against itself with padded structs; and what all of it rests on, half a round of
ping-pong: a line handed from core to core. Emulated time: the numbers are the same on every host.
"""

import argparse
import json
from statistics import median

from tqdm import tqdm

import hwmem
from hwmem.report.table import table

ITERATIONS = 10_000  # increments a thread
SEEDS = range(9)
ADJACENT, PADDED = 8, 64  # bytes from one counter to the next
KINDS = {"plain": False, "atomic": True}
CASES = ("2", "4", "8", "2 apart")
CASE_NAMES = ("2 threads", "4 threads", "8 threads", "2 apart")


def measure():
    """{"increments": list of {"preset", "ghz", "kind", "case", "adjacent": cycles an increment by seed, "padded": cycles},
    "regression": {preset: {case: slowdown}}, "hand_over": {preset: {"near", "far": ns}}}."""
    rows, regression, hand_over = [], {}, {}
    with tqdm(hwmem.presets(), desc="presets", unit="preset", disable=None) as bar:
        for preset in bar:
            bar.set_postfix_str(preset)
            config = hwmem.MachineConfig.preset(preset)
            regression[preset] = {case: slowdown(config, cores) for case, cores in placements(config).items()}
            hand_over[preset] = {place: half_round(config, cores) for place, cores in pairs(config).items()}
            for kind, atomic in KINDS.items():
                for case, cores in placements(config).items():
                    rows.append(
                        {
                            "preset": preset,
                            "ghz": config.frequency_ghz,
                            "kind": kind,
                            "case": case,
                            "adjacent": [cost(config, atomic, ADJACENT, cores, seed) for seed in SEEDS],
                            "padded": cost(config, atomic, PADDED, cores, SEEDS[0]),
                        }
                    )
    return {"iterations": ITERATIONS, "increments": rows, "regression": regression, "hand_over": hand_over}


def placements(config):
    """{case: cores, one a thread} of those this machine has cores for."""
    cases = {case: list(range(int(case))) for case in CASES[:3] if int(case) <= config.cores}
    if config.sockets > 1:
        cases[CASES[3]] = pairs(config)["far"]
    return cases


def pairs(config):
    """Two cores of one socket, and of two."""
    far = {"far": [0, config.cores_per_socket]} if config.sockets > 1 else {}
    return {"near": [0, 1]} | far


def slowdown(config, cores):
    """How many times longer linear-regression takes than with padded structs."""
    shared, padded = (
        hwmem.run("linear-regression", config=config, cores=cores, c2c=False, threads=len(cores), points=ITERATIONS, padded=padded)
        for padded in (False, True)
    )
    return shared.cycles / padded.cycles


def half_round(config, cores):
    """ns that a line takes from core to core."""
    r = hwmem.run("ping-pong", config=config, cores=cores, c2c=False, rounds=ITERATIONS)
    return r.seconds * 1e9 / r.values["turns"]


def cost(config, atomic, stride, cores, seed):
    """Cycles an increment takes its thread."""
    return hwmem.run(
        "false-sharing",
        config=config,
        seed=seed,
        cores=cores,
        c2c=False,
        threads=len(cores),
        stride=stride,
        iterations=ITERATIONS,
        atomic=atomic,
    ).cost


def text(result):
    """For each kind of increment a table of medians, one of how far the seeds lie apart, and the hand-over."""
    rows, parts = result["increments"], []
    for kind in KINDS:
        chosen = [row for row in rows if row["kind"] == kind]
        parts += [f"{kind}: ns an increment with adjacent counters, and times the padded cost (in front: cycles, ns)", costs(chosen)]
    parts += ["plain: least and most of the slowdown, by seed", spread([r for r in rows if r["kind"] == "plain"])]
    parts += [
        "linear-regression: how many times the padded program's time it takes",
        table(
            ["preset", *CASE_NAMES],
            [[preset, *(f"{x[case]:.1f}x" if case in x else "-" for case in CASES)] for preset, x in result["regression"].items()],
        )
        + "\n",
    ]
    parts += [
        "ping-pong: ns from core to core, half a round",
        table(["preset", "one socket", "two sockets"], [[preset, ns["near"], ns.get("far")] for preset, ns in result["hand_over"].items()]),
    ]
    return "\n".join(parts)


def costs(rows):
    def cells(row):
        typical = median(row["adjacent"])
        return [typical / row["ghz"], f"{typical / row['padded']:.1f}x"]

    return by_case(rows, ["padded", "in ns"], lambda first: [first["padded"], first["padded"] / first["ghz"]], cells, 2)


def spread(rows):
    return by_case(
        rows,
        [],
        lambda first: [],
        lambda row: [f"{min(row['adjacent']) / row['padded']:.1f}x to {max(row['adjacent']) / row['padded']:.1f}x"],
        1,
    )


def by_case(rows, heads, of_preset, of_case, width):
    """A table of one row a preset: its name, `of_preset` under `heads`, then `width` cells of each case."""
    lines = []
    for preset in dict.fromkeys(row["preset"] for row in rows):
        cases = {row["case"]: row for row in rows if row["preset"] == preset}
        cells = [of_case(cases[case]) if case in cases else ["-"] * width for case in CASES]
        lines.append([preset, *of_preset(next(iter(cases.values()))), *sum(cells, [])])
    names = [[name] + [""] * (width - 1) for name in CASE_NAMES]
    return table(["preset", *heads, *sum(names, [])], lines) + "\n"


def main(argv=None):
    command = argparse.ArgumentParser(prog="python -m benchmarks.presets", description="what false sharing costs on every preset")
    command.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    as_json, result = command.parse_args(argv).json, measure()
    print(json.dumps(result, indent=1) if as_json else text(result))


if __name__ == "__main__":
    main()
