"""What can be seen of a heap: statistics, spans, invariants, the collector's log. A part of Runtime (runtime.py)."""

import numpy as np

from hwmem.machine.lock import its_machine, one_at_a_time
from goalloc import params as P
from goalloc.gc.trace import CYCLE, FORCED, SCAVENGED
from goalloc.heap.malloc_init import FLUSH_MCACHE
from goalloc.heap.stack import CACHE_CLEAR
from goalloc.layout import p_
from goalloc.observe.check import check_heap, span_at
from goalloc.observe.cpuprofile import cpu_profile
from goalloc.observe.gctrace import cycles, lines
from goalloc.observe.inspect import Inspector
from goalloc.observe.memstats import STATES, read_gc_stats, read_memstats, read_span
from goalloc.observe.metrics import read_metrics
from goalloc.observe.sizestats import size_stats
from goalloc.runtime.arguments import check_count
from goalloc.runtime.log import rows, turns


@one_at_a_time(its_machine)
class Looking:
    """The observations of a Runtime."""

    def memstats(self):
        """runtime.MemStats as a dict. As in Go, every mcache is flushed: later addresses and the tiny block change."""
        for pp in self.ps:
            self.flush(pp)
        return read_memstats(Inspector(self.process))

    def size_stats(self):
        """What each size class has allocated and what its spans hold: a dict a class (sizestats.py). The mcaches are flushed."""
        for pp in self.ps:
            self.flush(pp)
        return size_stats(Inspector(self.process))

    def flush(self, pp):
        """Everything that a P holds in its mcache goes back."""
        c = self.process.load(pp + p_.mcache)
        self._door(0, FLUSH_MCACHE, c, 0)
        self.call(0, P.DOOR_STACK, CACHE_CLEAR, c, 0)

    def span_of(self, address):
        """The span that holds an address, as a dict of its fields, or None."""
        look = Inspector(self.process)
        if isinstance(address, bool) or not isinstance(address, (int, np.integer)):
            raise TypeError(f"address: takes an int, not {type(address).__name__}")
        s = span_at(look, int(address))
        if not s:
            return None
        fields = read_span(look, s)
        fields["state"] = STATES[fields["state"]]
        return fields

    def check(self):
        """Raise FatalError, with the values, if an invariant of the heap is broken."""
        check_heap(self)

    def why_live(self, address):
        """The shortest path from a root to the object that an address points into (observe/retention.py Path: root, name, steps; str() of it is
        for people), or None if nothing leads there: the next collection frees it. Registers count for nothing, as for gc()."""
        from goalloc.observe.retention import why_live

        return why_live(self, address)

    def retained(self, most=None):
        """What keeps most: roots and objects as dicts, with the bytes that would be freed without that one alone (observe/retention.py)."""
        from goalloc.observe.retention import retained

        return retained(self, most if most is None else check_count(most, "most"))

    def site_name(self, number):
        """The name of a call site's number, "" of 0."""
        names = {n: name for name, n in self.sites.items()}
        return names.get(number, f"{number:#x}" if number else "")

    def gc_cycles(self):
        """The collections so far, a dict each: n, forced, heap_trigger, heap_start, heap_end, heap_marked, goal, next_goal, stack_scan,
        globals_scan, heap_scan_work, mapped_ready, heap_free, heap_released (bytes), assist_ns, dedicated_ns, fractional_ns, idle_ns,
        at_ns (four moments), pauses_ns (sweep termination, mark termination), cons_mark, objects_marked, spans_swept (observe/gctrace.py)."""
        guest = self.machine.state.process[self.process.number].guest
        return cycles(rows(self.process, self._log), int(guest[P.OBJECTS_MARKED]), int(guest[P.SPANS_SWEPT]))

    def gc_turns(self, most=1 << 15):
        """What the collector did on the Ps of a program: {"rows": [[P, "dedicated", "fractional", "idle", "assist" or "sweep", from, to], ...],
        "lost": how many rows beyond `most`}, nanoseconds by the machine's clocks."""
        return turns(self.process, self._log, most)

    def trace_lines(self, gctrace=True, scavtrace=True):
        """What GODEBUG=gctrace=1,scavtrace=1 would have printed so far, a string a line; or only one of both."""
        wanted = [kind for kind, asked in ((CYCLE, gctrace), (FORCED, gctrace), (SCAVENGED, scavtrace)) if asked]
        log = rows(self.process, self._log)
        return lines(log[np.isin(log[:, 0], wanted)], self._began)

    def metrics(self):
        """runtime/metrics' values by name, of those that are modelled (observe/metrics.py); unlike memstats() it flushes nothing."""
        pauses = [ns for cycle in self.gc_cycles() for ns in cycle["pauses_ns"]]
        return read_metrics(Inspector(self.process), pauses, sum(row["count"] for row in self.goroutine_profile()))

    def gc_stats(self, quantiles=0):
        """debug.ReadGCStats as a dict: LastGC, NumGC, PauseTotal, Pause and PauseEnd, the last 256 at most, the latest first; PauseQuantiles, of which
        there are as many as asked for: from the shortest pause to the longest."""
        return read_gc_stats(Inspector(self.process), check_count(quantiles, "quantiles"))

    def mem_profile(self, inuse_zero=True):
        """runtime.MemProfile's records, as dicts. Samples are taken if GODEBUG has memprofilerate=BYTES (1: every object)."""
        from goalloc.observe.memprofile import mem_profile

        return mem_profile(self, inuse_zero)

    def goroutine_profile(self):
        """Where goroutines are, a dict a place, most first: "count", "state" ("chan send"), "frames" (observe/goroutines.py). Places of the program
        have the names that `rt.places`, {place: name}, gives them."""
        from goalloc.observe.goroutines import goroutine_profile

        return goroutine_profile(self)

    def call_site(self, name):
        """`with rt.call_site("parse"): ...`: for the profiles, what is allocated meanwhile was allocated there, and cycles were spent there."""
        from goalloc.observe.memprofile import call_site

        return call_site(self, name)

    def cpu_profile(self, path=None):
        """Where the cycles of the runtime's cores went, a dict a call site, most first: "frames" (the innermost first), "cycles", "ns".
        `path`: also written there as a CPU profile for `go tool pprof`."""
        from goalloc.observe.pprof import cycles_profile
        from hwmem.whole_file import write_whole

        records = cpu_profile(self)
        if path is not None:
            write_whole(path, cycles_profile(records))
        return records

    def cycles_of(self, operation):
        """{"count", "cycles", "each"} of an operation: "mallocgc" (by new, mallocgc, make_slice, malloc_many), "lock" (the waiting)."""
        counts = self.machine.state.process[self.process.number].guest
        slots = {"mallocgc": (P.MALLOCS, P.MALLOC_CYCLES), "lock": (P.LOCK_WAITS, P.LOCK_WAIT_CYCLES)}
        if not isinstance(operation, str) or operation not in slots:
            raise ValueError(f"operation: {operation!r} is none of {', '.join(slots)}")
        count, cycles = (int(counts[k]) for k in slots[operation])
        return {"count": count, "cycles": cycles, "each": cycles / count if count else 0.0}
