"""ChampSim's traces: an instruction a record of 64 bytes, with the addresses that it loads from and stores to.

    | ip 8 | branch 1 | taken 1 | registers 2 + 4 | stores to 2 x 8 | loads from 4 x 8 |        0: none

Sizes are not recorded: a reference is one byte, which is all that a line's look-up needs. An instruction's loads come first. Several files
run on a core each. Source: ChampSim, inc/trace_instruction.h.
"""

import numpy as np

from hwmem.trace.parse import BEYOND, REASONS, TOO_HIGH
from hwmem.trace.stream import DAMAGE, StreamError, opened

INSTRUCTION = np.dtype(
    [("ip", "<u8"), ("branch", "u1"), ("taken", "u1"), ("registers", "u1", 6), ("stores", "<u8", 2), ("loads", "<u8", 4)]
)
CHUNK = 1 << 14  # instructions
HIGHEST = 2**63 - 2  # address
FEWEST = 16  # records, by which a file is known
FEWEST_CUT = 4  # ... that has only those and a part of another


def looks_like(path):
    """Whether the file's first records are ChampSim's."""
    try:
        with opened(path) as (_, data):
            head = read(data, 64 * FEWEST)
    except DAMAGE:
        return False
    whole = len(head) // 64
    if whole < (FEWEST_CUT if len(head) % 64 else 1) or b"\0" not in head:
        return False
    first = np.frombuffer(head, INSTRUCTION, whole)
    return bool((first["branch"] <= 1).all() and (first["taken"] <= 1).all() and (first["ip"] != 0).all() and (first["ip"] < HIGHEST).all())


def read(data, n):
    """`n` bytes, or as many as there are."""
    found = bytearray()
    while len(found) < n and (more := data.read(n - len(found))):
        found += more
    return bytes(found)


def chunks(path, end=HIGHEST + 1):
    """(addresses, is_store, instructions' addresses, number of instructions) of stretches of the file, whose references end at `end` or
    before. Raises StreamError."""
    with opened(path) as (_, data):
        done = 0
        while True:
            try:
                part = read(data, 64 * CHUNK)
            except DAMAGE as error:
                raise StreamError(f"damaged or cut off ({error})") from None
            if len(part) % 64:
                raise StreamError(f"cut off: {len(part) % 64} bytes after instruction {done + len(part) // 64}")
            if not part:
                return
            records = np.frombuffer(part, INSTRUCTION)
            both = np.concatenate([records["loads"], records["stores"]], axis=1)
            row, column = np.nonzero(both)
            addresses = both[row, column]
            if len(addresses) and addresses.max() > min(end - 1, HIGHEST):
                first = int(np.argmax(addresses > min(end - 1, HIGHEST)))
                reason = REASONS[BEYOND if addresses[first] <= HIGHEST else TOO_HIGH].format(end=end)
                raise StreamError(f"instruction {done + int(row[first]) + 1}: {reason}")
            yield addresses.astype(np.int64), column >= 4, records["ip"][row].astype(np.int64), len(records)
            done += len(records)
