"""Programs that tests of names build where there is a compiler, and what the compiler, nm and addr2line say of them."""

import pathlib
import shutil
import subprocess

import pytest

from hwmem.symbols.names import Names
from hwmem.trace.program import Object, Program

HERE = pathlib.Path(__file__).parent
BIAS = 0x108000  # where Valgrind puts a program that may lie anywhere


def needed(*tools):
    pytest.importorskip("elftools")
    gone = [tool for tool in tools if shutil.which(tool) is None]
    if gone:
        pytest.skip(f"not installed: {', '.join(gone)}")


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **options).stdout


def build(folder, source="told.c", *flags, name="told"):
    """The path of a program, compiled from a file of this folder."""
    needed("gcc", "g++", "nm", "addr2line")
    program = folder / name
    compiler = ["g++", "-std=c++20"] if source.endswith("cpp") else ["gcc"]
    others = [HERE / "elsewhere.c"] if source.endswith(".c") else []
    run(*compiler, "-g", "-pthread", *flags, "-o", program, HERE / source, *others)
    return program


def names_of(program, bias=0, **more):
    """The Names of a program of one object."""
    return Names(Program(objects=[Object(str(program), bias, (), str(program))], **more))


def said(program):
    """[(base, name, offset, bytes)] that the program says of its variables."""
    rows = [line.rsplit(" ", 2) for line in run(program).splitlines()]
    return [(*row.split(" ", 1), int(offset), int(size)) for row, offset, size in rows]


def addresses(program):
    """{name: address} as nm has them, of data."""
    rows = [line.split(" ", 2) for line in run("nm", "-C", program).splitlines() if line[0] != " "]
    return {name: int(address, 16) for address, kind, name in rows if kind in "bBdDrRuV"}


def told_by_addr2line(program, pcs):
    """{pc: [(function, "file:line"), ...]}, innermost first."""
    found, frames = {}, []
    answer = run("addr2line", "-a", "-i", "-f", "-C", "-e", program, input="\n".join(map(hex, pcs)))
    lines = iter(answer.splitlines())
    for line in lines:
        if line.startswith("0x"):
            frames = found[int(line, 16)] = []
        else:
            frames.append((line.partition("(")[0], pathlib.Path(next(lines).partition(" ")[0]).name))
    return found
