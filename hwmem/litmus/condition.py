r"""A litmus test's condition: exists, ~exists or forall, over registers and locations of the final state.

    exists (0:EAX=0 /\ 1:EAX=0)      ~exists x=1 \/ ~(y=2)      forall (1:EAX=1 => 1:EBX<>0)      filter (1:EAX=1)

Names are as in a test's `observed`: "0:EAX", "x", an array's "t[1]", and "t={1,2}" all of it. `=>` binds closer than /\, which binds closer than \/ (as in herd's
lib/stateParser.mly). What stands after = may be a location: its address. Values are compared by the bytes that the name has.
"""

import re
from typing import NamedTuple

TOKEN = re.compile(
    r"\s*(/\\|\\/|=>|==|<>|!=|~|\(|\)|=|\{|\}|,|&?[A-Za-z_][\w.]*\s*\[\s*\d+\s*\]|\[|\]|-?0[xX][0-9a-fA-F]+|P?-?\d+\s*:\s*%?\w+|-?\d+|&?[A-Za-z_][\w.]*)"
)
MOST_DEPTH = 100  # of brackets and negations
QUANTIFIERS = ("exists", "forall", "final")


class Condition(NamedTuple):
    """`quantifier`: "exists", "~exists" or "forall"; `holds(state)`: whether the proposition is true of a dict; `names`: what it
    asks for; `places`: locations whose addresses it compares with."""

    quantifier: str
    holds: object
    names: tuple
    text: str
    places: tuple = ()

    def verdict(self, states):
        """Whether the condition is true of all final states of a program, given as dicts."""
        seen = [self.holds(state) for state in states]
        return all(seen) if self.quantifier == "forall" else any(seen) == (self.quantifier == "exists")


class Words:
    """What the words of a condition are: by default every name is a 64-bit word's, and no location has an address."""

    def name_of(self, word):
        """The state's name that a word is."""
        return word

    def elements_of(self, word):
        """The names of an array's elements."""
        raise ValueError(f"condition: {word!r:.40} is no array")

    def width_of(self, word):
        """Bytes in which the values of a name are compared."""
        return 8

    def address_of(self, place):
        """A location's address, when states are looked at."""
        raise ValueError(f"condition: {place!r:.40} is not a number")

    def check_place(self, word):
        """The location that a word is. Raises ValueError."""
        raise ValueError(f"condition: {word!r:.40} is not a number")


def parse_condition(text, words=None):
    """The Condition that `text` says. Raises ValueError, without a place."""
    return Parser(text, words or Words()).whole()


def parse_filter(text, words=None):
    """The Condition, "exists", of a proposition alone."""
    return Parser(text, words or Words()).proposition("exists")


class Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text, words):
        self.text, self.words, self.names, self.places = " ".join(text.split()), words, {}, {}
        self.depth = 0
        self.tokens, at = [], 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError(f"condition: {text[at:].split()[0]!r:.40} is not understood")
            self.tokens.append(re.sub(r"\s+", "", found[1]))
            at = found.end()

    def next(self, *wanted):
        """Take the next token, which must be one of `wanted`, if any are given."""
        token = self.tokens.pop(0) if self.tokens else "its end"
        if wanted and token not in wanted:
            raise ValueError(f"condition: {' or '.join(map(repr, wanted))} expected, not {token!r:.40}")
        return token

    def comes(self, *tokens):
        return bool(self.tokens) and self.tokens[0] in tokens

    def whole(self):
        if self.comes("("):
            return self.proposition("exists")
        negated = "~" if self.comes("~", "not") and self.next() else ""
        quantifier = negated + self.next("exists", "forall", *([] if negated else ["final"]))
        if quantifier == "~forall":
            raise ValueError("condition: '~forall' is none of exists, ~exists, forall")
        return self.proposition("exists" if quantifier == "final" else quantifier)

    def proposition(self, quantifier):
        holds = self.any_of()
        if self.tokens:
            raise ValueError(f"condition: {self.tokens[0]!r:.40} was not expected")
        return Condition(quantifier, holds, tuple(self.names), self.text, tuple(self.places))

    def any_of(self):
        parts = [self.all_of()]
        while self.comes("\\/"):
            self.next()
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda state: any(p(state) for p in parts)

    def all_of(self):
        parts = [self.implied()]
        while self.comes("/\\"):
            self.next()
            parts.append(self.implied())
        return parts[0] if len(parts) == 1 else lambda state: all(p(state) for p in parts)

    def implied(self):
        """`a => b => c` is a => (b => c)."""
        parts = [self.one()]
        while self.comes("=>"):
            self.next()
            parts.append(self.one())
        *ifs, then = parts
        return then if not ifs else lambda state: not all(p(state) for p in ifs) or then(state)

    def one(self):
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise ValueError(f"condition: nested more than {MOST_DEPTH} deep")
        holds = self.part()
        self.depth -= 1
        return holds

    def part(self):
        token = self.next()
        if token in ("~", "not"):
            inner = self.one()
            return lambda state: not inner(state)
        if token == "(":
            inner = self.any_of()
            self.next(")")
            return inner
        if token in ("true", "false"):
            return lambda state: token == "true"
        return self.equation(token)

    def bracketed(self, token):
        """The word of `x` or `[x]`, whose first token has been taken."""
        if token == "[":
            token = self.next()
            self.next("]")
        return token

    def name(self, word):
        name = self.words.name_of(word)
        self.names[name] = True
        return name

    def equation(self, token):
        word = self.bracketed(token)
        if self.tokens[1:2] == ["{"]:
            return self.contents(word)
        name, relation = self.name(word), self.next()
        if relation not in ("=", "==", "<>", "!="):
            raise ValueError(f"condition: '=' expected, not {relation!r:.40}")
        value_in = self.value(self.next())

        def holds(state):
            mask = (1 << 8 * self.words.width_of(word)) - 1
            return ((state[name] - value_in(state)) & mask == 0) == (relation in ("=", "=="))

        return holds

    def contents(self, word):
        """`t={1,2}`, `t<>{1,2}`: of all elements of an array."""
        names, relation = [self.name(name) for name in self.words.elements_of(word)], self.next("=", "==", "<>", "!=")
        self.next("{")
        values = [self.value(self.next())]
        while self.next(",", "}") == ",":
            values.append(self.value(self.next()))
        if len(values) != len(names):
            raise ValueError(f"condition: {word} has {len(names)} elements, not {len(values)}")
        mask = (1 << 8 * self.words.width_of(names[0])) - 1

        def holds(state):
            same = all((state[name] - value(state)) & mask == 0 for name, value in zip(names, values))
            return same == (relation in ("=", "=="))

        return holds

    def value(self, token):
        """A function that gives the value of what stands after =, in a state: a number, a location's address, what a name holds."""
        if ":" in token or token == "[":
            second = self.name(self.bracketed(token))
            return lambda state: state[second]
        try:
            value = int(token, 0)
            return lambda state: value
        except ValueError:
            place = self.words.check_place(token)
        self.places[place] = True
        return lambda state: self.words.address_of(place)
