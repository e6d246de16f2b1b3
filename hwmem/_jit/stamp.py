"""What a kernel's machine code depends on: the SHA-256 of its file *and of every file that this one imports, directly or not*.

So an edit of a callee or of a constant recompiles exactly what it can reach; numba alone stamps a function with its own file
and keeps running the stale callee. Followed are this project's files and the user's: what lies beside the importing file or
on sys.path. Installed packages are not read: the file that is imported counts by its size and time.
"""

import ast
import functools
import hashlib
import os
import pathlib
import re
import site
import sys
import sysconfig

PROJECT_PACKAGES = ("hwmem", "goalloc")
ROOT = pathlib.Path(__file__).resolve().parents[2]
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))", re.M)
_LIBRARY = pathlib.Path(sysconfig.get_path("stdlib"))
_INSTALLED = tuple(map(pathlib.Path, {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}))
_contents, _imports_of, _stamps = {}, {}, {}


def source_stamp(path):
    """SHA-256, in hexadecimal, over `path` and every file that it reaches by imports."""
    path = pathlib.Path(path)
    if path in _stamps and is_project(path):  # which imports this project's files only, and those do not change
        return _stamps[path][1]
    seen, todo = {}, [path]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen[here] = _signature(here)
            todo += _imports(here)
    key = tuple(sorted(seen.items()))
    if _stamps.get(path, (None,))[0] != key:
        digest = hashlib.sha256()
        for here, _ in key:
            digest.update(hashlib.sha256(_read(here)).digest())
        _stamps[path] = key, digest.hexdigest()
    return _stamps[path][1]


@functools.cache
def is_project(path):
    return path.is_relative_to(ROOT / PROJECT_PACKAGES[0]) or path.is_relative_to(ROOT / PROJECT_PACKAGES[1])


def _signature(path):
    """What changes when a file does; this project's files do not while a process has them loaded."""
    if is_project(path):
        return 0
    try:
        status = path.stat()
    except OSError:
        return -1
    return status.st_mtime_ns, status.st_size


def _read(path):
    """A file's bytes, of an installed one its size and time."""
    signature = _signature(path)
    if path not in _contents or _contents[path][0] != signature:
        installed = _is_installed(path) and not is_project(path)
        _contents[path] = signature, repr(signature).encode() if installed or signature == -1 else path.read_bytes()
    return _contents[path][1]


def _is_installed(path):
    return any(path.is_relative_to(folder) for folder in _INSTALLED)


def _imports(path):
    """The files that `path` names in its import statements."""
    signature = _signature(path)
    if path not in _imports_of or _imports_of[path][0] != signature:
        found = set()
        if is_project(path):
            found.update(_imports_of_project(_read(path)))
        elif not _is_installed(path):
            found.update(_module_file(name, path) for name in _named(_read(path)) if name)
        _imports_of[path] = signature, found - {None}
    return _imports_of[path][1]


def _imports_of_project(source):
    """The files of this project that one of its files names in its import statements: modules, and what it takes out of them, which
    may be modules too. (numpy and numba: their versions are in the cache's key.)"""
    for module, names, plain in _IMPORT.findall(source.decode()):
        for name in plain.split(",") if plain else [module]:
            if name.split()[0].partition(".")[0] in PROJECT_PACKAGES:
                yield _project_file(name.split()[0])
        if module.partition(".")[0] in PROJECT_PACKAGES:
            yield from (_project_file(f"{module}.{n.split()[0]}") for n in names.strip("()").replace("\n", ",").split(",") if n.strip())


@functools.cache
def _project_file(name):
    """The file of this project's module `name`, or None."""
    place = os.path.join(ROOT, *name.split("."))
    for candidate in (f"{place}.py", os.path.join(place, "__init__.py")):
        if os.path.isfile(candidate):
            return pathlib.Path(candidate)
    return None


def _named(source):
    """Modules that any file imports, wherever the statements stand in it, and what it takes out of them."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}{'.' if node.module else ''}{alias.name}" for alias in node.names)


def _module_file(name, importer):
    """The file of module `name` as `importer`, no file of this project, imports it; None for what is built in, of Python's library, or
    not there."""
    level = len(name) - len(name.lstrip("."))
    parts = [part for part in name.split(".") if part]
    if level:
        folders = [importer.parents[level - 1]] if level <= len(importer.parents) else []
    elif parts[0] in PROJECT_PACKAGES:
        return _project_file(name)
    elif parts[0] in sys.stdlib_module_names:
        return None
    else:
        folders = [importer.parent, *map(pathlib.Path, sys.path)]
    for folder in folders:
        place = folder.joinpath(*parts)
        for candidate in (place.with_suffix(".py") if parts else place / "__init__.py", place / "__init__.py"):
            if candidate.is_file():
                return None if candidate.is_relative_to(_LIBRARY) and not _is_installed(candidate) else candidate
    return None
