"""The house's rules that can be counted: a kernel takes at most six arguments and is under 50 lines."""

import ast
import functools
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST_ARGUMENTS, MOST_LINES = 6, 50
KERNELS = ("kernel", "hot", "cold", "apart", "DOORS.door")  # the decorators that compile
# Kernels that take more: mmap(2) itself has six, and the fill of the L1 waits for a record of its own.
MORE = {
    "hwmem.cache.private.fill_l1",
    "hwmem.linux.stubs.mmap_file",
}
LONGER = {"hwmem.trace.references.read"}  # and is one loop over a recording's bytes


@functools.cache
def kernels():
    """[(name with its module, its node in the source)] of every kernel."""
    found = []
    for package in ("hwmem", "goalloc"):
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and any(ast.unparse(d).partition("(")[0] in KERNELS for d in node.decorator_list):
                    found.append((f"{module}.{node.name}", node))
    return found


def test_a_kernel_takes_at_most_six_arguments():
    assert {name for name, node in kernels() if len(node.args.args) > MOST_ARGUMENTS} == MORE


def test_a_kernel_is_under_50_lines():
    assert {name for name, node in kernels() if node.end_lineno - node.lineno + 1 >= MOST_LINES} == LONGER


def test_what_is_no_python_in_a_package_is_installed_with_it():
    """Presets, styles, sources that are compiled on the user's host."""
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, patterns in given.items():
        files = {f for f in (ROOT / package).rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc") and f.name != "README.md"}
        assert files - {f for pattern in patterns for f in (ROOT / package).glob(pattern)} == set(), package
