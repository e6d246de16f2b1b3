"""DRAM: channels with a bus each, banks with an open row each.

The directory (cache/answer.py, entry.py) comes here for a line that no cache has, and with dirty lines that leave
the last cache. A line lies on one node (lines are interleaved over the sockets page by page), there on one channel
(line by line), in one bank and row. A read costs what its row asks for (open: hit; precharged: miss; another row open:
conflict) and waits until the channel's bus is free; a write is posted: it takes the bus, and no core waits for it.

Invariant: row_hits + row_misses + row_conflicts = reads + writes, and both are counted of the core that caused them, too.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import apart, hot, kernel
from hwmem.memory.periods import serve


@kernel
def home_node(m, line):
    """The socket whose memory holds `line`."""
    return (line >> (P.PAGE_SHIFT - P.LINE_SHIFT)) % m.sockets if m.sockets > 1 else 0


@hot
def locate(d, line):
    """Channel, bank and row of a line; by shifts (>= 0) where the numbers of all three are powers of two."""
    if d.row_shift < 0:
        return locate_by_division(d, line)
    return line & d.channel_mask, line >> d.bank_shift & d.bank_mask, line >> d.row_shift


@apart
def locate_by_division(d, line):
    rest, channel = divide(line, d.channels)
    rest, place = divide(rest, d.row_lines)
    row, bank = divide(rest, d.banks)
    return channel, bank, row


@kernel
def divide(n, divisor):
    """n // divisor and n % divisor, neither negative."""
    quotient = np.int64(np.uint64(n) // np.uint64(divisor))
    return quotient, n - quotient * divisor


@hot
def open_row(d, line):
    """Open the line's row in its bank; returns the cycles that takes, load to use, and the channel."""
    channel, bank, row = locate(d, line)
    was = d.open_row[channel, bank]
    if was == row + 1:
        d.row_hits += 1
        return d.row_hit_cycles, channel
    d.open_row[channel, bank] = row + 1
    if was == 0:
        d.row_misses += 1
        return d.row_miss_cycles, channel
    d.row_conflicts += 1
    return d.row_conflict_cycles, channel


@kernel
def take_bus(d, channel, now):
    """Cycles until the channel is free; it is then busy for one transfer."""
    return serve(d.bus[channel], now, d.transfer_cycles) - now


@hot
def dram_read(m, c, line, node):
    """Cycles from the core's request to the arrival of a line that lies on `node`."""
    core = m.core[c]
    d = m.dram[node]
    d.reads += 1
    core.dram_reads += 1
    cycles, channel = open_row(d, line)
    wait = take_bus(d, channel, core.cycles)
    if wait > 0:
        d.queue_cycles += wait
    core.source = P.FROM_DRAM
    if node != core.socket:
        core.source = P.FROM_REMOTE_DRAM
        cycles += m.cost.remote_dram
    return cycles + wait


@apart
def dram_write(m, c, line):
    """A dirty line leaves the caches."""
    d = m.dram[home_node(m, line)]
    d.writes += 1
    m.core[c].dram_writes += 1
    if m.core[c].walking:
        m.core[c].walker.dram_writes += 1
    cycles, channel = open_row(d, line)
    take_bus(d, channel, m.core[c].cycles)
