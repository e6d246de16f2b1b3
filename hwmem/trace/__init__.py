"""Recorded traces of real programs.

recorder.py     `hwmem record`: a program under Valgrind
trace.py        Trace, its blocks, open_trace: which format, what is refused and how it is said
order.py        recordings of threads: what each thread must wait for in the replay
words.py        ... counters, free locks, and what they guard
uses.py         ... the uses of what threads share
shared.py       ... what that is
recording.py    ... read: who did what, in which order
log.py          ... lines of threads, system calls, objects
references.py   ... lines of references, in machine code
elf.py          ... what must be known of the program's files
spill.py        ... its records in a temporary file
program.py      ... what a result keeps of it
champsim.py     ChampSim's instructions of 64 bytes
parse.py        the other grammars: lackey, din, xdin, ...; text to records in machine code
stream.py       files, plain, gzip or xz, as buffers of whole lines
"""

from importlib import import_module
from typing import Any

NAMES = ("FORMATS", "Block", "Trace", "TraceCounts", "open_trace")


def __getattr__(name: str) -> Any:
    """What trace.py has, when it is first used: a saved result needs no reader, which needs the compiler."""
    if name in NAMES:
        return getattr(import_module("hwmem.trace.trace"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
