"""From a MachineConfig to the record that kernels take: geometry, costs, the protocol's tables, empty pools.

Called by Machine (machine/machine.py). The tags of all caches and TLBs share one array of the record; each gets a contiguous part of it
here, so that a small machine touches little of the host's memory.
"""

import ctypes
import math
import mmap

import numpy as np

from hwmem import params as P
from hwmem.cache import hit_filter
from hwmem.cache.replacement import fresh_stack, stack_mask
from hwmem.cache.protocol import PROTOCOLS, tables
from hwmem.core.in_flight import RECENT
from hwmem.layout import MACHINE
from hwmem.layout.state import state_on
from hwmem.memory.host import HostMemory, no_room


FIRST_FILE_PAGES = (1 << 30) // P.PAGE  # of the disk: what the host reserves at first; more when files need it (machine/files.py)
ROW_ALIGN = 8  # entries to which an array's place is rounded: a line of the host's cache


class Pages(mmap.mmap):
    """Host pages of a record. `ram`, `disk`: the HostMemory whose addresses the record holds, and which lives as long."""


def build(config, seed=0):
    """(a new machine record, np.zeros, then filled; the host pages it lies on). Raises OSError where the host has no room."""
    m, pages = new_record()
    pages.ram = HostMemory(config.memory, "memory")
    if config.mmu:  # else programs may touch any bytes; Linux hands frames out one after another
        pages.ram.use_huge_pages()
    pages.disk = HostMemory(config.swap + FIRST_FILE_PAGES * P.PAGE, "swap")
    m.ram_base, m.ram_size = pages.ram.address, config.memory
    m.disk.host, m.disk.pages = pages.disk.address, pages.disk.size // P.PAGE
    m.cores, m.sockets = config.cores, config.sockets
    m.mmu = config.mmu
    m.tables_uncached = config.walker.path == "memory"
    m.ordering = P.ORDERINGS[config.ordering]
    m.inclusion = P.INCLUSIONS[config.inclusion] if config.llc else P.NINE
    m.recency = P.RECENCIES[config.recency]
    m.has_l2, m.has_llc = config.l2 is not None, config.llc is not None
    m.direct = is_direct(config)
    m.sharers_supply = config.protocol in ("moesi", "mesif")
    m.store_buffer_entries = config.store_buffer.entries
    m.store_buffer_always = m.ordering != P.SC and config.store_buffer.drain >= min(RECENT, config.store_buffer.entries)
    m.invalidation_entries = config.invalidation_queue.entries
    m.current_core = -1
    m.until = m.series.at = P.NEVER
    m.key[:] = P.NEVER
    m.frames.fresh = 1
    fill_frames(m.frames, config)
    fill_linux(m, config)
    fill_costs(m, config)
    fill_protocol(m, config.protocol)
    fill_dram(m, config)
    pools = Pools(seed)
    for c in range(config.cores):
        fill_core(m.core[c], config, c, pools)
    for s in range(config.sockets):
        pools.place(m.llc[s], config.llc)
    use_huge_pages(pages, pools)
    for base, sets, stack in pools.stacks:
        m.order[base : base + sets] = stack
    return m, pages


def is_direct(config):
    """Whether private L2s are above one inclusive LLC: the case for which the short miss routine is made (cache/private.py)."""
    return config.l2 is not None and config.llc is not None and config.inclusion == "inclusive" and config.sockets == 1


def new_record():
    """A zeroed record on fresh pages of its own, committed as they are touched; with the pages."""
    try:
        pages = Pages(-1, MACHINE.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        raise no_room(MACHINE.itemsize, "machine") from None
    return state_on(pages), pages


def use_huge_pages(pages, pools):
    """Ask the host for large pages behind the parts of the pools in use: look-ups there are as random as the program's accesses."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    unaligned = ctypes.addressof(ctypes.c_char.from_buffer(pages)) % P.HUGE_PAGE
    for name, size in (("tag", 8 * pools.next_entry), ("word", 8 * pools.next_entry), ("order", 8 * pools.next_set)):
        first = unaligned + MACHINE.fields[name][1]
        first, last = first // P.HUGE_PAGE * P.HUGE_PAGE - unaligned, -(-(first + size) // P.HUGE_PAGE) * P.HUGE_PAGE - unaligned
        if size >= P.HUGE_PAGE // 4:
            pages.madvise(mmap.MADV_HUGEPAGE, max(first, 0), last - max(first, 0))


class Pools:
    """Hands out places in the machine's pools, in order."""

    def __init__(self, seed):
        self.next_entry = self.next_set = 0
        self.stacks = []  # (first set, sets, their recency stack): what is not zero to begin with
        self.random = np.random.default_rng(seed)

    def place(self, s, shape):
        """Give the array `s` (a `sets` record) the shape of a CacheConfig or TlbConfig; None: no ways, always a miss."""
        s.random = self.random.integers(1, 1 << 62)
        if shape is None:
            return
        s.sets, s.ways, s.latency = shape.sets, shape.ways, shape.latency
        s.mask = shape.sets - 1 if shape.sets & (shape.sets - 1) == 0 else -1
        s.way_mask = (1 << shape.ways) - 1 if shape.ways < 64 else -1
        s.row_shift = (shape.ways - 1).bit_length()
        s.policy = P.REPLACEMENTS[getattr(shape, "replacement", "lru")]
        if s.policy == P.LRU and shape.ways > P.NIBBLE_WAYS:
            s.policy = P.WIDE_LRU
        if s.policy == P.LRU:
            s.stack_top, s.stack_mask = 4 * shape.ways - 4, stack_mask(shape.ways)
            self.stacks.append((self.next_set, shape.sets, fresh_stack(shape.ways)))
        s.first, s.order_base = self.next_entry, self.next_set
        self.next_entry += -(-(shape.sets << int(s.row_shift)) // ROW_ALIGN) * ROW_ALIGN
        self.next_set += shape.sets


class WalkerCache:
    """The shape of a paging-structure cache: fully associative up to 8 entries, sets of 8 above that where it divides."""

    def __init__(self, entries):
        self.ways = 8 if entries > 8 and entries % 8 == 0 else entries
        self.sets, self.latency = entries // self.ways, 0


def fill_core(core, config, c, pools):
    core.id, core.socket = c, c // config.cores_per_socket
    core.levels = 4
    core.hit_cycles, core.forward_cycles = config.l1d.latency, config.store_buffer.forward
    if config.ordering == "sc":
        core.store_cycles, core.sb_passage = config.l1d.latency, 0
    else:
        core.store_cycles, core.sb_passage = 1, config.store_buffer.drain + 1
    hit_filter.set_up(core, config.l1d.sets, config.dtlb.sets if config.mmu else 0)
    for name in ("l1d", "l2", "dtlb", "dtlb_2m", "stlb"):
        pools.place(core[name], getattr(config, name))
    for name in ("pml4e", "pdpte", "pde"):
        entries = getattr(config.walker, name)
        pools.place(core[name], WalkerCache(entries) if entries else None)


def fill_costs(m, config):
    for name in ("forward", "forward_clean", "invalidate", "upgrade", "remote_forward", "remote_llc", "remote_dram"):
        m.cost[name] = getattr(config.interconnect, name)
    for name in (
        "page_fault",
        "syscall",
        "context_switch",
        "time_slice",
        "shootdown",
        "shootdown_remote",
        "futex",
        "reclaim",
        "wake_call",
        "wake_idle",
    ):
        m.cost[name] = getattr(config.kernel, name)
    m.cost.mfence, m.cost.atomic = config.costs.mfence, config.costs.atomic
    m.cost.store_drain, m.cost.blocked, m.cost.alias = config.store_buffer.drain, config.store_buffer.blocked, config.store_buffer.alias
    m.cost.early = config.invalidation_queue.delay if config.ordering == "relaxed" else 0
    m.cost.walker = config.walker.latency


def fill_protocol(m, name):
    assert name in PROTOCOLS
    table = tables(name)
    m.protocol.next_state[:], m.protocol.next_shared[:] = table.next_state, table.next_shared
    m.protocol.request[:], m.protocol.action[:] = table.request, table.flags


def fill_frames(frames, config):
    """RAM and the marks for its free part (mm/page_alloc.c, init_per_zone_wmark_min and __setup_per_zone_wmarks), in frames.
    No more than a sixteenth is kept free; Linux's minimum of 128 KiB would exceed that on a machine below 2 MiB."""
    frames.total = total = config.memory // P.PAGE
    kib = min(max(math.isqrt(config.memory // 1024 * 16), 128), 256 * 1024)
    frames.mark_min = low = config.vm.min_free // P.PAGE or min(kib * 1024 // P.PAGE, total // 16)
    step = max(low // 4, total * 10 // 10_000)  # vm.watermark_scale_factor is 10 in 10,000
    frames.mark_low, frames.mark_high = low + step, low + 2 * step


def fill_linux(m, config):
    """Linux's policies, the swap device and the disk."""
    m.mm.thp = P.THP_POLICIES[config.thp]
    for name in ("max_ptes_none", "swappiness", "overcommit_ratio", "page_cluster"):
        m.mm[name] = getattr(config.vm, name)
    m.mm.khugepaged_sleep = m.mm.khugepaged_at = round(P.KHUGEPAGED_SECONDS * config.frequency_ghz * 1e9)
    m.mm.overcommit = config.vm.overcommit_memory
    m.swap.slots = config.swap // P.PAGE
    m.disk.latency = config.disk.latency
    m.disk.page_cycles = max(1, round(P.PAGE / config.disk.bytes_per_cycle))
    m.disk.file_pages = P.FILE_PAGES


def power_of_two(n):
    """log2(n), or -1 where n is not a power of two."""
    return n.bit_length() - 1 if n & (n - 1) == 0 else -1


def fill_dram(m, config):
    d = config.dram
    for s in range(config.sockets):
        dram = m.dram[s]
        dram.channels, dram.row_lines, dram.banks = shape = d.channels, d.row_size // P.LINE, d.banks
        dram.channel_mask, dram.bank_mask = d.channels - 1, d.banks - 1
        channel, place, bank = map(power_of_two, shape)
        dram.bank_shift, dram.row_shift = (-1, -1) if min(channel, place, bank) < 0 else (channel + place, channel + place + bank)
        dram.transfer_cycles = max(1, round(P.LINE / d.bytes_per_cycle))
        dram.row_hit_cycles, dram.row_miss_cycles, dram.row_conflict_cycles = d.row_hit, d.row_miss, d.row_conflict
