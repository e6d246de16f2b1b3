"""The names that a report shows, put into a recorded program: symbols, code, advice, the source around the hot lines.

    label(program)      Program.lines get symbol, source and apart, their code function, object, sources and via; excerpts; notes

Only the lines that a report can show are named, the worst MOST_LINES, and of each the hottest code. A result keeps the names, so that it can be
read where the program is not.

A source file is read only if its name says that it is one: the name comes from the program's file, and files come from anybody.
"""

import os
import re

from hwmem.symbols.names import ALLOCATED, Names, source
from hwmem.trace.program import Excerpt, kind

MOST_LINES = 400
MOST_CODE = 40  # instructions of a line
MOST_EXCERPTS, AROUND = 12, 2  # lines before and after the hot one
MOST_SOURCE_BYTES, WIDEST = 4 << 20, 160
SOURCES = re.compile(r"\.(c|h|cc|cpp|cxx|hh|hpp|hxx|inl|tcc|ipp|s|S|go|rs|d|f|f90|adb|m|mm|zig|cu)$")
LEAST_SHARE = 0.02  # of a line's misses, of code that advice is about
SYSTEMS = ("/usr/include/", "/usr/lib/")  # whose source is shown where there is no other
COMPONENT = re.compile(r"->|\.|::|\[")


def label(program, names=None):
    """Fill in the names of `program` (trace.program.Program), in place. `names`: its Names."""
    names = names or Names(program)
    program.lines = [named(names, line) if n < MOST_LINES else line for n, line in enumerate(program.lines)]
    program.excerpts = excerpts(names, program.lines)
    program.notes = [*program.notes, *(note for note in names.limits if not is_told(note, program.notes))]
    return program


def is_told(note, notes):
    """Whether there is such a note already, or one that the file is not there."""
    return note in notes or any(other.startswith("Not here") and note.partition(":")[0] in other for other in notes)


def named(names, line):
    code = tuple(code_named(names, line.address, code) if n < MOST_CODE else code for n, code in enumerate(line.code))
    written = 0
    for mask in line.written.values():
        written |= mask
    symbol = line.symbol or joined(names.touched(line.address, written))
    if names.is_go and symbol.startswith("Go heap") and code and names.is_stack_access(code[0].pc):
        symbol = f"goroutine stack in {code[0].function or hex(code[0].pc)}"
    sources = dict.fromkeys(one for c in code for one in (*c.sources, *c.via))
    return line._replace(symbol=symbol, source=tuple(sources), code=code, apart=advice(names, line))


def joined(found):
    """Names in a row; where several were allocated by one call, that stands behind the last."""
    said = []
    for name, after in zip(found, [*found[1:], ""]):
        mine, _, at = name.partition(ALLOCATED)
        said.append(mine if at and at == after.partition(ALLOCATED)[2] else name)
    return ", ".join(said)


def code_named(names, address, code):
    where = names.code(code.pc)
    via = names.sources(code.caller) if code.caller and code.caller != code.pc and not names.is_programs(code.pc) else ()
    data = joined(names.touched(address, code.touched))
    return code._replace(function=where.function, object=where.object, data=data, sources=tuple(names.sources(code.pc)), via=tuple(via))


def advice(names, line):
    """The parts of a falsely shared line that its hot threads use: names, or addresses of what has none; () where they use the same."""
    used = hot_bytes(line)
    if not line.hitm or len(used) < 2 or kind(line) == "true":
        return ()
    each = {thread: names.touched(line.address, mask) for thread, mask in used.items()}
    parts, ends = [], []
    for thread, mask in sorted(used.items(), key=lambda one: one[1] & -one[1]):
        others = {name for other, found in each.items() if other != thread for name in found}
        part = apart(each[thread], others)
        if part is None or not resolves(names, part, line.address, mask):
            part = f"{line.address + lowest(mask):#x}+{mask.bit_length() - lowest(mask)}"
        parts.append(part)
        ends.append(names.part(part))
    apart_already = all(start + size <= later for (start, size), (later, _) in zip(sorted(ends), sorted(ends)[1:]))
    return tuple(parts) if apart_already else ()


def hot_bytes(line):
    """{thread: mask of what it touches} of the threads that have their share of the line's misses: who waits for it, and who takes it away by
    writing; by their hot code alone."""
    all_of, used = sum(code.misses for code in line.code), {}
    for code in line.code:
        if code.misses and code.misses >= LEAST_SHARE * all_of:
            used[code.thread] = used.get(code.thread, 0) | code.touched
    return {thread: mask for thread, mask in used.items() if mask}


def lowest(mask):
    return (mask & -mask).bit_length() - 1


def apart(own, others):
    """The shortest beginning that all names of a thread have and none of the others': counters[1] of counters[1].value; or None."""
    own, others = ([name.partition(ALLOCATED)[0] for name in found] for found in (own, others))
    cuts = [found.start() for found in COMPONENT.finditer(own[0]) if found.start()] + [len(own[0])]
    for cut in cuts:
        part = own[0][:cut]
        if all(begins(name, part) for name in own) and not any(begins(name, part) for name in others):
            return part
    return None


def begins(name, part):
    return name == part or (name.startswith(part) and COMPONENT.match(name, len(part)) is not None)


def resolves(names, part, address, mask):
    """Whether the name leads back to the bytes."""
    try:
        start, size = names.part(part)
    except ValueError:
        return False
    last = address + mask.bit_length() - 1
    return start <= last < start + size


def excerpts(names, lines):
    """Excerpts of the source around the hottest code of the lines that are contended."""
    found = {}
    for line in lines:
        for code in line.code[:3] if line.hitm else ():
            for pc in (code.pc, code.caller):
                frames = names.code(pc).frames if pc else ()
                own = [frame for frame in frames if frame[1] and not frame[1].startswith(SYSTEMS)]
                for _, path, number in own or frames:
                    key = source(path, number)
                    if key and key not in found and len(found) < MOST_EXCERPTS:
                        found[key] = excerpt(key, found_source(names, pc, path), number)
    return list(filter(None, found.values()))


def found_source(names, pc, path):
    """Where a source file is: as its compiler knew it, or by its name beside the program or in the names' folders; None: nowhere."""
    loaded = names.objects.at(pc)
    beside = [os.path.dirname(loaded.row.file)] if loaded and loaded.row.file else []
    for folder in (*names.directories, *beside):
        for name in (path, os.path.basename(path)):
            if not os.path.isabs(name) and os.path.isfile(os.path.join(folder, name)):
                return os.path.join(folder, name)
    return path if os.path.isabs(path) else None


def excerpt(key, path, number):
    if path is None or not SOURCES.search(path) or not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            if os.fstat(file.fileno()).st_size > MOST_SOURCE_BYTES:
                return None
            text = file.read().split("\n")
    except OSError:
        return None
    if not 0 < number <= len(text):
        return None
    first = max(number - AROUND, 1)
    return Excerpt(key, first, tuple(line.expandtabs(4)[:WIDEST] for line in text[first - 1 : number + AROUND]))
