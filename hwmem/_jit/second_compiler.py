"""A helper of crew.py: reads "MODULE:NUMBER" of doors, a line each, compiles them into the cache, and answers a line each."""

import importlib
import sys

import numba

from hwmem._jit import DOORS
from hwmem.layout import MACHINE


def main():
    for line in sys.stdin:
        module, number = line.split(":")
        importlib.import_module(module)
        DOORS.compile(int(number), numba.from_dtype(MACHINE))
        print(number.strip(), flush=True)


if __name__ == "__main__":
    main()
