"""A state of a litmus test, into the machine and out of it: memory, store buffers, invalidation queues (encode.py draws a row).

The machine's caches stay as they are: they decide times, never values.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.cache.hit_filter import forget_lines
from hwmem.cache.invalidations import WORDS, hold
from hwmem.core.ring import PLAIN, STREAM, slot_of, waits_for_line
from hwmem.litmus.encode import ENTRY, GROUP_SHIFT, READ, SIZE_MASK, STATE
from hwmem.memory.ram import peek64, poke64

HOLD = 1 << 40  # until when what is installed waits: it leaves when it is told to


@kernel
def register_at(x, c, number):
    return x.registers_at + c * x.registers + number


@kernel
def location_of(x, table, n, c, code):
    """The location of a step of thread `c`; -1: it has none, or its registers do not give the address of one so wide."""
    if code.pointer < 0:
        return code.location
    address = table[n, register_at(x, c, code.pointer)] + code.displacement
    if code.scaled >= 0:
        address += table[n, register_at(x, c, code.scaled)] * code.scale
    for location in range(x.locations):
        if x.named[location] == address and code.bytes <= x.bytes[location]:
            return location
    return -1


@kernel
def buffer_at(x, c):
    return x.buffers_at + c * (2 + ENTRY * x.slots)


@kernel
def early_at(x, c):
    """Where the early reads of thread `c` stand; x.early_at itself is `pending`."""
    return x.early_at + 1 + c * (1 + READ * x.reads)


@kernel
def line_of(x, location):
    return x.address[location] >> P.LINE_SHIFT


@kernel
def install(m, x, table, n):
    """The machine's memory, store buffers and invalidation queues become those of row `n`; clocks begin anew."""
    for i in range(x.locations):
        poke64(m.ram_base + x.address[i], table[n, x.memory_at + i])
    for c in range(x.threads):
        core, at = m.core[c], buffer_at(x, c)
        forget_lines(core)
        core.plain = 0
        core.cycles = core.sb_free_at = core.sb_leaving = core.sb_head = core.sb_streams = core.iq_count = 0
        core.sb_count, core.sb_group, core.sb_next = table[n, at], table[n, at + 1], HOLD
        for k in range(core.sb_count):
            install_store(x, core, table, n, at + 2 + ENTRY * k, k)
            core.sb_thread[k] = x.thread[c]
        if x.reads:
            install_reads(m, x, table, n, c)


@kernel
def install_store(x, core, table, n, at, k):
    what = table[n, at + 2]
    core.sb_pa[k] = core.sb_va[k] = x.address[table[n, at]]
    core.sb_size[k], core.sb_value[k], core.sb_due[k] = what >> 1 & SIZE_MASK, table[n, at + 1], HOLD
    core.sb_after[k], core.sb_kind[k] = what >> GROUP_SHIFT, STREAM if what & 1 else PLAIN
    core.sb_streams += what & 1


@kernel
def install_reads(m, x, table, n, c):
    core, at = m.core[c], early_at(x, c)
    for k in range(table[n, at]):
        hold(m, c, line_of(x, table[n, at + 1 + READ * k]), HOLD)
        core.iq_word[k * WORDS] = table[n, at + 2 + READ * k]


@kernel
def extract(m, x, table, n):
    """Row `n`, whose pcs are as they should be, gets the machine's memory, store buffers and invalidation queues."""
    for i in range(x.locations):
        table[n, x.memory_at + i] = peek64(m.ram_base + x.address[i])
    for c in range(x.threads):
        core, at = m.core[c], buffer_at(x, c)
        oldest_group = core.sb_after[core.sb_head] if core.sb_count > 0 else core.sb_group
        table[n, at], table[n, at + 1] = core.sb_count, core.sb_group - oldest_group
        for k in range(x.slots):
            slot, entry = slot_of(core, k), at + 2 + ENTRY * k
            there = k < core.sb_count
            table[n, entry] = (core.sb_pa[slot] - x.address[0]) // P.LINE if there else 0
            table[n, entry + 1] = core.sb_value[slot] if there else 0
            what = 2 * core.sb_size[slot] + (core.sb_kind[slot] == STREAM)
            table[n, entry + 2] = (core.sb_after[slot] - oldest_group << GROUP_SHIFT) + what if there else 0
        if x.reads:
            extract_reads(x, table, n, core, c)


@kernel
def extract_reads(x, table, n, core, c):
    """Only what can still be seen: no load ahead, or a store of its own that waits and will come first, and a read is as none.
    So is the latest, if memory has the same: it can be made again when that changes."""
    at, count = early_at(x, c), 0
    for location in range(x.locations):
        if x.loads_ahead[c, table[n, STATE + c], location] and not waits_for_line(core, line_of(x, location)):
            first = count
            for k in range(core.iq_count):
                if core.iq_line[k] == line_of(x, location):
                    table[n, at + 1 + READ * count] = location
                    table[n, at + 2 + READ * count] = core.iq_word[k * WORDS]
                    count += 1
            if table[n, x.early_at] == 0 and count > first and table[n, at + READ * count] == table[n, x.memory_at + location]:
                count -= 1
    table[n, at] = count
    for k in range(at + 1 + READ * count, at + 1 + READ * x.reads):
        table[n, k] = 0


@kernel
def reads_of(x, table, n, c, location):
    """How many early reads of a location thread `c` has in row `n`."""
    at, found = early_at(x, c), 0
    for k in range(table[n, at]):
        found += table[n, at + 1 + READ * k] == location
    return found
