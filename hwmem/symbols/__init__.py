"""Names of what a recorded program did: functions, lines, variables, fields, heap blocks, stacks.

label.py      the names that a report shows, put into a Program
callgrind.py  a replay as a profile that KCachegrind opens
pprof.py      ... that go tool pprof opens
blame.py      misses, TLB misses and faults by source line and by allocation
names.py      Names: an address of the process to its name, and back
heap.py       heap blocks by address
objects.py    the program's files, opened when needed; is it the file that was recorded?
elf.py        one ELF file: segments, symbols, where its debugging information lies
code.py       an instruction to function, file and line, through what was inlined
lines.py      line tables
variables.py  an address to a variable
fields.py     a type and an offset to a field
dies.py       which DIEs there are, quickly
demangle.py   C++'s symbols

DWARF 4 and 5 of gcc, clang and Go, compressed or not, in the file or beside it. pyelftools is an extra: pip install 'hwmem[symbols]'.
"""
