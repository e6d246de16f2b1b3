"""The files of both packages are the ones in their reading order, and import only downwards in it."""

import ast
import pathlib

import pytest

import goalloc
import goalloc.reading
import hwmem.reading

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORDERS = (hwmem.reading, goalloc.reading)
HARDWARE = ("hwmem.core", "hwmem.mmu", "hwmem.cache", "hwmem.memory")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(package):
    return {module_name(path): path for path in sorted((ROOT / package).rglob("*.py"))}


FILES = files("hwmem") | files("goalloc")


def package_of(order):
    return order.__name__.partition(".")[0]


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


@pytest.mark.parametrize("order", ORDERS, ids=package_of)
def test_every_file_stands_in_the_order_once(order):
    listed, there = order.READING + order.HEADERS, files(package_of(order))
    assert sorted(listed) == sorted(set(listed)), "nothing twice"
    assert set(there) - set(listed) == set(), "files that reading.py does not name"
    assert set(listed) - set(there) == set(), "names that are no files"


@pytest.mark.parametrize("order", ORDERS, ids=package_of)
def test_a_room_is_read_in_one_go(order):
    """With it, and files that import only downwards, no room imports a room above it."""
    rooms = [name.split(".")[1] for name in order.READING]
    entered = [room for before, room in zip([None] + rooms, rooms) if room != before]
    assert sorted(entered) == sorted(set(entered)), "a room stands in two places of reading.py"


@pytest.mark.parametrize(
    "order, name",
    [(order, name) for order in ORDERS for name in order.READING],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_a_file_imports_only_what_stands_below_it(order, name):
    below = set(order.READING[order.READING.index(name) + 1 :]) | set(order.HEADERS)
    other = {module for module in imports(name) if not module.startswith(package_of(order))}
    assert imports(name) - below - other == set()


@pytest.mark.parametrize(
    "order, name",
    [(order, name) for order in ORDERS for name in order.HEADERS],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_a_shared_header_imports_only_shared_headers(order, name):
    assert {module for module in imports(name) if module.startswith(package_of(order))} <= set(order.HEADERS)


def test_hardware_knows_no_operating_system():
    for name in hwmem.reading.READING:
        if name.startswith(HARDWARE):
            above = {module for module in imports(name) if module.startswith(("hwmem.linux", "hwmem.sched"))}
            assert not above, name


def test_hwmem_knows_nothing_of_goalloc():
    for name in files("hwmem"):
        assert not {module for module in imports(name) if module.startswith("goalloc")}, name


def test_no_file_hides_a_name_that_users_import():
    """Importing a file makes it an attribute of its package."""
    assert {name.removeprefix("goalloc.") for name in files("goalloc")} & set(goalloc.__all__) == {"answers"}
