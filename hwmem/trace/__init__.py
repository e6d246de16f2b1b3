"""Recorded traces of real programs.

trace.py    Trace, its blocks, open_trace: which format, what is refused and how it is said
parse.py    the grammars: lackey, din, xdin; text to records in machine code
stream.py   files, plain, gzip or xz, as buffers of whole lines
"""

from hwmem.trace.trace import FORMATS, Block, Trace, TraceCounts, open_trace

__all__ = ["FORMATS", "Block", "Trace", "TraceCounts", "open_trace"]
