"""The machine as plain Python, on the first accesses of a stream: `python -m benchmarks.unjitted S3 3000`.

Run with NUMBA_DISABLE_JIT=1 (streams.py does). Prints one JSON number: accesses a CPU second.
"""

import json
import sys

from benchmarks.contenders import Emulator
from benchmarks.measure import cpu_seconds
from benchmarks.traffic import STREAMS


def main(name, accesses):
    stream = STREAMS[name]().head(accesses)
    print(json.dumps(accesses / cpu_seconds(Emulator(mmu=False).prepare(stream))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
