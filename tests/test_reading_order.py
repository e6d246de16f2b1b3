"""The files are the ones in the reading order, and import only downwards in it."""
import ast
import pathlib

import pytest

from hwmem.reading import HEADERS, READING

ROOT = pathlib.Path(__file__).resolve().parent.parent
HARDWARE = ("hwmem.core", "hwmem.mmu", "hwmem.cache", "hwmem.memory")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "hwmem").rglob("*.py"))}


def imports(name):
    """Project modules that a file names in its import statements, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in FILES else node.module for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module in FILES} - {name}


def test_every_file_stands_in_the_order_once():
    listed = READING + HEADERS
    assert sorted(listed) == sorted(set(listed)), "nothing twice"
    assert set(FILES) - set(listed) == set(), "files that hwmem/reading.py does not name"
    assert set(listed) - set(FILES) == set(), "names that are no files"


@pytest.mark.parametrize("name", READING)
def test_a_file_imports_only_what_stands_below_it(name):
    below = set(READING[READING.index(name) + 1:])
    assert imports(name) - below - set(HEADERS) == set()


@pytest.mark.parametrize("name", HEADERS)
def test_a_shared_header_imports_only_shared_headers(name):
    assert imports(name) <= set(HEADERS)


def test_hardware_knows_no_operating_system():
    for name in READING:
        if name.startswith(HARDWARE):
            above = {module for module in imports(name) if module.startswith(("hwmem.linux", "hwmem.sched"))}
            assert not above, name
