"""`python -m benchmarks`."""

import sys

from benchmarks import main
from hwmem.cli.interruption import whole_process

sys.exit(whole_process("hwmem bench", main))
