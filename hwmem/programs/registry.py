"""Workloads by name: what makes one, and the decorator that registers it.

    @workload("tickets", "threads draw tickets from one counter", setup=setup, values=values,
              threads=parameter(4, "threads", 1, 64))
    def tickets(m, w): ...

A workload is four things:

    parameters    what the user may set; each is a field of `w`
    setup(w, space)     Python: puts variables into emulated memory (space.py), notes their addresses as fields of `w`
    the kernel(m, w)    owns its loop: calls next_thread, makes one step of that thread
    values(w, space)    Python, afterwards: what the program computed, read back from emulated memory, as a dict

`w` is one numpy record, made anew for every run from the parameters and from what setup added: ints, floats and
arrays as they are, true and false as 1 and 0, a choice as its place among the choices. A thread's own variables
are its registers, m.thread[t].local: sixteen int64, of which the first is the thread's number, from 0.

Parameters are checked as configurations are (config/record.py), with the same words.

A registry knows where the workloads are that come with it (shipped.py), and imports a file when one of its workloads is asked for:
a command that runs one program loads one program.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import Field, dataclass, make_dataclass
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from types import SimpleNamespace

import numpy as np

from hwmem._jit import JIT_DISABLED, kernel
from hwmem.config.machine import MachineConfig
from hwmem.config.record import Choice, Flag, Integer, Record, Size, setting
from hwmem.programs.shipped import HOMES

RESERVED = ("config", "seed", "progress", "cores", "compare", "c2c", "classify", "events", "races", "max_cycles")  # arguments of hwmem.run


def parameter(default, doc, low=1, high=10**12, choices=None):
    """A workload's parameter, of the default's type: a count from `low` to `high`, True or False, one of `choices`, or,
    if the default is a string such as "1MiB", a size in bytes. `doc`: what it is, with its unit, in a few words."""
    if choices:
        return setting(Choice(tuple(choices)), doc, default)
    if isinstance(default, bool):
        return setting(Flag(), doc, default)
    if isinstance(default, str):
        return setting(Size(low, high), doc, default)
    return setting(Integer(low, high), doc, default)


@dataclass(frozen=True)
class Workload:
    """What the decorator makes of a kernel; the attributes are as `workload` takes them."""

    name: str
    description: str
    kernel: Callable
    record: type  # its parameters, a record.Record
    setup: Callable
    values: Callable
    operation: str
    against: tuple | None
    scale: str | None
    machine: dict
    needs_mmu: bool

    def config(self, base=None):
        """The default machine it runs on: `base` (None: generic) with the workload's own settings."""
        return (base or MachineConfig()).replace(**self.machine)

    def check_machine(self, config):
        """Raises ValueError for a configuration on which it cannot run."""
        if self.needs_mmu and not config.mmu:
            raise ValueError(f"{self.name} maps memory and needs a machine with an MMU: mmu must be true")

    def settle(self, given):
        """All parameters as a dict of plain values. Raises TypeError or ValueError, one line that names the parameter."""
        return self.record.build(given, prefix=f"{self.name}.").to_dict()

    def parse(self, assignments):
        """A dict from a command line's words, ["threads=8", ...], still to be settled. Raises ValueError."""
        kinds, given = self.record.kinds(), {}
        for word in assignments:
            name, equals, text = word.partition("=")
            if not equals:
                raise ValueError(f"{word!r:.60} must be parameter=value, such as {next(iter(kinds), 'threads')}=8")
            given[name.strip()] = kinds[name.strip()].parse(text.strip()) if name.strip() in kinds else text
        return given

    def describe(self):
        """{"description", "machine", "parameters": {name: {"default", "takes", "doc"}}}."""
        defaults = self.settle({})
        kinds, docs = self.record.kinds(), self.record.__dataclass_fields__
        return {
            "description": self.description,
            "machine": self.machine,
            "parameters": {n: {"default": defaults[n], "takes": k.what, "doc": docs[n].metadata["doc"]} for n, k in kinds.items()},
        }

    def argument(self, fields):
        """`w` as the kernel takes it, from its fields as a dict."""
        kinds = self.record.kinds()
        numbers = {n: kinds[n].names.index(v) if isinstance(kinds.get(n), Choice) else v for n, v in fields.items()}
        shaped = {n: as_field(n, v) for n, v in numbers.items()}
        if JIT_DISABLED:  # a record's own attributes would hide fields such as `size`
            return SimpleNamespace(**{n: v.item() if v.ndim == 0 else v.copy() for n, v in shaped.items()})
        w = np.zeros(1, np.dtype([(n, v.dtype, v.shape) for n, v in shaped.items()], align=True)).view(np.recarray)[0]
        for name, value in shaped.items():
            w[name] = value
        return w


def as_field(name, value):
    """A number or an array of numbers as an array of float64 or int64, the same one if it is one. Raises TypeError."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"w.{name}: takes a number or an array of numbers, not {type(value).__name__}")
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64, copy=False)


def as_values_sees(w):
    """The fields of `w` after a run, as attributes: Python's numbers, and arrays."""
    if JIT_DISABLED:
        return w
    return SimpleNamespace(**{n: w[n].item() if w[n].ndim == 0 else w[n] for n in w.dtype.names})


def no_setup(w, space):
    """For programs without variables."""


def no_values(w, space):
    return {}


class Registry(MutableMapping):
    """Workloads by name: those of `homes`, then others in the order in which they were registered. `command`: whose they are, for
    messages. `homes`: {module: names} of the files that register workloads when they are imported, which they are when one is asked for."""

    def __init__(self, command, homes=None):
        self.command = command
        self.homes = {name: module for module, names in (homes or {}).items() for name in names}
        self.registered = {}

    def __getitem__(self, name):
        if name not in self.registered and name in self.homes:
            import_module(self.homes[name])
        return self.registered[name]

    def __setitem__(self, name, workload):
        self.registered[name] = workload

    def __delitem__(self, name):
        del self.registered[name]

    def __contains__(self, name):
        return name in self.homes or name in self.registered

    def __iter__(self):
        return iter(dict.fromkeys([*self.homes, *self.registered]))

    def __len__(self):
        return len(self.homes.keys() | self.registered)

    def home(self, name):
        """The module that a workload is or will be registered by; None if none of that name is known."""
        return self.registered[name].kernel.__module__ if name in self.registered else self.homes.get(name)

    def workload(
        self,
        name,
        description,
        setup=no_setup,
        values=no_values,
        operation="step",
        against=None,
        scale=None,
        rules=(),
        machine=None,
        needs_mmu=False,
        **parameters,
    ):
        """Decorator: registers the kernel `function(m, w)` under `name`, for run and the command.

        `setup(w, space)`, `values(w, space)`: see the file header; `values` returns a dict, whose "operations", if there, is
        how many operations the program did; `operation` is what one is called. `against`: (parameter, values) that a
        comparison tries beside the run's own; `scale`: the parameter that it takes in powers of two (comparison.py).
        `rules`: record.Rules between parameters. `machine`: settings of MachineConfig that it runs with unless a
        configuration is given, {"memory": "64MiB"}. `needs_mmu`: it maps memory itself, and is refused on a machine without page
        tables. `parameters`: made by `parameter`. Raises ValueError for a name that is taken.
        """
        for word, declared in parameters.items():
            if word in RESERVED:
                raise ValueError(f"{name}.{word}: the name of an argument of hwmem.run")
            if not isinstance(declared, Field):
                raise TypeError(f"{name}.{word}: takes what hwmem.parameter returns, not {type(declared).__name__}")
            declared.metadata["kind"].check(f"{name}.{word}: its default", declared.default)
        for word, function in (("setup", setup), ("values", values)):
            if not callable(function):
                raise TypeError(f"{name}.{word}: takes a function, not {type(function).__name__}")
        record = make_dataclass(
            "Parameters", [(n, object, field) for n, field in parameters.items()], bases=(Record,), frozen=True, namespace={"rules": rules}
        )

        def register(function):
            if self.home(name) not in (None, function.__module__):
                raise ValueError(f"workload {name!r} exists already, in {self.home(name)}")
            taken = list(signature(function).parameters)
            if len(taken) != 2:
                raise TypeError(f"{name}: a kernel takes (m, w), the machine and its own variables, not ({', '.join(taken)})")
            self[name] = Workload(
                name, description, kernel(function), record, setup, values, operation, against, scale, machine or {}, needs_mmu
            )
            return self[name]

        return register

    def find(self, name):
        """The Workload of that name. Raises ValueError, with the name that was probably meant."""
        if not isinstance(name, str) or name not in self:
            close = get_close_matches(str(name), self, 1)
            hint = f"did you mean {close[0]}?" if close else f"{self.command} list shows them"
            raise ValueError(f"workload {name!r} does not exist; {hint}")
        return self[name]

    def describe(self):
        """Name -> {"description", "machine", "parameters": {name: {"default", "takes", "doc"}}} of every workload."""
        return {name: w.describe() for name, w in self.items()}


def grid(title, row, rows, column, columns, cells):
    """A table of numbers among a result's values, under the key "grid": reports draw it. `row`, `column`: what the labels
    in `rows` and `columns` are (None: they speak for themselves); cells[row][column]; `title` with the unit."""
    return {"title": title, "row": row, "rows": rows, "column": column, "columns": columns, "cells": cells}


WORKLOADS = Registry("hwmem", HOMES)
workload, find, workloads = WORKLOADS.workload, WORKLOADS.find, WORKLOADS.describe
