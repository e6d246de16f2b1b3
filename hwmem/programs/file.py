"""A user's Python file that registers a workload: run to learn the workload's name, with its mistakes reported by line.

    hwmem run tickets.py ── workload_name ── the file is run ── the last name it registered
                         ├─ blaming ── setup, values      "tickets.py:12: NameError: ...", and no traceback
                         └─ compiled ── the kernel        the same (diagnosis.py); also of workloads from elsewhere

The file is run as a module that stands in sys.modules, for numba finds a cached kernel's module there, and from its own
folder, as `python tickets.py` runs it, so that it may import the files beside it.
"""

import errno
import hashlib
import os
import sys
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location

from hwmem.errors import MachineError, WorkloadError
from hwmem.programs.diagnosis import line_in, mistake, told, width_that_is_none

NULL_BYTES = "source code string cannot contain null bytes"  # a ValueError before Python 3.11.4
_RUN: set[str] = set()  # modules that were run by their file's name


def workload_name(word, registry):
    """The name of a workload; for a Python file, which is run, of the last one it puts into `registry`. Raises WorkloadError."""
    if not word.endswith(".py"):
        return word
    if os.path.isdir(word) or not os.path.exists(word):
        raise WorkloadError(f"{word}: {os.strerror(errno.EISDIR if os.path.isdir(word) else errno.ENOENT)}")
    known = dict(registry.registered)
    with blaming(word):
        run_file(os.path.abspath(word))
    new = [n for n, w in registry.registered.items() if known.get(n) is not w and w.kernel.__module__ != registry.homes.get(n)]
    if not new:
        raise WorkloadError(f"{word}: registers no workload")
    return new[-1]


def run_file(path):
    """Run the Python file at `path` as a module; its name is the file's, unless one that was not run here has that."""
    name = os.path.basename(path)[:-3]
    if name in sys.modules and name not in _RUN:
        name = f"{name}_{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    _RUN.add(name)
    spec = spec_from_file_location(name, path)
    module = sys.modules[name] = module_from_spec(spec)
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, ValueError) and str(error) == NULL_BYTES:
            raise SyntaxError(NULL_BYTES) from None
        raise


@contextmanager
def blaming(file):
    """Inside, what goes wrong in the user's `file` is a WorkloadError with its line; what the machine says passes."""
    try:
        yield
    except (MachineError, WorkloadError):
        raise
    except (Exception, SystemExit) as error:
        line = line_in(error, file)
        if line is None and not isinstance(error, SyntaxError):
            raise
        place = file if line is None else f"{file}:{line}"  # bytes that are no Python have no line
        raise WorkloadError(f"{place}: {told(error)}") from None


def compiled(kernel, *types):
    """Compiles the kernel for arguments of these types. Raises WorkloadError."""
    wrong = width_that_is_none(kernel)
    if wrong:
        raise WorkloadError("{}:{}: {}".format(*wrong))
    try:
        kernel.compile(types)
    except Exception as error:  # numba's own, and what its insides raise
        line, text = mistake(kernel.py_func, types, error)
        raise WorkloadError(f"{kernel.py_func.__code__.co_filename}:{line}: {text}") from error
