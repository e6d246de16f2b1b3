"""goalloc's files are the ones in its reading order and import only downwards; hwmem knows nothing of goalloc."""
import ast
import pathlib

import pytest

import goalloc
from goalloc.reading import HEADERS, READING

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "goalloc").rglob("*.py"))}


def imports(path, package):
    """Modules of `package` that a file names in its import statements, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in FILES else node.module for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.partition(".")[0] == package}


def test_no_file_hides_a_name_that_users_import():
    """Importing a file makes it an attribute of the package."""
    modules = {name.removeprefix("goalloc.") for name in FILES}
    assert modules & set(goalloc.__all__) == {"answers"}


def test_every_file_stands_in_the_order_once():
    listed = READING + HEADERS
    assert sorted(listed) == sorted(set(listed)), "nothing twice"
    assert set(FILES) == set(listed)


@pytest.mark.parametrize("name", READING)
def test_a_file_imports_only_what_stands_below_it(name):
    below = set(READING[READING.index(name) + 1:])
    assert imports(FILES[name], "goalloc") - below - set(HEADERS) - {name} == set()


@pytest.mark.parametrize("name", HEADERS)
def test_a_shared_header_imports_only_shared_headers(name):
    assert imports(FILES[name], "goalloc") <= set(HEADERS)


def test_hwmem_knows_nothing_of_goalloc():
    for path in (ROOT / "hwmem").rglob("*.py"):
        assert not imports(path, "goalloc"), path
