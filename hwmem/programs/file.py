"""A user's Python file that registers a workload: run for its name, and told where it is wrong.

    hwmem run tickets.py ── workload_name ── the file is run ── the last name it registered
                         ├─ blaming ── setup, values      "tickets.py:12: NameError: ...", and no traceback
                         └─ compiled ── the kernel        the same; also of workloads from elsewhere

The line is the last of the file's own that led to the error. numba's errors are raised far from the kernel: most say its line
in their text; else it is the kernel's first.
"""
import os
import re
import traceback
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location

from hwmem.errors import MachineError, WorkloadError
from hwmem.programs.registry import WORKLOADS

NUMBAS_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
NUMBAS_FIRST = "Failed in nopython mode"                    # lines that say nothing of the program


def workload_name(word):
    """The name of a workload; for a Python file, which is run, of the last one it registers. Raises WorkloadError."""
    if not word.endswith(".py"):
        return word
    if not os.path.isfile(word):
        raise WorkloadError(f"{word}: no such file")
    known = set(WORKLOADS)
    spec = spec_from_file_location(os.path.basename(word)[:-3], word)
    with blaming(word):
        spec.loader.exec_module(module_from_spec(spec))
    new = [name for name in WORKLOADS if name not in known]
    if not new:
        raise WorkloadError(f"{word}: registers no workload")
    return new[-1]


@contextmanager
def blaming(file):
    """Inside, what goes wrong in the user's `file` is a WorkloadError with its line; what the machine says passes."""
    try:
        yield
    except (MachineError, WorkloadError):
        raise
    except Exception as error:
        line = line_in(error, file)
        if line is None:
            raise
        raise WorkloadError(f"{file}:{line}: {told(error)}") from None


def compiled(kernel, *types):
    """Compiles the kernel for arguments of these types. Raises WorkloadError."""
    try:
        kernel.compile(types)
    except Exception as error:                              # numba's own, and what its insides raise
        code = kernel.py_func.__code__
        line = line_in(error, code.co_filename) or code.co_firstlineno
        raise WorkloadError(f"{code.co_filename}:{line}: {told(error)}") from error


def line_in(error, file):
    """The last line of `file` that led to `error`; None: none did."""
    path = os.path.abspath(file)
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    places += [(error.filename or "", error.lineno)] if isinstance(error, SyntaxError) else NUMBAS_PLACE.findall(str(error))
    lines = [line for name, line in places if os.path.abspath(name) == path]
    return lines[-1] if lines else None


def told(error):
    """The kind of an error, and the line of its text that says most."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    said = next((line.strip() for line in text.splitlines() if line.strip() and not line.startswith(NUMBAS_FIRST)), "")
    return f"{type(error).__name__}: {said}".rstrip(": ")
