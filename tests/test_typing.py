"""Type checkers see the names that users import: the stubs have them all, and from where they are."""

import ast
import pathlib

import pytest

import goalloc
import hwmem

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("package", [hwmem, goalloc], ids=lambda package: package.__name__)
def test_the_stub_has_every_name_and_its_home(package):
    homes = {}
    for node in ast.parse((ROOT / package.__name__ / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom):
            homes |= {alias.name: node.module for alias in node.names}
    declared = {name: f"{package.__name__}.{home}" for name, home in package._HOME_OF.items()}
    if homes.pop("*", None):  # hwmem.params' constants
        declared = {name: home for name, home in declared.items() if home != "hwmem.params"}
    declared |= {name: package.__name__ for name in ("litmus", "answers") if name in package.__all__}
    assert homes == declared
    assert (ROOT / package.__name__ / "py.typed").exists()
