"""Arguments from Python, checked and converted before a kernel sees them: a machine's word is an int64.

Called by all that users call on Machine and Process (machine.py, accesses.py, calls.py, ...). Every refusal is one line that
begins with the argument's name: TypeError for what is of another kind, ValueError for what does not fit.
"""

import numpy as np

SIZES = (1, 2, 4, 8)  # bytes: the widths of an access


def check_size(size):
    """The width of an access."""
    if not isinstance(size, (int, np.integer)) or size not in SIZES:
        raise ValueError(f"size: {size!r} is none of 1, 2, 4, 8")
    return int(size)


def check_address(address):
    return to_int64("address", address)


def check_count(n):
    """A number of bytes."""
    if to_int64("n", n) < 0:
        raise ValueError(f"n: {n} is not a number of bytes")
    return int(n)


def check_place(name, value):
    """A place in a file, or a number of its bytes: an int from 0."""
    if to_int64(name, value) < 0:
        raise ValueError(f"{name}: takes bytes from 0, got {value}")
    return int(value)


def check_bytes(data):
    if isinstance(data, (int, np.integer)):  # of which bytes() would make so many zeros
        raise TypeError(f"data: takes bytes, not {type(data).__name__}")
    try:
        return bytes(data)
    except (TypeError, ValueError) as error:
        raise type(error)(f"data: takes bytes ({error})") from None


def to_int64(name, value):
    """An int of up to 64 bits as int64, modulo 2**64. Raises TypeError or ValueError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: takes an int, not {type(value).__name__}")
    value = int(value)
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"{name}: {value} does not fit 64 bits")
    return value - (1 << 64) if value >= 1 << 63 else value


def int64_array(name, values):
    """Ints of up to 64 bits as an int64 array of one dimension, modulo 2**64; one int as an array of one. Raises TypeError
    or ValueError that names the argument."""
    array = np.atleast_1d(as_array(name, values, "iu"))
    if array.ndim != 1:
        raise ValueError(f"{name}: takes one dimension, not shape {array.shape}")
    return np.ascontiguousarray(array, dtype=np.int64)


def filled(name, values, kinds, shape):
    """`values` as an array of `shape`, which one value fills. Raises as `as_array` does."""
    array = as_array(name, values, kinds)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name}: takes one value, or an array of shape {shape}, not {array.shape}") from None


def as_array(name, values, kinds):
    """`values` as an array whose dtype is one of numpy's `kinds`, "iu" for ints. Raises TypeError or ValueError."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        raise ValueError(f"{name}: takes one dimension") from None
    if array.size and array.dtype.kind not in kinds:
        raise TypeError(f"{name}: takes {'ints of 64 bits' if kinds == 'iu' else 'true and false'}, not {array.dtype}")
    return array
