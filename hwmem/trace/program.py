"""The program behind a recording: its objects, threads, memory calls and heap blocks, and what the replay found out about them.

    a log of threads ── reader ── objects, threads, memory_calls, blocks     as recorded
                        replay ── lines, anonymous_pages, forced_steps       as replayed

All plain data: a result keeps it (Result.program) and reads it again with nothing of a machine or a trace. Addresses are those of
the recorded process, integers from 0; 0 is an unknown program counter. Threads count from 1, in the order in which they first
ran. A moment of the recording is how many data references of all threads came before it.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import NamedTuple


class Mapping(NamedTuple):
    """Pages [start, end) of the process that show a file from `file_offset` on; `prot`: PROT_READ | PROT_WRITE | PROT_EXEC."""

    start: int
    end: int
    file_offset: int
    prot: int


class Object(NamedTuple):
    """An ELF file in the process; its own addresses plus `load_address` are the process's.

    `path`: where it lay when it was recorded; `file`: where it was found here, None: nowhere. `mappings`: by address, empty where
    they are not known. The program itself is the first of a Program's objects.
    """

    path: str
    load_address: int
    mappings: tuple = ()
    file: str | None = None


class Thread(NamedTuple):
    """A thread that ran. `stack`: (lowest address, end); `tls`: where its thread pointer points, 0: not known; `parent`: the number of the
    thread that made it, 0: nobody (the first); `created_at`: program counter of the clone. A read-modify-write counts as a load, a store
    and an atomic. `began`, `ended`: moments."""

    number: int
    stack: tuple = (0, 0)
    tls: int = 0
    parent: int = 0
    created_at: int = 0
    loads: int = 0
    stores: int = 0
    atomics: int = 0
    instructions: int = 0
    began: int = 0
    ended: int = 0


class MemoryCall(NamedTuple):
    """mmap, munmap, mremap, brk, mprotect or madvise, with its arguments as recorded; `result`: minus the errno where it failed."""

    thread: int
    name: str
    arguments: tuple
    result: int


class Block(NamedTuple):
    """A heap block. `stack`: return addresses, the innermost first; `freed`: None if it never was."""

    address: int
    size: int
    stack: tuple
    thread: int
    allocated: int
    freed: int | None = None


class Code(NamedTuple):
    """What one instruction of one thread did to a line in the replay. `caller`: the last instruction of the program's own object that
    the thread had made before the hottest of these accesses, 0: not known. `touched`: mask of the line's bytes that these accesses touched. `function`, `object`,
    `data`: names, "" if not known; `sources`:
    "file.c:12", then the lines that its function was inlined into; `via`: the same of the caller, of code that is not the program's own."""

    pc: int
    thread: int
    misses: int
    hitm: int
    caller: int = 0
    touched: int = 0
    function: str = ""
    object: str = ""
    data: str = ""
    sources: tuple = ()
    via: tuple = ()


class Excerpt(NamedTuple):
    """Lines of a source file around one that the report names. `first`: the number of the first of `lines`."""

    source: str
    first: int
    lines: tuple


class Line(NamedTuple):
    """A line that several threads use and at least one writes. `sharing`: "false", "true" or "none" (one thread writes); `written`, `read`:
    {thread: mask of bytes, the line's lowest address in the lowest bit}; `hitm`: how often it was fetched from a core that had modified
    it; `code`: who did, the worst first; `symbol`, `source`: names, where they are known; `apart`: what `hwmem trace --apart` takes to put
    the threads' parts on lines of their own."""

    address: int
    sharing: str
    hitm: int
    threads: tuple
    written: dict
    read: dict
    code: tuple = ()
    symbol: str | None = None
    source: tuple = ()
    apart: tuple = ()


RIVAL = 0.02  # of a line's misses, of a thread that others have to do with: not one that set it up, or looks at it in the end


def false_hitms(line):
    """How many of a line's HITMs are false sharing: of accesses to bytes that no rival writes. (Code that is not kept counts with the rest, by
    its share.)"""
    told = sum(code.hitm for code in line.code)
    if not told or not any(code.touched for code in line.code):
        return line.hitm if line.sharing == "false" else 0
    rivals = rivals_bytes(line)
    false = sum(code.hitm for code in line.code if not any(code.touched & mask for thread, mask in rivals.items() if thread != code.thread))
    return round(line.hitm * false / told)


def rivals_bytes(line):
    """{thread: mask of what it writes} of the threads with a significant share of the line's misses: those that wait for it, and those that
    take it away by writing. What one of them wrote without a miss, and so before others came, is left out."""
    misses, touched = {}, {}
    for code in line.code:
        misses[code.thread] = misses.get(code.thread, 0) + code.misses
        touched[code.thread] = touched.get(code.thread, 0) | code.touched
    all_of = sum(misses.values())
    return {thread: touched[thread] & line.written.get(thread, 0) for thread, n in misses.items() if n >= RIVAL * all_of}


def kind(line):
    """What a line's HITMs are: "false", "true" or "both" (more than one in 200 of the other)."""
    false = false_hitms(line)
    few = min(false, line.hitm - false)
    return "both" if 200 * few >= line.hitm > 0 else "false" if false > line.hitm - false else "true"


@dataclass
class Program:
    """See the file's header. `lines`: the worst first; `anonymous_pages`: {"peak", "end", "after_calls": [(name, pages), ...]}, 4 KiB
    pages of RssAnon; `process`: {"children": how many were forked, "exit": status, None: not told}; `stores`: (thread, address) of every
    store into the range that was asked for, in the order made, None if none was."""

    command: str = ""
    objects: list = field(default_factory=list)
    threads: list = field(default_factory=list)
    memory_calls: list = field(default_factory=list)
    blocks: list = field(default_factory=list)
    order: str = "clock"
    lines: list = field(default_factory=list)
    anonymous_pages: dict = field(default_factory=dict)
    forced_steps: int = 0
    process: dict = field(default_factory=dict)
    stores: list | None = None
    notes: list = field(default_factory=list)  # sentences for the reader of a report
    excerpts: list = field(default_factory=list)

    def to_dict(self):
        """As JSON has it; masks in hexadecimal."""
        document = asdict(self)
        for name in ROWS:
            document[name] = [row._asdict() for row in getattr(self, name)]
        document["memory_calls"] = [list(call) for call in self.memory_calls]
        for object in document["objects"]:
            object["mappings"] = [list(mapping) for mapping in object["mappings"]]
        for line in document["lines"]:
            line["code"] = [code._asdict() for code in line["code"]]
            for name in ("written", "read"):
                line[name] = {str(thread): f"{mask:016x}" for thread, mask in line[name].items()}
        return document

    @classmethod
    def from_dict(cls, document):
        """The Program whose to_dict `document` is. Raises KeyError, TypeError or ValueError for another document."""
        values = {f.name: document[f.name] for f in fields(cls)}
        values["memory_calls"] = [dict(zip(MemoryCall._fields, call, strict=True)) for call in values["memory_calls"]]
        values["stores"] = values["stores"] and [tuple(store) for store in values["stores"]]
        for name, row in ROWS.items():
            values[name] = [row(**{key: frozen(value) for key, value in one.items()}) for one in values[name]]
        values["objects"] = [one._replace(mappings=tuple(Mapping(*mapping) for mapping in one.mappings)) for one in values["objects"]]
        values["lines"] = [
            one._replace(
                code=tuple(Code(**{key: frozen(value) for key, value in code.items()}) for code in one.code),
                **{name: {int(thread): int(mask, 16) for thread, mask in getattr(one, name).items()} for name in ("written", "read")},
            )
            for one in values["lines"]
        ]
        return cls(**values)


ROWS = {"objects": Object, "threads": Thread, "memory_calls": MemoryCall, "blocks": Block, "lines": Line, "excerpts": Excerpt}


def frozen(value):
    """A list of JSON as the tuple that it was."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value
