"""Invalidation queue: lines that another core has taken for writing, and whose old bytes this core's loads may still see.

Only under relaxed. The directory's messages are answered at once, and the copy is gone; but the line's 64 old bytes stay here until the
core processes the message. A load of the line by the core is answered from the oldest entry: it was satisfied early, before the other's
store.

    peers.take_away ──> hold ──>  | line, bytes | line, bytes | ...     oldest first     ──> loads (core/memory_door.py)

Processed, and never seen again, are
    all lines     at the core's acquire loads, lfence, mfence, atomics; when another thread gets the core; at a TLB shootdown
    one line      when the core itself writes it; when the kernel does; when its frame gets another owner
    the oldest    when the queue is full
    an entry      up to `invalidation_queue.delay` cycles after the store, drawn: messages for different lines do not keep
                  their order, as in a cache whose banks are busy by turns

So a core never goes back: once it has read a newer value of a line, the older one is not here. Loads only: stores,
atomics, the kernel and the page walker go to memory.

Invariant: while an entry waits the core's hit filter is empty and its memory door takes the long way (core.plain is 0).
Source: McKenney, "Memory barriers: a hardware view for software hackers", 2010, 4: invalidate queues.
"""

from hwmem import params as P
from hwmem._jit import cold, kernel
from hwmem.cache.hit_filter import forget_lines
from hwmem.memory.ram import peek64

WORDS = P.LINE // 8
SLOTS = 64


@cold
def hold(m, d, line, due):
    """Core `d` has lost `line` to a store about to be performed; until cycle `due` its loads may see the line's present bytes."""
    core = m.core[d]
    if core.iq_count == m.invalidation_entries:
        process(core, 0)
    k = core.iq_count
    core.iq_line[k], core.iq_due[k] = line, due
    for w in range(WORDS):  # what only a trace reaches, without an MMU, has no bytes
        core.iq_word[k * WORDS + w] = peek64(m.ram_base + (line << P.LINE_SHIFT) + 8 * w) if line < m.ram_size >> P.LINE_SHIFT else 0
    core.iq_count += 1
    core.invalidations_queued += 1
    core.plain = 0
    forget_lines(core)


@cold
def hold_for_a_while(m, d, line, now):
    """hold, until some cycle within the configured delay (a linear congruential generator: Numerical Recipes, 7.1)."""
    core = m.core[d]
    core.iq_random = (core.iq_random * 1664525 + 1013904223 + line) & 0xFFFF_FFFF
    hold(m, d, line, now + 1 + (core.iq_random >> 8) % m.cost.early)


@kernel
def oldest(core, line):
    """Place of the oldest entry of `line`, or -1."""
    for k in range(core.iq_count):
        if core.iq_line[k] == line:
            return k
    return -1


@cold
def held_value(core, k, offset, size):
    """`size` bytes at `offset` of the line in entry `k`, as a load gives them."""
    value = 0
    for b in range(size):
        value |= (core.iq_word[k * WORDS + (offset + b) // 8] >> 8 * ((offset + b) % 8) & 255) << 8 * b
    return value


@cold
def process(core, k):
    """The entry at place `k` is gone."""
    for j in range(k, core.iq_count - 1):
        core.iq_line[j], core.iq_due[j] = core.iq_line[j + 1], core.iq_due[j + 1]
        for w in range(j * WORDS, j * WORDS + WORDS):
            core.iq_word[w] = core.iq_word[w + WORDS]
    core.iq_count -= 1
    core.invalidations_processed += 1


@kernel
def process_all(core):
    """What an acquire does: every later load sees at least what memory has now."""
    core.invalidations_processed += core.iq_count
    core.iq_count = 0


@cold
def process_lines(core, first, last):
    """All entries of the lines from `first` to `last`."""
    for k in range(core.iq_count - 1, -1, -1):
        if first <= core.iq_line[k] <= last:
            process(core, k)


@cold
def process_due(core):
    """Process the entries that are due at the core's clock."""
    for k in range(core.iq_count - 1, -1, -1):
        if core.iq_due[k] <= core.cycles:
            process(core, k)


@cold
def process_everywhere(m, pa, size):
    """No core's load sees the old bytes of [pa, pa + size) any more."""
    for d in range(m.cores):
        if m.core[d].iq_count > 0:
            process_lines(m.core[d], pa >> P.LINE_SHIFT, pa + size - 1 >> P.LINE_SHIFT)
