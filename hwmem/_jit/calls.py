"""How the project's own kernels call each other.

numba clears the places for a call's result and exception where the calling function begins. Once that is inlined, this is in the middle of
the hot path, most of which makes no call: up to a tenth of the instructions of an access. Here nothing is cleared (a result is read only
after the call that made it), and an exception goes straight to where the caller's own would go.
"""

from numba.core.callconv import CPUCallConv

from hwmem._jit.stamp import PROJECT_PACKAGES

OWN = tuple(f"_ZN{len(package)}{package}" for package in PROJECT_PACKAGES)  # how the symbols of its kernels begin
EXCEPTION = "excinfo"  # numba's name of a kernel's second argument; a wrapper's has another


def is_lean(caller):
    """Whether the calls that this function makes clear nothing."""
    return caller.name.startswith(OWN) and len(caller.args) > 1 and caller.args[1].name == EXCEPTION


def _place(builder, of_type):
    """A place on the stack that is not cleared."""
    with builder.goto_entry_block():
        return builder.alloca(of_type)


def make_lean():
    """Change numba, once a process."""
    whole = CPUCallConv.call_function

    def call_function(self, builder, callee, resty, argtys, args, attrs=None):
        if attrs is not None or not is_lean(builder.function):
            return whole(self, builder, callee, resty, argtys, args, attrs)
        result, exception = _place(builder, self.get_return_type(resty).pointee), builder.function.args[1]
        arguments = self._get_arg_packer(argtys).as_arguments(builder, args)
        code = builder.call(callee, [result, exception, *arguments])
        status = self._get_return_status(builder, code, builder.load(exception))
        return status, self.context.get_returned_value(builder, resty, builder.load(result))

    CPUCallConv.call_function = call_function
