"""Why a kernel does not compile, in terms of the user's source.

    kernel, numba's error ── look at the source ── a name, a field or a call that cannot be        file, line, what would be right
                                               └── nothing found: the line that numba names, and the sentence of its text that says most

numba's errors are raised far from the kernel, and some name no line: a field that a record does not have is a bare KeyError.
So the kernel's own source is read again, for the mistakes that can be seen in it: fields of `w` and `m` against their
types, names against the module's, calls of other kernels against their parameters.
"""

import ast
import builtins
import inspect
import os
import re
import textwrap
import traceback
from difflib import get_close_matches

NUMBAS_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
NUMBAS_FIRST = "Failed in nopython mode"  # lines that say nothing of the program
NUMBAS_CALL = re.compile(r"^\s*>>> (.*)$", re.M)


def mistake(function, types, error):
    """(line, what is wrong) of a kernel that numba refuses with `error`; `types`: numba's, of its arguments."""
    line, text = in_the_source(function, types) or (None, None)
    if line is None:
        line, text = line_in(error, function.__code__.co_filename) or function.__code__.co_firstlineno, told(error)
    return line, text


def in_the_source(function, types):
    """(line, what is wrong) of the first mistake that the source shows, or None."""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    records = dict(zip(inspect.signature(function).parameters, types))
    found = []
    for node in ast.walk(tree):
        text = wrong_field(node, records) or wrong_name(node, function, tree) or wrong_call(node, function)
        if text:
            found.append((first + node.lineno - 1, text))
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
