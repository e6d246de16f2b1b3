"""llvmlite's strings are given back once.

It gives one back and then notes it. A Ctrl-C between the two has its finalizer do it again, and the C library ends the process: "free(): double
free detected". Noted first, at worst a few bytes are kept.
"""

from llvmlite.binding.ffi import OutputString, lib


def close(self):
    """In place of OutputString.close."""
    pointer, self._ptr = self._ptr, None
    if pointer is not None:
        if self._owned:
            lib.LLVMPY_DisposeString(pointer)
        del self._as_parameter_


def give_back_once():
    OutputString.close = close
