"""What users import says what it is: every kernel, function, class and method, in words of its own."""

import inspect

import pytest

import goalloc
import goalloc.kernels
import hwmem
import hwmem.kernels
import hwmem.libc.malloc

MODULES = (hwmem, goalloc, hwmem.kernels, goalloc.kernels, hwmem.libc.malloc)


def exported(module):
    """(name, object) of what a user finds in it."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [n for n, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__ and not n.startswith("_")]
    return [(f"{module.__name__}.{name}", getattr(module, name)) for name in names]


def said(thing):
    """Its own docstring, not that of the type it is made from."""
    return (getattr(thing, "py_func", thing).__doc__ or "").strip()


def made_by_dataclass(value):
    return inspect.isclass(value) and said(value).startswith(f"{value.__name__}(")


def members(name, cls):
    """The public methods and properties of a class, inherited ones too, but for what Python's own classes have."""
    for home in cls.__mro__:
        if home.__module__.partition(".")[0] in ("hwmem", "goalloc"):
            for member, value in vars(home).items():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)):
                    yield f"{name}.{member}", getattr(value, "__func__", value)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_all_that_users_import_has_a_docstring(module):
    silent, seen = [], 0
    for name, thing in exported(module):
        if not callable(thing):
            continue
        seen += 1
        parts = [(name, thing), *(members(name, thing) if inspect.isclass(thing) else ())]
        silent += [part for part, value in parts if len(said(value).split()) < 2 or (value is thing and made_by_dataclass(value))]
    assert seen > 5 and silent == []
