"""A replay as callgrind writes a profile, for KCachegrind, QCachegrind and callgrind_annotate: `hwmem trace FILE --callgrind OUT`.

    events: L1m HITM TLBm Faults Cycles       one cost line for each instruction that missed, with the address and the line

An instruction belongs to the function that its code lies in; where it comes from another file, inlined, `fi=` and `fe=` say so. There are no
calls in it: a trace has none. Source: Valgrind's documentation, "Callgrind Format Specification".
"""

from itertools import groupby

from hwmem.printable import printable

EVENTS = {"misses": "L1m", "hitms": "HITM", "tlbs": "TLBm", "faults": "Faults", "cycles": "Cycles"}
SAID = {
    "misses": "L1 data cache misses",
    "hitms": "Lines fetched from a core that had modified them",
    "tlbs": "DTLB misses",
    "faults": "Page faults",
    "cycles": "Cycles of the accesses that missed",
}
UNKNOWN = "???"


def profile(names, rows, command, version):
    """The text of the file. `rows`: of instructions, as in blame.py; `command`: what was recorded."""
    out = ["# callgrind format", "version: 1", f"creator: hwmem {version}", f"cmd: {one_line(command)}", "positions: instr line"]
    out += [f"event: {short} : {SAID[name]}" for name, short in EVENTS.items()]
    out += [f"events: {' '.join(EVENTS.values())}", ""]
    numbers: dict = {}
    costs = sorted((cost(names, row) for row in rows), key=lambda c: (c["object"], c["file"], c["function"], c["pc"]))
    for (object, file, function), own in groupby(costs, key=lambda c: (c["object"], c["file"], c["function"])):
        out += [named(numbers, "ob", object), named(numbers, "fl", file), named(numbers, "fn", function)]
        inside = file
        for one in own:
            if one["from"] != inside:
                inside = one["from"]
                out.append(named(numbers, "fe" if inside == file else "fi", inside))
            out.append(f"{one['pc']:#x} {one['line']} {' '.join(map(str, one['counts']))}")
        out.append("")
    sums = [sum(one["counts"][k] for one in costs) for k in range(len(EVENTS))]
    return "\n".join([*out, f"totals: {' '.join(map(str, sums))}", ""])


def cost(names, row):
    """What one instruction cost, and where it belongs."""
    pc = int(row["key"])
    where = names.code(pc)
    path, function = (where.frames[-1][1], where.frames[-1][0]) if where.frames else (None, where.function)
    return {
        "pc": pc,
        "line": where.line,
        "object": where.object or UNKNOWN,
        "file": path or UNKNOWN,
        "from": where.path or UNKNOWN,
        "function": function or where.function or UNKNOWN,
        "counts": [int(row[name]) for name in EVENTS],
    }


def named(numbers, key, name):
    """ "fn=(3) work" when a name comes up, "fn=(3)" after that. Files share their numbers, whichever key they stand under."""
    kind = "fl" if key in ("fi", "fe") else key
    number = numbers.get((kind, name))
    if number is None:
        number = numbers[kind, name] = sum(k == kind for k, _ in numbers) + 1
        return f"{key}=({number}) {one_line(name)}"
    return f"{key}=({number})"


def one_line(name):
    return printable(name).replace("\n", "\\n").replace("\t", " ")
