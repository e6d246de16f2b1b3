"""A process that compiles doors into the cache while the first one compiles others: `python -m hwmem.second_compiler
MODULE,... NUMBER,...`, the modules that have the doors, and the doors' numbers. Started by _jit.py on a first run.
"""
import importlib
import sys

import numba

from hwmem._jit import DOORS
from hwmem.layout import MACHINE


def main(modules, numbers):
    for module in modules.split(","):
        importlib.import_module(module)
    for number in numbers.split(","):
        DOORS.compile(int(number), numba.from_dtype(MACHINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
