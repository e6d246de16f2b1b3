"""What numba's front end does in vain for deep trees of small kernels, left out or done once.

A first run compiles some 600 kernels, each a few milliseconds of typing and lowering in Python; two thirds of its time are
spent here, not in LLVM. Spared are

    written or made anew at every use      the text and the dtype of the machine's record, an operator's version for its operands
    asked of every kernel, changes never   registries of types and implementations, while a kernel's callees are compiled
    kept for what kernels have not         lifetimes for generators, reference counts of values that own no memory
    measured, and never looked at          times of passes, LLVM calls and locks
    made to be thrown away                 colours of the messages by which a version of an operator says that it is another's

The code that is made is the same. All of it rests on names that are not numba's public interface (tests/jit/test_numba_names.py).
"""

import contextlib
import functools
import operator
import threading

import llvmlite.binding as llvm
from numba import types
from numba.core import errors, ir, transforms
from numba.core.compiler_machinery import PassManager
from numba.core.lowering import Lower
from numba.core.postproc import PostProcessor
from numba.core.registry import cpu_target
from numba.core.typing.context import Context
from numba.np import numpy_support

from hwmem._jit.stamp import PROJECT_PACKAGES

OPERATORS = frozenset(of for of in vars(operator).values() if callable(of)) | {bool, min, max}  # `bool` decides every branch
OPERATORS -= {operator.pow, operator.ipow}  # whose exponents matter
_compiling = threading.local()


def is_own(function):
    """Whether it is one of this project's kernels."""
    return is_own_name(function.__module__ or "")  # none: what numba makes of text


def is_own_name(module):
    return module.partition(".")[0] in PROJECT_PACKAGES


@contextlib.contextmanager
def compiling():
    """A kernel and its callees are being compiled by this thread."""
    _compiling.depth = getattr(_compiling, "depth", 0) + 1
    try:
        yield
    finally:
        _compiling.depth -= 1


def _remember_repr(record_class):
    """numba writes a type out at every call it types; for the machine's record, thousands of fields, once is enough."""
    record_class.__repr__ = functools.cache(record_class.__repr__)


def _remember_records():
    """numba makes a record's type of its dtype, and the dtype of the type, anew at every use, field by field."""
    to_type, types_of = numpy_support.from_struct_dtype, {}

    def from_struct_dtype(dtype):
        if id(dtype) not in types_of:
            types_of[id(dtype)] = to_type(dtype), dtype  # kept, so that its id stays its own
        return types_of[id(dtype)][0]

    numpy_support.from_struct_dtype = from_struct_dtype
    numpy_support.as_struct_dtype = functools.cache(numpy_support.as_struct_dtype)


def _remember_operators():
    """numba looks through all versions of an operator at every use of it; for the same operands it finds the same."""
    search, found = types.BaseFunction.get_call_type, {}

    def remembered(self, context, args, kws):
        if kws or self.typing_key not in OPERATORS:
            return search(self, context, args, kws)
        key = self, tuple(types.unliteral(a) if isinstance(a, types.IntegerLiteral) else a for a in args)
        if not all(isinstance(a, types.Number | types.Boolean) for a in key[1]):
            key = self, args
        if key not in found:
            signature = search(self, context, key[1], kws)
            found[key] = signature, self._impl_keys[signature.args]
        signature, self._impl_keys[signature.args] = found[key][0], found[key][1]
        return signature

    types.BaseFunction.get_call_type = remembered


def _remember_attributes():
    """The type of a record's field, or of a constant in one of this project's modules, which numba looks up at every use."""
    search, found = Context.find_matching_getattr_template, {}

    def remembered(self, of_type, name):
        own = isinstance(of_type, types.Record) or (isinstance(of_type, types.Module) and is_own_name(of_type.pymod.__name__))
        if not own:
            return search(self, of_type, name)
        if (of_type, name) not in found:
            found[of_type, name] = search(self, of_type, name)
        return found[of_type, name]

    Context.find_matching_getattr_template = remembered


def _remember_sizes(context):
    """The size of a value in memory, for which numba has LLVM read a text."""
    context.get_abi_sizeof = functools.cache(context.get_abi_sizeof)


def _forget_lock_times():
    """numba times every call of LLVM, for each kernel that is being compiled."""
    lock = getattr(llvm.ffi.lib, "_lock", None)
    for pair in list(getattr(lock, "_cblist", ())):
        if pair[0].__module__ == "numba.core.base":
            llvm.ffi.unregister_lock_callback(*pair)


@contextlib.contextmanager
def once_a_tree():
    """numba looks for what was registered since the last kernel: here for the first of a tree of kernels, not for each of its callees."""
    _compiling.refreshed = getattr(_compiling, "depth", 0) > 1
    try:
        yield
    finally:
        _compiling.refreshed = False


def _refresh_unless_done(context):
    refresh = context.refresh

    def refreshed():
        if not getattr(_compiling, "refreshed", False):
            refresh()

    context.refresh = refreshed


def _uncoloured():
    """Where colorama is installed, numba marks the text of every error, and while compiling hundreds a kernel are made: all but the last
    one it catches itself."""
    scheme = type(errors.termcolor())
    mark = getattr(scheme, "_markup", None)
    if mark is not None:
        scheme._markup = lambda self, text, *marks: text if getattr(_compiling, "depth", 0) else mark(self, text, *marks)


def _list_variables_quickly():
    """The variables of an instruction: the same as numba's, which asks of every field, line numbers too, whether it is one of six kinds."""
    variable, instruction = ir.Var, ir.Inst

    def variables(self, value):
        kind = type(value)
        if kind is variable:
            return [value]
        if kind is dict or kind is list or kind is tuple:
            found = []
            for part in value.values() if kind is dict else value:
                if type(part) is variable:
                    found.append(part)
                elif part.__class__ is not str and part.__class__ is not ir.Loc:
                    found += variables(self, part)
            return found
        return value.list_vars() if isinstance(value, instruction) else []

    ir.Inst._rec_list_vars = variables


def _lifetimes_once():
    """numba computes when variables live after each pass, for generators. Here only the last time counts, by which they are deleted."""
    whole = PostProcessor.run

    def run(self, emit_dels=False, extend_lifetimes=False):
        if emit_dels or self.func_ir.is_generator or not is_own(self.func_ir.func_id.func):
            whole(self, emit_dels, extend_lifetimes)
        else:
            self.func_ir.blocks = transforms.canonicalize_cfg(self.func_ir.blocks)
            self.func_ir.generator_info = None

    PostProcessor.run = run


class BarePasses(PassManager):
    """Runs the passes, and nothing around them. One serves all kernels."""

    def __init__(self, passes):
        super().__init__("bare")
        self.passes = passes
        self.finalize()

    def _runPass(self, index, pss, internal_state):
        pss.analysis = self._analysis
        pss.run_pass(internal_state)


class UncountedLower(Lower):
    """Lowering that neither counts references to values that own no memory, all that the project's own kernels have, nor clears them
    where they die."""

    def incref(self, typ, val):
        if owns_memory(self.context, typ):
            super().incref(typ, val)

    def decref(self, typ, val):
        if owns_memory(self.context, typ):
            super().decref(typ, val)

    def delvar(self, name):
        if owns_memory(self.context, self.typeof(name)):
            super().delvar(name)


@functools.cache
def owns_memory(context, of_type):
    """Whether a value of the type refers to memory that is counted."""
    return context.data_model_manager[of_type].contains_nrt_meminfo()


def spare():
    """Change numba, once a process."""
    _remember_repr(types.Record)
    _remember_repr(types.NestedArray)
    _remember_records()
    _remember_operators()
    _remember_attributes()
    _remember_sizes(cpu_target.target_context)
    _forget_lock_times()
    _refresh_unless_done(cpu_target.typing_context)
    _refresh_unless_done(cpu_target.target_context)
    _uncoloured()
    _list_variables_quickly()
    _lifetimes_once()
