"""A litmus test: a few threads of a few instructions, and the observed part of the final state.

The neutral form is a dict (or its JSON text):

    {"name": "SB", "threads": [[["store", "x", 1], ["load", "y", "r0"]],
                               [["store", "y", 1], ["load", "x", "r0"]]],
     "obs": ["0:r0", "1:r0"], "init": {}, "cond": "exists 0:r0=0 /\\ 1:r0=0"}

`init` gives locations (and "thread:register"s) that do not begin at 0; `obs` may be left out: everything is observed.
Words of 64 bits. Operations, with R for a register's name, V for a number:

    load x R    load_acquire x R                      store x V    storer x R    store_release x V    store_nt x V
    mfence      sfence      lfence                    xchg x V R   add x V   xadd x V R   cas x expected new R
    inc_plain x V   (a load, then a store: two steps)

herd.py makes the same of herd's text.
"""

import functools
from dataclasses import dataclass, field
from typing import NamedTuple

from hwmem.errors import LitmusError
from hwmem.litmus.alu import ALWAYS, PLUS, PUT
from hwmem.litmus.condition import Condition, parse_condition

(LOAD, LOAD_ACQUIRE, STORE, STORE_RELEASE, STORE_STREAM, MOVE, MFENCE, SFENCE, LFENCE, ATOMIC, COMPARE_EXCHANGE, JUMP) = range(12)
HIDDEN, FLAGS = "(old)", "(flags)"  # registers: of a result that nobody asked for; the processor's flags, where they are read
HIGH = 16  # of a part of a register: AH's byte instead of AL's
BASE, LINE = 4096, 64  # address of the first location; each has a line of its own


class Instruction(NamedTuple):
    """One step. The operand is `value` plus register `source`, if that is not None; so is what a compare expects. What is stored,
    put into a register or, with a lock, into memory is `alu` (alu.py) of `first` (with a lock: memory's old value) and the operand.
    A part of a register is its bytes, 1, 2, 4 or 8, or 1 + HIGH."""

    operation: int
    text: str
    location: str | None = None
    target: str | None = None  # register that takes the loaded or old value, or what a MOVE computes
    value: int = 0
    source: str | None = None
    expected: int = 0
    expected_source: str | None = None
    size: int = 8  # bytes of the access, or of what is computed
    alu: int = PUT
    first: str | None = None
    flags: int = 0  # what of the flags it sets (alu.py)
    condition: int = ALWAYS  # of a jump, and of what alu asks for one
    goto: object = None  # label; once the thread is whole, the number of a step, CUT: no further
    base: str | None = None  # register that holds the address, where `location` is None
    scaled: str | None = None  # ... register that is added to it, `scale` times,
    scale: int = 0
    displacement: int = 0  # ... and bytes
    target_part: int = 8
    source_part: int = 8
    first_part: int = 8
    extend: int = 0  # of a load or a MOVE: take so many bytes and extend their sign


@dataclass
class Test:
    """What parse returns. `threads`: lists of Instruction; `observed`: names, "thread:register" or a location."""

    __test__ = False  # no test of pytest's

    name: str
    threads: list
    observed: tuple
    initial: dict = field(default_factory=dict)
    condition: Condition | None = None
    recorded: dict = field(default_factory=dict)  # ordering -> set of final states, where the file has them
    listing: list = field(default_factory=list)  # the threads' lines as written
    filter: Condition | None = None  # of final states only those of which it is true count
    widths: dict = field(default_factory=dict)  # bytes of a location, or "thread:register" as observed; else 8
    rounds: int = 0  # how often a loop is gone round at most; 0: there is none
    arrays: dict = field(default_factory=dict)  # name -> (elements, bytes of each); they are the locations name[0], name[1], ...

    @functools.cached_property
    def locations(self):
        used = [i.location for thread in self.threads for i in thread if i.location]
        pointed = [
            *(v for v in self.initial.values() if isinstance(v, str)),
            *(p for c in (self.condition, self.filter) if c for p in c.places),
        ]
        elements = [element(name, i) for name, (n, _) in self.arrays.items() for i in range(n)]  # first: their addresses go on
        return list(dict.fromkeys([*elements, *used, *(n for n in (*self.observed, *self.initial) if ":" not in n), *pointed]))

    def registers(self, thread):
        """Names of the registers of a thread, in order of appearance."""
        used = [r for i in self.threads[thread] for r in (i.source, i.expected_source, i.target, i.first, i.base, i.scaled) if r]
        used += [FLAGS] * any(i.condition != ALWAYS for i in self.threads[thread])
        given = [n.partition(":")[2] for n in self.initial if n.startswith(f"{thread}:")]
        return list(dict.fromkeys([*used, *given]))

    @property
    def names(self):
        """What of a final state matters: the observed, then what only the condition and the filter ask for."""
        return tuple(dict.fromkeys([*self.observed, *(name for c in (self.condition, self.filter) if c for name in c.names)]))

    @functools.cached_property
    def addresses(self):
        """What the program takes a location's address to be, by name: as many bytes apart as an array's elements are."""
        places = {name: BASE + LINE * n for n, name in enumerate(self.locations)}
        for name, (n, size) in self.arrays.items():
            places |= {element(name, i): places[element(name, 0)] + size * i for i in range(n)}
        return places

    def number_of(self, value):
        """A number, or a location's address."""
        return self.addresses[value] if isinstance(value, str) else value

    def text_of(self, value):
        """A value as text: the location's name, where the test has addresses and it is one."""
        return next((name for name, place in self.addresses.items() if place == value), str(value)) if self.has_pointers else str(value)

    @property
    def has_pointers(self):
        return any(isinstance(v, str) for v in self.initial.values()) or any(c.places for c in (self.condition, self.filter) if c)


def element(name, i):
    """The location that is element `i` of an array."""
    return f"{name}[{i}]"


def fits(value, size):
    """Whether a number can be that of `size` bytes, signed or not."""
    return -(1 << 8 * size - 1) <= value < 1 << 8 * size


def signed(value, size):
    """The low `size` bytes of a number as a signed one."""
    value &= (1 << 8 * size) - 1
    return value - (1 << 8 * size) if value >> 8 * size - 1 else value


def number(word):
    if isinstance(word, bool) or not isinstance(word, int):
        raise ValueError(f"{word!r:.40} is not a whole number")
    if not -(1 << 63) <= word < 1 << 63:
        raise ValueError(f"{word} does not fit a signed word of 64 bits")
    return word


def name(word):
    if not isinstance(word, str) or not word or ":" in word:
        raise ValueError(f"{word!r:.40} is not a name")
    return word


FORMS = {  # operation -> what its arguments are, and the Instruction's fields they fill
    "load": (LOAD, "location target"),
    "load_acquire": (LOAD_ACQUIRE, "location target"),
    "store": (STORE, "location value"),
    "storer": (STORE, "location source"),
    "store_release": (STORE_RELEASE, "location value"),
    "store_nt": (STORE_STREAM, "location value"),
    "mfence": (MFENCE, ""),
    "sfence": (SFENCE, ""),
    "lfence": (LFENCE, ""),
    "xchg": (ATOMIC, "location value target"),
    "add": (ATOMIC, "location value"),
    "xadd": (ATOMIC, "location value target"),
    "cas": (COMPARE_EXCHANGE, "location expected value target"),
}
FIELD_CHECK = {"location": name, "target": name, "source": name, "value": number, "expected": number}


def instructions(operation):
    """The steps of one operation of the neutral form, a list. Raises ValueError."""
    if not isinstance(operation, (list, tuple)) or not operation:
        raise ValueError(f'{operation!r:.60} is not an operation such as ["store", "x", 1]')
    word, *arguments = operation
    text = " ".join(map(str, operation))
    if word == "inc_plain" and len(arguments) == 2:
        location, value = name(arguments[0]), number(arguments[1])
        return [Instruction(LOAD, f"{text}: load", location, HIDDEN), Instruction(STORE, f"{text}: store", location, None, value, HIDDEN)]
    if word not in FORMS or len(arguments) != len(FORMS[word][1].split()):
        raise ValueError(f"{text!r:.60} is no operation, or has too many or too few arguments")
    code, fields = FORMS[word]
    filled = {f: FIELD_CHECK[f](a) for f, a in zip(fields.split(), arguments)}
    if code in (ATOMIC, COMPARE_EXCHANGE):
        filled.setdefault("target", HIDDEN)
    if word in ("add", "xadd"):
        filled["alu"] = PLUS
    return [Instruction(code, text, **filled)]


def from_dict(document, place="litmus test"):
    """A Test from the neutral form; `place` begins the line of a refusal. Raises LitmusError."""
    try:
        if not isinstance(document, dict) or not isinstance(document.get("threads"), list) or not document["threads"]:
            raise ValueError('not a litmus test: no list "threads"')
        if not isinstance(document.get("init") or {}, dict) or not isinstance(document.get("cond") or "", str):
            raise ValueError('"init" takes an object of numbers, "cond" a condition as text')
        threads = [[step for operation in thread for step in instructions(operation)] for thread in document["threads"]]
        listing = [[" ".join(map(str, operation)) for operation in thread] for thread in document["threads"]]
        test = Test(
            str(document.get("name", "litmus")),
            threads,
            tuple(document.get("obs") or ()),
            {key: number(value) for key, value in (document.get("init") or {}).items()},
            listing=listing,
        )
        if document.get("cond"):
            test.condition = parse_condition(document["cond"])
        test.recorded = {
            ordering: {tuple(state) for state in document[f"allowed_{ordering}"]}
            for ordering in ("sc", "tso", "pso")
            if f"allowed_{ordering}" in document
        }
        return checked(test)
    except (ValueError, TypeError) as error:
        raise LitmusError(f"{place}: {error}") from None


def checked(test):
    """The test, everything in it known by name, something observed. Raises ValueError."""
    if not test.observed:
        test.observed = tuple(f"{t}:{r}" for t in range(len(test.threads)) for r in test.registers(t) if r not in (HIDDEN, FLAGS))
        test.observed += tuple(test.locations)
    known = {f"{t}:{r}" for t in range(len(test.threads)) for r in test.registers(t)} | set(test.locations)
    for word in (*test.names, *test.initial):
        if word not in known:
            raise ValueError(f"{word!r:.40} is no register or location of the program")
    return test
