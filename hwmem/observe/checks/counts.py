"""The identities that tie the counters (observe/counters.py), on the record's own fields.

An access that the hit filter answered is in loads, stores or atomics and nowhere else; `slow_accesses` are the others.
Each identity is a number, which check.py has the words for; `found` gets its two sides.
"""

from hwmem import params as P
from hwmem._jit import kernel
from hwmem.observe.checks.faults import BAD_COUNT, fault

CORE_IDENTITIES = (
    "accesses that left the hit filter, at most loads + stores + atomics",
    "l1d.hits + l1d.misses = accesses + split_accesses + walk_accesses + kernel_accesses"
    " + store_buffer.drains + store_buffer.fetches - store_buffer.stores - store_buffer.forwards - store_buffer.streams"
    " - invalidation_queue.loads - refused_accesses - uncached.reads - uncached.writes",
    "l2.hits + l2.misses = l1d.misses",
    "llc.hits + llc.misses = misses of the last private level",
    "store_buffer.stores - store_buffer.drains = stores that wait",
    "dtlb.hits + dtlb.misses = accesses + split_accesses, give or take refused_accesses",
    "stlb.hits + stlb.misses = dtlb.misses",
    "walks = misses of the last TLB + faults",
    "misses by cause, at most l1d.misses - upgrades",
    "invalidation_queue.lines - invalidation_queue.processed = lines that wait",
    "invalidation_queue.lines, at most invalidations_received",
    "l2.hits + l2.misses = l1d.misses, of the walker or the kernel",
    "llc.hits + llc.misses = misses of the last private level, of the walker or the kernel",
    "l1d.misses of the walker or the kernel, at most its accesses",
    "l1d.misses of walker and kernel, at most the core's",
    "l2.misses of walker and kernel, at most the core's",
    "dram.reads of walker and kernel, at most the core's",
    "HITMs of walker and kernel, at most the core's",
)
MACHINE_IDENTITIES = (
    "gets + getx + upgrades = hits + misses of the directory",
    "requests of the cores = requests at the directory",
    "fwd_gets + fwd_getx + remote_requests + memory_fills + make_unique = misses of the directory",
    "upgrades of the cores = upgrades at the directory",
    "invalidations_received = inv + fwd_getx",
    "interventions_hit_modified, at most fwd_gets + fwd_getx",
    "dram.reads = memory_fills + uncached.reads",
    "row_hits + row_misses + row_conflicts = dram.reads + dram.writes",
    "back_invalidations, at most inv",
    "dram.reads of the cores = dram.reads",
    "dram.writes of the cores = dram.writes",
)


@kernel
def equal(found, identity, a, b):
    return 0 if a == b else fault(found, BAD_COUNT, a, b, identity, 0)


@kernel
def at_most(found, identity, a, b):
    return 0 if a <= b else fault(found, BAD_COUNT, a, b, identity, 0)


@kernel
def dram_reads(share):
    return share.served[P.FROM_DRAM] + share.served[P.FROM_REMOTE_DRAM] + share.uncached_reads


@kernel
def hitms(share):
    return share.served[P.FROM_HITM] + share.served[P.FROM_REMOTE_HITM]


@kernel
def uncached(share):
    return share.uncached_reads + share.uncached_writes


@kernel
def check_core_counts(m, c, found):
    core = m.core[c]
    l1, slow, refused = core.l1d, core.slow_accesses, core.refused_accesses
    buffered = core.store_buffer_stores - core.store_buffer_drains
    reached_l1 = (
        slow
        + core.split_accesses
        + core.walk_accesses
        + core.kernel_accesses
        - buffered
        - uncached(core.walker)
        - uncached(core.kernel)
        - core.store_buffer_forwards
        + core.store_buffer_fetches
        - core.store_buffer_streams
        - core.early_loads
        - refused
    )
    private = core.l2.misses if m.has_l2 else l1.misses
    tlb, stlb = core.dtlb.hits + core.dtlb.misses, core.stlb
    last_tlb = stlb.misses if stlb.ways else core.dtlb.misses
    causes = core.miss[0] + core.miss[1] + core.miss[2] + core.miss[3] + m.observe.pending[c]
    code = at_most(found, 0, slow, core.loads + core.stores + core.atomics)
    code = code or equal(found, 1, l1.hits + l1.misses, reached_l1)
    code = code or (equal(found, 2, core.l2.hits + core.l2.misses, l1.misses) if m.has_l2 else 0)
    code = code or (equal(found, 3, core.llc_hits + core.llc_misses, private) if m.has_llc else 0)
    code = code or equal(found, 4, buffered, core.sb_count)
    code = code or (at_most(found, 5, abs(tlb - slow - core.split_accesses), refused) if m.mmu else 0)
    code = code or (equal(found, 6, stlb.hits + stlb.misses, core.dtlb.misses) if stlb.ways else 0)
    code = code or equal(found, 7, last_tlb + core.faults_minor + core.faults_major, core.walks)
    code = code or at_most(found, 8, causes, l1.misses - core.upgrades)
    code = code or equal(found, 9, core.invalidations_queued - core.invalidations_processed, core.iq_count)
    code = code or at_most(found, 10, core.invalidations_queued, core.invalidations_received)
    code = code or check_share(m, core.walker, core.walk_accesses, found)
    code = code or check_share(m, core.kernel, core.kernel_accesses, found)
    return code or check_shares(core, found)


@kernel
def check_share(m, share, accesses, found):
    """What the walker or the kernel caused."""
    private = share.l2_misses if m.has_l2 else share.l1d_misses
    code = equal(found, 11, share.served[P.FROM_L2] + share.l2_misses, share.l1d_misses) if m.has_l2 else 0
    code = code or (equal(found, 12, share.llc_hits + share.llc_misses, private) if m.has_llc else 0)
    return code or at_most(found, 13, share.l1d_misses + uncached(share), accesses)


@kernel
def check_shares(core, found):
    """Both together: the rest is the program's share, and must not be negative."""
    a, b = core.walker, core.kernel
    code = at_most(found, 14, a.l1d_misses + b.l1d_misses, core.l1d.misses)
    code = code or at_most(found, 15, a.l2_misses + b.l2_misses, core.l2.misses)
    code = code or at_most(found, 16, dram_reads(a) + dram_reads(b), core.dram_reads)
    return code or at_most(found, 17, hitms(a) + hitms(b), core.interventions_hit_modified)


@kernel
def check_machine_counts(m, found):
    d = m.directory
    requests = upgrades = invalidated = modified = reads = writes = rows = cores_reads = cores_writes = past = 0
    for c in range(m.cores):
        core = m.core[c]
        requests += core.l2.misses if m.has_l2 else core.l1d.misses
        upgrades += core.upgrades
        invalidated += core.invalidations_received
        modified += core.interventions_hit_modified
        cores_reads += core.dram_reads
        cores_writes += core.dram_writes
        past += core.walker.uncached_reads + core.kernel.uncached_reads
    for s in range(m.sockets):
        dram = m.dram[s]
        reads += dram.reads
        writes += dram.writes
        rows += dram.row_hits + dram.row_misses + dram.row_conflicts
    forwards = d.fwd_gets + d.fwd_getx
    code = equal(found, 0, d.gets + d.getx + d.upgrades, d.hits + d.misses)
    code = code or equal(found, 1, requests, d.gets + d.getx + d.upgrades)
    code = code or equal(found, 2, forwards + d.remote_requests + d.memory_fills + d.make_unique, d.misses)
    code = code or equal(found, 3, upgrades, d.upgrades)
    code = code or equal(found, 4, invalidated, d.inv + d.fwd_getx)
    code = code or at_most(found, 5, modified, forwards)
    code = code or equal(found, 6, reads, d.memory_fills + past)
    code = code or equal(found, 7, rows, reads + writes)
    code = code or at_most(found, 8, d.back_invalidations, d.inv)
    code = code or equal(found, 9, cores_reads, reads)
    return code or equal(found, 10, cores_writes, writes)
