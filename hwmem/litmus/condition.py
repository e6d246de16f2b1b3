r"""A litmus test's condition: exists, ~exists or forall, over registers and locations of the final state.

    exists (0:EAX=0 /\ 1:EAX=0)      ~exists x=1 \/ ~(y=2)      forall (x=1 \/ x=2)

Names are as in a test's `observed`: "0:EAX", "x". /\ binds closer than \/.
"""
import re
from typing import NamedTuple

TOKEN = re.compile(r"\s*(/\\|\\/|~|\(|\)|=|\[|\]|-?0x[0-9a-fA-F]+|-?\d+\s*:\s*%?\w+|-?\d+|[A-Za-z_]\w*)")
MOST_DEPTH = 100                # of brackets and negations
QUANTIFIERS = ("exists", "forall")


class Condition(NamedTuple):
    """`quantifier`: "exists", "~exists" or "forall"; `holds(state)`: whether the proposition is true of a dict."""

    quantifier: str
    holds: object
    names: tuple
    text: str

    def verdict(self, states):
        """Whether the condition is true of all final states of a program, given as dicts."""
        seen = [self.holds(state) for state in states]
        return all(seen) if self.quantifier == "forall" else any(seen) == (self.quantifier == "exists")


def parse_condition(text, name_of=lambda word: word):
    """The Condition that `text` says; `name_of` makes a state's name of a word. Raises ValueError, without a place."""
    return Parser(text, name_of).whole()


class Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text, name_of):
        self.text, self.name_of, self.names = " ".join(text.split()), name_of, {}
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

    def comes(self, token):
        return bool(self.tokens) and self.tokens[0] == token

    def whole(self):
        negated = "~" if self.comes("~") and self.next() else ""
        quantifier = negated + self.next(*QUANTIFIERS)
        if quantifier == "~forall":
            raise ValueError("condition: '~forall' is none of exists, ~exists, forall")
        holds = self.any_of()
        if self.tokens:
            raise ValueError(f"condition: {self.tokens[0]!r:.40} was not expected")
        return Condition(quantifier, holds, tuple(self.names), self.text)

    def any_of(self):
        parts = [self.all_of()]
        while self.comes("\\/"):
            self.next()
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda state: any(p(state) for p in parts)

    def all_of(self):
        parts = [self.one()]
        while self.comes("/\\"):
            self.next()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda state: all(p(state) for p in parts)

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

    def equation(self, token):
        if token == "[":
            token = self.next()
            self.next("]")
        name = self.name_of(token)
        self.names[name] = True
        self.next("=")
        word = self.next()
        try:
            value = int(word, 0)
        except ValueError:
            raise ValueError(f"condition: {word!r:.40} is not a number") from None
        return lambda state: state[name] == value
