"""numba's compiler, adapted to deep trees of small kernels.

A kernel that is called from Python, or through a door, is compiled *whole*: everything that it reaches is linked in, private to
it, and optimised once. A kernel that another kernel calls is only lowered, to be linked; numba would optimise and assemble it once for
every caller above it. The project's own kernels skip the passes that they have no use for, and index without Python's
wrap-around of negative numbers.

This rests on names of numba that are not its public interface; tests/jit/test_numba_names.py lists them, and pyproject.toml has an upper bound.
"""

import contextlib
import functools
import gc
import os
import threading
import warnings

import numba
from llvmlite.binding import Linkage, parse_assembly
from numba import types
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.sigutils import normalize_signature
from numba.core.typed_passes import NativeLowering
from numba.cpython import numbers
from numba.np import arrayobj

from hwmem._jit.alone import alone
from hwmem._jit.cache import KernelCache
from hwmem._jit.calls import make_lean
from hwmem._jit.progress import name_of, progress
from hwmem._jit.sparing import BarePasses, UncountedLower, compiling, is_own, once_a_tree, spare
from hwmem._jit.strings import give_back_once
from hwmem.ctrl_c import none_lost
from hwmem.errors import MachineError

JIT_DISABLED = bool(numba.config.DISABLE_JIT)
CHECKED = os.environ.get("HWMEM_CHECK", "") not in ("", "0")
GARBAGE = 500_000  # objects made between two collections while compiling, which makes few that can go
# A workload's kernel also serves another's record that begins alike, whose fields lie at the same places: nothing that a user should read of
warnings.filterwarnings("ignore", message="Record.* has been considered a subtype", category=NumbaExperimentalFeatureWarning)
attributes = {}  # LLVM's, by function (decorators.py)


class _ForwardIndices:
    """While `on` (a thread's own), integer indices are lowered without Python's wrap-around of negative ones, and sums of
    int64 wrap as a machine's do.

    The project's own kernels never index with a negative number, and the test and the select at every access to the
    record are an eighth of the machine's instructions. Users' kernels keep Python's meaning. What overflows numba leaves
    undefined ("nsw"), so that LLVM drops the very tests by which an emulated program's sums are refused.
    """

    def __init__(self):
        self.state = threading.local()
        self.wrapped = arrayobj.fix_integer_index
        arrayobj.fix_integer_index = self.index
        self.flags = numbers._int_arith_flags
        numbers._int_arith_flags = self.arithmetic_flags

    def index(self, context, builder, index_type, index, size):
        if getattr(self.state, "on", False):
            index = context.cast(builder, index, index_type, types.intp)
            if CHECKED:
                self.check(context, builder, index, size)
            return index
        return self.wrapped(context, builder, index_type, index, size)

    def arithmetic_flags(self, result_type):
        return [] if getattr(self.state, "on", False) else self.flags(result_type)

    @staticmethod
    def check(context, builder, index, size):
        """The kernel ends with an IndexError that has its name, which numba's own check has not."""
        with cgutils.if_unlikely(builder, builder.icmp_unsigned(">=", index, size)):
            context.call_conv.return_user_exc(builder, IndexError, (f"index out of bounds in {plain_name(builder.function.name)}",))

    @contextlib.contextmanager
    def within(self, function):
        before = getattr(self.state, "on", False)
        self.state.on = is_own(function)
        try:
            yield
        finally:
            self.state.on = before


def plain_name(mangled):
    """A function's name out of numba's symbol: _ZN5hwmem5cache4sets4findB2v1B...E... is hwmem.cache.sets.find."""
    parts, rest = [], mangled.removeprefix("_ZN")
    while rest[:1].isdigit():
        digits = len(rest) - len(rest.lstrip("0123456789"))
        length = int(rest[:digits])
        parts.append(rest[digits : digits + length])
        rest = rest[digits + length :]
    return ".".join(parts) or mangled


_forward_indices = _ForwardIndices() if not JIT_DISABLED else None


if not JIT_DISABLED:
    spare()
    make_lean()
    give_back_once()


class LinkOnlyLibrary(JITCodeLibrary):
    """The code of a kernel that another kernel calls: linked, optimised and assembled only with the entry that reaches it."""

    def __init__(self, codegen, name):
        super().__init__(codegen, name)
        self.callees, self.attributes = [], ()

    def add_ir_module(self, ir_module):
        for function in ir_module.functions:
            if function.blocks:  # defined here: the kernel itself
                for attribute in self.attributes:
                    function.attributes.add(attribute)
        super().add_ir_module(ir_module)

    def add_linking_library(self, library):
        self.callees.append(library)

    def _optimize_final_module(self):
        pass

    def _get_module_for_linking(self):
        if self._shared_module is None:
            self._ensure_finalized()
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage == Linkage.external:
                    function.linkage = "linkonce_odr"
            self._shared_module = self._final_module
        return self._shared_module

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class LinkOnlyLowering(NativeLowering):
    """Lowering without wrappers, machine code or a callable: what a caller links needs none of them."""

    _name, lowering_class = "link_only_lowering", UncountedLower

    def run_pass(self, state):
        state.library = LinkOnlyLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.attributes = attributes.get(state.func_id.func, ())
        state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = state.flags.no_compile = True
        with _forward_indices.within(state.func_id.func):
            super().run_pass(state)
        lowered = state["cr"]
        key = object()  # stands where numba has the callable: the implementation's name
        state.targetctx.insert_user_function(key, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=key)
        return True


class WholeLibrary(JITCodeLibrary):
    """The code of an entry: everything it reaches is linked in and private to it, so that LLVM may inline freely."""

    def add_linking_library(self, library):
        todo = [library]
        while todo:
            here = todo.pop()
            if here not in self._linking_libraries:
                super().add_linking_library(here)
                todo += getattr(here, "callees", ())

    def _optimize_final_module(self):
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = "internal"
        super()._optimize_final_module()

    def serialize_using_object_code(self):
        """numba caches the module beside the machine code, for callers to link. Nothing links an entry: of its module only the
        names of what it defines are kept, by which numba finds the code."""
        self._ensure_finalized()
        defined = (f.name for f in self._final_module.functions if not f.is_declaration and f.linkage != Linkage.internal)
        stubs = parse_assembly("\n".join(f'define void @"{name}"() {{ ret void }}' for name in defined))
        return self.name, "object", (self._get_compiled_object(), stubs.as_bitcode())


@register_pass(mutates_CFG=True, analysis_only=False)
class WholeLowering(NativeLowering):
    _name, lowering_class = "whole_lowering", UncountedLower

    def run_pass(self, state):
        state.library = WholeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        with _forward_indices.within(state.func_id.func):
            return super().run_pass(state)


# What the project's own kernels, which have no closures, literals to unroll or arrays to rewrite, need not go through
UNNEEDED = {
    "WithLifting",
    "InlineClosureLikes",
    "RewriteDynamicRaises",
    "MakeFunctionToJitFunction",
    "InlineInlinables",
    "FindLiterallyCalls",
    "LiteralUnroll",
    "LiteralPropagationSubPipelinePass",
    "InlineOverloads",
    "NopythonRewrites",
    "AnnotateTypes",
    "DumpParforDiagnostics",
}


def _pipeline(lowering):
    """A compiler pipeline: numba's, with another lowering, and shorter for the project's own kernels."""
    own = []

    class Pipeline(CompilerBase):
        def __init__(self, *arguments):
            with once_a_tree():
                super().__init__(*arguments)

        def define_pipelines(self):
            if not is_own(self.state.func_id.func):
                passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
                passes.passes = [(lowering if p is NativeLowering else p, text) for p, text in passes.passes]
                passes.finalize()
                return [passes]
            if not own:
                whole = DefaultPassBuilder.define_nopython_pipeline(self.state).passes
                own.append(BarePasses([(lowering if p is NativeLowering else p, text) for p, text in whole if p.__name__ not in UNNEEDED]))
            return own

    return Pipeline


LinkOnlyPipeline, WholePipeline = _pipeline(LinkOnlyLowering), _pipeline(WholeLowering)


class KernelDispatcher(CPUDispatcher):
    """A kernel. Called from Python it is compiled whole and cached; called from another kernel it is only lowered,
    for numba would optimise and assemble each of a kernel's callees once for every caller above it."""

    def __init__(self, py_func, locals=None, targetoptions=None, pipeline_class=WholePipeline):
        super().__init__(py_func, locals or {}, targetoptions, pipeline_class)
        self.cached, self.whole = False, pipeline_class is not LinkOnlyPipeline

    @functools.cached_property
    def linked(self):
        """The one that other kernels call; None of itself. Most runs compile none."""
        return KernelDispatcher(self.py_func, self.locals, self.targetoptions, LinkOnlyPipeline) if self.whole else None

    def enable_caching(self):
        self.cached = True  # what only other kernels call needs no cache: it is made when compiled

    def compile(self, sig):
        with compiling():
            return self._compile_whole(sig) if self.whole else self._compile_linked(sig)

    def _compile_linked(self, sig):
        """As numba does it, but for times, events and a cache."""
        if not is_own(self.py_func):
            return super().compile(sig)
        args, return_type = normalize_signature(sig)
        if args not in self.overloads:
            with self._compiling_counter:
                self.add_overload(self._compiler.compile(args, return_type))
        return self.overloads[args].entry_point

    def _compile_whole(self, sig):
        if self.cached and not isinstance(self._cache, KernelCache):
            self._cache = KernelCache(self.py_func)
        thresholds = gc.get_threshold()
        gc.set_threshold(max(thresholds[0], GARBAGE), *thresholds[1:])
        with none_lost():  # the first one makes numba's target
            slow = self.whole and not (self.cached and self.is_cached(sig))
        if slow:
            progress.begin(name_of(self.py_func.__module__))
        try:
            with self._alone(sig) if slow and self.cached else contextlib.nullcontext():
                with none_lost() if self.whole else contextlib.nullcontext():
                    return super().compile(sig)
        finally:
            gc.set_threshold(*thresholds)
            if slow:
                progress.end()

    def is_cached(self, signature):
        """Whether its code for `signature` lies in the cache."""
        return os.path.exists(self._path(signature))

    def _alone(self, signature):
        """A context in which no other process compiles it for `signature`."""
        return alone(self._path(signature))

    def _path(self, signature):
        cache = self._cache if isinstance(self._cache, KernelCache) else KernelCache(self.py_func)
        return cache.path(signature, cpu_target.target_context.codegen())

    def add_overload(self, compiled):
        if not self.whole:
            self.overloads[tuple(compiled.signature.args)] = compiled
        else:
            super().add_overload(compiled)

    def get_call_template(self, args, kws):
        args = tuple(types.unliteral(a) for a in args)  # one version for every constant
        return self.linked.get_call_template(args, kws) if self.whole else super().get_call_template(args, kws)

    def get_overload(self, signature):
        return self.linked.get_overload(signature) if self.whole else super().get_overload(signature)


if CHECKED and not JIT_DISABLED:

    def _call_checked(self, *arguments, **named):
        """A kernel's violation, found by a check, as the emulator's error."""
        try:
            return CPUDispatcher.__call__(self, *arguments, **named)
        except IndexError as error:
            raise MachineError(f"checked kernel {self.py_func.__name__}: {error}") from None

    KernelDispatcher.__call__ = _call_checked
