"""@kernel and its variants: how a Python function is compiled, and whether its callers inline it."""

import os
import sys

from hwmem._jit.compiler import CHECKED, JIT_DISABLED, KernelDispatcher, attributes

KERNEL_OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy", "boundscheck": CHECKED or None}


def kernel(function):
    """Compile `function` on first call: nopython, without the GIL, cached on disk until an edit reaches it."""
    if JIT_DISABLED:
        return function
    dispatcher = KernelDispatcher(function, targetoptions=KERNEL_OPTIONS)
    if os.path.exists(function.__code__.co_filename) and function.__module__ in sys.modules:  # what can be found again by its names
        dispatcher.enable_caching()
    return dispatcher


def cold(function):
    """A kernel off the hot path: never inlined, and its callers' code is laid out for the case that it is not called."""
    attributes[function] = ("noinline", "cold")
    return kernel(function)


def apart(function):
    """A kernel that is often called and yet never inlined, so that its callers' other cases stay small."""
    attributes[function] = ("noinline",)
    return kernel(function)


def hot(function):
    """A kernel that the common case of an access runs through: inlined into every caller, so keep it small."""
    attributes[function] = ("alwaysinline",)
    return kernel(function)
