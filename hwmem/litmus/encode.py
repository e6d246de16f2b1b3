"""A litmus test as arrays, for the kernels of explore.py.

    LITMUS record      the program: threads, code, where everything lies in a row
    a row of a table   | 6 words of book-keeping | a state: a pc a thread | registers | memory words | store buffers | early reads |
                                                                               a buffer: count, group, then per entry
                                                                               location, value, 32 * group + 2 * bytes + non-temporal
                                                       early reads (relaxed): `pending`, then per thread count, and per read
                                                                               location, value (by location, oldest first)

Two states are the same if their words are: so the buffers' groups are counted from the oldest entry's. `pending` is 0, or
a location + 1 << 16 | a mask of threads: those have read it early since it last changed (explore.py).
"""

import numpy as np

from hwmem.core.in_flight import SLOTS
from hwmem.layout import record
from hwmem.litmus.test import (
    ATOMIC,
    BASE,
    COMPARE_EXCHANGE,
    FLAGS,
    JUMP,
    LFENCE,
    LINE,
    LOAD,
    LOAD_ACQUIRE,
    MFENCE,
    STORE,
    STORE_RELEASE,
    STORE_STREAM,
    signed,
)

MAX_THREADS, MAX_STEPS, MAX_LOCATIONS, MAX_REGISTERS = 16, 64, 64, 64
MAX_PROGRESS = 2 * MAX_THREADS * MAX_STEPS * (MAX_THREADS + 1)
NEXT, PROGRESS, DEPTH, PARENT, ACTION, WAYS, STATE = range(7)  # a row: book-keeping, and where the state begins
ENTRY = 3  # words of a buffer's entry
READ = 2  # ... of an early read
STORES, ORDERING = (STORE, STORE_RELEASE, STORE_STREAM), (LOAD_ACQUIRE, MFENCE, LFENCE, ATOMIC, COMPARE_EXCHANGE)
PENDING_SHIFT = 16
GROUP_SHIFT, SIZE_MASK = 5, 15  # of the third word of a buffer's entry
NONE = -1

CODE = record(
    "operation",
    "location",
    "target",
    "value",
    "source",
    "expected",
    "expected_source",  # as in test.Instruction
    "bytes",  # Instruction.size
    "alu",
    "first",
    "sets",  # Instruction.flags
    "condition",
    "goto",
    "pointer",  # Instruction.base
    "target_part",
    "source_part",
    "first_part",
    "extend",
    "flag_register",
    "scaled",
    "scale",
    "displacement",
)  # NONE: nobody reads the flags
LITMUS = record(
    "threads",
    "locations",
    "registers",
    "slots",
    "registers_at",
    "memory_at",
    "buffers_at",
    "early_at",
    "width",
    "reads",  # most early reads of a thread at a time; 0: none
    "actions",  # of a thread, in a row: its next step, drains, early reads, a step that ends early reading
    "layers",  # by how much a step brings the program on: more than early reads between two steps can
    "count",
    "progress",
    "last_progress",
    "random",  # of a search: rows in use, where it is
    "cut",  # interleavings, or runs, that come to no end: a loop goes on
    "lost",  # 1 + 64 * thread + step that had no location's address
    ("thread", "i8", MAX_THREADS),
    ("steps", "i8", MAX_THREADS),
    ("may_drain", "i8", MAX_THREADS),
    ("may_change", "i8", MAX_LOCATIONS),  # a bit a thread that can change the location now
    ("code", CODE, (MAX_THREADS, MAX_STEPS)),
    ("address", "i8", MAX_LOCATIONS),  # in the machine's memory, a line each
    ("named", "i8", MAX_LOCATIONS),  # as the program knows it (test.addresses)
    ("bytes", "i8", MAX_LOCATIONS),  # of the widest access to it by such an address
    ("stores_before", "i8", (MAX_THREADS, MAX_STEPS + 1)),  # stores of the steps before each
    ("loads_ahead", "i1", (MAX_THREADS, MAX_STEPS + 1, MAX_LOCATIONS)),  # plain loads, from a step on, that may be early
    ("bucket", "i8", MAX_PROGRESS + 1),
)  # states to look at, by progress: row + 1


def encode(test, threads, early, seed=0):
    """The LITMUS record of a test whose thread i is the machine's thread threads[i], its loads early if they may be.

    Raises ValueError if it is too large.
    """
    x = np.zeros(1, LITMUS).view(np.recarray)[0]
    locations = test.locations
    registers = [test.registers(t) for t in range(len(test.threads))]
    x.threads, x.locations, x.registers = len(test.threads), len(locations), max(map(len, registers))
    sizes = {
        "threads": (x.threads, MAX_THREADS),
        "steps of a thread": (max(map(len, test.threads)), MAX_STEPS),
        "locations": (x.locations, MAX_LOCATIONS),
        "registers of a thread": (x.registers, MAX_REGISTERS),
    }
    for what, (size, most) in sizes.items():
        if size > most:
            raise ValueError(f"{test.name}: {size} {what}, at most {most}")
    x.thread[: x.threads] = threads
    x.address[: x.locations] = BASE + LINE * np.arange(x.locations)
    x.named[: x.locations] = [test.addresses[name] for name in locations]
    x.bytes[: x.locations] = [test.arrays.get(name.partition("[")[0], (1, 8))[1] for name in locations]
    for t, thread in enumerate(test.threads):
        x.steps[t] = len(thread)
        for i, step in enumerate(thread):
            encode_step(x.code[t, i], test, step, registers[t])
            x.stores_before[t, i + 1] = x.stores_before[t, i] + (step.operation in STORES)
    x.slots = max(int(x.stores_before[t, n]) for t, n in enumerate(x.steps[: x.threads]))
    if x.slots >= SLOTS:
        raise ValueError(f"{test.name}: {x.slots} stores of a thread, at most {SLOTS - 1}")
    x.registers_at = STATE + x.threads
    x.memory_at = x.registers_at + x.threads * x.registers
    x.buffers_at = x.memory_at + x.locations
    x.early_at = x.width = x.buffers_at + x.threads * (2 + ENTRY * x.slots)
    x.actions, x.layers = 1 + x.slots, 1
    if early:
        count_loads(x, test, locations)
    x.last_progress = x.layers * sum(int(n) + int(x.stores_before[t, n]) for t, n in enumerate(x.steps[: x.threads]))
    x.random = np.random.default_rng(seed).integers(1, 1 << 62)
    return x


def count_loads(x, test, locations):
    """x.loads_ahead: of the loads of a location that come before what orders loads, and before a store of the thread's own
    there, how many; and what follows from it."""
    for t, thread in enumerate(test.threads):
        for i in range(len(thread) - 1, -1, -1):
            step, ahead = thread[i], x.loads_ahead[t, i]
            if step.operation in ORDERING:
                continue
            ahead[:] = x.loads_ahead[t, i + 1]
            if step.operation == JUMP and step.goto != NONE:
                ahead[:] = np.maximum(ahead, x.loads_ahead[t, step.goto])
            elif step.operation == LOAD:
                ahead[slice(len(locations)) if step.base else locations.index(step.location)] += 1
            elif step.operation in STORES and not step.base:
                ahead[locations.index(step.location)] = 0
    x.reads = int(x.loads_ahead.sum(axis=2, dtype=np.int64).max())
    if x.reads:
        x.width += 1 + x.threads * (1 + READ * x.reads)
        x.actions += x.locations + 1
        x.layers = x.threads + 1


def encode_step(code, test, step, registers):
    def register(name):
        return NONE if name is None else registers.index(name)

    for field in (
        "operation",
        "alu",
        "condition",
        "target_part",
        "source_part",
        "first_part",
        "extend",
        "scale",
        "displacement",
    ):
        code[field] = getattr(step, field)
    code.value, code.expected = signed(test.number_of(step.value), 8), signed(step.expected, 8)
    code.location = NONE if step.location is None else test.locations.index(step.location)
    for field in ("target", "source", "expected_source", "first", "scaled"):
        code[field] = register(getattr(step, field))
    code.bytes, code.sets, code.pointer = step.size, step.flags, register(step.base)
    code.goto = NONE if step.goto is None else step.goto
    code.flag_register = registers.index(FLAGS) if FLAGS in registers else NONE


def first_row(test, x):
    """The initial state as a row."""
    row = np.zeros(x.width, np.int64)
    row[PARENT] = NONE
    row[WAYS] = 1
    for name, value in test.initial.items():
        value = test.number_of(value)
        row[place(test, x, name)] = signed(value, 8) if test.widths.get(name, 8) == 8 else value & (1 << 8 * test.widths[name]) - 1
    return row


def place(test, x, name):
    """Where in a row the value of a register or location stands."""
    thread, colon, register = name.rpartition(":")
    if not colon:
        return int(x.memory_at) + test.locations.index(name)
    return int(x.registers_at) + int(thread) * int(x.registers) + test.registers(int(thread)).index(register)


def buffer_of(row, x, t):
    """The entries of thread `t`'s store buffer in a row, oldest first: (location's number, value, bytes)."""
    at = int(x.buffers_at) + t * (2 + ENTRY * int(x.slots))
    return [
        (int(row[at + 2 + ENTRY * k]), int(row[at + 3 + ENTRY * k]), int(row[at + 4 + ENTRY * k]) >> 1 & SIZE_MASK)
        for k in range(int(row[at]))
    ]


def early_of(row, x, t):
    """What thread `t` has read early in a row: (location's number, value), by location, oldest first."""
    if not x.reads:
        return []
    at = int(x.early_at) + 1 + t * (1 + READ * int(x.reads))
    return [(int(row[at + 1 + READ * k]), int(row[at + 2 + READ * k])) for k in range(int(row[at]))]
