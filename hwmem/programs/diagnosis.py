"""Why a kernel does not compile, in terms of the user's source.

    kernel, numba's error ── look at the source ── a name, a field or a call that cannot be        file, line, what would be right
                                               └── nothing found: the line that numba names, and the sentence of its text that says most

numba's errors are raised far from the kernel, and some name no line: a field that a record does not have is a bare KeyError.
So the kernel's own source is read again, for the mistakes that can be seen in it: fields of `w` and `m` against their
types, names against the module's, calls of other kernels against their parameters.

One mistake compiles: a load or store of a width that there is not. Where the width is written as a number it is looked for before.
"""

import ast
import builtins
import inspect
import os
import re
import textwrap
import traceback
from difflib import get_close_matches
from types import ModuleType

from hwmem.core.access import load, store
from hwmem.core.ordered import load_acquire, store_release, store_stream
from hwmem.core.segment import load_segment, store_segment

NUMBAS_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
NUMBAS_FIRST = "Failed in nopython mode"  # lines that say nothing of the program
SIZED = {load: 3, store: 3, load_acquire: 3, store_release: 3, store_stream: 3, load_segment: 4, store_segment: 4}  # where the size is
SIZES = (1, 2, 4, 8)
NUMBAS_CALL = re.compile(r"^\s*>>> (.*)$", re.M)


def mistake(function, types, error):
    """(line, what is wrong) of a kernel that numba refuses with `error`; `types`: numba's, of its arguments."""
    line, text = in_the_source(function, types) or (None, None)
    if line is None:
        line, text = line_in(error, function.__code__.co_filename) or function.__code__.co_firstlineno, told(error)
    return line, text


def source_of(function):
    """(its tree, the file's line before the tree's first), or None where there is no source."""
    try:
        lines, first = inspect.getsourcelines(function)
        return ast.parse(textwrap.dedent("".join(lines))).body[0], first - 1
    except (OSError, TypeError, SyntaxError):
        return None


def in_the_source(function, types):
    """(line, what is wrong) of the first mistake that the source shows, or None."""
    source = source_of(function)
    if source is None:
        return None
    tree, before = source
    records = dict(zip(inspect.signature(function).parameters, types))
    found = []
    for node in ast.walk(tree):
        text = wrong_field(node, records) or wrong_name(node, function, tree) or wrong_call(node, function)
        if text:
            found.append((before + node.lineno, text))
    return min(found, default=None)


def wrong_field(node, records):
    """A field that a record does not have: `w.cuonter`, `m.thred[t]`, `m.thread[t].lokal`."""
    if not isinstance(node, ast.Attribute):
        return None
    kind = type_of(node.value, records)
    fields = getattr(kind, "fields", None)  # numba's Record has them
    if fields is None or node.attr in fields:
        return None
    return f"{ast.unparse(node.value)} has no field {node.attr!r}{meant(node.attr, fields)}"


def type_of(node, records):
    """numba's type of an expression that is a record, one of its fields or an element of such; else None."""
    if isinstance(node, ast.Name):
        return records.get(node.id)
    if isinstance(node, ast.Attribute):
        fields = getattr(type_of(node.value, records), "fields", {})
        return fields[node.attr].type if node.attr in fields else None
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
        return getattr(type_of(node.value, records), "dtype", None)
    return None


def wrong_name(node, function, tree):
    """A name that neither the kernel, nor its module, nor Python knows."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return None
    known = set(function.__code__.co_varnames) | set(function.__code__.co_freevars) | set(function.__globals__) | set(dir(builtins))
    known |= {inner.id for inner in ast.walk(tree) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}
    if node.id in known:
        return None
    return f"{node.id!r} is not defined{meant(node.id, known)}"


def wrong_call(node, function):
    """A call of another kernel with too few or too many arguments."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        return None
    called = getattr(function.__globals__.get(node.func.id), "py_func", None)
    if called is None or any(isinstance(a, ast.Starred) for a in node.args):
        return None
    parameters = inspect.signature(called).parameters
    needed = sum(p.default is p.empty for p in parameters.values())
    if needed <= len(node.args) <= len(parameters):
        return None
    return f"{node.func.id} takes ({', '.join(parameters)}), not {len(node.args)} argument{'s' * (len(node.args) != 1)}"


def width_that_is_none(kernel):
    """(file, line, what is wrong) of a load or store, in the kernel or in one of the user's that it calls, of a number of bytes that is none of
    SIZES; or None."""
    seen, waiting = set(), [kernel.py_func]
    while waiting:
        function = waiting.pop()
        source = source_of(function) if function.__module__.partition(".")[0] not in ("hwmem", "goalloc") else None
        for node in ast.walk(source[0]) if source else ():
            if not isinstance(node, ast.Call):
                continue
            called = known_as(node.func, function)
            if called in SIZED:
                size = number_of(argument(node, SIZED[called], "size"), function)
                if size is not None and size not in SIZES:
                    text = f"{ast.unparse(node)}: there are loads and stores of {', '.join(map(str, SIZES))} bytes, not of {size}"
                    return function.__code__.co_filename, source[1] + node.lineno, text
            elif hasattr(called, "py_func") and called not in seen:
                seen.add(called)
                waiting.append(called.py_func)
    return None


def known_as(node, function):
    """What a name, or a module's name, stands for in the function's module; None where it is something else."""
    if isinstance(node, ast.Attribute):
        module = known_as(node.value, function)
        return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
    if isinstance(node, ast.Name) and node.id not in function.__code__.co_varnames:
        found = function.__globals__.get(node.id)
        return found if isinstance(found, (int, ModuleType)) or hasattr(found, "py_func") else None
    return None


def argument(call, place, name):
    """The expression that a call gives for a parameter, or None."""
    named = [k.value for k in call.keywords if k.arg == name]
    if named or len(call.args) <= place or any(isinstance(a, ast.Starred) for a in call.args):
        return named[0] if named else None
    return call.args[place]


def number_of(node, function):
    """The integer that an expression is, whatever happens: written as one, or a name of the module's for one; else None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = number_of(node.operand, function)
        return None if number is None else -number
    found = node.value if isinstance(node, ast.Constant) else known_as(node, function)
    return found if type(found) is int else None


def meant(word, known):
    close = get_close_matches(word, [str(k) for k in known if not str(k).startswith("_")], 1)
    return f"; did you mean {close[0]}?" if close else ""


def line_in(error, file):
    """The last line of `file` that led to `error`; None: none did."""
    path = os.path.abspath(file)
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    places += [(error.filename or "", error.lineno)] if isinstance(error, SyntaxError) else NUMBAS_PLACE.findall(str(error))
    lines = [line for name, line in places if os.path.abspath(name) == path]
    return int(lines[-1]) if lines else None


def told(error):
    """The kind of an error, and the line of its text that says most; of an operation that its operands' types do not
    have, the operation and the types."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    call = NUMBAS_CALL.search(text)
    if call:
        return f"{type(error).__name__}: {call[1].strip()} does not exist for these types"[:300]
    said = next((line.strip() for line in text.splitlines() if line.strip() and not line.startswith(NUMBAS_FIRST)), "")
    return f"{type(error).__name__}: {said}".rstrip(": ")[:300]
