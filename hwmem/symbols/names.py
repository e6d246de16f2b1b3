"""Names of a recorded program's addresses, looked up on demand.

    Names(program)
      .code(0x1091f0)     Where(function="work", source="adjacent.c:14", path=..., line=14, object="adjacent", frames=...)
      .data(0x10c048)     "counters[1].value", or whatever is known, the first of these that is:
                            a heap block       args[1].SX (allocated at main, linreg.c:34), or: 256 bytes (allocated at ...) + 72
                            a thread's stack   stack of thread 3; its thread-local data
                            a variable         DWARF's type tells the field
                            a symbol           _IO_2_1_stdout_+8 in libc.so.6
                            a mapping          libc.so.6+0x1d2000, heap+0x140, anonymous memory 0x5238000+0x10
      .part("counters[1]") (address, bytes)
      .limits             sentences: what could not be used, and why

`program` is a trace.program.Program. Nothing is guessed: a name is left out where a file is not the recorded one.
"""

import os
import re
from functools import cached_property, lru_cache
from typing import NamedTuple

from hwmem.symbols.decode import uses_stack_pointer
from hwmem.symbols.demangle import demangled
from hwmem.symbols.fields import POINTERS, name_of, size_of, stripped, type_of
from hwmem.symbols.fields import field as field_of
from hwmem.symbols.heap import HeapBlocks
from hwmem.symbols.elf import Symbols
from hwmem.symbols.objects import Objects
from hwmem.symbols.variables import Variable, part, path_to

CONTROL_BLOCK = 2304  # bytes of glibc's struct pthread, where a thread pointer points
MAP_ANONYMOUS = 0x20
ALLOCATED = " (allocated at "
G0_STACK = 16384  # bytes of the stack that Go's runtime gives a thread (Go: runtime/proc.go, allocm)
GO_HEAP = 0xC000000000  # where its first arena is (Go: runtime/malloc.go)
GO_SECTIONS = (".note.go.buildid", ".go.buildinfo")
LONGEST_INSTRUCTION = 15
MOST_KEPT = 1 << 16
NUMBERED = re.compile(
    r"\d|[a-z_]+\.\d"
)  # what compilers put behind the dot of a name that is not the only one: counter.0, counter.lto_priv.1


class Where(NamedTuple):
    """Of an instruction. `function`: "" if not known; `source`: "file.c:12", "" if not known; `path`: the file as its compiler knew it, or
    None; `frames`: ((function, path, line), ...), innermost first."""

    function: str
    source: str
    path: str | None
    line: int
    object: str
    frames: tuple = ()


class Datum(NamedTuple):
    """`name`, and how far behind its beginning. `typed`: the name is a field's, and the bytes behind it are its own."""

    name: str
    offset: int = 0
    form: str = "+{}"
    typed: bool = False

    def __str__(self):
        return self.name + (self.form.format(self.offset) if self.offset else "")


class Names:
    def __init__(self, program, directories=()):
        self.program, self.directories = program, tuple(directories)
        self.objects = Objects(program.objects, directories)
        self.limits = self.objects.limits
        self.blocks, self.heap = program.blocks, HeapBlocks(program.blocks)
        self.maps = mappings(program.memory_calls)
        for name in ("code", "datum", "allocation", "is_programs", "pointee"):  # asked again and again
            setattr(self, name, lru_cache(MOST_KEPT)(getattr(self, name)))

    @cached_property
    def is_go(self):
        """Whether Go's linker made the program: its threads run on goroutines' stacks."""
        image = self.objects.loaded[0].image if self.objects.loaded else None
        return bool(image and any(name.startswith(GO_SECTIONS) for name, *_ in image.sections))

    @property
    def own_code(self):
        """(start, end) of the program's own .text; (0, 0) if it is not known. Its stubs for libraries lie elsewhere."""
        loaded = self.objects.loaded[0] if self.objects.loaded else None
        found = loaded.image and [s for s in loaded.image.sections if s[0] == ".text"] if loaded else None
        return (found[0][1] + loaded.bias, found[0][2] + loaded.bias) if found else (0, 0)

    def is_stack_access(self, pc):
        """Whether an instruction pushes, calls, or addresses memory by the stack pointer."""
        loaded = self.objects.at(pc)
        return bool(loaded and loaded.image and uses_stack_pointer(loaded.image.bytes_at(pc - loaded.bias, LONGEST_INSTRUCTION)))

    def code(self, pc):
        """The Where of an instruction."""
        loaded = self.objects.at(pc)
        if loaded is None:
            return Where("", "", None, 0, "")
        frames = loaded.frames(pc)
        symbol = loaded.function(pc)
        function = called(frames[0].function if frames else "", symbol, len(frames) > 1)
        path, line = (frames[0].path, frames[0].line) if frames else (None, 0)
        return Where(function, source(path, line), path, line, loaded.name, tuple(map(tuple, frames)))

    def sources(self, pc):
        """["queue.h:31", "main.c:12"]: the line of an instruction, then those that its function was inlined into."""
        found = [source(path, line) for _, path, line in self.code(pc).frames]
        return list(dict.fromkeys(filter(None, found)))

    def data(self, address):
        """What lies at an address, in words."""
        return str(self.datum(address))

    def datum(self, address):
        """What lies at an address, as a Datum."""
        kinds = (self.block_at, self.thread_data, self.object_data, self.mapped)
        return next((found for kind in kinds if (found := kind(address))), Datum("", address, "{:#x}"))

    def allocation(self, address):
        """What an address belongs to as a whole: a variable, a heap block, a stack, a mapping; "" if nothing is known."""
        if here := self.heap.at(address):
            made = list(dict.fromkeys(self.allocated_at(block) for block in here[-4:]))
            return f"heap allocated at {' or '.join(made)}"
        if found := self.thread_data(address):
            return found.name
        loaded = self.objects.at(address)
        if loaded is not None:
            symbol = loaded.symbol(address)
            return demangled(symbol[0]) if symbol else " ".join(filter(None, [loaded.name, (loaded.section(address) or ("",))[0]]))
        found = self.mapped(address)
        return found.name if found else ""

    def touched(self, start, mask):
        """The names of the bytes of `mask` (bit n: start + n), each once, in their order: of a variable its fields, of what has no type the
        first byte."""
        names, before = {}, None
        for n in range(mask.bit_length()):
            if not mask >> n & 1:
                before = None
                continue
            datum = self.datum(start + n)
            if datum.name != before:
                names.setdefault(datum.name, datum.name if datum.typed else str(datum))
            before = datum.name
        return list(names.values())

    # -- the kinds of data, the nearest first

    def block_at(self, address):
        """Of blocks that were there one after another, those whose names differ."""
        blocks = {(b.address, b.size, b.stack): b for b in self.heap.at(address)}
        found = list(dict.fromkeys(self.block_name(b, address - b.address) for b in blocks.values()))
        if len(found) < 2:
            return found[0] if found else None
        more = f" or {len(found) - 2} more" if len(found) > 2 else ""
        return Datum(f"{found[0]} or {found[1]}{more}", typed=True)

    def block_name(self, block, offset):
        at = self.allocated_at(block)
        element = self.pointee(self.allocator(block), block.size)
        if element is None:
            return Datum(f"{block.size:,} bytes{ALLOCATED}{at})", offset, " + {}")
        name, kind = element
        index, inside = divmod(offset, size_of(kind))
        path, rest = split(field_of(kind, inside))
        if block.size > size_of(kind):
            path = f"[{index}]{path}"
        elif path:
            path = f"->{path.removeprefix('.')}"
        return Datum(f"{name}{path}{ALLOCATED}{at})", rest, " + {}", True)

    def allocated_at(self, block):
        caller = self.allocator(block)
        where = self.code(caller)
        return ", ".join(filter(None, [where.function, where.source])) or (f"{caller + 1:#x}" if caller else "nobody knows where")

    def is_programs(self, pc):
        """Whether an instruction is of the program itself, not of the library that it calls to allocate."""
        loaded = self.objects.at(pc)
        return bool(
            loaded
            and self.objects.loaded
            and loaded is self.objects.loaded[0]
            and not self.code(pc).function.startswith(("operator new", "std::"))
        )

    def pointee(self, pc, size):
        """(name, type) of the pointer that is declared where a block of `size` bytes was allocated; None unless there is just one."""
        loaded = self.objects.at(pc)
        code = loaded and loaded.code
        if not code:
            return None
        with loaded.noting("variables"):
            unit = code.units.covering(pc - loaded.bias)
            chain = code.around(unit, pc - loaded.bias) if unit else []
            here = code.table(unit).at(pc - loaded.bias) if chain else None
            tree, found = unit and code.units.tree(unit), []
            for i in tree.children(tree.index(chain[-1].offset)) if here else ():
                die = code.units.die(tree.offsets[i]) if tree.tags[i] == "DW_TAG_variable" else None
                line = die and die.attributes.get("DW_AT_decl_line")
                kind = stripped(type_of(die)) if line and line.value == here[1] else None
                if kind is not None and kind.tag in POINTERS:
                    kind = stripped(type_of(kind))
                    if size_of(kind) and not size % size_of(kind):
                        found.append((name_of(die), kind))
            return found[0] if len(found) == 1 else None
        return None

    def thread_data(self, address):
        for thread in self.program.threads:
            low, end = thread.stack
            if self.is_go and max(low, end - G0_STACK) <= address < end:
                return Datum(f"system stack of thread {thread.number}", typed=True)
            if self.is_go:
                continue
            if thread.tls and thread.tls <= address < thread.tls + CONTROL_BLOCK:
                return Datum(f"control block of thread {thread.number}", address - thread.tls)
            if thread.tls and thread.tls - self.thread_local_bytes <= address < thread.tls:
                return self.thread_local(address, thread)
            if low <= address < end:
                return Datum(f"stack of thread {thread.number}", typed=True)
        return None

    @cached_property
    def thread_local_bytes(self):
        """Below a thread pointer, of the variables of all objects that were there from the start."""
        return sum(loaded.image.tls_bytes for loaded in self.objects.loaded if loaded.image)

    def thread_local(self, address, thread):
        """The program's own variables lie right below the thread pointer, those of libraries below them."""
        image = self.objects.loaded[0].image if self.objects.loaded else None
        offset = address - thread.tls + (image.tls_bytes if image else 0)
        found = image.thread_local.at(offset) if image and offset >= 0 else None
        if found:
            return Datum(f"{demangled(found[0])} of thread {thread.number}", offset - found[1])
        return Datum(f"thread-local data of thread {thread.number}", address - thread.tls + self.thread_local_bytes)

    def object_data(self, address):
        loaded = self.objects.at(address)
        if loaded is None:
            return None
        symbol = loaded.symbol(address)
        if symbol is None:
            section, start = loaded.section(address) or ("", loaded.bias)
            return Datum(f"{loaded.name} {section}".rstrip(), address - start, "+{:#x}")
        name, start, size = symbol
        variable = loaded.variable(start)
        if variable and address - start < max(variable.size, 1):
            with loaded.noting("types"):
                path, rest = split(path_to(variable, address - start))
                return Datum(path, rest, typed=True)
        return Datum(demangled(name), address - start)

    def mapped(self, address):
        for start, end, name in reversed(self.maps):
            if start <= address < end:
                if self.is_go and address >= GO_HEAP:
                    return Datum("Go heap", address - GO_HEAP, "+{:#x}")
                return Datum(name, address - start, "+{:#x}")
        return None

    # -- from a name to its bytes

    def part(self, wanted):
        """(address, bytes) of a variable or a part of it, "counters[1].value", or of "0x10c040+8". Raises ValueError."""
        if wanted[:2].lower() == "0x":
            return numbered(wanted)
        found, wrong = set(), []
        for variable, path in self.candidates(wanted):
            try:
                found.add(part(variable, path))
            except ValueError as error:
                wrong.append(str(error))
        if not found and wrong:
            raise ValueError(f"{wanted!r:.80}: {wrong[0]}")
        if not found:
            why = "; ".join(self.limits[:1]) or "the name is that of a variable that the report shows, or 0xADDRESS+BYTES"
            raise ValueError(f"{wanted!r:.80}: there is no variable of that name ({why})")
        if len(found) > 1:
            said = " or ".join(f"{start:#x}+{size}" for start, size in sorted(found)[:4])
            raise ValueError(f"{wanted!r:.80}: {len(found)} variables have that name: say {said}")
        return found.pop()

    def candidates(self, wanted):
        """(Variable at its address in the process, the rest of `wanted`) of what may be meant."""
        for loaded in self.objects.loaded:
            objects = loaded.image.objects if loaded.image else Symbols(None, ())
            for i, name in enumerate(objects.names):
                if could_be(name, wanted):
                    start = objects.starts[i]
                    found = loaded.variable(start + loaded.bias) or Variable(demangled(name), start, objects.ends[i] - start, None)
                    if wanted == found.name or (wanted.startswith(found.name) and wanted[len(found.name)] in ".["):
                        yield found._replace(start=start + loaded.bias), wanted[len(found.name) :]
        for block in self.blocks:
            name, kind = self.pointee(self.allocator(block), block.size) or ("", None)
            rest = wanted[len(name) :]
            if name and wanted.startswith(name) and (rest.startswith(("[", "->"))):
                index, _, path = rest[1:].partition("]") if rest[0] == "[" else ("0", "", rest.replace("->", ".", 1))
                if index.isdigit() and int(index) < block.size // size_of(kind):
                    yield Variable(name, block.address + int(index) * size_of(kind), size_of(kind), kind), path

    def allocator(self, block):
        """The call that allocated a block: the program's own, if it is among those that are known; 0: not known."""
        return next((pc - 1 for pc in block.stack if self.is_programs(pc - 1)), block.stack[0] - 1 if block.stack else 0)


def could_be(symbol, wanted):
    """Whether the variable behind a symbol's name may be the one that `wanted` begins with."""
    last = wanted.partition("[")[0].rpartition("::")[2].partition(".")[0]
    if wanted.startswith(symbol) or (symbol.startswith("_Z") and last in symbol):
        return True
    name, _, more = symbol.partition(".")
    return name == last and (not more or NUMBERED.match(more) is not None)


def split(path):
    """("counters[1].value", 3) of "counters[1].value+3"."""
    name, _, rest = path.rpartition("+")
    return (name, int(rest)) if name and rest.isdigit() else (path, 0) if not path.startswith("+") else ("", int(path[1:]))


def numbered(wanted):
    try:
        start, _, size = wanted.partition("+")
        found = int(start, 16), int(size, 0)
    except ValueError:
        raise ValueError(f"{wanted!r:.60}: takes 0xADDRESS+BYTES") from None
    if not 0 < found[1] <= 1 << 30 or found[0] + found[1] > 1 << 47:
        raise ValueError(f"{wanted!r:.60}: no bytes that a program could have")
    return found


def called(function, symbol, inlined):
    """A function's name: what debugging information says, but where the symbol table has a plainer alias (pthread_mutex_lock of
    ___pthread_mutex_lock)."""
    if symbol and not inlined and (not function or symbol[0].lstrip("_") == function.lstrip("_")):
        return demangled(symbol[0])
    return function


def source(path, line):
    """ "file.c:12"; of a path only its end, as perf c2c shows it."""
    return f"{os.path.basename(path)}:{line}" if path and line else ""


def mappings(calls):
    """[(start, end, name)] of the memory that a program asked for, in the order of its calls."""
    found, first, top = [], None, 0
    for call in calls:
        if call.result < 0:
            continue
        if call.name == "brk":
            first = call.result if first is None else first
            top = max(top, call.result)
        elif call.name == "mmap" and call.arguments[3] & MAP_ANONYMOUS:
            found.append((call.result, call.result + call.arguments[1], f"anonymous memory at {call.result:#x}"))
        elif call.name == "mremap":
            found.append((call.result, call.result + call.arguments[2], f"anonymous memory at {call.result:#x}"))
    return [*found, (first, top, "heap")] if first is not None and top > first else found
