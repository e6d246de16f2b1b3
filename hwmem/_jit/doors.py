"""Doors: kernels that are compiled once and called through their address.

    workload kernel ── hot path, inlined ──┐ miss
                                           └─ call_door(m, ACCESS, ...) ──> the whole cold path, compiled once

A caller of a door neither links nor optimises the code behind it, so a user's workload compiles in a second however deep the machine grows.
Every door has the same signature, (m, t, a, b, c) -> int64; the addresses sit in the machine record (`m.doors`), as interrupt vectors do.
Hardware reaches the operating system only this way. Without the JIT a door is an ordinary call.

Doors are bound when they are first called, as a dynamic linker binds a function:

    m.doors[n] ──> stub: import the file that params' table names, compile it or load it from the cache,
                         write its address over this one, go on there
               ──> the kernel, from then on

so that a program compiles and loads only what it uses. A stub that fails ends the kernel that called the door
with the failure as a MachineError (an interruption as KeyboardInterrupt).
"""

import ctypes
import importlib
import traceback

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from hwmem import params as P
from hwmem._jit.compiler import JIT_DISABLED, KernelDispatcher
from hwmem._jit.crew import Crew, helpers_wanted
from hwmem._jit.decorators import KERNEL_OPTIONS, kernel
from hwmem.errors import MachineError


class BindingInterrupted(KeyboardInterrupt, Exception):
    """Ctrl-C while a door was being bound. Also an Exception, the only kind that compiled code can raise."""


def reported(number, error):
    """`error`, an internal error, as a MachineError; its traceback goes to stderr."""
    traceback.print_exception(error)
    return MachineError(f"door {number}: {type(error).__name__}: {error}")


class Doors:
    """The doors of one record type: number -> cold kernel. See the file header."""

    def __init__(self, count, files):
        """`count`: slots in the record; `files`: number -> (module, seconds), which may still grow (params.door)."""
        self.files, self.python = files, [None] * count
        self._addresses, self._dispatchers, self._stubs, self._failed, self._crew = [0] * count, [None] * count, [], [], None

    def door(self, number):
        """Decorator: the function, (m, t, a, b, c) -> int64, is what `call_door(m, number, ...)` reaches. The table names its file."""

        def register(function):
            if self.files[number][0] != function.__module__:
                raise MachineError(f"door {number} is {self.files[number][0]}'s, not {function.__module__}'s")
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

    def prepare(self, numbers, record_type):
        """These doors will be needed: the ones that are not in the cache are compiled from now on, by other cores as well."""
        if JIT_DISABLED:
            return
        missing = [n for n in numbers if self._addresses[n] == 0 and not self.is_cached(n, record_type)]
        if missing:
            self._crew = self._crew or Crew()
            self._crew.add({n: self.files[n] for n in missing}, helpers_wanted())

    def compile(self, number, record_type):
        """Compile door `number`, or load it from the cache; its address."""
        while self._crew and (other := self._crew.other(number)) is not None:
            self._compile(other, record_type)
        return self._compile(number, record_type)

    def _compile(self, number, record_type):
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
            while True:  # an exception that left here would be lost, and the result undefined
                try:
                    address = self._failure(failed, record_type) if failed else self.compile(number, record_type)
                    if not failed:
                        ctypes.c_int64.from_address(m + slot).value = address
                    return NATIVE_DOOR(address)(result, exception, m, *arguments)
                except BaseException as error:
                    failed = error if isinstance(error, MachineError | KeyboardInterrupt) else reported(number, error)

        return NATIVE_DOOR(first_call)

    def _failure(self, error, record_type):
        """The address of a door that raises `error`, a MachineError or KeyboardInterrupt."""
        kind, text = BindingInterrupted if isinstance(error, KeyboardInterrupt) else MachineError, str(error)

        def fails(m, t, a, b, c):
            raise kind(text)

        dispatcher = KernelDispatcher(fails, targetoptions=KERNEL_OPTIONS)
        dispatcher.compile(_door_signature(record_type))
        compiled = dispatcher.overloads[_door_signature(record_type).args]
        self._failed.append(compiled)  # keeps its code
        return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)

    def _dispatcher(self, number):
        if self._dispatchers[number] is None:
            self._dispatchers[number] = kernel(self.function(number))
        return self._dispatchers[number]

    def is_cached(self, number, record_type):
        """Whether the code of door `number` lies in the cache."""
        return self._dispatcher(number).is_cached(_door_signature(record_type))


def _door_signature(record_type):
    return types.int64(record_type, *[types.int64] * 4)


# numba's convention: status; where the result goes, where an exception goes, arguments
NATIVE_DOOR = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 4)
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
