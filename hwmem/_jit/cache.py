"""Compiled kernels on disk.

    <folder>/<folder of the source>_<hash>/<kernel>-<line>-<what it was compiled for>-<stamp>.nbc

A file is the SHA-256 of what follows, then numba's compile result, pickled. "What it was compiled for": argument types, the
processor, versions, switches, the function's own byte code. The stamp: stamp.py's. Whatever is damaged, truncated, unreadable
or was made elsewhere is compiled again; a full or read-only disk costs a line on stderr, and time in the next run.

Folder: NUMBA_CACHE_DIR if set, else the user's cache folder (XDG_CACHE_HOME or ~/.cache)/hwmem.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import pickle
import sys
import time

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core.caching import FunctionCache
from numba.core.compiler import CompileResult
from numba.core.runtime import _nrt_python
from numba.core.serialize import dumps

from hwmem._jit.stamp import is_project, source_stamp

SWITCHES = ("HWMEM_CHECK", "NUMBA_BOUNDSCHECK", "NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE")
LEFT_OVER_SECONDS = 600  # a temporary file or lock of this age is a killed process's
_said = False


def cache_folder():
    """The folder of all compiled code, a Path."""
    return pathlib.Path(numba.config.CACHE_DIR or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hwmem")


class KernelCache(FunctionCache):
    """The cache of one kernel, as numba's dispatcher asks for it."""

    def __init__(self, py_func):
        self._py_func, self._name = py_func, repr(py_func)
        source = pathlib.Path(py_func.__code__.co_filename).absolute()
        self.source = source
        self._cache_path = str(cache_folder() / f"{source.parent.name}_{_short(str(source.parent))}")
        self.prefix = f"{source.stem}.{py_func.__qualname__}-{py_func.__code__.co_firstlineno}".replace("<", "").replace(">", "")[:120]
        self.enable()

    def path(self, signature, codegen):
        """The file of the kernel compiled for `signature`."""
        return f"{self.family(signature, codegen)}{source_stamp(self.source)[:24]}.nbc"

    def family(self, signature, codegen):
        """What the files of one kernel compiled for one signature begin with, whatever their stamps."""
        switches = [os.environ.get(name, "") for name in SWITCHES]
        made_for = repr(
            (
                self._py_func.__module__,  # a user's file may be run, imported, or be __main__: each finds its own
                self._index_key(signature, codegen),
                switches,
                numba.__version__,
                llvmlite.__version__,
                sys.version_info[:3],
            )
        )
        return os.path.join(self._cache_path, f"{self.prefix}-{_short(made_for)}-")

    def flush(self):
        for path in pathlib.Path(self._cache_path).glob(f"{self.prefix}-*.nbc"):
            path.unlink(missing_ok=True)

    def load_overload(self, signature, target_context):
        """numba's; but this project's own code, which calls nothing outside but numba's memory manager, is loaded without the tables by which
        other code is made and without making that manager's own: 40 MB, and a part of a warm start."""
        if not is_project(self.source):
            return super().load_overload(signature, target_context)
        _name_memory_manager()
        return self._load_overload(signature, target_context)

    def _load_overload(self, signature, target_context):
        try:
            with open(self.path(signature, target_context.codegen()), "rb") as file:
                digest, data = file.read(32), file.read()
        except OSError:
            return None
        if not self._enabled or hashlib.sha256(data).digest() != digest:
            return None
        return CompileResult._rebuild(target_context, *pickle.loads(data))

    def _save_overload(self, signature, compiled):
        if not self._enabled or compiled.lifted or compiled.library.has_dynamic_globals:
            return
        data = dumps(compiled._reduce())
        path, family = self.path(signature, compiled.codegen), self.family(signature, compiled.codegen)
        try:
            os.makedirs(self._cache_path, exist_ok=True)
            _write(path, hashlib.sha256(data).digest() + data)
            for old in pathlib.Path(self._cache_path).glob(f"{os.path.basename(family)}*.nbc"):
                if str(old) != path:
                    old.unlink(missing_ok=True)
        except OSError as error:
            _say_once(f"hwmem: compiled code cannot be kept in {self._cache_path}: {error.strerror}; the next run compiles it again")


@functools.cache
def _name_memory_manager():
    """What numba's memory manager offers to compiled code, by the names under which that calls it. (numba: NRT's initialize)"""
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _write(path, data):
    """A file, whole or not at all."""
    folder = pathlib.Path(path).parent
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    for left in (*folder.glob("*.tmp"), *folder.glob("*.lock")):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_OVER_SECONDS:
                left.unlink()


def _say_once(line):
    global _said
    if not _said:
        _said = True
        print(line, file=sys.stderr)


def _short(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
