"""The one way code becomes machine code here: `@kernel`, doors, and a compile cache that follows edits.

`@kernel` is numba's njit with this project's settings. Its disk cache is stamped with the SHA-256 of the
function's file *and of every project file that file imports, directly or not*, so an edit of a callee or of
a constant recompiles exactly what it can reach (numba alone stamps a function with its own file and keeps
running the stale callee).

A *door* is a kernel that is compiled once and called through its address:

    workload kernel ── hot path, inlined ──┐ miss
                                           └─ call_door(m, ACCESS, ...) ──> the whole cold path, compiled once

A caller of a door links and optimises nothing of what lies behind it, so a user's workload compiles in a
second however deep the machine grows. Every door has the same signature, (m, t, a, b, c) -> int64; the
addresses sit in the machine record (`m.doors`), as interrupt vectors do. Hardware reaches the operating system
only this way. Without the JIT a door is an ordinary call.

Doors are bound when they are first called, as a dynamic linker binds a function:

    m.doors[n] ──> stub: import the file that params' table names, compile it or load it from the cache,
                         write its address over this one, go on there
               ──> the kernel, from then on

so that a program compiles and loads only what it comes by. A stub that fails ends the kernel that called the door
with the failure as a MachineError (an interruption as KeyboardInterrupt).

Cache folder: NUMBA_CACHE_DIR if set, else the user's cache folder (XDG_CACHE_HOME or ~/.cache)/hwmem.
"""
import contextlib
import ctypes
import hashlib
import importlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import traceback

import numba
from llvmlite.binding import Linkage, parse_assembly
from numba import types
from numba.core import caching, cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typed_passes import NativeLowering
from numba.np import arrayobj
from numba.extending import intrinsic, overload

from hwmem import params as P
from hwmem.errors import MachineError

PROJECT_PACKAGES = ("hwmem", "goalloc")
ROOT = pathlib.Path(__file__).resolve().parent.parent
JIT_DISABLED = bool(numba.config.DISABLE_JIT)
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))", re.M)
_kernel_files, _attributes = set(), {}
_bytes_of, _imports_of = {}, {}


def _module_file(name):
    """Path of a project module, or None for anything else."""
    parts = name.split(".")
    if parts[0] not in PROJECT_PACKAGES:
        return None
    path = ROOT.joinpath(*parts)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(path):
    """Project files that `path` names in its import statements."""
    if path not in _imports_of:
        found = set()
        for module, names, plain in _IMPORT.findall(_read(path).decode()):
            wanted = [module] + [f"{module}.{n.split()[0]}" for n in names.strip("()").replace("\n", ",").split(",") if n.strip()]
            wanted += [n.split()[0] for n in plain.split(",") if n.strip()]
            found.update(filter(None, map(_module_file, filter(None, wanted))))
        _imports_of[path] = found
    return _imports_of[path]


def _read(path):
    if path not in _bytes_of:
        _bytes_of[path] = pathlib.Path(path).read_bytes()
    return _bytes_of[path]


def source_stamp(path):
    """SHA-256 over `path` and every project file it reaches by imports."""
    seen, todo = set(), [pathlib.Path(path)]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += _imports(here) - seen
    digest = hashlib.sha256(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for here in sorted(seen):
        digest.update(hashlib.sha256(_read(here)).digest())
    return digest.hexdigest()


class EditFollowingLocator(caching.UserWideCacheLocator):
    """numba's cache locator for files with kernels; stamps as `source_stamp` says."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        base = numba.config.CACHE_DIR or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hwmem")
        self._cache_path = os.path.join(base, self.get_cache_subpath(py_file))
        if py_func.__module__.partition(".")[0] not in PROJECT_PACKAGES:
            self._cache_path += "_" + py_func.__module__        # a user's file may be run, imported, or be __main__: each finds its own

    @staticmethod
    def get_cache_subpath(py_file):
        folder = os.path.dirname(os.path.abspath(py_file))
        return f"{os.path.basename(folder)}_{hashlib.sha256(folder.encode()).hexdigest()[:16]}"

    def get_source_stamp(self):
        return source_stamp(self._py_file)

    @classmethod
    def from_function(cls, py_func, py_file):
        if py_file not in _kernel_files or not os.path.exists(py_file):
            return None
        self = cls(py_func, py_file)
        try:
            self.ensure_cache_path()
        except OSError:
            return None
        return self


_DEFAULT_LOCATORS = ",".join(c.__name__ for c in caching.CacheImpl._locator_classes)
numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.{EditFollowingLocator.__name__},{_DEFAULT_LOCATORS}"


class _ForwardIndices:
    """While `on` (a thread's own), integer indices are lowered without Python's wrap-around of negative ones.

    The project's own kernels never index with a negative number, and the test and the select at every access to the
    record are an eighth of the machine's instructions. Users' kernels keep Python's meaning.
    """

    def __init__(self):
        self.state = threading.local()
        self.wrapped = arrayobj.fix_integer_index
        arrayobj.fix_integer_index = self.index

    def index(self, context, builder, index_type, index, size):
        if getattr(self.state, "on", False):
            return context.cast(builder, index, index_type, types.intp)
        return self.wrapped(context, builder, index_type, index, size)

    @contextlib.contextmanager
    def within(self, function):
        before = getattr(self.state, "on", False)
        self.state.on = function.__module__.partition(".")[0] in PROJECT_PACKAGES
        try:
            yield
        finally:
            self.state.on = before


_forward_indices = _ForwardIndices() if not JIT_DISABLED else None


def _remember_repr(record_class):
    """numba writes a type out at every call it types; for the machine's record, thousands of fields, once is enough."""
    write, written = record_class.__repr__, {}

    def remembered(self):
        if self not in written:
            written[self] = write(self)
        return written[self]
    record_class.__repr__ = remembered


if not JIT_DISABLED:
    _remember_repr(types.Record)
    _remember_repr(types.NestedArray)


class LinkOnlyLibrary(JITCodeLibrary):
    """The code of a kernel that another kernel calls: linked into the caller, optimised and assembled only there."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class LinkOnlyLowering(NativeLowering):
    """Lowering without wrappers, machine code or a callable: what a caller links needs none of them."""
    _name = "link_only_lowering"

    def run_pass(self, state):
        state.library = LinkOnlyLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = state.flags.no_compile = True
        with _forward_indices.within(state.func_id.func):
            super().run_pass(state)
        lowered = state["cr"]
        key = object()                          # stands where numba has the callable: the implementation's name
        for attribute in _attributes.get(state.func_id.func, ()):
            state.library.get_function(lowered.fndesc.llvm_func_name).add_function_attribute(attribute)
        state.targetctx.insert_user_function(key, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=key)
        return True


class WholeLibrary(JITCodeLibrary):
    """The code of an entry: everything it reaches is linked in and private to it, so that LLVM may inline freely."""

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
    _name = "whole_lowering"

    def run_pass(self, state):
        state.library = WholeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        with _forward_indices.within(state.func_id.func):
            return super().run_pass(state)


# What the project's own kernels, which have no closures, literals to unroll or arrays to rewrite, need not go through
UNNEEDED = {"WithLifting", "InlineClosureLikes", "RewriteDynamicRaises", "MakeFunctionToJitFunction", "InlineInlinables",
            "FindLiterallyCalls", "LiteralUnroll", "LiteralPropagationSubPipelinePass", "InlineOverloads", "NopythonRewrites",
            "AnnotateTypes", "DumpParforDiagnostics"}


def _pipeline(lowering):
    """A compiler pipeline: numba's, with another lowering, and shorter for the project's own kernels."""
    class Pipeline(CompilerBase):
        def define_pipelines(self):
            passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
            own = self.state.func_id.func.__module__.partition(".")[0] in PROJECT_PACKAGES
            passes.passes = [(lowering if p is NativeLowering else p, text) for p, text in passes.passes
                             if not own or p.__name__ not in UNNEEDED]
            passes.finalize()
            return [passes]
    return Pipeline


LinkOnlyPipeline, WholePipeline = _pipeline(LinkOnlyLowering), _pipeline(WholeLowering)


class KernelDispatcher(CPUDispatcher):
    """A kernel. Called from Python it is compiled whole and cached; called from another kernel it is only lowered,
    for numba would optimise and assemble each of a kernel's callees once for every caller above it."""

    def __init__(self, py_func, locals=None, targetoptions=None, pipeline_class=WholePipeline):
        super().__init__(py_func, locals, targetoptions, pipeline_class)
        self.linked = None if pipeline_class is LinkOnlyPipeline else KernelDispatcher(py_func, locals, targetoptions, LinkOnlyPipeline)

    def add_overload(self, compiled):
        if self.linked is None:
            self.overloads[tuple(compiled.signature.args)] = compiled
        else:
            super().add_overload(compiled)

    def get_call_template(self, args, kws):
        args = tuple(types.unliteral(a) for a in args)          # one version for every constant
        return super().get_call_template(args, kws) if self.linked is None else self.linked.get_call_template(args, kws)

    def get_overload(self, signature):
        return super().get_overload(signature) if self.linked is None else self.linked.get_overload(signature)


KERNEL_OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy", "boundscheck": None}


def kernel(function):
    """Compile `function` on first call: nopython, without the GIL, cached on disk until an edit reaches it."""
    if JIT_DISABLED:
        return function
    _kernel_files.add(function.__code__.co_filename)
    dispatcher = KernelDispatcher(function, targetoptions=KERNEL_OPTIONS)
    if os.path.exists(function.__code__.co_filename) and function.__module__ in sys.modules:    # what can be found again by its names
        dispatcher.enable_caching()
    return dispatcher


def cold(function):
    """A kernel off the hot path: never inlined into its callers, whose code is laid out for the case that it is not called."""
    _attributes[function] = ("noinline", "cold")
    return kernel(function)


def apart(function):
    """A kernel that is often called and yet never inlined, so that its callers' other cases stay small."""
    _attributes[function] = ("noinline",)
    return kernel(function)


def hot(function):
    """A kernel that the common case of an access runs through: inlined into every caller, so keep it small."""
    _attributes[function] = ("alwaysinline",)
    return kernel(function)


class Interrupted(KeyboardInterrupt, Exception):
    """Ctrl-C while a door was being bound. An Exception too, since compiled code can raise no other."""


def reported(number, error):
    """`error`, which is nobody's doing but ours, as a MachineError; its traceback goes to stderr."""
    traceback.print_exception(error)
    return MachineError(f"door {number}: {type(error).__name__}: {error}")


class Doors:
    """The doors of one record type: number -> cold kernel. See the file header."""

    def __init__(self, count, files):
        """`count`: slots in the record; `files`: number -> (module, seconds), which may still grow (params.door)."""
        self.files, self.python = files, [None] * count
        self._addresses, self._dispatchers, self._stubs, self._failed = [0] * count, [None] * count, [], []

    def door(self, number):
        """Decorator: the function, (m, t, a, b, c) -> int64, is what `call_door(m, number, ...)` reaches. The table names its file."""
        def register(function):
            if self.files[number][0] != function.__module__:
                raise MachineError(f"door {number} is {self.files[number][0]}'s, not {function.__module__}'s")
            _kernel_files.add(function.__code__.co_filename)
            self.python[number] = function
            return function
        return register

    def function(self, number):
        """The Python function behind door `number`; its file is imported when needed. MachineError for a number without one."""
        if self.python[number] is None:
            if number not in self.files:
                raise MachineError(f"no kernel is behind door {number}")
            importlib.import_module(self.files[number][0])
        return self.python[number]

    def addresses(self, record_type):
        """What a new record's slots hold: a door's address if it is bound in this process, else its stub's."""
        if JIT_DISABLED:
            return [0] * len(self.python)
        if not self._stubs:
            self._stubs = [self._stub(n, record_type) for n in range(len(self.python))]
        return [bound or ctypes.cast(stub, ctypes.c_void_p).value for bound, stub in zip(self._addresses, self._stubs)]

    def prepare(self, numbers, record_type, progress=None):
        """Bind these doors now, with a second process's help where several have to be compiled."""
        if JIT_DISABLED:
            return
        numbers = [n for n in numbers if self._addresses[n] == 0]
        others = self._share([n for n in numbers if not self._is_cached(n, record_type)])
        second = self._start_second(others) if others else None
        for n in (progress or iter)(sorted(numbers, key=others.__contains__)):
            if n in others:
                second.wait()                                   # what it could not do is done here
            self.compile(n, record_type)

    def compile(self, number, record_type):
        """Compile door `number`, or load it from the cache; its address."""
        if self._addresses[number] == 0:
            signature = _door_signature(record_type)
            dispatcher = self._dispatcher(number)
            dispatcher.compile(signature)
            compiled = dispatcher.overloads[signature.args]
            self._addresses[number] = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
        return self._addresses[number]

    def _stub(self, number, record_type):
        """A door's first occupant, of the signature that numba gives a door. Called without the GIL; ctypes takes it for Python's part."""
        slot = record_type.fields["doors"].offset + 8 * number

        def first_call(result, exception, m, *arguments):
            failed = None
            while True:                                         # an exception that left here would be lost, and the result undefined
                try:
                    address = self._failure(failed, record_type) if failed else self.compile(number, record_type)
                    if not failed:
                        ctypes.c_int64.from_address(m + slot).value = address
                    return _NATIVE_DOOR(address)(result, exception, m, *arguments)
                except BaseException as error:
                    failed = error if isinstance(error, MachineError | KeyboardInterrupt) else reported(number, error)
        return _NATIVE_DOOR(first_call)

    def _failure(self, error, record_type):
        """The address of a door that raises `error`, a MachineError or KeyboardInterrupt."""
        kind, text = Interrupted if isinstance(error, KeyboardInterrupt) else MachineError, str(error)

        def fails(m, t, a, b, c):
            raise kind(text)
        dispatcher = KernelDispatcher(fails, targetoptions=KERNEL_OPTIONS)
        dispatcher.compile(_door_signature(record_type))
        compiled = dispatcher.overloads[_door_signature(record_type).args]
        self._failed.append(compiled)                           # keeps its code
        return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)

    def _dispatcher(self, number):
        if self._dispatchers[number] is None:
            self._dispatchers[number] = kernel(self.function(number))
        return self._dispatchers[number]

    def _is_cached(self, number, record_type):
        cache = self._dispatcher(number)._cache
        key = cache._index_key(_door_signature(record_type), cpu_target.target_context.codegen())
        return key in cache._cache_file._load_index()

    def _share(self, numbers):
        """Those of `numbers` that a second process compiles, about half by time, where there is an idle core for it."""
        mine, others = [], []
        if os.getloadavg()[0] < len(os.sched_getaffinity(0)) > 1:
            for n in sorted(numbers, key=lambda n: self.files[n][1], reverse=True):
                shorter = min(mine, others, key=lambda part: sum(self.files[k][1] for k in part))
                shorter.append(n)
        return others

    def _start_second(self, numbers):
        command = [sys.executable, "-m", "hwmem.second_compiler", *(f"{self.files[n][0]}:{n}" for n in numbers)]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _door_signature(record_type):
    return types.int64(record_type, *[types.int64] * 4)


# numba's convention: status; where the result goes, where an exception goes, arguments
_NATIVE_DOOR = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 4)
DOORS = Doors(P.DOORS, P.DOOR_FILES)


def call_door(m, number, t, a, b, c):
    """Call door `number` of machine `m`."""
    return DOORS.function(number)(m, t, a, b, c)


@intrinsic
def _call_address(typingctx, address, m, t, a, b, c):
    signature = types.int64(types.int64, m, types.int64, types.int64, types.int64, types.int64)

    def generate(context, builder, signature, args):
        result, arguments = signature.return_type, signature.args[1:]
        function = context.call_conv.get_function_type(result, arguments).as_pointer()
        status, value = context.call_conv.call_function(builder, builder.inttoptr(args[0], function), result, arguments, args[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return value
    return signature, generate


@overload(call_door)
def _call_door_jitted(m, number, t, a, b, c):
    return lambda m, number, t, a, b, c: _call_address(m.doors[number], m, t, a, b, c)


def first_run_bar(numbers):
    """A tqdm bar on stderr that appears only when compiling takes noticeable time."""
    from tqdm import tqdm
    return tqdm(numbers, desc="compiling the machine (first run)", unit="part", delay=1.0, file=sys.stderr, leave=False)
