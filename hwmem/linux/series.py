"""A run over time: a row of counts whenever the smallest clock has passed another step.

    scheduler.py ── m.key[c] >= m.series.at ──> the sampler's door: a row, the next `at`       otherwise it costs nothing

    cycle | vm anon file shared swapped lazy | cached used | accesses l1_misses llc_misses hitm walks faults | probes

There is room for SAMPLES rows. When they are full, the step is doubled, and a row a step is kept: however long a run is, its rows lie
evenly, and where they lie follows from the run alone. Counts of pages are the process's (Linux's own counters, kept as they change),
`cached` and `used` the machine's; those of accesses are of all cores since the machine was made. A probe is a word of the process's
memory, read without an access; 0 where no page is. `lazy` is what smaps calls LazyFree: pages on the lists of files' pages that are no
file's, and that nobody has written to since; they are counted one by one, and only once there have been any.

Invariant: no core's slice_end lies behind `at`, so that the scheduler's common case need not ask; `turn` is where the slice would end
without it, so that scheduling does not depend on sampling.
"""

import numpy as np

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.linux.page_table import frame_at, is_mapped, look_up
from hwmem.layout import PROBES, SAMPLES, SERIES_COUNTS
from hwmem.memory.ram import peek64

COUNTED = 9  # a row's columns from here on are counts since the machine was made


@DOORS.door(P.DOOR_SERIES)
def sample(m, unused_t, cycle, unused_b, unused_c):
    """Take a row at `cycle`, which the smallest clock has come to, and see when the next is due."""
    s = m.series
    take_row(m, m.sample[s.rows], cycle)
    s.rows += 1
    if s.rows == SAMPLES:
        thin(m)
    s.at = s.start + ((cycle - s.start) // s.step + 1) * s.step
    for d in range(m.cores):
        if m.core[d].slice_end > 0:
            m.core[d].slice_end = min(m.turn[d], s.at)
    return 0


@kernel
def thin(m):
    """Longer steps, until a row a step is at most three quarters of the rows that there are: then there is one a step."""
    s = m.series
    while s.rows > SAMPLES - SAMPLES // 4:
        s.step *= 2
        kept, last = 0, -1
        for i in range(s.rows):
            step = (m.sample[i, 0] - s.start) // s.step
            if step != last:
                for k in range(SERIES_COUNTS + PROBES):
                    m.sample[kept, k] = m.sample[i, k]
                kept, last = kept + 1, step
        s.rows = kept


@kernel
def take_row(m, row, cycle):
    p = m.process[m.series.process]
    row[0], row[1], row[2], row[3], row[4], row[5] = cycle, p.total_vm, p.anon, p.file, p.shared, p.swapped
    row[6] = lazily_free(m, m.series.process) if m.vmstat.pglazyfree else 0
    row[7], row[8] = m.files.cached, m.frames.used
    for k in range(COUNTED, SERIES_COUNTS):
        row[k] = 0
    for c in range(m.cores):
        core = m.core[c]
        row[COUNTED] += core.loads + core.stores + core.atomics
        row[COUNTED + 1] += core.l1d.misses
        row[COUNTED + 2] += core.llc_misses
        row[COUNTED + 3] += core.interventions_hit_modified
        row[COUNTED + 4] += core.walks
        row[COUNTED + 5] += core.faults_minor + core.faults_major
    for k in range(m.series.probes):
        row[SERIES_COUNTS + k] = word_at(m, m.series.process, m.series.probe[k])


@kernel
def lazily_free(m, p):
    """How many pages of the process the kernel may take without further notice (MADV_FREE)."""
    n = 0
    for which in (P.LRU_INACTIVE_FILE, P.LRU_ACTIVE_FILE):
        frame = m.lru.head[which]
        while frame:
            f = m.frame[frame]
            if f.state & P.FRAME_ANON and not f.state & (P.FRAME_SWAPBACKED | P.FRAME_DIRTY) and is_clean_in(m, frame, p):
                n += 1
            frame = f.next
    return n


@kernel
def is_clean_in(m, frame, p):
    """Whether the process maps the frame, and has not written to it there."""
    process, va, n = np.int64(m.frame[frame].process), m.frame[frame].va, m.frame[frame].chain
    while process != p and n:
        process, va, n = np.int64(m.rmap[n - 1].process), m.rmap[n - 1].va, m.rmap[n - 1].next
    return process == p and look_up(m, p, va) & P.PTE_D == 0


@kernel
def word_at(m, p, va):
    """The 8 bytes at `va`, which lie in one page, without an access; 0 if they are not in memory."""
    entry = look_up(m, p, va)
    if not is_mapped(entry) or frame_at(entry) == 0:
        return 0
    inside = P.HUGE_PAGE - 1 if entry & P.PTE_PS else P.PAGE - 1
    return peek64(m.ram_base + (entry & P.PTE_FRAME & ~inside) + (va & inside))
