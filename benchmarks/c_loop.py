"""lru.c, compiled by gcc for this processor and called on arrays."""

import ctypes
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from benchmarks.traffic import SHAPES

SOURCE = pathlib.Path(__file__).with_name("lru.c")
COMPILE = ("gcc", "-O3", "-march=native", "-shared", "-fPIC")


def missing():
    """Why the loop cannot be compiled here; "" if it can."""
    return "" if shutil.which("gcc") else "gcc is not installed"


class CLoop:
    """Three LRU levels in C. The library has one set of levels: one stream at a time. Raises RuntimeError without gcc."""

    def __init__(self):
        if reason := missing():
            raise RuntimeError(f"the C loop: {reason}")
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/lru.so"
            subprocess.run([*COMPILE, "-o", path, SOURCE], check=True)
            self.library = ctypes.CDLL(path)
        self.library.misses_of.restype = ctypes.c_int64
        self.has_vector = bool(self.library.has_vector())

    def set_up(self, shapes=SHAPES):
        """Empty levels of these (sets, ways), first level first."""
        flat = np.array(shapes, dtype=np.int64).ravel()
        if self.library.set_up(pointer(flat)):
            raise MemoryError("the C loop's tags")

    def prepare(self, stream):
        """Empty levels, and the call that runs `stream` over them."""
        self.set_up()
        return self.call(self.library.run_scalar, stream)

    def prepare_vector(self, stream):
        """The same by AVX-512, if has_vector."""
        self.set_up()
        return self.call(self.library.run_vector, stream)

    def call(self, run, stream):
        addresses, is_store = stream.addresses, stream.is_store.view(np.uint8)
        arguments = pointer(addresses), pointer(is_store), ctypes.c_int64(len(addresses))
        return lambda: run(*arguments)

    def check_agreement(self, stream):
        """Raise RuntimeError unless both loops count the same misses."""
        self.prepare(stream)()
        scalar = self.misses()
        self.prepare_vector(stream)()
        if self.misses() != scalar:
            raise RuntimeError(f"the C loops disagree: {scalar} misses and {self.misses()}")

    def misses(self):
        """Demand misses of each level since set_up, first level first."""
        return [self.library.misses_of(n) for n in range(len(SHAPES))]


def pointer(array):
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
