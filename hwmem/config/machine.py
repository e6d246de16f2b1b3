"""What a machine is made of: its configuration, checked as a whole before anything is built.

    MachineConfig ─┬─ l1d, l2, llc          CacheConfig         core's, core's, one a socket
                   ├─ dtlb, dtlb_2m, stlb   TlbConfig           core's
                   ├─ walker                WalkerConfig        paging-structure caches
                   ├─ store_buffer          StoreBufferConfig
                   ├─ invalidation_queue    InvalidationQueueConfig
                   ├─ interconnect, dram    InterconnectConfig, DramConfig
                   ├─ disk                  DiskConfig          swap and files
                   ├─ costs, kernel         CoreCosts, KernelCosts
                   └─ vm                    VmConfig            Linux's policies (sysctl vm.*)

A "socket" is the cores that share one last-level cache and the memory behind it. Times are cycles of the core;
"load-to-use" is everything from the load to its value. Defaults are those of the preset "generic": the files in
presets/ hold every figure, each with its source (docs/presets.md).

Invariant: a configuration that exists can be built (record.py); it never changes and can be a dict's key.
"""

from dataclasses import dataclass
from functools import cache, partial

from hwmem.config import file
from hwmem import params as P
from hwmem.config.record import Choice, Flag, Integer, Missing, Positive, Record, Rule, Size, Table, Text, Unknown, setting
from hwmem.units import format_size
from hwmem.whole_file import write_whole

MAX_LLC_LINES = 1 << 24  # over all sockets
MAX_PRIVATE_LINES = 1 << 23  # l1d and l2 over all cores
KIB, MIB = 1 << 10, 1 << 20

CYCLES = Integer(0, 10**9, "cycles")
REPLACEMENT = Choice(("lru", "tree-plru", "random", "nru", "fifo"))


def entries(high):
    return Integer(0, high, "a number of entries")


@dataclass(frozen=True)
class CacheConfig(Record):
    """A set-associative cache of 64-byte lines. Sets need not be a power of two."""

    size: int = setting(Size(P.LINE, 512 * MIB), "bytes of data")
    ways: int = setting(Integer(1, 8192), "lines a set")
    latency: int = setting(CYCLES, "cycles, load-to-use of a hit")
    replacement: str = setting(REPLACEMENT, "lru, tree-plru, random, nru or fifo", "lru")

    rules = (
        Rule("size", lambda c: c.size % (c.ways * P.LINE) == 0, lambda c: f"a multiple of {c.ways} ways * {P.LINE} bytes"),
        Rule(
            "ways",
            lambda c: c.replacement != "tree-plru" or c.ways & (c.ways - 1) == 0,
            lambda c: "a power of two with replacement tree-plru",
        ),
        Rule(
            "ways",
            lambda c: c.ways <= P.WORD_WAYS or c.replacement not in ("tree-plru", "nru"),
            lambda c: f"at most {P.WORD_WAYS} with replacement {c.replacement}",
        ),
    )

    @property
    def lines(self):
        """How many lines it holds."""
        return self.size // P.LINE

    @property
    def sets(self):
        """How many sets it has: lines / ways."""
        return self.lines // self.ways


@dataclass(frozen=True)
class TlbConfig(Record):
    """A TLB; fully associative when `ways` equals `entries`."""

    entries: int = setting(Integer(1, 8192), "translations")
    ways: int = setting(Integer(1, 8192), "translations a set")
    latency: int = setting(CYCLES, "cycles a hit here adds (0: hidden in the L1D's latency)")

    rules = (Rule("entries", lambda c: c.entries % c.ways == 0, lambda c: f"a multiple of {c.ways} ways"),)

    @property
    def sets(self):
        """How many sets it has: entries / ways."""
        return self.entries // self.ways


@dataclass(frozen=True)
class WalkerConfig(Record):
    """Paging-structure caches (SDM vol. 3A, 4.10.3); with 0 entries a cache is absent. Their organisation is not
    published: 8 ways where the entries are a multiple of 8, else fully associative."""

    pml4e: int = setting(entries(64), "cached level-4 entries")
    pdpte: int = setting(entries(64), "cached level-3 entries")
    pde: int = setting(entries(64), "cached level-2 entries")
    latency: int = setting(CYCLES, "cycles to look them up")
    path: str = setting(Choice(("l1d", "memory")), "where entries are read: through the L1D, or in memory past all caches", "l1d")


@dataclass(frozen=True)
class StoreBufferConfig(Record):
    """Where a core's stores wait until others may see them, and the costs of loads that meet them."""

    entries: int = setting(Integer(1, 64), "stores that wait")
    drain: int = setting(CYCLES, "cycles from a store to the earliest moment others see it")
    forward: int = setting(CYCLES, "cycles, load-to-use of a load that a store on its way covers")
    blocked: int = setting(CYCLES, "cycles more, at least, where it covers the load only partly")
    alias: int = setting(CYCLES, "cycles a load takes longer for a store on its way whose address has the same low 12 bits")


@dataclass(frozen=True)
class InvalidationQueueConfig(Record):
    """Under ordering relaxed only: lines that others have taken, and loads still see."""

    entries: int = setting(Integer(1, 64), "lines that wait")
    delay: int = setting(CYCLES, "cycles from another core's store to the latest moment a load may miss it; 0: no load is early")


@dataclass(frozen=True)
class InterconnectConfig(Record):
    """Between caches. The remote_ figures count only on machines of several sockets."""

    forward: int = setting(CYCLES, "cycles, load-to-use of a line modified in another core of the socket (HITM)")
    forward_clean: int = setting(CYCLES, "cycles, load-to-use of a clean line from another core of the socket")
    invalidate: int = setting(CYCLES, "cycles, directory to sharers and back")
    upgrade: int = setting(CYCLES, "cycles, core to directory and back, for leave to write a shared line")
    remote_forward: int = setting(CYCLES, "cycles, load-to-use of a line modified in another socket", 0)
    remote_llc: int = setting(CYCLES, "cycles, load-to-use of a hit in another socket's LLC", 0)
    remote_dram: int = setting(CYCLES, "cycles that another socket's DRAM takes longer", 0)


@dataclass(frozen=True)
class DramConfig(Record):
    """The memory behind one socket: open-page DRAM. row_ figures are load-to-use of an access that missed the LLC."""

    channels: int = setting(Integer(1, P.MAX_CHANNELS), "channels a socket")
    banks: int = setting(Integer(1, P.MAX_BANKS), "banks a channel")
    row_size: int = setting(Size(P.LINE, MIB, P.LINE), "bytes of a row of a bank")
    row_hit: int = setting(CYCLES, "cycles, the row is open")
    row_miss: int = setting(CYCLES, "cycles, the bank is closed: activate")
    row_conflict: int = setting(CYCLES, "cycles, another row is open: precharge, activate")
    bytes_per_cycle: float = setting(Positive(1024, 1e-6), "bandwidth of a channel, bytes a core cycle")


@dataclass(frozen=True)
class DiskConfig(Record):
    """The disk that holds swap slots and files. A page's request takes both: its turn, then the latency."""

    latency: int = setting(CYCLES, "cycles of a request beside its transfer; those of waiting requests overlap")
    bytes_per_cycle: float = setting(Positive(1024, 1e-6), "bandwidth, bytes a core cycle")


@dataclass(frozen=True)
class CoreCosts(Record):
    """What fences and locked operations cost in addition to what they wait for."""

    mfence: int = setting(CYCLES, "cycles of a full fence with nothing to drain")
    atomic: int = setting(CYCLES, "cycles a locked operation adds on a line already held")


@dataclass(frozen=True)
class KernelCosts(Record):
    """Linux's own instructions. Zeroing, copying and page-table accesses are real accesses and cost extra."""

    page_fault: int = setting(CYCLES, "cycles of a minor fault: trap, handler, return")
    syscall: int = setting(CYCLES, "cycles into the kernel and back")
    context_switch: int = setting(CYCLES, "cycles to switch threads")
    time_slice: int = setting(Integer(1, 10**12, "cycles"), "cycles before another runnable thread gets the core")
    shootdown: int = setting(CYCLES, "cycles a TLB shootdown costs its initiator for each core interrupted")
    shootdown_remote: int = setting(CYCLES, "cycles a TLB shootdown takes from each core interrupted")
    futex: int = setting(CYCLES, "cycles of a futex wait that blocks, or of waking a thread, inside the kernel")
    wake_call: int = setting(
        CYCLES, "cycles longer that waking a thread takes its waker where that thread's core is idle: an interrupt", before=0
    )
    wake_idle: int = setting(CYCLES, "cycles until an idle core is awake and runs the thread that another core has woken", before=0)
    reclaim: int = setting(CYCLES, "cycles to take a page from those who map it when memory is short")


@dataclass(frozen=True)
class VmConfig(Record):
    """An administrator's memory settings: sysctl vm.*, and khugepaged's in sysfs, under the kernel's names."""

    swappiness: int = setting(Integer(0, 200), "how readily anonymous pages are reclaimed beside files': 100 is even, 0 last")
    overcommit_memory: int = setting(Integer(0, 2), "0: refuse what is obviously too much, 1: refuse nothing, 2: keep to a limit")
    overcommit_ratio: int = setting(Integer(0, 1000, "percent"), "percent of RAM that counts towards that limit beside swap")
    page_cluster: int = setting(Integer(0, 5), "swap read-ahead: at most 2 to this power pages at once")
    max_ptes_none: int = setting(Integer(0, 511), "pages without memory that khugepaged puts up with in a huge page")
    min_free: int = setting(Size(0, P.MAX_SLOTS * P.PAGE, P.PAGE), "bytes kept free for the kernel (min_free_kbytes); 0: Linux's formula")


@cache
def _generic_table():
    return file.load(file.PRESETS / "generic.toml", _with_all_sources)


def _with_all_sources(table):
    """The table of a preset without its [sources], once each setting is known to have one."""
    sources = file.take_sources(table)
    for path in file.unsourced(table, sources):
        raise ValueError(f"{path} has no source")
    return table


def _machine(name, kind, doc):
    """A setting of the machine; its default is the preset generic's."""
    return setting(kind, doc, default_factory=partial(lambda key: _generic_table()[key], name))


def _private_lines(c):
    return c.cores * sum(level.lines for level in (c.l1d, c.l2) if level)


def _sets(c):
    private = sum(part.sets for part in (c.l1d, c.l2, c.dtlb, c.dtlb_2m, c.stlb) if part)
    return c.cores * (private + 3) + c.sockets * (c.llc.sets if c.llc else 0)


def _entries(c):
    """Entries of all caches and TLBs, a set's ways rounded up to a power of two (cache/sets.py)."""

    def row(part):
        return part.sets << (part.ways - 1).bit_length() if part else 0

    private = sum(map(row, (c.l1d, c.l2, c.dtlb, c.dtlb_2m, c.stlb)))
    return c.cores * (private + 3 * 64) + c.sockets * row(c.llc)


def _largest(level, high):
    return Rule(
        f"{level}.size", lambda c: getattr(c, level) is None or getattr(c, level).size <= high, lambda c: f"at most {high // MIB}MiB"
    )


def _needs_remote(name):
    return Rule(
        f"interconnect.{name}", lambda c: c.sockets == 1 or getattr(c.interconnect, name) > 0, lambda c: f"above 0 with {c.sockets} sockets"
    )


@dataclass(frozen=True)
class MachineConfig(Record):
    """A whole machine; without arguments the preset "generic". Sizes may be ints or strings ("32KiB"), parts may be
    dicts of their settings. Raises TypeError or ValueError with one line that names the setting and what it takes."""

    name: str = _machine("name", Text(), "what reports call the machine")
    description: str = _machine("description", Text(), "one line")
    frequency_ghz: float = _machine("frequency_ghz", Positive(100), "core clock, GHz: turns cycles into seconds")
    cores: int = _machine("cores", Integer(1, P.MAX_CORES), "cores of all sockets together")
    sockets: int = _machine("sockets", Integer(1, P.MAX_SOCKETS), "groups of cores, each with its LLC and memory")
    memory: int = _machine("memory", Size(64 * KIB, P.MAX_FRAMES * P.PAGE, P.PAGE), "bytes of RAM of all sockets together")
    swap: int = _machine("swap", Size(0, P.MAX_SLOTS * P.PAGE, P.PAGE), "bytes of swap device; 0: none")
    ordering: str = _machine("ordering", Choice(("sc", "tso", "relaxed")), "memory ordering: sc, tso or relaxed")
    protocol: str = _machine("protocol", Choice(("msi", "mesi", "moesi", "mesif")), "msi, mesi, moesi or mesif")
    inclusion: str = _machine("inclusion", Choice(("inclusive", "nine")), "LLC over private caches: inclusive or nine")
    recency: str = _machine(
        "recency",
        Choice(("processor", "gem5")),
        "of caches' lines: processor (an empty way first, every use counts) or gem5 (as MESI_Two_Level)",
    )
    mmu: bool = _machine("mmu", Flag(), "false: virtual address = physical address, no TLB, no faults")
    thp: str = _machine("thp", Choice(("always", "madvise", "never")), "transparent huge pages: always, madvise or never")
    l1d: CacheConfig = _machine("l1d", Table(CacheConfig), "a core's first-level data cache")
    l2: CacheConfig | None = _machine("l2", Table(CacheConfig, True), "a core's second-level cache")
    llc: CacheConfig | None = _machine("llc", Table(CacheConfig, True), "a socket's last-level cache")
    dtlb: TlbConfig = _machine("dtlb", Table(TlbConfig), "first-level data TLB")
    dtlb_2m: TlbConfig | None = _machine("dtlb_2m", Table(TlbConfig, True), "its 2 MiB pages; none: they share dtlb")
    stlb: TlbConfig | None = _machine("stlb", Table(TlbConfig, True), "second-level TLB, all page sizes")
    walker: WalkerConfig = _machine("walker", Table(WalkerConfig), "paging-structure caches")
    store_buffer: StoreBufferConfig = _machine("store_buffer", Table(StoreBufferConfig), "stores on their way to the L1D")
    invalidation_queue: InvalidationQueueConfig = _machine(
        "invalidation_queue", Table(InvalidationQueueConfig), "lines taken away that loads still see (relaxed)"
    )
    interconnect: InterconnectConfig = _machine("interconnect", Table(InterconnectConfig), "between caches")
    dram: DramConfig = _machine("dram", Table(DramConfig), "a socket's memory")
    disk: DiskConfig = _machine("disk", Table(DiskConfig), "where swap and files lie")
    costs: CoreCosts = _machine("costs", Table(CoreCosts), "fences and atomics")
    kernel: KernelCosts = _machine("kernel", Table(KernelCosts), "Linux's own cycles")
    vm: VmConfig = _machine("vm", Table(VmConfig), "Linux's policies for memory")

    rules = (
        Rule("sockets", lambda c: c.cores % c.sockets == 0, lambda c: f"a divisor of cores = {c.cores}"),
        Rule(
            "memory", lambda c: c.memory < P.HUGE_PAGE or c.memory % P.HUGE_PAGE == 0, lambda c: "a multiple of 2MiB (below 2MiB: of 4KiB)"
        ),
        Rule("vm.min_free", lambda c: c.vm.min_free <= c.memory // 4, lambda c: f"at most a quarter of memory = {format_size(c.memory)}"),
        _largest("l1d", MIB),
        _largest("l2", 16 * MIB),
        _largest("llc", 512 * MIB),
        Rule(
            "llc.size",
            lambda c: not c.llc or c.sockets * c.llc.lines <= MAX_LLC_LINES,
            lambda c: f"at most {format_size(MAX_LLC_LINES // c.sockets * P.LINE)} with {c.sockets} sockets",
        ),
        Rule(
            "cores",
            lambda c: _private_lines(c) <= MAX_PRIVATE_LINES,
            lambda c: f"at most {MAX_PRIVATE_LINES // (_private_lines(c) // c.cores)} with private caches this large",
        ),
        Rule(
            "cores",
            lambda c: _sets(c) <= P.MAX_SETS,
            lambda c: f"few enough for {P.MAX_SETS} sets of all caches and TLBs together (more ways: fewer sets)",
        ),
        Rule(
            "cores",
            lambda c: _entries(c) <= P.MAX_LINES,
            lambda c: f"few enough for {P.MAX_LINES} entries of all caches and TLBs together (ways rounded up to a power of two)",
        ),
        _needs_remote("remote_forward"),
        _needs_remote("remote_llc"),
    )

    @property
    def has_llc(self):
        """False: private caches miss to memory, the directory has no data, and `inclusion` says nothing."""
        return self.llc is not None

    @property
    def cores_per_socket(self):
        """Cores of each socket."""
        return self.cores // self.sockets

    @classmethod
    def preset(cls, name):
        """The machine that ships under `name` (see presets()). Raises ValueError for other names."""
        Choice(tuple(presets())).check("preset", name)
        return file.load(file.PRESETS / f"{name}.toml", lambda table: cls.build(_with_all_sources(table)))

    @classmethod
    def load(cls, path):
        """The machine in the TOML file at `path` (file.py shows one). What the file leaves out is the preset's
        that it names with `base`, else generic's.

        Raises OSError if it cannot be read; ValueError or TypeError, "path:line: setting ...", for what is wrong in it.
        """
        return file.load(path, cls._over_base)

    @classmethod
    def _over_base(cls, table):
        file.take_sources(table)
        base = table.pop("base", "generic")
        Choice(tuple(presets())).check("base", base)
        return cls.build(table, cls.preset(base))

    def save(self, path):
        """Writes the TOML file that load() reads back as an equal configuration. Raises OSError."""
        write_whole(path, file.dump(self).encode())

    def replace(self, /, **settings):
        """A copy with other settings; a dict changes some of a part's: replace(cores=8, l1d={"latency": 5}).

        Raises TypeError for unknown names and wrong types, ValueError for values the machine cannot have.
        """
        return self.build(settings, self)

    def with_overrides(self, assignments):
        """A copy changed by a command line's words: ["cores=8", "l1d.size=64KiB", "l2=none"]. Raises as replace()."""
        changes = {}
        for word in assignments:
            path, equals, text = word.partition("=")
            if not equals:
                raise ValueError(f"{word!r:.60} must be setting=value, such as cores=8 or l1d.size=64KiB")
            *tables, name = path.strip().split(".")
            kinds, target = self.kinds(), changes
            for table in tables:
                kinds = kinds[table].record.kinds() if isinstance(kinds.get(table), Table) else {}
                if not isinstance(target.get(table), dict):
                    target[table] = {}
                target = target[table]
            target[name] = kinds[name].parse(text.strip()) if name in kinds else text
        return self.build(changes, self)

    @classmethod
    def from_dict(cls, settings):
        """The machine that to_dict() described, of this version or of an earlier one. Raises as the constructor does, and TypeError for a setting
        that is missing."""
        try:
            return cls.build(cls.completed(settings))
        except (Missing, Unknown) as error:
            raise TypeError(str(error)) from None


def presets():
    """Names of the machines that ship with hwmem, teaching machines first."""
    return file.preset_names()


def preset_sources(name):
    """Where the figures of the preset `name` come from: dict of dotted setting, or table, -> text."""
    Choice(tuple(presets())).check("preset", name)
    return file.load(file.PRESETS / f"{name}.toml", file.take_sources)
