"""Records of settings: frozen dataclasses whose fields declare which values they accept.

A field is declared once, with its kind and what it means; checking, reading and writing follow from that:

    ways: int = setting(Integer(1, 32), "ways of a set")
                        |               |
                        |               +- the comment in a saved file
                        +- what a value must be, and the words in which it is refused

    Record(...)           the constructor: every value checked, then the rules between fields
    Record.build(dict)    the same from a dict, over `base` if given; nested dicts merge into nested records
    record.to_dict()      plain values, which build() reads back
    Record.completed(d)   those of an earlier version, for build()

Invariant: a record that exists is valid. Every refusal is one line that begins with the dotted name of the setting
("l1d.size must be ..."): TypeError for a wrong type or an unknown name, ValueError for a wrong value.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from math import isfinite
from numbers import Integral, Real
from operator import attrgetter
from typing import NamedTuple

from hwmem.units import format_size, parse_size


def setting(kind, doc, default=MISSING, default_factory=MISSING, before=MISSING):
    """A dataclass field that holds a value of `kind`; `doc` is one line with the unit. `before`: of a setting that came after the first saved
    results, the value with which a machine does what all did before."""
    return field(default=default, default_factory=default_factory, metadata={"kind": kind, "doc": doc, "before": before})


class Missing(TypeError):
    """A saved record lacks a setting."""


class Unknown(TypeError):
    """A saved record has a name that no setting has."""


class Kind:
    """What a setting takes. `what` completes the sentence "l1d.ways must be ..."."""

    types: tuple = ()

    def check(self, name, value):
        """The value as the record keeps it; refuses it under `name`."""
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            self.refuse(name, value, TypeError)
        value = self.types[0](value)
        if not self.holds(value):
            self.refuse(name, value, ValueError)
        return value

    def holds(self, value):
        return True

    def refuse(self, name, value, error):
        raise error(f"{name} must be {self.what}, not {self.show(value)}")

    def parse(self, text):
        """The value that `text` on a command line stands for, or the text itself, which check() then refuses."""
        return text

    def show(self, value):
        return f"{value!r:.60}"

    def toml(self, value):
        return repr(value)


@dataclass(frozen=True)
class Integer(Kind):
    low: int
    high: int
    noun: str = "an integer"
    types = (int, Integral)

    @property
    def what(self):
        return f"{self.noun} from {self.low} to {self.high}"

    def holds(self, value):
        return self.low <= value <= self.high

    def parse(self, text):
        try:
            return int(text, 0)
        except ValueError:
            return text


@dataclass(frozen=True)
class Positive(Kind):
    """A float above zero, or from `low`, up to `high`."""

    high: float
    low: float = 0.0
    types = (float, Real)

    @property
    def what(self):
        return f"a number from {self.low:g} to {self.high:g}" if self.low else f"a number above 0, up to {self.high:g}"

    def holds(self, value):
        return isfinite(value) and 0 < value and self.low <= value <= self.high

    def parse(self, text):
        try:
            return float(text)
        except ValueError:
            return text


@dataclass(frozen=True)
class Size(Kind):
    """Bytes, kept as an int."""

    low: int
    high: int
    multiple: int = 1

    @property
    def what(self):
        step = f", a multiple of {format_size(self.multiple)}" if self.multiple > 1 else ""
        return f"from {format_size(self.low)} to {format_size(self.high)}{step}"

    def check(self, name, value):
        size = parse_size(value, name)
        if not self.low <= size <= self.high or size % self.multiple:
            self.refuse(name, size, ValueError)
        return size

    def show(self, value):
        return format_size(value)

    def toml(self, value):
        return f'"{format_size(value)}"'


@dataclass(frozen=True)
class Choice(Kind):
    names: tuple
    types = (str,)

    @property
    def what(self):
        return "one of " + ", ".join(self.names)

    def holds(self, value):
        return value in self.names

    def refuse(self, name, value, error):
        close = get_close_matches(str(value), self.names, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise error(f"{name} must be {self.what}, not {self.show(value)}{hint}")

    def toml(self, value):
        return f'"{value}"'


class Flag(Kind):
    what = "true or false"
    types = (bool,)

    def parse(self, text):
        return {"true": True, "false": False}.get(text, text)

    def toml(self, value):
        return str(value).lower()


class Text(Kind):
    what = "one line of printable text"
    types = (str,)

    def holds(self, value):
        return value.isprintable()

    def toml(self, value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True)
class Table(Kind):
    """A nested record; optional ones may be None, written "none" where there is no None (TOML, command lines)."""

    record: type
    optional: bool = False

    @property
    def what(self):
        names = ", ".join(f.name for f in fields(self.record))
        return f"a {self.record.__name__} or a table of {names}" + (", or none" if self.optional else "")

    def check(self, name, value, base=None):
        if self.optional and (value is None or value == "none"):
            return None
        if isinstance(value, Mapping):
            return self.record.build(value, base, f"{name}.")
        if not isinstance(value, self.record):
            self.refuse(name, value, TypeError)
        return value

    def toml(self, value):
        return '"none"'  # a record itself is a table, line by line (file.py)


class Rule(NamedTuple):
    """A condition between settings: when `holds(record)` is false, the setting at `path` must be `what(record)`."""

    path: str
    holds: Callable
    what: Callable


class Record:
    """Base of the frozen dataclasses. Subclasses list their `rules`."""

    rules: tuple = ()

    def __post_init__(self):
        self._settle("")

    @classmethod
    def kinds(cls):
        """Names of the settings -> Kind, in order."""
        return {f.name: f.metadata["kind"] for f in fields(cls)}

    @classmethod
    def build(cls, given, base=None, prefix=""):
        """A record from the dict `given`; what it leaves out comes from `base`, else from the defaults.

        A dict for a nested record merges into `base`'s. Messages put `prefix` ("l1d.") before names.
        """
        kinds = cls.kinds()
        for key in given:
            if key not in kinds:
                raise TypeError(unknown(key, kinds, prefix))
        self = object.__new__(cls)
        for f in fields(cls):
            old = getattr(base, f.name, None)
            if f.name in given:
                value = given[f.name]
                if isinstance(value, Mapping) and isinstance(kinds[f.name], Table):
                    value = kinds[f.name].check(prefix + f.name, value, old)
            elif base is not None:
                value = old
            elif f.default is not MISSING:
                value = f.default
            elif f.default_factory is not MISSING:
                value = f.default_factory()
            else:
                raise TypeError(missing(f, prefix))
            object.__setattr__(self, f.name, value)
        self._settle(prefix)
        return self

    @classmethod
    def completed(cls, saved, prefix=""):
        """The dict `saved`, which to_dict() of an earlier version made, with the settings that are newer: each as machines were before it. Raises Missing
        for others that are not there, Unknown."""
        for key in saved:
            if key not in cls.kinds():
                raise Unknown(unknown(key, cls.kinds(), prefix))
        whole = dict(saved)
        for f in fields(cls):
            kind, value = f.metadata["kind"], saved.get(f.name)
            if isinstance(kind, Table) and isinstance(value, Mapping):
                whole[f.name] = kind.record.completed(value, f"{prefix}{f.name}.")
            elif f.name not in saved:
                whole[f.name] = f.default if f.metadata["before"] is MISSING else f.metadata["before"]
                if whole[f.name] is MISSING:
                    raise Missing(missing(f, prefix))
        return whole

    def _settle(self, prefix):
        """Checks every setting and keeps its plain form; then the rules between them."""
        for name, kind in self.kinds().items():
            object.__setattr__(self, name, kind.check(prefix + name, getattr(self, name)))
        for rule in self.rules:
            if not rule.holds(self):
                *tables, name = rule.path.split(".")
                record = attrgetter(".".join(tables))(self) if tables else self
                shown = record.kinds()[name].show(getattr(record, name))
                raise ValueError(f"{prefix}{rule.path} must be {rule.what(self)}, not {shown}")

    def to_dict(self):
        """Nested dict of ints, floats, strings, booleans and None: what JSON holds and build() reads."""
        values = {name: getattr(self, name) for name in self.kinds()}
        return {name: v.to_dict() if isinstance(v, Record) else v for name, v in values.items()}


# What machines have elsewhere and not here, by the words that people know it by
ABSENT = {
    ("line", "line_size", "linesize", "block", "block_size", "blocksize"): "lines have 64 bytes in every cache, as on all x86-64",
    ("write", "write_policy", "write_back", "write_through", "allocate", "write_allocate"): (
        "every cache writes back and allocates on a write"
    ),
    ("prefetch", "prefetcher", "prefetchers", "prefetching"): "no prefetcher is modelled",
    ("smt", "hyperthreading", "threads_per_core"): "a core runs one thread at a time",
    ("l1i", "icache", "itlb"): "instruction fetches are not modelled",
    ("l3",): "the last level is llc",
    ("assoc", "associativity"): "it is ways; as many as there are lines make a cache fully associative",
    ("victim", "victim_cache"): "there are no victim caches",
}


def missing(f, prefix):
    """One line that demands the setting."""
    return f"{prefix}{f.name} is missing; it must be {f.metadata['kind'].what}"


def unknown(key, names, prefix):
    """One line that refuses the setting `key`, with the name that was probably meant, or the alternative that exists."""
    close = get_close_matches(str(key), names, 1)
    hint = f"did you mean {prefix}{close[0]}?" if close else f"{prefix[:-1] or 'a machine'} takes {', '.join(names)}"
    hint = next((said for words, said in ABSENT.items() if str(key).lower().replace("-", "_") in words), hint)
    shown = key if isinstance(key, str) and key.isprintable() else repr(key)
    return f"{prefix}{shown} is not a setting; {hint}"
