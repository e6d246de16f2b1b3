"""goalloc: the memory allocator of Go 1.21, on a hwmem machine.

Its spans, bitmaps, caches and lock words lie at emulated addresses, at Go's sizes and offsets, and are read and written by
the machine's loads and stores, like user data; its memory comes from the emulated kernel. In the order in which a user
meets them:

    Runtime, Slice                                          a Go program's memory, started
    struct, array, Type, pointer, int64, uint8, string, ... types: sizes and which words are pointers
    size_classes                                            the table of object sizes
    answers                                                 what the allocator says to recorded questions
    run, workloads, workload, parameter                     Go programs on the machine, and what came of them; your own
    FatalError                                              how Go ends a program

Kernels import their operations from goalloc.kernels. Files are named as Go's are, so that a reader of its source finds
the way; reading.py has their order. Names are loaded when they are first used.
"""

from importlib import import_module

from hwmem.ctrl_c import none_lost

_HOMES = {
    "programs.session": ("Runtime",),
    "runtime.slice": ("Slice",),
    "types": (
        "Type",
        "struct",
        "array",
        "pointer",
        "string",
        "interface",
        "slice_of",
        "bool_",
        "uint8",
        "int16",
        "int32",
        "int64",
        "uint64",
        "uintptr",
        "float32",
        "float64",
    ),
    "sizeclasses": ("size_classes",),
    "errors": ("FatalError",),
    "programs": ("run", "workloads", "workload", "parameter"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [*_HOME_OF, "answers"]


def __getattr__(name):
    if name != "answers" and name not in _HOME_OF:
        raise AttributeError(f"module 'goalloc' has no attribute {name!r}")
    with none_lost():
        value = import_module("goalloc.answers") if name == "answers" else getattr(import_module(f"goalloc.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
