"""Files of the compile cache, damaged: each is found out and the kernel compiled again, whatever is wrong with it."""

import os
import pathlib
import shutil
import tempfile

import numba
from numba import types
from numba.core.registry import cpu_target

from hwmem._jit import kernel
from hwmem._jit.cache import KernelCache

CASES = 50  # damaged files of one case; the last is also run
SIGNATURE = types.int64(types.int64)
FILES = []  # (place below the cache's folder, bytes)


def answer(n):
    total = n
    for k in range(n):
        total += k * n
    return total


def expected(n):
    return n + n * sum(range(n))


def compiled():
    """The kernel's answer for 7, by way of the cache's folder of now."""
    dispatcher = kernel(answer)
    dispatcher.compile(SIGNATURE)
    return dispatcher(7)


def prepare():
    if FILES:
        return
    with tempfile.TemporaryDirectory() as folder:
        numba.config.CACHE_DIR = folder
        assert compiled() == expected(7)
        FILES.extend((path.relative_to(folder), path.read_bytes()) for path in pathlib.Path(folder).rglob("*.nbc"))
    assert FILES


def case(r, note):
    with tempfile.TemporaryDirectory() as folder:
        numba.config.CACHE_DIR = folder
        name, data = r.choice(FILES)
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True)
        for n in range(CASES):
            how = damage(r, path, data)
            note(how)
            found = KernelCache(answer)._load_overload(SIGNATURE, cpu_target.target_context)
            whole = path.is_file() and path.read_bytes() == data
            assert (found is not None) == whole, how
        assert compiled() == expected(7), how


def damage(r, path, data):
    """Put something wrong at `path`; what."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    kind = r.randrange(8)
    if kind == 0:
        path.write_bytes(data[: r.randrange(len(data))])
        return "cut off"
    if kind == 1:
        path.write_bytes(r.randbytes(r.choice((0, 1, 31, 32, 33, 1000, len(data)))))
        return "noise"
    if kind == 2:
        path.mkdir()
        return "a folder"
    if kind == 3:
        path.symlink_to(r.choice((path.name, "/nowhere", "/dev/null")))
        return "a link"
    if kind == 4:
        path.write_bytes(data + b"\0")
        return "longer"
    if kind == 5 and r.random() < 0.2:
        path.write_bytes(data)
        return "whole"
    changed = bytearray(data)
    for _ in range(r.choice((1, 1, 2, 50))):
        changed[r.randrange(len(changed))] ^= 1 << r.randrange(8)
    path.write_bytes(changed)
    return f"{os.path.getsize(path)} bytes, bits turned over"
