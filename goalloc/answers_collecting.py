"""A recorded program of heap operations and collections, run on the machine: where objects lie, what each collection frees, and what it
leaves of the heap.

    gc_program(program, start)      a program of gc_programs.json.gz and the heap that it begins with

The program's main goroutine is driven step by step from here; whenever it waits or yields, the scheduler picks the next goroutine. What is
reported after an operation is read as a debugger reads.
"""

import copy

from hwmem import params as H
from hwmem.config.machine import MachineConfig
from hwmem.linux.page_table import look_up
from hwmem.machine.machine import Machine
from goalloc import constants as C, params as P
from goalloc.gc import door
from goalloc.layout import (
    mcentral,
    mheap,
    mspan,
    p_,
    pageAlloc,
    pallocData,
    scavenge,
    spanSet,
    spanSetBlock,
    sweepdata,
    CENTRAL_STRIDE,
    variables as V,
)
from goalloc.observe.check import all_spans, span_at
from goalloc.observe.inspect import Inspector
from goalloc.observe.memstats import read_memstats, read_span
from goalloc.pages.mpagealloc import SCAVENGE
from goalloc.runtime.collect import run_others
from goalloc.runtime.runtime import Runtime
from goalloc.runtime.start import FIRST_ARENA, pages_call
from goalloc.sched.chan import DONE
from goalloc.sched.proc import GOSCHED
from goalloc.types import Type

KEPT = (
    "Mallocs Frees HeapObjects HeapAlloc TotalAlloc HeapSys HeapIdle HeapInuse HeapReleased StackInuse StackSys MSpanInuse MSpanSys "
    "MCacheInuse NumGC NumForcedGC"
).split()
LISTS = {"partial": (0, 0), "full": (1, 0), "unswept_partial": (0, 1), "unswept_full": (1, 1)}
IDLE_TURNS, MOST_TURNS = 3, 1000
MAX_BYTES = (1 << 63) - 1


def gc_program(program, start):
    """The program with `addresses` and `collections` replaced by ours. Raises TypeError or ValueError if it has not the form."""
    for name, given, keys in (("program", program, ("types", "ops", "collections")), ("start", start, ("spans", "full", "stats"))):
        if not isinstance(given, dict):
            raise TypeError(f"{name}: takes a dict, not {type(given).__name__}")
        missing = [key for key in keys if key not in given]
        if missing:
            raise ValueError(f"{name}: has no {', '.join(missing)}")
    return GCProgram(program, start).answer()


class GCProgram:
    """`start` on a machine of its own, and the program's objects by number."""

    def __init__(self, program, start):
        self.program, self.start = program, start
        self.rt = Runtime(machine=Machine(MachineConfig().replace(cores=1)), start=start)
        self.rt.process.store(V.debug + 4, 1, size=4)  # gcshrinkstackoff=1, as in the recording
        self.rt.turns = False
        guest = self.rt.machine.state.process[self.rt.process.number].guest
        guest[P.COLLECTOR] = P.SWEEPING | P.SYSTEM | P.ALONE  # GOGC=off; the scavenger is held
        self.types = [Type(f"t{i}", size, 8, tuple(pointers)) for i, (size, pointers) in enumerate(program["types"])]
        base, cache, _ = start["page_cache"]
        free = {page for first, n in start["free_pages"] for page in range(first, first + n)}
        free |= {(base or 0) + i for i in range(64) if int(cache, 16) >> i & 1}
        self.used = set(range(start["curArena"][0] // P.pageSize)) - free
        self.known = {(row[0], row[1], row[3] if row[2] == 1 else -1) for row in start["spans"]}
        self.address, self.allocated_in, self.alive, self.ran = {}, {}, {}, []
        self.cycle, self.addresses, self.waiting = 0, [], None
        self.touch_resident()
        self.before = self.stats()
        self.schedticks = {c["op"]: c.get("schedtick") for c in program["collections"]}
        self.traced = any("madvise" in c for c in program["collections"])

    def touch_resident(self):
        """The kernel holds free pages from before the start, which the start does not name, but the recording's first look, before any collection."""
        collected = [i for i, (name, *_) in enumerate(self.program["ops"]) if name in ("gc", "free_os_memory", "gc_start")]
        looks = [c for c in self.program["collections"] if "resident" in c and c["op"] < min(collected, default=len(self.program["ops"]))]
        for first, n in looks[0]["resident"] if looks else ():
            for page in range(first, first + n):
                self.rt.process.store(FIRST_ARENA + page * H.PAGE, 0)

    def answer(self):
        collections = []
        for i, (name, *arguments) in enumerate(self.program["ops"]):
            told = getattr(self, name)(*arguments) if name not in ("gc", "free_os_memory", "gc_start") else self.collect(name, i)
            if told is not None:
                collections.append({"op": i, **told})
        answered = copy.deepcopy({key: value for key, value in self.program.items() if key not in ("addresses", "collections")})
        self.rt.process.exit()
        return answered | {"addresses": self.addresses, "collections": collections}

    # What a program does

    def place(self, i, x):
        self.address[i], self.allocated_in[i] = x, self.cycle
        s = read_span(Inspector(self.rt.process), span_at(Inspector(self.rt.process), x))
        index = (x - s["base"]) // s["elemsize"] if s["spanclass"] >= 2 else 0
        self.alive[i] = (s["base"], s["spanclass"], index)
        self.addresses.append(x - FIRST_ARENA)

    def new(self, i, of):
        self.place(i, self.rt.new(self.types[of]))

    def array(self, i, of, n):
        of = self.types[of]
        self.place(i, self.rt.mallocgc(of.size * n, type=of))

    def tiny(self, i, size):
        self.place(i, self.rt.mallocgc(size))

    def value(self, to, inner):
        return 0 if to is None else self.address[to] + inner

    def link(self, i, offset, to, inner=0):
        self.rt.write_pointer(self.address[i] + offset, self.value(to, inner))

    def word(self, i, offset, to):
        self.rt.process.store(self.address[i] + offset, self.address[to])

    def root(self, k, to, inner=0):
        self.rt.write_pointer(self.rt.roots + 8 * k, self.value(to, inner))

    def stack(self, k, to, inner=0):
        self.rt.process.store(self.rt.slots[k], self.value(to, inner))

    def finalizer(self, i, tag, k):
        fn = max(self.rt.finalizers, default=0) + 1
        self.rt.finalizers[fn] = lambda address: self.ran.append(tag)
        guest = self.rt.machine.state.thread[self.rt.process.thread_on(0)].guest
        guest[P.SIZE] = (0 if k is None else self.rt.roots + 8 * k) | 1
        self.rt.call(0, P.DOOR_FINALIZER, door.SET_FINALIZER, self.address[i], fn)

    def memstats(self):
        return {"stats": self.deltas()}

    def resident(self):
        """Runs of 4 KiB pages that the kernel holds, without those of pages that were in use at the start."""
        rt, current = self.rt, self.rt.process.load(V.mheap_ + mheap.curArena)
        held = "".join(
            "1" if not self.in_use_at_start(va) and look_up(rt.machine.state, rt.process.number, va) & H.PTE_P else "0"
            for va in range(FIRST_ARENA, current, H.PAGE)
        )
        return {"resident": runs_of(held), "stats": None}

    def in_use_at_start(self, va):
        return (va - FIRST_ARENA) // P.pageSize in self.used

    # Collections

    def collect(self, name, op):
        rt, c = self.rt, {"schedtick": self.schedticks[op]}
        self.cycle += 1
        rt.process.store(rt.ps[0] + p_.schedtick, c["schedtick"], size=4)
        while rt.call(0, P.DOOR_CYCLE, P.GC_CALL, name != "gc_start", 0) != DONE:
            run_others(rt, 0, rt.main)
        calls = []
        if name == "free_os_memory":
            before = self.scavenged()
            pages_call(rt, SCAVENGE, MAX_BYTES, 1)
            calls = [[at * P.pageSize, n * P.pageSize, "MADV_DONTNEED"] for at, n in released(before, self.scavenged())]
        if self.traced:
            c["madvise"] = calls
        c |= {"sweeper_parked_at_return": rt.process.load(V.sweep + sweepdata.parked, size=1), "finalized_at_return": len(self.ran)}
        if name != "gc_start":
            c |= self.settled()
        return c | self.heap() | {"stats": None if name == "gc_start" else self.deltas()}

    def settle(self):
        return self.settled() | self.heap() | {"stats": self.deltas()}

    def settled(self):
        """Gosched until the sweeper is parked and no finalizer is left; what that freed and ran."""
        for i in range(MOST_TURNS):
            if i >= IDLE_TURNS and self.is_idle():
                break
            self.rt.call(0, P.DOOR_PROC, GOSCHED, 0, 0)
            run_others(self.rt, 0, self.rt.main)
        ran, self.ran = self.ran, []
        return {"freed": self.freed(), "finalized": ran}

    def is_idle(self):
        p, status = self.rt.process, self.rt.process.load(V.fingStatus, size=4)
        idle = p.load(V.finq) == 0 and status & (C.fingRunningFinalizer | C.fingWake) == 0 and status & C.fingWait
        return p.load(V.sweep + sweepdata.parked, size=1) and idle

    def freed(self):
        """Objects older than this collection whose allocation bit is clear, or whose span has gone."""
        look, spans, gone = Inspector(self.rt.process), {}, []
        for i, (base, spanclass, index) in self.alive.items():
            if self.allocated_in[i] == self.cycle:
                continue
            if base not in spans:
                s = span_at(look, self.address[i])
                spans[base] = read_span(look, s) if s else None
            s = spans[base]
            here = s and s["state"] == P.mSpanInUse and s["base"] == base and s["spanclass"] == spanclass
            if not here or not look.word(s["allocBits"] + index // 8, 1) >> index % 8 & 1:
                gone.append(i)
        for i in gone:
            del self.alive[i]
        return sorted(gone)

    # What there is

    def heap(self):
        look = Inspector(self.rt.process)
        sweepgen = look.word(V.mheap_ + mheap.sweepgen, 4)
        spans, manual = [], []
        for base, s in sorted(all_spans(look).items()):
            page = (base - FIRST_ARENA) // P.pageSize
            in_use = s["state"] == P.mSpanInUse
            if (page, s["npages"], s["spanclass"] if in_use else -1) in self.known:
                continue
            if in_use:
                spans.append(
                    [
                        page,
                        s["npages"],
                        s["spanclass"],
                        s["freeindex"],
                        s["allocCount"],
                        s["nelems"],
                        (s["sweepgen"] - sweepgen + (1 << 31)) % (1 << 32) - (1 << 31),
                        s["needzero"],
                    ]
                )
            else:
                manual.append([page, s["npages"]])
        mine = {row[0] for row in spans}
        lists = {
            name: {
                str(spc): pages
                for spc in range(P.numSpanClasses)
                if (pages := [page for page in self.members(look, spc, full, (sweepgen // 2 + unswept) % 2) if page in mine])
            }
            for name, (full, unswept) in LISTS.items()
        }
        return {"spans": spans, "manual_spans": manual, **lists, **self.pages(look)}

    def members(self, look, spanclass, full, which):
        """Pages of the spans of a list, the next to be taken first."""
        b = V.mheap_ + mheap.central + spanclass * CENTRAL_STRIDE + (mcentral.full if full else mcentral.partial) + which * spanSet.sizeof
        index, spine = look.word(b + spanSet.index), look.word(b + spanSet.spine)
        for k in range(index >> 32, index & 0xFFFF_FFFF):
            block = look.word(spine + 8 * (k // P.spanSetBlockEntries))
            s = look.word(block + spanSetBlock.spans + 8 * (k % P.spanSetBlockEntries))
            yield (look.word(s + mspan.startAddr) - FIRST_ARENA) // P.pageSize

    def pages(self, look):
        base, cache, scav = look.words(self.rt.ps[0] + p_.pcache, 3)
        current, end = look.words(V.mheap_ + mheap.curArena, 2)
        search = look.word(V.mheap_ + mheap.pages + pageAlloc.searchAddr)
        goal = look.word(V.scavenge + scavenge.gcPercentGoal)
        free = scavenged = ""
        for va in range(FIRST_ARENA, current, P.pallocChunkBytes):
            ci = (va - P.arenaBaseOffset) // P.pallocChunkBytes
            l2 = look.word(V.mheap_ + mheap.pages + pageAlloc.chunks + 8 * (ci // P.pallocChunksL2Entries))
            words = look.words(l2 + ci % P.pallocChunksL2Entries * pallocData.sizeof, 16)
            for used, gone in zip(words[:8], words[8:]):
                free += f"{~used & (1 << 64) - 1:064b}"[::-1]
                scavenged += f"{~used & gone & (1 << 64) - 1:064b}"[::-1]
        return {
            "page_cache": [(base - FIRST_ARENA) // P.pageSize if base else None, f"{cache:#x}", f"{scav:#x}"],
            "curArena": [current - FIRST_ARENA, end - FIRST_ARENA],
            "searchAddr": search - FIRST_ARENA if FIRST_ARENA <= search <= FIRST_ARENA + (1 << 40) else None,
            "scavenge_goal": None if goal == (1 << 64) - 1 else goal,
            "free_pages": runs_of(free),
            "free_scavenged_pages": runs_of(scavenged),
        }

    def scavenged(self):
        return {page for first, n in self.pages(Inspector(self.rt.process))["free_scavenged_pages"] for page in range(first, first + n)}

    def stats(self):
        for pp in self.rt.ps:
            self.rt.flush(pp)
        return read_memstats(Inspector(self.rt.process))

    def deltas(self):
        now = self.stats()
        return {name: now[name] - self.before[name] for name in KEPT}


def released(before, after):
    """[[first page, count], ...] of the calls that gave pages back: from the top down, none across a chunk."""
    pages, calls = sorted(after - before, reverse=True), []
    for page in pages:
        if calls and calls[-1][0] == page + 1 and (page + 1) % P.pallocChunkPages:
            calls[-1][0] = page
            calls[-1][1] += 1
        else:
            calls.append([page, 1])
    return calls


def runs_of(bits):
    """[[first, count], ...] of the ones in a string of digits."""
    runs, at = [], bits.find("1")
    while at >= 0:
        end = bits.find("0", at)
        end = len(bits) if end < 0 else end
        runs.append([at, end - at])
        at = bits.find("1", end)
    return runs
