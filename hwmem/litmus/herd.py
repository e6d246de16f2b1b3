r"""Reading litmus tests: herd's x86 text, and the neutral form's JSON; one test, or a file of many.

    X86 SB
    { x=0; y=0; }
     P0          | P1          ;
     MOV [x],$1  | MOV [y],$1  ;            X86: the target first; X86_64: movl $1,(x), the target last
     MOV EAX,[y] | MOV EAX,[x] ;
    exists (0:EAX=0 /\ 1:EAX=0)

Instructions are in mnemonics.py, operands in operands.py; jumps to labels, loops a bounded number of times (branches.py). A word
has the bytes that its suffix or register says, else 4; a location those that it is declared with, else 4, and those of the widest
access to it at least. `int64_t t[2]={1,-1}` is an array, whose elements are the locations t[0] and t[1]; `0:rax=x` and `p=x` are
addresses. `locations [x; 0:EAX;]` adds to what is observed; without it that is what
the condition names. `filter` leaves out final states. Syntax: herdtools7, lib/X86Parser.mly, X86_64Parser.mly, stateParser.mly.
"""

import gzip
import json
import os
import re

from hwmem.errors import LitmusError
from hwmem.litmus.branches import END, assembled
from hwmem.litmus.condition import Words, parse_condition, parse_filter
from hwmem.litmus.encode import MAX_STEPS
from hwmem.litmus.alu import CONDITIONS
from hwmem.litmus.mnemonics import EXTENDING, NOTHING, FENCES, extending, locked_steps, size_of, split_suffix, steps_of
from hwmem.litmus.operands import NAMES, PARTS, integer, operand, parted, register_of
from hwmem.litmus.test import JUMP, Instruction, Test, checked, element, fits, from_dict

ARCHITECTURES = ("X86", "X86_64")
COMMENT = re.compile(r"\(\*.*?\*\)|#[^\n]*", re.S)
TAIL = re.compile(r"^\s*((~|not\b)?\s*(exists|forall|final)|locations|filter)\b", re.M)
LOCK = re.compile(r"\bLOCK(\s*;)", re.I)
LABEL = re.compile(r"([A-Za-z_][\w.]*)\s*:(?!:)\s*")
ENTRY = re.compile(
    r"(?:(?P<type>[A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*)(?:\s*(?P<star>\*)\s*|\s+)|\*)?(?P<name>P?\d+\s*:\s*%?\w+|\[?[A-Za-z_][\w.]*\]?)"
    r"\s*(?:=\s*(?P<value>&?-?[\w.]+(?:\[\d+\])?))?"
)
ARRAY = re.compile(
    r"(?:(?P<type>[A-Za-z_]\w*(?:\s+[A-Za-z_]\w*)*)\s+)?(?P<name>[A-Za-z_][\w.]*)\s*\[\s*(?P<n>\d+)\s*\]\s*(?:=\s*\{(?P<values>[^}]*)\})?"
)
VECTOR = re.compile(r"\b[XYZ]MM\d+\b", re.I)
MOST_ELEMENTS = 64  # encode.MAX_LOCATIONS
WIDTHS = {
    1: "char int8_t uint8_t bool",
    2: "short int16_t uint16_t",
    4: "int unsigned int32_t uint32_t atomic_int",
    8: "long int64_t uint64_t intptr_t uintptr_t size_t",
}
TYPES = {name: size for size, names in WIDTHS.items() for name in names.split()}
WORD = 4  # bytes of what nothing says more of
POINTER = {"X86": 4, "X86_64": 8}


def parse(source):
    """A Test from a dict of the neutral form, its JSON text, or herd's text. Raises LitmusError, one line."""
    if isinstance(source, Test):
        return source
    if isinstance(source, dict):
        return from_dict(source)
    if not isinstance(source, str):
        raise LitmusError(f"litmus test: takes a dict or text, not {type(source).__name__}")
    tests = read_text(source, "litmus test")
    if len(tests) > 1:
        raise LitmusError(f"litmus test: takes one test, not {len(tests)}")
    return tests[0]


def read_file(path):
    """The tests of a file, a list: .litmus, .json, and either of them with .gz. Raises OSError, LitmusError."""
    with (gzip.open if os.fspath(path).endswith(".gz") else open)(path, "rb") as file:
        try:
            text = file.read().decode("utf-8-sig")
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
            raise LitmusError(f"{path}: {error}") from None
    return read_text(text, path)


def read_text(text, place):
    if not text.lstrip().startswith(("{", "[")):
        return [Herd(text, place).test()]
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise LitmusError(f"{place}:{error.lineno}: {error.msg}") from None
    tests = document.get("tests", [document]) if isinstance(document, dict) else document
    if not isinstance(tests, list) or not tests:
        raise LitmusError(f'{place}: not a litmus test: "tests" takes a list of them')
    return [from_dict(one, place if len(tests) == 1 else f"{place}: test {number}") for number, one in enumerate(tests)]


class Herd(Words):
    """One test in herd's text; `place`: the file's name, for refusals."""

    def __init__(self, text, place):
        self.place = place
        text = COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
        self.text = LOCK.sub(lambda found: "LOCK" + re.sub(r"[^\n]", " ", found[1]), text)
        self.declared, self.given, self.arrays, self.rounds = {}, {}, {}, 0

    def refuse(self, at, reason):
        raise LitmusError(f"{self.place}:{self.text.count(chr(10), 0, at) + 1}: {reason}")

    def test(self):
        head = re.match(r"\s*(\S+)(?:[ \t]+(\S+))?", self.text)
        if not head or head[1] not in ARCHITECTURES:
            self.refuse(0, f'the first line must be "X86 NAME" or "X86_64 NAME", not {(head[0].strip() if head else "")!r:.40}')
        self.architecture, self.target_last = head[1], head[1] == "X86_64"
        opened = self.text.find("{", head.end())
        closed = self.end_of(opened)
        if opened < 0 or closed < 0:
            self.refuse(len(self.text.rstrip()), "no initial state: { ... }")
        tail = TAIL.search(self.text, closed)
        end = tail.start() if tail else len(self.text)
        initial = self.initial(opened + 1, closed)
        threads, listing = self.program(closed + 1, end, initial)
        observed, condition, filter = self.tail(end)
        asked = {name for c in (condition, filter) if c for name in c.names}
        self.asked = asked | set(observed)
        initial = {name: 0 for name in (*observed, *sorted(asked)) if is_register(name, len(threads))} | initial
        self.result = Test(head[2] or "litmus", threads, observed, initial, condition, listing=listing, filter=filter, rounds=self.rounds)
        self.result.arrays = self.arrays
        try:
            test = checked(self.result)
        except ValueError as error:
            self.refuse(end, error)
        self.find_widths(test)
        self.check_initial(test)
        return test

    def end_of(self, opened):
        """Where the bracket at `opened` is closed, or -1."""
        depth = 0
        for at in range(max(opened, 0), len(self.text)):
            depth += {"{": 1, "}": -1}.get(self.text[at], 0)
            if depth == 0:
                return at
        return -1

    def find_widths(self, test):
        """Bytes of every location: as declared, and at least those of the widest access."""
        for name in test.locations:
            used = [i.size for thread in test.threads for i in thread if i.location == name]
            through = [i.size for thread in test.threads for i in thread if i.base] if test.has_pointers else []
            test.widths[name] = max([self.declared.get(name, WORD), *used, *(through if name not in self.declared else [])])
        for name, value in test.initial.items():
            if ":" in name and self.architecture == "X86":
                test.widths[name] = 4
            elif isinstance(value, str) and ":" not in name:
                test.widths[name] = max(test.widths[name], POINTER[self.architecture])
        if self.architecture == "X86":
            test.widths |= {name: 4 for name in test.names if ":" in name}

    def check_initial(self, test):
        """Refuse a value that does not fit, and the name of a location that nothing else can mean."""
        through = any(i.base for thread in test.threads for i in thread)
        used = {i.location for thread in test.threads for i in thread} | set(test.initial) | self.asked
        for name, value in test.initial.items():
            if isinstance(value, str) and not through and value not in used:
                self.refuse(
                    self.given[name][0], f"initial state: {self.given[name][1]!r:.60} is not name=number, and there is no location {value}"
                )
            if not isinstance(value, str) and not fits(value, test.widths.get(name, 8)):
                self.refuse(
                    self.given[name][0], f"initial state: {self.given[name][1]!r:.60}: {value} does not fit {test.widths[name]} bytes"
                )

    def pieces(self, start, end, separator):
        """(place, text) of the parts of [start, end), stripped, empty ones left out."""
        for part in self.text[start:end].split(separator):
            if part.strip():
                yield start + len(part) - len(part.lstrip()), part.strip()
            start += len(part) + 1

    def initial(self, start, end):
        """The values that the initial state gives: numbers, or names of locations, whose addresses they are."""
        values = {}
        for at, entry in self.pieces(start, end, ";"):
            if ARRAY.fullmatch(entry):
                values |= self.array(at, entry)
                continue
            found = ENTRY.fullmatch(" ".join(entry.split()))
            word = found and (found["value"] or "0").lstrip("&")
            if not found or word[0] in "-0123456789" and integer(word) is None:
                self.refuse(at, f"initial state: {entry!r:.60} is not name=number")
            try:
                name = self.name_of(found["name"].strip("[]"))
            except ValueError as error:
                self.refuse(at, f"initial state: {error}")
            self.given[name] = at, entry
            values[name] = word if integer(word) is None else integer(word)
            types = (found["type"] or "").replace("_Atomic", "").split()
            if ":" not in name and (found["star"] or types):
                size = POINTER[self.architecture] if found["star"] else next((TYPES[t] for t in reversed(types) if t in TYPES), None)
                if size is None:
                    self.refuse(at, f"initial state: {entry!r:.60}: the type is none of {', '.join(TYPES)}")
                self.declared[name] = size
        return {name: self.named(value) if isinstance(value, str) and value in self.arrays else value for name, value in values.items()}

    def array(self, at, entry):
        """The values of an array's elements: numbers, or names of locations."""
        found = ARRAY.fullmatch(entry)
        name, n, given = found["name"], int(found["n"]), found["values"]
        words = [word.strip().lstrip("&") for word in given.split(",")] if given else ["0"] * n
        size = next((TYPES[t] for t in reversed((found["type"] or "int").split()) if t in TYPES), None)
        if (
            size is None
            or not 0 < n <= MOST_ELEMENTS
            or len(words) != n
            or not all(integer(w) is not None or w[:1].isalpha() for w in words)
        ):
            self.refuse(at, f"initial state: {entry!r:.60} is not TYPE NAME[N]={{number, ...}} with N of them, {MOST_ELEMENTS} at most")
        self.arrays[name] = n, size
        elements = [element(name, i) for i in range(n)]
        self.declared |= dict.fromkeys(elements, size)
        self.given |= dict.fromkeys(elements, (at, entry))
        return {e: word if integer(word) is None else integer(word) for e, word in zip(elements, words)}

    def named(self, place):
        """The location that a name is: of an array its first element."""
        place = re.sub(r"\s", "", place)
        name, bracket, _ = place.partition("[")
        if bracket and place not in [element(name, i) for i in range(self.arrays.get(name, (0, 0))[0])]:
            raise ValueError(f"{place!r:.40} is no element of an array")
        return element(place, 0) if place in self.arrays else place

    # What the words of a condition are (condition.Words)

    def name_of(self, word):
        thread, colon, register = word.replace(" ", "").rpartition(":")
        if not colon:
            return self.named(register)
        register = register.lstrip("%").upper()
        if register[1:] == "H" and register in PARTS:
            raise ValueError(f"{word!r:.40}: a register's high byte cannot be asked for")
        return f"{thread.lstrip('P')}:{register_of(register)[0] if register_of(register) else register}"

    def width_of(self, word):
        thread, colon, register = word.replace(" ", "").rpartition(":")
        register = register if colon else self.named(register)
        if not colon:
            return self.result.widths.get(register, 8) if hasattr(self, "result") else self.declared.get(register, WORD)
        part = register_of(register)[1] if register_of(register) else 8
        return min(part, 4) if self.architecture == "X86" else part

    def check_place(self, word):
        word = word.lstrip("&")
        if register_of(word) or not re.fullmatch(r"[A-Za-z_][\w.]*(\[\d+\])?", word):
            raise ValueError(f"condition: {word!r:.40} is not a number")
        return self.named(word)

    def elements_of(self, word):
        if word not in self.arrays:
            return super().elements_of(word)
        return [element(word, i) for i in range(self.arrays[word][0])]

    def address_of(self, place):
        return self.result.number_of(place)

    def program(self, start, end, initial):
        """The threads' instructions, and their lines as written."""
        rows = [[cell.strip() for cell in row.split("|")] for _, row in self.pieces(start, end, ";")]
        places = [at for at, _ in self.pieces(start, end, ";")]
        if not rows or rows[0] != [f"P{n}" for n in range(len(rows[0]))]:
            self.refuse(places[0] if places else end, 'no program: a line "P0 | P1 ;" and instructions below it')
        listing = [[] for _ in rows[0]]
        threads = [[] for _ in rows[0]]
        jumps = []
        for at, row in zip(places[1:], rows[1:]):
            if len(row) != len(threads):
                self.refuse(at, f"{len(row)} columns, where there are {len(threads)} threads")
            for column, cell in enumerate(row):
                if cell:
                    listing[column].append(" ".join(cell.split()))
                    items = self.labelled(at, " ".join(cell.split()))
                    for label in items:
                        if isinstance(label, str) and label in threads[column]:
                            self.refuse(at, f"the label {label!r:.40} is there twice in P{column}")
                    threads[column] += items
                    jumps += [(at, column, i) for i in items if isinstance(i, Instruction) and isinstance(i.goto, str)]
        for at, column, jump in jumps:
            if jump.goto != END and jump.goto not in threads[column]:
                self.refuse(at, f"{jump.text!r:.60} is not understood: P{column} has no label {jump.goto!r:.40}")
        return [self.assemble(n, items, initial) for n, items in enumerate(threads)], listing

    def assemble(self, n, items, initial):
        """A thread's steps: jumps in place, and a register that always holds one location's address that location."""
        steps, rounds = assembled(items, MAX_STEPS)
        self.rounds = max(self.rounds, rounds)
        written = {step.target for step in steps}

        def placed(step):
            fixed = step.base and step.base not in written and step.scaled is None and step.displacement == 0 and not self.arrays
            place = initial.get(f"{n}:{step.base}") if fixed else None
            return step._replace(location=place, base=None) if isinstance(place, str) else step

        return [placed(step) for step in steps]

    def tail(self, start):
        """What is observed, the condition and the filter."""
        observed, condition, filter = [], None, None
        text = self.text[start:]
        located = re.match(r"\s*locations\s*\[((?:[^\[\]]|\[[^\]]*\])*)\]", text)
        if located:
            items = [re.sub(r"\s+[A-Za-z_]\w*\s*\*?$|\s*\*$", "", word.strip()) for word in located[1].split(";") if word.strip()]
            items = [word.strip("[] ") if word.startswith("[") else word for word in items]
            observed = [name for word in items for name in (self.elements_of(word) if word in self.arrays else [self.name_of(word)])]
            start, text = start + located.end(), text[located.end() :]
        try:
            filtered = re.match(r"\s*filter\b", text)
            if filtered:
                last = re.search(r"^\s*(~|not\b)?\s*(exists|forall|final)\b", text, re.M)
                filter = parse_filter(text[filtered.end() : last.start() if last else len(text)], self)
                start, text = (start + last.start(), text[last.start() :]) if last else (start + len(text), "")
            if text.strip().rstrip(";").strip():
                condition = parse_condition(text.rstrip().rstrip(";"), self)
                observed += condition.names
        except ValueError as error:
            self.refuse(start + len(text) - len(text.lstrip()), error)
        return tuple(sorted(dict.fromkeys(observed), key=lambda name: (":" not in name, name))), condition, filter

    def labelled(self, at, text):
        """The labels and steps of a cell."""
        items = []
        while found := LABEL.match(text):
            items.append(found[1])
            text = text[found.end() :]
        return items + self.instruction(at, text) if text else items

    def instruction(self, at, text):
        """The steps of one instruction, a list."""
        words = text.split(None, 1)
        locked = words[0].upper() == "LOCK"
        if locked:
            words = words[1].split(None, 1) if len(words) > 1 else [""]
        mnemonic, given = words[0].upper(), words[1] if len(words) > 1 else ""
        steps = self.jump(mnemonic, given, text) if not locked else None
        if steps is None and not (NOTHING.fullmatch(mnemonic) and not locked):
            steps = self.computing(at, mnemonic, given, locked, text)
        for step in steps or ():
            if isinstance(step, Instruction) and not fits(step.value, step.size):
                self.refuse(at, f"{text!r:.60}: {step.value} does not fit {step.size} bytes")
        return steps or []

    @staticmethod
    def jump(mnemonic, given, text):
        """The step of a jump or a return; None: it is neither."""
        if mnemonic in ("RET", "RETQ") and not given:
            return [Instruction(JUMP, text, goto=END)]
        if mnemonic == "JMP" or (mnemonic.startswith("J") and mnemonic[1:] in CONDITIONS):
            if re.fullmatch(r"[A-Za-z_][\w.]*", given):
                return [Instruction(JUMP, text, goto=given, condition=CONDITIONS.get(mnemonic[1:], 0) if mnemonic != "JMP" else 0)]
        return None

    def computing(self, at, mnemonic, given, locked, text):
        operands = [operand(o) for o in parted(given)]
        operands = [o._replace(name=self.named(o.name)) if o and o.kind == "memory" else o for o in operands]
        if self.target_last:
            operands.reverse()
        known = [o for o in operands if o]
        if not self.arrays and any(o.kind == "pointer" and (o.value or o.scaled) for o in known):
            self.refuse(at, f"{text!r:.60} is not understood: there is no array in which an address could go on")
        found = EXTENDING.fullmatch(mnemonic)
        base, suffix = (mnemonic, None) if mnemonic in FENCES else split_suffix(mnemonic)
        default = next((self.declared[o.name] for o in known if o.name in self.declared), WORD)
        default = min(default, POINTER[self.architecture])
        shifts = base in ("SHL", "SAL", "SHR")
        size = size_of(operands[:1] if shifts else known, suffix, default)
        steps = None
        if found and not locked:
            steps = extending(found, operands, text)
        elif size is None:
            self.refuse(at, f"{text!r:.60}: its operands are of different widths")
        elif base:
            steps = locked_steps(base, operands, size, text) if locked else steps_of(base, operands, size, text)
        if steps is None and VECTOR.search(given):
            self.refuse(at, f"{text!r:.60}: registers of vectors (xmm, ymm, zmm) are not there, the general ones of 8 bytes are the widest")
        if steps is None:
            self.refuse(at, f"{text!r:.60} is not understood")
        return steps


def is_register(name, threads):
    """Whether one of so many threads has the register, be it in the program or not."""
    thread, _, register = name.partition(":")
    return thread.isdecimal() and int(thread) < threads and register in NAMES
