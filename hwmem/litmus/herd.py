r"""Reading litmus tests: herd's x86 text, and the neutral form's JSON; one test, or a file of many.

    X86 SB
    { x=0; y=0; }
     P0          | P1          ;
     MOV [x],$1  | MOV [y],$1  ;            X86: the target first; X86_64: movl $1,(x), the target last
     MOV EAX,[y] | MOV EAX,[x] ;
    exists (0:EAX=0 /\ 1:EAX=0)

Understood are MOV, MOVNTI, XCHG, XADD, CMPXCHG, ADD, SUB, INC, DEC of memory, with and without LOCK; of registers MOV, ADD,
SUB, INC, DEC and XOR of a register with itself; MFENCE, SFENCE, LFENCE, NOP. No branches. Every word has 64 bits,
whatever its width in the text. `locations [x; 0:EAX;]` adds to what is observed; without it that is what the condition
names. Syntax: herdtools7, documentation of herd7 (section "litmus tests").
"""
import gzip
import json
import os
import re

from hwmem.errors import LitmusError
from hwmem.litmus.condition import parse_condition
from hwmem.litmus.test import (ADD, COMPARE_EXCHANGE, EXCHANGE, HIDDEN, LFENCE, LOAD, MFENCE, MOVE, SFENCE, STORE, STORE_STREAM,
                               Instruction, Test, checked, from_dict, number)

ARCHITECTURES = ("X86", "X86_64")
COMMENT = re.compile(r"\(\*.*?\*\)|#[^\n]*", re.S)
TAIL = re.compile(r"^\s*(~?\s*(exists|forall)|locations)\b", re.M)
MEMORY = re.compile(r"\[\s*(\w+)\s*\]|\(\s*([A-Za-z_]\w*)\s*\)|([A-Za-z_]\w*)\s*\(\s*%rip\s*\)")
FENCES = {"MFENCE": MFENCE, "SFENCE": SFENCE, "LFENCE": LFENCE}
SUFFIXED = ("MOV", "XCHG", "XADD", "CMPXCHG", "ADD", "SUB", "INC", "DEC", "XOR", "MOVNTI")
REGISTERS = {f"{prefix}{letter}{end}": f"E{letter}{end}" for prefix in ("", "E", "R")
             for letter, end in [*((c, "X") for c in "ABCD"), ("S", "I"), ("D", "I"), ("B", "P"), ("S", "P")]}
REGISTERS |= {f"R{n}{suffix}": f"R{n}" for n in range(8, 16) for suffix in ("", "D", "W", "B")}


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
            text = file.read().decode()
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
        raise LitmusError(f"{place}: not a litmus test: \"tests\" takes a list of them")
    return [from_dict(one, place if len(tests) == 1 else f"{place}: test {number}") for number, one in enumerate(tests)]


class Herd:
    """One test in herd's text; `place`: the file's name, for refusals."""

    def __init__(self, text, place):
        self.place = place
        self.text = COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)

    def refuse(self, at, reason):
        raise LitmusError(f"{self.place}:{self.text.count(chr(10), 0, at) + 1}: {reason}")

    def test(self):
        head = re.match(r"\s*(\S+)(?:[ \t]+(\S+))?", self.text)
        if not head or head[1] not in ARCHITECTURES:
            self.refuse(0, f"the first line must be \"X86 NAME\" or \"X86_64 NAME\", not {(head[0].strip() if head else '')!r:.40}")
        self.target_last = head[1] == "X86_64"
        opened = self.text.find("{", head.end())
        closed = self.text.find("}", opened)
        if opened < 0 or closed < 0:
            self.refuse(len(self.text.rstrip()), "no initial state: { ... }")
        tail = TAIL.search(self.text, closed)
        end = tail.start() if tail else len(self.text)
        initial = self.initial(opened + 1, closed)
        threads, listing = self.program(closed + 1, end)
        observed, condition = self.tail(end)
        initial = {name: 0 for name in observed if is_register(name, len(threads))} | initial
        test = Test(head[2] or "litmus", threads, observed, initial, condition, listing=listing)
        try:
            return checked(test)
        except ValueError as error:
            self.refuse(end, error)

    def pieces(self, start, end, separator):
        """(place, text) of the parts of [start, end), stripped, empty ones left out."""
        for part in self.text[start:end].split(separator):
            if part.strip():
                yield start + len(part) - len(part.lstrip()), part.strip()
            start += len(part) + 1

    def initial(self, start, end):
        values = {}
        for at, entry in self.pieces(start, end, ";"):
            found = re.fullmatch(r"(?:[\w ]+?\s+)?\*?(\d+\s*:\s*%?\w+|\[?\w+\]?)\s*(?:=\s*(-?\w+))?", entry)
            try:
                values[self.state_name(found[1].strip("[]"))] = number(int(found[2] or "0", 0))
            except (TypeError, ValueError):
                self.refuse(at, f"initial state: {entry!r:.60} is not name=number")
        return values

    @staticmethod
    def state_name(word):
        thread, colon, register = word.replace(" ", "").rpartition(":")
        return f"{thread}:{register_name(register)}" if colon else register

    def program(self, start, end):
        """The threads' instructions, and their lines as written."""
        rows = [[cell.strip() for cell in row.split("|")] for _, row in self.pieces(start, end, ";")]
        places = [at for at, _ in self.pieces(start, end, ";")]
        if not rows or rows[0] != [f"P{n}" for n in range(len(rows[0]))]:
            self.refuse(places[0] if places else end, "no program: a line \"P0 | P1 ;\" and instructions below it")
        listing = [[] for _ in rows[0]]
        threads = [[] for _ in rows[0]]
        for at, row in zip(places[1:], rows[1:]):
            if len(row) != len(threads):
                self.refuse(at, f"{len(row)} columns, where there are {len(threads)} threads")
            for column, cell in enumerate(row):
                if cell:
                    listing[column].append(" ".join(cell.split()))
                    threads[column] += self.instruction(at, " ".join(cell.split()))
        return threads, listing

    def tail(self, start):
        """What is observed, and the condition."""
        observed, condition = [], None
        text = self.text[start:]
        located = re.match(r"\s*locations\s*\[([^\]]*)\]", text)
        if located:
            observed = [self.state_name(word.strip()) for word in located[1].split(";") if word.strip()]
            start, text = start + located.end(), text[located.end():]
        if text.strip():
            try:
                condition = parse_condition(text, self.state_name)
            except ValueError as error:
                self.refuse(start + len(text) - len(text.lstrip()), error)
            observed += condition.names
        return tuple(sorted(dict.fromkeys(observed), key=lambda name: (":" not in name, name))), condition

    def instruction(self, at, text):
        """The steps of one instruction, a list."""
        words = text.split(None, 1)
        locked = words[0].upper() == "LOCK"
        if locked:
            words = words[1].split(None, 1) if len(words) > 1 else [""]
        mnemonic = words[0].upper()
        if mnemonic in FENCES:
            return [Instruction(FENCES[mnemonic], text)]
        if mnemonic == "NOP":
            return []
        if mnemonic not in SUFFIXED and mnemonic[:-1] in SUFFIXED and mnemonic[-1] in "BWLQ":
            mnemonic = mnemonic[:-1]
        operands = [operand(o) for o in words[1].split(",")] if len(words) > 1 else []
        if self.target_last:
            operands.reverse()
        steps = steps_of(mnemonic, operands, locked, text)
        if steps is None:
            self.refuse(at, f"{text!r:.60} is not understood")
        return steps


def register_name(word):
    word = word.strip().lstrip("%").upper()
    return REGISTERS.get(word, word)


def is_register(name, threads):
    """Whether one of so many threads has the register, be it in the program or not."""
    thread, _, register = name.partition(":")
    return thread.isdecimal() and int(thread) < threads and register in REGISTERS.values()


def operand(text):
    """("memory", location), ("register", name), ("number", value), or None."""
    text = text.strip()
    found = MEMORY.fullmatch(text)
    if found:
        return "memory", found[1] or found[2] or found[3]
    if text.lstrip("%").upper() in REGISTERS:
        return "register", register_name(text)
    try:
        return "number", number(int(text.lstrip("$"), 0))
    except ValueError:
        return None


def steps_of(mnemonic, operands, locked, text):
    """The Instructions of a mnemonic with its target first; None: not understood."""
    kinds = tuple(o[0] if o else None for o in operands)
    target, source = [o[1] if o else None for o in (*operands, None, None)][:2]
    if mnemonic in ("INC", "DEC") and len(kinds) == 1:
        kinds, source = (*kinds, "number"), 1
    value = {"value": source} if kinds[1:] == ("number",) else {"source": source}
    negative = mnemonic in ("SUB", "DEC")
    if kinds[:1] == ("memory",) and kinds[1:] in (("number",), ("register",)):
        if mnemonic == "MOV" and not locked:
            return [Instruction(STORE, text, target, **value)]
        if mnemonic == "MOVNTI" and not locked:
            return [Instruction(STORE_STREAM, text, target, **value)]
        if mnemonic in ("ADD", "INC", "SUB", "DEC"):
            return add_to_memory(target, value, negative, locked, text)
        return exchanges(mnemonic, target, source, kinds, locked, text)
    if kinds == ("register", "memory") and mnemonic == "XCHG":
        return exchanges(mnemonic, source, target, ("memory", "register"), locked, text)
    if kinds == ("register", "memory") and mnemonic == "MOV" and not locked:
        return [Instruction(LOAD, text, source, target)]
    return None if locked else register_steps(mnemonic, kinds, target, source, negative, text)


def add_to_memory(location, value, negative, locked, text):
    if negative and "value" not in value:
        return None
    if negative:
        value = {"value": -value["value"]}
    if locked:
        return [Instruction(ADD, text, location, HIDDEN, **value)]
    if "value" not in value:
        return None
    return [Instruction(LOAD, f"{text}: load", location, HIDDEN), Instruction(STORE, f"{text}: store", location, None, value["value"], HIDDEN)]


def exchanges(mnemonic, location, register, kinds, locked, text):
    """XCHG locks by itself, XADD and CMPXCHG with LOCK alone."""
    if kinds != ("memory", "register"):
        return None
    if mnemonic == "XCHG":
        return [Instruction(EXCHANGE, text, location, register, source=register)]
    if mnemonic == "XADD" and locked:
        return [Instruction(ADD, text, location, register, source=register)]
    if mnemonic == "CMPXCHG" and locked:
        return [Instruction(COMPARE_EXCHANGE, text, location, "EAX", source=register, expected_source="EAX")]
    return None


def register_steps(mnemonic, kinds, target, source, negative, text):
    """Instructions that touch no memory."""
    if kinds == ("register", "number") and mnemonic == "MOV":
        return [Instruction(MOVE, text, None, target, source)]
    if kinds == ("register", "number") and mnemonic in ("ADD", "SUB", "INC", "DEC"):
        return [Instruction(MOVE, text, None, target, -source if negative else source, target)]
    if kinds == ("register", "register") and mnemonic == "MOV":
        return [Instruction(MOVE, text, None, target, 0, source)]
    if kinds == ("register", "register") and mnemonic == "XOR" and target == source:
        return [Instruction(MOVE, text, None, target)]
    return None
