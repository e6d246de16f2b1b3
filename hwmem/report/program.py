"""A recorded program: its threads, the lines that they fight over, with variable, code and source, and what would mend it.

    0x10c040  counters[0].value, counters[1].value: 8,086 HITMs, 97.3% of all, false sharing
      2222222233333333................................................
       HITM  share  thread  data               code address  function  source:line
      4,043  50.0%       2  counters[0].value  0x1091f0      work      adjacent.c:14
           13 |     for (long i = 0; i < rounds; i++)
      >    14 |         counters[me].value++;

    What padding would be worth: hwmem trace FILE --apart 'counters[0],counters[1]'

One character a byte: the thread that wrote it (1-9, a-z, A-Z, then +), or read it if nobody did; # several threads; . nobody.
The columns are those of `perf c2c`; every access is counted, none sampled.
"""

import string

from hwmem.params import LINE
from hwmem.report.table import fold, percent, screen, table, text
from hwmem.trace.program import false_hitms, kind

MOST_LINES, MOST_CODE = 5, 6
LEAST_SHARE, LEAST_HITMS = 0.01, 20  # of all HITMs, and of its own, of a line that is shown in full
LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase
NESTING = {"(": 1, "[": 1, "<": 1, "{": 1, ")": -1, "]": -1, ">": -1, "}": -1}
ALLOCATED = " (allocated at "
SHARED = {"false": "false sharing", "true": "true sharing", "both": "both kinds of sharing", "none": "one thread writes"}
LINE_HEADERS = ["contended line", "variable", "sharing", "HITM", "share", "threads"]
CODE_HEADERS = ["HITM", "share", "thread", "data", "code address", "function", "source:line"]


def program_overview(result):
    """What the threads did, the worst lines one by one, and notes on the recording."""
    return "\n\n".join(filter(None, [threads(result.program), lines_of(result, MOST_LINES), gain(result), notes(result.program)]))


def program_lines(result):
    """All contended lines, one by one."""
    return lines_of(result, None) or "No line was contended."


def threads(program):
    rows = [
        [str(t.number), t.instructions, t.loads, t.stores, t.atomics, f"thread {t.parent}" if t.parent else "-"] for t in program.threads
    ]
    return table(["thread", "instructions", "loads", "stores", "atomics", "made by"], rows)


def lines_of(result, most):
    """A table of the lines that went from core to core, then each of the first `most` in full, if it has its share."""
    found = [line for line in result.program.lines if line.hitm]
    if not found:
        return "No line went from one core to another."
    all_of, shown = sum(line.hitm for line in found), found[:most]
    rows = [
        [
            f"{line.address:#x}",
            short(line),
            kind(line),
            line.hitm,
            percent(line.hitm, all_of),
            named_threads(line),
        ]
        for line in shown
    ]
    more = f"\nand {len(found) - len(shown)} more (hwmem report R.hwm c2c)" if len(found) > len(shown) else ""
    excerpts = {excerpt.source: excerpt for excerpt in result.program.excerpts}
    large = [line for line in shown if line.hitm >= max(LEAST_SHARE * all_of, LEAST_HITMS)]
    parts = [table(LINE_HEADERS, rows) + more, *(in_full(line, all_of, excerpts) for line in large), advice(large, result)]
    return "\n\n".join(filter(None, parts))


def advice(lines, result):
    """How to find out what parts on lines of their own would be worth."""
    parts = list(dict.fromkeys(part for line in sorted(lines, key=lambda line: line.address) for part in line.apart))
    if not parts or "apart" in result.parameters:
        return None
    return fold(f"What padding would be worth: hwmem trace {result.parameters.get('file', 'FILE')} --apart {quoted(','.join(parts))}")


def in_full(line, all_of, excerpts):
    said = f"{line.address:#x}  {line.symbol or 'no name'}: {line.hitm:,} HITMs, {percent(line.hitm, all_of)} of all, {sharing_of(line)}"
    parts = [fold(said, whole=False), f"  {byte_map(line)}", indented(table(CODE_HEADERS, code_rows(line), screen() - 2))]
    return "\n".join([*parts, *source(line, excerpts)])


def sharing_of(line):
    """In words."""
    said = SHARED[kind(line)]
    return said if kind(line) != "both" else f"{said}: {line.hitm - false_hitms(line):,} HITMs true, {false_hitms(line):,} false"


def code_rows(line):
    rows = []
    least = LEAST_SHARE * sum(code.misses for code in line.code)
    for code in [code for code in line.code if code.hitm or code.misses >= least][:MOST_CODE]:
        where = " < ".join([*code.sources, *code.via]) or code.object
        rows.append(
            [
                code.hitm,
                percent(code.hitm, line.hitm),
                str(code.thread),
                first_to_last(code.data),
                f"{code.pc:#x}",
                code.function or "-",
                where or "-",
            ]
        )
    return rows


def source(line, excerpts):
    """The source around the hottest instruction, the line itself marked."""
    for name in line.code[0].sources + line.code[0].via if line.code else ():
        if name in excerpts:
            first, hot = excerpts[name].first, int(name.rpartition(":")[2])
            return [f"  {'>' if first + n == hot else ' '} {first + n:5} | {one}"[: screen()] for n, one in enumerate(excerpts[name].lines)]
    return []


def gain(result):
    """What putting parts on lines of their own was worth, if that is what was replayed."""
    grid = result.comparison
    if not grid or grid.get("column") != "apart":
        return None
    before, after = grid["cells"][-1]
    factor = max(before, after) / max(min(before, after), 1)
    how = "takes as long, within 1%" if factor < 1.01 else f"runs {factor:.2f} times as {'fast' if before > after else 'slow'}"
    *most, last = split(grid["columns"][1]) or [""]
    names = " and ".join(filter(None, [", ".join(most), last]))
    return fold(f"With {names} on lines of their own the program {how}: {text(after)} cycles instead of {text(before)}.")


def notes(program):
    said = [f"{program.forced_steps:,} steps were made against the recording's order."] if program.forced_steps else []
    return "\n".join(fold(note) for note in [*said, *program.notes])


def named_threads(line):
    """Who writes it."""
    return " ".join(str(thread) for thread in sorted(line.written)) or "-"


def short(line):
    """The names of a line in a cell."""
    return first_to_last(line.symbol or "")


def first_to_last(names):
    """Of several names the first and the last."""
    names = split(names)
    if not names:
        return "-"
    first, last = names[0], names[-1]
    if first.partition(ALLOCATED)[2] == last.partition(ALLOCATED)[2]:
        first = first.partition(ALLOCATED)[0] if len(names) > 1 else first
    return first if len(names) == 1 else f"{first} .. {last}" if len(names) > 2 else f"{first}, {last}"


def split(names):
    """["a[1]", "f<int, int>::b"] of "a[1],f<int, int>::b": at commas that stand in no brackets."""
    found, depth = [""], 0
    for character in names:
        depth = max(depth + NESTING.get(character, 0), 0)
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return [name.strip() for name in found if name.strip()]


def byte_map(line):
    """64 characters; see the file header."""
    return "".join(letter(owners(line.written, n) or owners(line.read, n)) for n in range(LINE))


def owners(masks, n):
    return [thread for thread, mask in masks.items() if mask >> n & 1]


def letter(threads):
    if not threads:
        return "."
    return "#" if len(threads) > 1 else LETTERS[threads[0]] if threads[0] < len(LETTERS) else "+"


def quoted(word):
    """For a shell."""
    return "'" + word.replace("'", "'\\''") + "'"


def indented(lines):
    return "\n".join(f"  {line}" if line else line for line in lines.split("\n"))
