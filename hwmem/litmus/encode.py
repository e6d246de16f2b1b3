"""A litmus test as arrays, for the kernels of explore.py.

    LITMUS record      the program: threads, code, where everything lies in a row
    a row of a table   | 6 words of book-keeping | a state: a pc a thread | registers | memory words | store buffers |
                                                                               a buffer: count, group, then per entry
                                                                               location, value, 2 * group + non-temporal

Two states are the same if their words are: so the buffers' groups are counted from the oldest entry's.
"""
import numpy as np

from hwmem.core.store_buffer import SLOTS
from hwmem.layout import record
from hwmem.litmus.test import STORE, STORE_RELEASE, STORE_STREAM
from hwmem.params import LINE

MAX_THREADS, MAX_STEPS, MAX_LOCATIONS, MAX_REGISTERS = 16, 64, 64, 64
MAX_PROGRESS = 2 * MAX_THREADS * MAX_STEPS
NEXT, PROGRESS, DEPTH, PARENT, ACTION, WAYS, STATE = range(7)       # a row: book-keeping, and where the state begins
ENTRY = 3                           # words of a buffer's entry
BASE = 4096                         # address of the first location; each has a line of its own
NONE = -1

CODE = record("operation", "location", "target", "value", "source", "expected", "expected_source")
LITMUS = record("threads", "locations", "registers", "slots", "registers_at", "memory_at", "buffers_at", "width",
                "count", "progress", "last_progress", "random",     # of a search: rows in use, where it is
                ("thread", "i8", MAX_THREADS), ("steps", "i8", MAX_THREADS), ("may_drain", "i8", MAX_THREADS),
                ("code", CODE, (MAX_THREADS, MAX_STEPS)), ("address", "i8", MAX_LOCATIONS),
                ("stores_before", "i8", (MAX_THREADS, MAX_STEPS + 1)),      # stores of the steps before each
                ("bucket", "i8", MAX_PROGRESS + 1))                         # states to look at, by progress: row + 1


def encode(test, threads, seed=0):
    """The LITMUS record of a test whose thread i is the machine's thread threads[i]. Raises ValueError if it is too large."""
    x = np.zeros(1, LITMUS).view(np.recarray)[0]
    locations = test.locations
    registers = [test.registers(t) for t in range(len(test.threads))]
    x.threads, x.locations, x.registers = len(test.threads), len(locations), max(map(len, registers))
    sizes = {"threads": (x.threads, MAX_THREADS), "steps of a thread": (max(map(len, test.threads)), MAX_STEPS),
             "locations": (x.locations, MAX_LOCATIONS), "registers of a thread": (x.registers, MAX_REGISTERS)}
    for what, (size, most) in sizes.items():
        if size > most:
            raise ValueError(f"{test.name}: {size} {what}, at most {most}")
    x.thread[:x.threads] = threads
    x.address[:x.locations] = BASE + LINE * np.arange(x.locations)
    for t, thread in enumerate(test.threads):
        x.steps[t] = len(thread)
        for i, step in enumerate(thread):
            encode_step(x.code[t, i], step, locations, registers[t])
            x.stores_before[t, i + 1] = x.stores_before[t, i] + (step.operation in (STORE, STORE_RELEASE, STORE_STREAM))
    x.slots = max(int(x.stores_before[t, n]) for t, n in enumerate(x.steps[:x.threads]))
    if x.slots >= SLOTS:
        raise ValueError(f"{test.name}: {x.slots} stores of a thread, at most {SLOTS - 1}")
    x.registers_at = STATE + x.threads
    x.memory_at = x.registers_at + x.threads * x.registers
    x.buffers_at = x.memory_at + x.locations
    x.width = x.buffers_at + x.threads * (2 + ENTRY * x.slots)
    x.last_progress = sum(int(n) + int(x.stores_before[t, n]) for t, n in enumerate(x.steps[:x.threads]))
    x.random = np.random.default_rng(seed).integers(1, 1 << 62)
    return x


def encode_step(code, step, locations, registers):
    def register(name):
        return NONE if name is None else registers.index(name)
    code.operation, code.value, code.expected = step.operation, step.value, step.expected
    code.location = NONE if step.location is None else locations.index(step.location)
    code.target, code.source, code.expected_source = map(register, (step.target, step.source, step.expected_source))


def first_row(test, x):
    """The initial state as a row."""
    row = np.zeros(x.width, np.int64)
    row[PARENT] = NONE
    row[WAYS] = 1
    for name, value in test.initial.items():
        row[place(test, x, name)] = value
    return row


def place(test, x, name):
    """Where in a row the value of a register or location stands."""
    thread, colon, register = name.rpartition(":")
    if not colon:
        return int(x.memory_at) + test.locations.index(name)
    return int(x.registers_at) + int(thread) * int(x.registers) + test.registers(int(thread)).index(register)


def buffer_of(row, x, t):
    """The entries of thread `t`'s store buffer in a row, oldest first: (location's number, value, non-temporal)."""
    at = int(x.buffers_at) + t * (2 + ENTRY * int(x.slots))
    return [(int(row[at + 2 + ENTRY * k]), int(row[at + 3 + ENTRY * k]), bool(row[at + 4 + ENTRY * k] & 1)) for k in range(int(row[at]))]
