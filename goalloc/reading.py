"""The order in which to read goalloc: from what a user starts, down one allocation, to the system call.

    Runtime and what looks at it        a program started, its statistics, its invariants
    one allocation                      malloc -> mcache -> mcentral -> mheap -> page allocator -> the kernel's memory
    beneath                             fixed-size allocators, persistent memory, locks

A file imports only files below it, the shared headers, and hwmem, which knows nothing of goalloc.
tests/test_reading_order.py holds the files to this list.
"""

HEADERS = (
    "goalloc",                      # the names that users import
    "goalloc.params", "goalloc.constants", "goalloc.layout", "goalloc.layout.rules", "goalloc.layout.pages",
    "goalloc.layout.heap", "goalloc.layout.collector", "goalloc.layout.scheduler", "goalloc.layout.program",
    "goalloc.layout.variables", "goalloc.sizeclasses", "goalloc.words", "goalloc.errors", "goalloc.types",
)

READING = (
    # The order itself
    "goalloc.reading",
    "goalloc.__main__",
    # The command
    "goalloc.cli", "goalloc.cli.cli", "goalloc.cli.compare", "goalloc.cli.leak", "goalloc.cli.page", "goalloc.cli.report",
    # Experiments on the design
    "goalloc.experiments", "goalloc.experiments.claims", "goalloc.experiments.allocators", "goalloc.experiments.allocation", "goalloc.experiments.collection", "goalloc.experiments.between",
    "goalloc.experiments.collectors", "goalloc.experiments.leaks", "goalloc.experiments.faults", "goalloc.experiments.escaping", "goalloc.experiments.gallery", "goalloc.experiments.marking", "goalloc.experiments.lab", "goalloc.experiments.design",
    "goalloc.experiments.publication", "goalloc.experiments.barriers",
    # What escapes: the compiler's passes, last to first
    "goalloc.escape", "goalloc.escape.cost", "goalloc.escape.driver", "goalloc.escape.syntax", "goalloc.escape.syntax_expr", "goalloc.escape.pkginit", "goalloc.escape.staticinit",
    "goalloc.escape.inline", "goalloc.escape.escape", "goalloc.escape.flow", "goalloc.escape.summary", "goalloc.escape.same",
    "goalloc.escape.flow_call", "goalloc.escape.graph", "goalloc.escape.devirt", "goalloc.escape.unit", "goalloc.escape.messages",
    "goalloc.escape.library", "goalloc.escape.values", "goalloc.escape.leaks", "goalloc.escape.intrinsics", "goalloc.escape.fmt",
    "goalloc.escape.deadcode", "goalloc.escape.check", "goalloc.escape.check_stmt", "goalloc.escape.build", "goalloc.escape.build_expr",
    "goalloc.escape.ir", "goalloc.escape.convert", "goalloc.escape.check_call", "goalloc.escape.check_expr", "goalloc.escape.lookup",
    "goalloc.escape.check_type", "goalloc.escape.consts", "goalloc.escape.objects", "goalloc.escape.types", "goalloc.escape.tree",
    # What it says to recorded questions
    "goalloc.answers", "goalloc.answers_collecting", "goalloc.answers_pacing",
    # Programs that ship with it
    "goalloc.programs.leaks", "goalloc.programs.faults", "goalloc.programs.criteria", "goalloc.programs.mutator_trees", "goalloc.programs.mutator_lists", "goalloc.programs.mutator_graph", "goalloc.programs.mutators",
    "goalloc.programs.command", "goalloc.programs", "goalloc.programs.pressure", "goalloc.programs.crowd", "goalloc.programs.collected", "goalloc.programs.churn", "goalloc.programs.structures", "goalloc.programs.storm",
    "goalloc.programs.benchmarks", "goalloc.programs.sleepers", "goalloc.programs.session", "goalloc.programs.process", "goalloc.programs.goroutines", "goalloc.programs.start", "goalloc.programs.registry",
    "goalloc.programs.comparison", "goalloc.programs.requests", "goalloc.programs.trace", "goalloc.programs.play", "goalloc.programs.neighbours",
    # Other collectors, beside Go's: from Python, what programs call, one collector after the other, what they share
    "goalloc.collectors", "goalloc.collectors.heap", "goalloc.collectors.go_heap", "goalloc.collectors.go", "goalloc.collectors.kinds", "goalloc.collectors.script", "goalloc.collectors.mutator",
    "goalloc.collectors.mark_sweep", "goalloc.collectors.lisp2", "goalloc.collectors.shading", "goalloc.collectors.counts", "goalloc.collectors.generational", "goalloc.collectors.cards", "goalloc.collectors.threaded", "goalloc.collectors.semispace",
    "goalloc.collectors.mark", "goalloc.collectors.sweep", "goalloc.collectors.freelist", "goalloc.collectors.bump", "goalloc.collectors.model",
    # A Go program from Python
    "goalloc.runtime", "goalloc.runtime.runtime", "goalloc.runtime.values", "goalloc.runtime.collecting", "goalloc.runtime.pinner", "goalloc.runtime.looking", "goalloc.runtime.collect", "goalloc.runtime.start_swept", "goalloc.runtime.start",
    "goalloc.runtime.goroutine", "goalloc.runtime.map", "goalloc.runtime.arena", "goalloc.runtime.pacing", "goalloc.runtime.log",
    "goalloc.runtime.arguments", "goalloc.runtime.slice",
    "goalloc.runtime.entries",
    # What jitted code calls
    "goalloc.kernels",
    # Other allocators, for comparison
    "goalloc.baselines", "goalloc.baselines.api", "goalloc.baselines.walk", "goalloc.baselines.walk_jemalloc", "goalloc.baselines.walk_tcmalloc", "goalloc.baselines.walking",
    "goalloc.baselines.malloc", "goalloc.baselines.jemalloc", "goalloc.baselines.jemalloc_arena", "goalloc.baselines.jemalloc_extents",
    "goalloc.baselines.jemalloc_layout", "goalloc.baselines.tcmalloc", "goalloc.baselines.tcmalloc_cpu", "goalloc.baselines.tcmalloc_threads",
    "goalloc.baselines.tcmalloc_central", "goalloc.baselines.tcmalloc_pages",
    "goalloc.baselines.tcmalloc_layout", "goalloc.baselines.glibc",
    "goalloc.baselines.buddy", "goalloc.baselines.freelist", "goalloc.baselines.bump", "goalloc.baselines.system",
    # What Python reads of it
    "goalloc.observe", "goalloc.observe.symbols", "goalloc.observe.retention", "goalloc.observe.dominators", "goalloc.observe.snapshot", "goalloc.observe.pprof", "goalloc.observe.memprofile", "goalloc.observe.cpuprofile", "goalloc.observe.goroutines", "goalloc.observe.sizestats", "goalloc.observe.pagemap",
    "goalloc.observe.check", "goalloc.observe.check_marks", "goalloc.observe.gctrace", "goalloc.observe.metrics", "goalloc.observe.memstats", "goalloc.observe.inspect",
    # The heap's profile
    "goalloc.prof", "goalloc.prof.malloc_profile", "goalloc.prof.mprof",
    # The collector: cycles, marking, sweeping, its pace
    "goalloc.gc", "goalloc.gc.door", "goalloc.gc.system", "goalloc.gc.mgc", "goalloc.gc.mgc_trigger", "goalloc.gc.mgcmark_assist", "goalloc.gc.mgcmark_wait",
    "goalloc.gc.mgc_workers", "goalloc.gc.mgc_phases", "goalloc.gc.mgc_world", "goalloc.gc.mgcmark", "goalloc.gc.mgcmark_roots",
    "goalloc.gc.mgcmark_stack", "goalloc.gc.mgcmark_credit", "goalloc.gc.mfinal",
    "goalloc.gc.mgcsweep_reclaim", "goalloc.gc.mgcsweep", "goalloc.gc.mgcsweep_span", "goalloc.gc.mfinal_queue",
    "goalloc.gc.pinner_bits", "goalloc.gc.mbarrier", "goalloc.gc.mwbbuf", "goalloc.gc.mgcmark_scan", "goalloc.gc.mgcwork", "goalloc.gc.inline",
    "goalloc.gc.mgcscavenge_goroutine", "goalloc.gc.retake", "goalloc.gc.mgc_ready", "goalloc.gc.mgcscavenge_periodic", "goalloc.gc.mgcscavenge_background", "goalloc.gc.trace", "goalloc.gc.mgc_stats",
    "goalloc.gc.mgcpacer_commit", "goalloc.gc.mgcpacer", "goalloc.gc.mgcpacer_workers", "goalloc.gc.mgcpacer_goal",
    "goalloc.gc.mgclimit",
    # Goroutines
    "goalloc.sched", "goalloc.sched.sync", "goalloc.sched.sema", "goalloc.sched.select", "goalloc.sched.proc",
    "goalloc.sched.proc_gfree", "goalloc.sched.proc_schedule", "goalloc.sched.time", "goalloc.sched.time_timers",
    "goalloc.sched.time_heap", "goalloc.sched.chan", "goalloc.sched.chan_waitq", "goalloc.sched.proc_sudog",
    "goalloc.sched.proc_park", "goalloc.sched.proc_runq",
    # Maps, slices, strings, user arenas
    "goalloc.values", "goalloc.values.map", "goalloc.values.map_iter", "goalloc.values.map_buckets",
    "goalloc.values.string", "goalloc.values.arena", "goalloc.values.arena_chunk", "goalloc.values.slice",
    # One allocation
    "goalloc.heap", "goalloc.heap.malloc", "goalloc.heap.malloc_sample", "goalloc.heap.mheap_special",
    "goalloc.heap.malloc_init", "goalloc.heap.mcache", "goalloc.heap.stack", "goalloc.heap.mcentral", "goalloc.heap.mspanset",
    "goalloc.heap.lfstack", "goalloc.heap.mbitmap", "goalloc.heap.mheap_spanlist", "goalloc.heap.mheap",
    "goalloc.heap.mheap_gcbits", "goalloc.heap.mheap_scavenge", "goalloc.heap.mheap_grow",
    # Pages
    "goalloc.pages", "goalloc.pages.mpagealloc", "goalloc.pages.mpagecache", "goalloc.pages.mpagealloc_find",
    "goalloc.pages.mpagealloc_grow", "goalloc.pages.mgcscavenge_run", "goalloc.pages.mpagealloc_summary",
    "goalloc.pages.mpallocbits", "goalloc.pages.mgcscavenge", "goalloc.pages.mranges",
    # Beneath
    "goalloc.base", "goalloc.base.mgclimit_event", "goalloc.base.nanotime", "goalloc.base.float64", "goalloc.base.memclr", "goalloc.base.mfixalloc", "goalloc.base.mstats",
    "goalloc.base.malloc_persistent", "goalloc.base.mem", "goalloc.base.fastrand", "goalloc.base.lock",
)
