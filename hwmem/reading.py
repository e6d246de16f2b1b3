"""The order in which to read hwmem: from what a user starts down to the bytes. The order is the architecture.

    commands, programs, results, traces     what is run, what came of it
    the machine from Python                 Machine, Process, what can be seen of it, what it is made of
    kernels, scheduler, Linux               what emulated threads call and who runs next; the system beneath them
    one access                              access -> memory door -> translation -> private caches -> directory -> DRAM -> bytes
    observers                               what the hooks of the hardware lead to

A file imports only files below it, and a folder is a room that is read in one go, so that no room imports one above it; the shared headers, which everybody may import, stand apart and import only each
other. Hardware (core, mmu, cache, memory) never imports Linux: it reaches it through doors (_jit), which
is why Linux stands above it. tests/test_reading_order.py holds the files to this list.
"""

HEADERS = (
    "hwmem",                        # the names that users import
    "hwmem.params", "hwmem.layout", "hwmem.layout.state", "hwmem.layout.machine", "hwmem.layout.hardware", "hwmem.layout.linux", "hwmem.layout.observers",
    "hwmem.layout.rules", "hwmem.errors", "hwmem.units", "hwmem.bits", "hwmem.whole_file", "hwmem.printable", "hwmem.streams", "hwmem.protobuf", "hwmem.ctrl_c",
    "hwmem._jit", "hwmem._jit.second_compiler", "hwmem._jit.doors", "hwmem._jit.crew", "hwmem._jit.decorators", "hwmem._jit.compiler",
    "hwmem._jit.calls", "hwmem._jit.sparing", "hwmem._jit.strings", "hwmem._jit.progress", "hwmem._jit.cache", "hwmem._jit.alone", "hwmem._jit.stamp",
)

READING = (
    # The order itself
    "hwmem.reading",
    "hwmem.__main__",
    # Commands
    "hwmem.cli", "hwmem.cli.cli", "hwmem.cli.warmup", "hwmem.cli.experiments", "hwmem.cli.ordering", "hwmem.cli.recording", "hwmem.cli.sweep", "hwmem.cli.export", "hwmem.cli.line", "hwmem.cli.parser", "hwmem.cli.files", "hwmem.cli.live", "hwmem.cli.colour",
    "hwmem.cli.interruption",
    # Experiments: claims, and what measures them
    "hwmem.experiments", "hwmem.experiments.classroom", "hwmem.experiments.page", "hwmem.experiments.show", "hwmem.experiments.claims",
    "hwmem.experiments.recorded", "hwmem.experiments.caches", "hwmem.experiments.ordering", "hwmem.experiments.memory", "hwmem.experiments.linux",
    "hwmem.experiments.experiment",
    # Results in others' formats
    "hwmem.formats", "hwmem.formats.schema", "hwmem.formats.chrome", "hwmem.formats.tables", "hwmem.formats.smaps",
    # A run, from a workload's name to its result
    "hwmem.runs", "hwmem.runs.sweep", "hwmem.runs.difference", "hwmem.runs.data", "hwmem.runs.struct", "hwmem.runs.job", "hwmem.runs.recorded", "hwmem.runs.strands", "hwmem.runs.apart", "hwmem.runs.image", "hwmem.runs.comparison",
    "hwmem.runs.result", "hwmem.runs.result_file", "hwmem.runs.frame", "hwmem.runs.watch", "hwmem.runs.series",
    # Programs that ship with it
    "hwmem.programs", "hwmem.programs.caches", "hwmem.programs.caches.latency", "hwmem.programs.caches.stream",
    "hwmem.programs.caches.matrix", "hwmem.programs.threads", "hwmem.programs.threads.sharing",
    "hwmem.programs.threads.readers", "hwmem.programs.threads.locks", "hwmem.programs.threads.messages",
    "hwmem.programs.threads.exclusion", "hwmem.programs.threads.publication", "hwmem.programs.threads.treiber",
    "hwmem.programs.threads.fences", "hwmem.programs.threads.hoard", "hwmem.programs.threads.heap",
    "hwmem.programs.threads.regression", "hwmem.programs.threads.fields", "hwmem.programs.memory", "hwmem.programs.memory.faults",
    "hwmem.programs.memory.returning", "hwmem.programs.memory.oversubscription", "hwmem.programs.memory.reach",
    "hwmem.programs.memory.forks", "hwmem.programs.memory.allocation", "hwmem.programs.memory.mappings", "hwmem.programs.memory.limits",
    "hwmem.programs.memory.contiguous", "hwmem.programs.memory.overlay", "hwmem.programs.meter", "hwmem.programs.barrier",
    "hwmem.programs.file", "hwmem.programs.diagnosis", "hwmem.programs.registry", "hwmem.programs.shipped", "hwmem.programs.space",
    # Litmus tests
    "hwmem.litmus", "hwmem.litmus.text", "hwmem.litmus.way", "hwmem.litmus.outcomes", "hwmem.litmus.herd",
    "hwmem.litmus.mnemonics", "hwmem.litmus.operands", "hwmem.litmus.explore", "hwmem.litmus.early", "hwmem.litmus.state",
    "hwmem.litmus.encode", "hwmem.litmus.branches", "hwmem.litmus.test", "hwmem.litmus.condition", "hwmem.litmus.alu",
    # Results as text and as a page
    "hwmem.page", "hwmem.page.compare", "hwmem.page.run", "hwmem.page.document", "hwmem.page.coherence", "hwmem.page.counts",
    "hwmem.page.memory", "hwmem.page.answer", "hwmem.page.blocks",
    "hwmem.report.notebook", "hwmem.report", "hwmem.report.overview", "hwmem.report.sections", "hwmem.report.where", "hwmem.report.lines", "hwmem.report.program",
    "hwmem.report.history", "hwmem.report.pictures", "hwmem.report.mutator", "hwmem.report.plot", "hwmem.report.look", "hwmem.report.table",
    # Names of a recorded program's code and data
    "hwmem.symbols", "hwmem.symbols.label", "hwmem.symbols.blame", "hwmem.symbols.pprof", "hwmem.symbols.callgrind", "hwmem.symbols.names", "hwmem.symbols.heap", "hwmem.symbols.objects", "hwmem.symbols.variables", "hwmem.symbols.code",
    "hwmem.symbols.lines", "hwmem.symbols.fields", "hwmem.symbols.dies", "hwmem.symbols.elf", "hwmem.symbols.decode", "hwmem.symbols.demangle",
    # Recorded programs
    "hwmem.trace", "hwmem.trace.recorder", "hwmem.trace.trace", "hwmem.trace.order", "hwmem.trace.words", "hwmem.trace.uses", "hwmem.trace.shared",
    "hwmem.trace.recording", "hwmem.trace.log", "hwmem.trace.references", "hwmem.trace.elf", "hwmem.trace.spill", "hwmem.trace.program",
    "hwmem.trace.champsim", "hwmem.trace.parse", "hwmem.trace.stream",
    # The machine from Python
    "hwmem.machine", "hwmem.machine.answers", "hwmem.machine.machine", "hwmem.machine.files", "hwmem.machine.process",
    "hwmem.machine.groups", "hwmem.machine.segments", "hwmem.machine.calls", "hwmem.machine.accesses", "hwmem.machine.player",
    "hwmem.machine.weave", "hwmem.machine.culprits",
    "hwmem.machine.lock", "hwmem.machine.interrupt", "hwmem.machine.enter",
    "hwmem.machine.replay", "hwmem.machine.records", "hwmem.machine.arguments", "hwmem.machine.eight", "hwmem.machine.where",
    # What Python reads of it
    "hwmem.observe", "hwmem.observe.switches", "hwmem.observe.counters", "hwmem.observe.c2c", "hwmem.observe.events",
    "hwmem.observe.history", "hwmem.observe.race_report", "hwmem.observe.check", "hwmem.observe.checks",
    "hwmem.observe.checks.core", "hwmem.observe.checks.coherence", "hwmem.observe.checks.memory",
    "hwmem.observe.checks.vmas", "hwmem.observe.checks.frames", "hwmem.observe.checks.page_cache",
    "hwmem.observe.checks.arrays", "hwmem.observe.checks.counts", "hwmem.observe.checks.faults",
    # /proc, as Linux shows it
    "hwmem.proc", "hwmem.proc.smaps", "hwmem.proc.residency", "hwmem.proc.maps", "hwmem.proc.status", "hwmem.proc.walk", "hwmem.proc.pagemap",
    "hwmem.proc.memory", "hwmem.proc.group",
    # What it is made of
    "hwmem.config", "hwmem.config.build", "hwmem.config.machine", "hwmem.config.record", "hwmem.config.file",
    # The C library, a program that runs in emulated processes
    "hwmem.libc", "hwmem.libc.api", "hwmem.libc.door", "hwmem.libc.malloc", "hwmem.libc.statistics", "hwmem.libc.options",
    "hwmem.libc.aligned", "hwmem.libc.resize", "hwmem.libc.thread", "hwmem.libc.copy", "hwmem.libc.search",
    "hwmem.libc.arena", "hwmem.libc.more", "hwmem.libc.release", "hwmem.libc.heap", "hwmem.libc.morecore",
    "hwmem.libc.mapped", "hwmem.libc.fastbin", "hwmem.libc.tcache", "hwmem.libc.lock", "hwmem.libc.bins",
    "hwmem.libc.chunk", "hwmem.libc.layout", "hwmem.libc.abort",
    # What emulated threads call
    "hwmem.kernels",
    # Linux
    "hwmem.linux", "hwmem.linux.stubs", "hwmem.linux.call_numbers", "hwmem.linux.syscall", "hwmem.linux.files",
    "hwmem.linux.truncate",
    "hwmem.linux.direct", "hwmem.linux.madvise", "hwmem.linux.advice", "hwmem.linux.clear_refs", "hwmem.linux.mremap",
    "hwmem.linux.mlock", "hwmem.linux.protect", "hwmem.linux.mapping", "hwmem.linux.hugetlb", "hwmem.linux.placement", "hwmem.linux.mmap_flags",
    "hwmem.linux.unmap", "hwmem.linux.limits", "hwmem.linux.ranges", "hwmem.linux.tasks", "hwmem.linux.fork",
    "hwmem.linux.fault", "hwmem.linux.backed", "hwmem.linux.populate", "hwmem.linux.reclaim", "hwmem.linux.oom", "hwmem.linux.balance", "hwmem.linux.evict",
    "hwmem.linux.exit", "hwmem.linux.exec", "hwmem.linux.huge", "hwmem.linux.series", "hwmem.linux.anon", "hwmem.linux.swapin",
    "hwmem.linux.filemap", "hwmem.linux.shmem", "hwmem.linux.writeback", "hwmem.linux.readahead", "hwmem.linux.commit",
    "hwmem.linux.aging", "hwmem.linux.workingset", "hwmem.linux.pages", "hwmem.linux.swap", "hwmem.linux.vma",
    "hwmem.linux.vma_tree", "hwmem.linux.rmap", "hwmem.linux.shootdown", "hwmem.linux.page_table", "hwmem.linux.page_cache",
    "hwmem.linux.lru", "hwmem.linux.frames", "hwmem.linux.group", "hwmem.linux.disk",
    # Who runs next
    "hwmem.sched", "hwmem.sched.thread", "hwmem.sched.scheduler", "hwmem.sched.block", "hwmem.sched.lock",
    # One access: the core
    "hwmem.core", "hwmem.core.segment", "hwmem.core.ordered", "hwmem.core.access", "hwmem.core.near", "hwmem.core.behind", "hwmem.core.ahead", "hwmem.core.fence", "hwmem.core.service",
    "hwmem.core.memory_door", "hwmem.core.long_way", "hwmem.core.place", "hwmem.core.signal", "hwmem.core.physical",
    "hwmem.core.store_buffer", "hwmem.core.ring", "hwmem.core.in_flight",
    # ... its translation
    "hwmem.mmu", "hwmem.mmu.translate", "hwmem.mmu.tlb", "hwmem.mmu.walk",
    # ... its line
    "hwmem.cache", "hwmem.cache.private", "hwmem.cache.past", "hwmem.cache.directory", "hwmem.cache.shares", "hwmem.cache.answer",
    "hwmem.cache.entry", "hwmem.cache.peers", "hwmem.cache.invalidations", "hwmem.cache.protocol",
    "hwmem.cache.hit_filter", "hwmem.cache.seen", "hwmem.cache.sets", "hwmem.cache.replacement", "hwmem.cache.match",
    # ... its bytes
    "hwmem.memory", "hwmem.memory.dram", "hwmem.memory.periods", "hwmem.memory.ram", "hwmem.memory.host", "hwmem.memory.ranges",
    # What watches it
    "hwmem.observers", "hwmem.observers.hooks", "hwmem.observers.door", "hwmem.observers.sharing",
    "hwmem.observers.contended", "hwmem.observers.watched", "hwmem.observers.races", "hwmem.observers.clocks",
)
