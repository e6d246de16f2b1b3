"""Litmus tests: small programs whose outcomes show a machine's memory ordering.

test = litmus.parse(text)                   herd's text, or the neutral form as a dict or as JSON
r = litmus.run(test, ordering="tso")        every interleaving; or mode="random", runs=10_000, seed=0
r.outcomes, r.allowed, r.holds              final states, a tuple each, with counts; the condition's verdict

herd.py        text in, Test out          outcomes.py    run            way.py, text.py   for the eye
mnemonics.py, operands.py   instructions    branches.py    jumps          alu.py    results and flags
test.py        what a test is             explore.py     all interleavings, on the machine's own operations
condition.py   exists, ~exists, forall    encode.py      a test as arrays
"""

from hwmem.litmus.herd import parse, read_file
from hwmem.litmus.outcomes import run
from hwmem.litmus.test import Test

__all__ = ["parse", "read_file", "run", "Test"]
