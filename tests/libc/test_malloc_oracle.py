"""Every figure that the real C library printed: addresses, usable sizes, the break, mallinfo2; and its last words."""

import gzip
import json
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

import hwmem
import hwmem.libc
from malloc_script import emulated, without_mmap_places

ORACLE = pathlib.Path(__file__).resolve().parents[1] / "oracles" / "libc"
sys.path.insert(0, str(ORACLE))
from malloc_scripts import ask, build, last_words, script, with_options  # noqa: E402

VERSION = "2.36"
SEVEN = [f"F {s}" for s in range(7)]

# What a program may do to its heap
CRIMES = {
    "free(): double free detected in tcache 2": ["m 0 24", "F 0", "F 0"],
    "double free or corruption (fasttop)": [*(f"m {s} 24" for s in range(8)), *SEVEN, "F 7", "F 7"],
    "double free or corruption (!prev)": ["m 0 2000", "m 1 24", "F 0", "F 0"],
    "double free or corruption (top)": ["m 0 2000", "F 0", "F 0"],
    "double free or corruption (out)": ["m 0 2000", "w 0 -8 16777217", "F 0"],
    "free(): invalid pointer": ["m 0 100", "w 0 0 33", "p 0 8", "F 0"],
    "free(): invalid size": ["m 0 100", "w 0 -8 17", "F 0"],
    "free(): invalid next size (normal)": ["m 0 2000", "m 1 24", "w 1 -8 1", "F 0"],
    "free(): invalid next size (fast)": [*(f"m {s} 24" for s in range(9)), *SEVEN, "w 8 -8 1", "F 7"],
    "munmap_chunk(): invalid pointer": ["m 0 200000", "w 0 -16 8", "F 0"],
    "mremap_chunk(): invalid pointer": ["m 0 200000", "w 0 -16 8", "r 0 400000"],
    "realloc(): invalid pointer": ["m 0 100", "w 0 0 33", "p 0 8", "r 0 200"],
    "realloc(): invalid old size": ["m 0 100", "w 0 -8 1048577", "r 0 200"],
    "realloc(): invalid next size": ["m 0 100", "m 1 100", "w 1 -8 0", "r 0 300"],
    "corrupted size vs. prev_size while consolidating": ["m 0 2000", "m 1 2000", "m 2 24", "F 0", "w 0 -8 2033", "F 1"],
    "malloc(): mismatching next->prev_size (unsorted)": ["m 0 2000", "m 1 24", "F 0", "w 1 -16 5", "m 2 3000"],
    "malloc(): invalid size (unsorted)": ["m 0 2000", "m 1 24", "F 0", "w 0 -8 1", "m 2 3000"],
    "malloc(): corrupted top size": ["m 0 24", "w 0 24 16777217", "m 1 2000"],
}


@pytest.fixture(scope="module")
def machine():
    return hwmem.Machine(hwmem.MachineConfig().replace(cores=2, memory="2GiB"))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The real library's answers, where it is."""
    if shutil.which("gcc") is None or shutil.which("setarch") is None:
        pytest.skip("no gcc to ask the host's C library")
    version = subprocess.run(["getconf", "GNU_LIBC_VERSION"], capture_output=True, text=True).stdout.split()
    if version != ["glibc", VERSION]:
        pytest.skip(f"the host's C library is {' '.join(version) or 'not glibc'}, not glibc {VERSION}")
    return build(tmp_path_factory.mktemp("oracle"))


def recorded(name):
    with gzip.open(ORACLE / name, "rt") as f:
        return [json.loads(line) for line in f]


def compare(machine, lines, threads, places, real):
    """`places`: the break at the start and the end of a first mapping."""
    ours = emulated(machine, lines, *places, threads)
    if threads > 1:
        ours, real = without_mmap_places(ours), without_mmap_places(real)
    return ours == real


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["single.jsonl.gz", "threads.jsonl.gz"])
def test_recorded_scripts_get_the_real_library_s_answers(machine, name):
    for row in recorded(name):
        assert row["version"] == VERSION
        lines = script(row["seed"], row["steps"], row["threads"])
        assert compare(machine, lines, row["threads"], (row["start"], row["end"]), row["answers"]), row["seed"]
    machine.check()


@pytest.mark.live
@pytest.mark.parametrize("threads", [1, 3, 20])
def test_fresh_scripts_get_the_real_library_s_answers(machine, program, seed, threads):
    for s in range(seed, seed + 15):
        (_, start, cores, end), real = ask(program, script(s, 500, threads))
        if threads > 8 and cores != machine.config.cores:
            pytest.skip(f"the limit on arenas depends on processors; here are {cores}, not {machine.config.cores}")
        assert compare(machine, script(s, 500, threads), threads, (start, end), real), f"seed {s}"
    machine.check()


@pytest.mark.live
@pytest.mark.parametrize("threads", [1, 4])
def test_with_options_set_fresh_scripts_get_the_real_library_s_answers(machine, program, seed, threads):
    for s in range(seed, seed + 15):
        lines = list(with_options(script(s, 500, threads), random.Random(s)))
        (_, start, _, end), real = ask(program, lines)
        assert compare(machine, lines, threads, (start, end), real), f"seed {s}"
    machine.check()


def commit(process, heap, lines):
    """Do what the lines say, by calls from Python."""
    slot = {}
    for line in lines:
        call, s, *numbers = [line.split()[0], *map(int, line.split()[1:])]
        if call == "m":
            slot[s] = heap.malloc(*numbers)
        elif call == "r":
            slot[s] = heap.realloc(slot[s], *numbers)
        elif call == "p":
            slot[s] += numbers[0]
        elif call == "w":
            process.store(slot[s] + numbers[0], numbers[1])
        else:
            heap.free(slot[s])


@pytest.mark.parametrize("words", CRIMES)
def test_a_corrupt_heap_ends_the_program_with_the_library_s_words(machine, words):
    process = machine.spawn()
    heap = hwmem.libc.Malloc(process)
    with pytest.raises(hwmem.Abort) as caught:
        commit(process, heap, CRIMES[words])
    assert caught.value.message == words
    process.exit()
    machine.check()


@pytest.mark.live
@pytest.mark.parametrize("words", CRIMES)
def test_the_real_library_says_the_same(program, words):
    assert last_words(program, CRIMES[words]) == words
