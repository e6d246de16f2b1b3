"""The emulated allocators beside the real libraries, where they are installed: usable sizes, and memory that goes back."""

import json
import os
import pathlib
import platform
import subprocess
import sys
from bisect import bisect_left

import numpy as np
import pytest

import hwmem
from hwmem._jit import kernel
from hwmem.config.machine import MachineConfig
from hwmem.core.access import store64
from hwmem.core.service import drain_all
from goalloc.baselines import Allocator
from goalloc.baselines.jemalloc_layout import SIZES
from goalloc.baselines.malloc import free, malloc
from goalloc.baselines.tcmalloc_layout import CLASSES
from tests.goalloc.fill_drop_purge import KEPT, sizes
from tests.goalloc.test_allocators import recorded

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = {"jemalloc": "libjemalloc.so.2", "gperftools": "libtcmalloc_minimal.so.4"}


def child(program, library, *words):
    """What a program of tests/goalloc says with a library preloaded; skips where it is not installed."""
    environment = dict(os.environ)
    if library:
        path = pathlib.Path("/usr/lib/x86_64-linux-gnu", LIBRARIES[library])
        if not path.exists():
            pytest.skip(f"{path} is not installed")
        environment["LD_PRELOAD"] = str(path)
    command = [sys.executable, str(ROOT / "tests" / "goalloc" / f"{program}.py"), *words]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def steps(answers):
    """[the first size that got it, usable bytes]."""
    found = []
    for n, usable in sorted(answers):
        if not found or found[-1][1] != usable:
            found.append([n, usable])
    return found


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_recorded_usable_sizes_are_those_of_the_installed_library(library):
    assert steps(child("usable_sizes", library)) == recorded("usable_sizes")[library]["steps"]


def test_jemallocs_classes_are_the_installed_librarys_for_every_size():
    for n, usable in child("usable_sizes", "jemalloc"):
        assert SIZES[bisect_left(SIZES, max(n, 1))] == usable, n


def test_debians_tcmalloc_has_other_classes_than_googles():
    """gperftools' 2.10 has 48 bytes and 144; Google's of today 64 and 160 in their place."""
    debians = {usable for _, usable in recorded("usable_sizes")["gperftools"]["steps"]}
    googles = {size for size, _, _ in CLASSES}
    assert {48, 144, 3328} <= debians - googles and {304, 2688, 3456} <= googles - debians


@kernel
def fill(m, t, wanted, blocks):
    for i in range(len(wanted)):
        blocks[i] = malloc(m, t, wanted[i])
        for offset in range(0, wanted[i], 4096):
            store64(m, t, blocks[i] + offset, i)
    drain_all(m, m.thread[t].core)


@kernel
def drop(m, t, blocks):
    for i in range(len(blocks)):
        if i % KEPT:
            free(m, t, blocks[i])
    drain_all(m, m.thread[t].core)


def emulated(name, *one_size):
    process = hwmem.Machine(MachineConfig().replace(cores=1, memory="256MiB")).spawn()
    allocator, wanted = Allocator(process, name), np.array(sizes(*one_size))
    blocks, rows = np.zeros(len(wanted), np.int64), [process.smaps_rollup()["Rss"]]
    process._run(0, fill, wanted, blocks)
    rows.append(process.smaps_rollup()["Rss"])
    process._run(0, drop, blocks)
    rows.append(process.smaps_rollup()["Rss"])
    if name == "jemalloc":
        allocator.end_thread()  # thread.tcache.flush
    allocator.tick(everything=True)
    rows.append(process.smaps_rollup()["Rss"])
    return [(row - rows[0]) / 1024 for row in rows[1:]]


@pytest.mark.parametrize("name, library", [("glibc", None), ("jemalloc", "jemalloc")])
def test_resident_memory_after_fill_drop_and_purge_is_the_librarys_within_ten_percent(name, library):
    if name == "glibc" and platform.libc_ver() != ("glibc", "2.36"):
        pytest.skip("the C library is not glibc 2.36")
    real, ours = child("fill_drop_purge", library, name), emulated(name)
    assert ours == pytest.approx(real, rel=0.1), (real, ours)


@pytest.mark.parametrize("size", [1024, 1152, 6144])
def test_where_spans_are_as_long_debians_tcmalloc_keeps_as_much_memory_as_googles(size):
    """gperftools caches by thread. In most other classes its blocks, or its spans, have other sizes."""
    one_size = size, (64 << 20) // size
    real = child("fill_drop_purge", "gperftools", "gperftools", *map(str, one_size))
    ours = emulated("tcmalloc-threads", *one_size)
    assert ours == pytest.approx(real, rel=0.1), (real, ours)
