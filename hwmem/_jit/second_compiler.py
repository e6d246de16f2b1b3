"""A process that compiles doors into the cache while the first one compiles others: `python -m hwmem._jit.second_compiler
MODULE:NUMBER ...`, doors' numbers and files. Started by doors.py on a first run.
"""
import importlib
import sys

import numba

from hwmem._jit import DOORS
from hwmem.layout import MACHINE


def main(*doors):
    for door in doors:
        module, number = door.split(":")
        importlib.import_module(module)
        DOORS.compile(int(number), numba.from_dtype(MACHINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
