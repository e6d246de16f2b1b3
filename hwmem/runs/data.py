"""A section's figures as JSON has them: what `hwmem report R.hwm SECTION --json` prints."""

from hwmem.runs.frame import rows

# Names, or beginnings of names, of a core's counters that a section is about
COUNTERS = {
    "caches": ("l1d.", "l2.", "llc.", "upgrades", "writebacks", "invalidations_received", "interventions_", "miss.", "line_wait"),
    "tlb": ("dtlb.", "stlb.", "dtlb_2m.", "walks", "walk_accesses", "shootdowns."),
    "faults": ("faults.", "refused_accesses", "kernel_accesses"),
    "ordering": ("store_buffer.", "invalidation_queue.", "fences", "split_"),
}
SHARED = {"caches": ("llc", "directory", "dram"), "tlb": ("tlb",), "faults": ("linux",), "ordering": ()}


def section_data(result, section):
    """{"section", "workload", ...}: for c2c "lines", for events and races their rows, for where its tables, for memory the program's values, else "cores", a dict of
    counters each, and the counters that they share."""
    head = {"section": section, "workload": result.workload, "machine": result.config.name, "seed": result.seed}
    if section == "c2c" and result.program is not None:
        return head | {"lines": result.program.to_dict()["lines"]}
    if section == "c2c":
        return head | {"lines": result.c2c()}
    if section == "events":
        return head | {"events": rows(result, "events")}
    if section == "races":
        return head | {"races": result.races}
    if section == "where":
        return head | {"where": result.where}
    if section == "memory":
        return head | {"linux": result.counters["linux"], "values": result.values}
    cores = [
        {
            name: value
            for name, value in row.items()
            if name == "core" or name.removeprefix("program.").removeprefix("walker.").removeprefix("kernel.").startswith(COUNTERS[section])
        }
        for row in rows(result, "cores")
    ]
    return head | {"cores": cores} | {name: result.counters[name] for name in SHARED[section] if name in result.counters}
