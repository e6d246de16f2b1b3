"""A Go program's runtime on an emulated machine, as Python drives it.

    Runtime(...) ── a process: tables, variables, heap structures, Ps with an M, a g0 and an mcache each (heap/malloc_init.py)
                ├─ new, mallocgc, malloc_many, make_slice, append      allocate, as the P of a core
                ├─ write_pointer, read_pointer, globals                the program's memory
                └─ memstats, span_of, check, cycles_of                 what can be seen

P i runs on core i. A call is a step of that core's M; what it costs is on the core's clock. Fatal errors of the program are
FatalError, bad accesses hwmem.SegmentationFault; the machine goes on. Wrong arguments raise ValueError or TypeError.
"""

from typing import NamedTuple

import numpy as np

from hwmem import params as H
from hwmem._jit import DOORS
from hwmem.machine.lock import its_machine, one_at_a_time
from hwmem.machine.arguments import to_int64
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import RECORD, Machine
from hwmem.machine.enter import enter, place_thread
from hwmem.machine.interrupt import run_interruptibly
from goalloc import params as P
from goalloc.runtime.arguments import (
    check_core,
    check_count,
    check_godebug,
    check_gogc,
    check_gomaxprocs,
    check_limit,
    check_places,
    check_seed,
    check_sizes,
    check_slice,
    check_string,
    is_negative,
)
from goalloc.gc.trace import CYCLE, FORCED, SCAVENGED
from goalloc.heap.malloc_init import FLUSH_MCACHE, MALLOCINIT, NEW_MCACHE, SET_M
from goalloc.observe.check import check_heap, span_at
from goalloc.runtime.entries import (
    box_one,
    box_string,
    clear,
    concat_one,
    load_word,
    malloc_all,
    malloc_one,
    slice_grow,
    store_word,
    to_bytes,
    to_string,
)
from goalloc.errors import GROWSLICE_LEN, MAKESLICE_CAP, MAKESLICE_LEN, TEXTS, FatalError, raise_fatal
from goalloc.runtime.goroutine import Goroutine
from goalloc.values.string import STATIC_VALUES
from goalloc.observe.inspect import Inspector
from goalloc.layout import (
    DATA,
    DATA_END,
    DECLARED,
    GLOBALS,
    RODATA,
    RODATA_END,
    TYPES,
    debug,
    hmap,
    m_,
    p_,
    pointer_words,
    schedt,
    type_,
    variables as V,
)
from goalloc.values.map import MAKE
from goalloc.runtime.map import Map
from goalloc.runtime.log import rows, start_log
from goalloc.runtime.pacing import add_globals, init_controller
from goalloc.sched.proc import NEWG
from goalloc.sizeclasses import class_to_allocnpages, class_to_divmagic, class_to_size, size_class, size_to_class8, size_to_class128
from goalloc.observe.sizestats import assume_asked, size_stats
from goalloc.runtime.slice import Slice
from goalloc.runtime.start import check_start, rebuild
from goalloc.heap.stack import CACHE_CLEAR
from goalloc.observe.gctrace import cycles, lines
from goalloc.observe.metrics import read_metrics
from goalloc.observe.memstats import STATES, read_memstats, read_span
from goalloc.types import Type, array, check_type, encode, int64, pointer, slice_of, string, uint8

USUAL_DOORS = (P.DOOR_PERSISTENTALLOC, P.DOOR_PAGES, P.DOOR_ALLOC_SPAN, P.DOOR_NEXT_FREE, P.DOOR_HEAP_BITS, P.DOOR_RUNTIME, H.DOOR_MADVISE)
TYPES_SIZE = GLOBALS - TYPES
TABLES = (
    ("class_to_size", np.uint16, class_to_size),
    ("class_to_allocnpages", np.uint8, class_to_allocnpages),
    ("class_to_divmagic", np.uint32, class_to_divmagic),
    ("size_to_class8", np.uint8, size_to_class8),
    ("size_to_class128", np.uint8, size_to_class128),
)
# The runtime's own objects in the heap
P_TYPE, M_TYPE, G_TYPE, SUDOG_TYPE, HCHAN_TYPE, TIMER_TYPE, HMAP_TYPE, MAPEXTRA_TYPE = (
    Type(name, DECLARED[name].size, 8, pointer_words(name)) for name in ("p", "m", "g", "sudog", "hchan", "timer", "hmap", "mapextra")
)
TIMER_OBJECT_TYPE = Type("Timer", 8 + TIMER_TYPE.size, 8, (0, *(8 + at for at in TIMER_TYPE.pointers)))
# Those whose addresses the runtime finds in its data (typelinks)
LINKED = (G_TYPE, SUDOG_TYPE, HCHAN_TYPE, TIMER_TYPE, pointer, int64, TIMER_OBJECT_TYPE)
REGISTERS = 16  # of a thread that Python drives
FIXED = H.MAP_PRIVATE | H.MAP_ANONYMOUS | H.MAP_FIXED


class String(NamedTuple):
    """A string's header: address of its bytes, how many."""

    str: int
    len: int


@one_at_a_time(its_machine)
class Runtime:
    """Go's memory, started. `config`: MachineConfig, or `machine`: one that exists, or `process`: with nothing mapped.

    `gomaxprocs`: Ps, one a core, all cores if None; `gogc`: percent, negative or "off" for none; `memory_limit`: bytes, a size such as "1GiB", or "off";
    `godebug`: "madvdontneed=0" (or 1), "disablethp=1", "memprofilerate=524288"; `start`: a
    recorded heap to begin with (start.py). `seed`: of what is random in the machine, in maps' hashes, in what is sampled. `collects`:
    collections begin by themselves, as GOGC and the limit say; without it only those that are asked for (gc).
    """

    def __init__(
        self,
        config=None,
        machine=None,
        process=None,
        gomaxprocs=None,
        gogc=100,
        memory_limit=None,
        godebug="",
        start=None,
        seed=0,
        collects=False,
    ):
        check_places(config, machine, process)
        seed = check_seed(seed)
        swept = isinstance(start, dict) and "full" in start  # a heap that has been collected (start_swept.py)
        if start is not None and not swept:
            check_start(start)
        self.gogc, self.memory_limit = check_gogc(gogc), check_limit(memory_limit)
        settings = check_godebug(godebug)
        self.madvdontneed, self.memprofilerate = settings["madvdontneed"], settings["memprofilerate"]
        self.disablethp = settings["disablethp"]
        self.machine = process.machine if process else machine or Machine(config or MachineConfig(), seed)
        self.gomaxprocs = check_gomaxprocs(gomaxprocs, self.machine.config.cores, start is not None)
        if not self.machine.config.mmu:
            raise ValueError("config: a Go program needs an MMU")
        DOORS.prepare(USUAL_DOORS, RECORD)
        self.machine.signals.update(TEXTS)  # for programs that Runtime does not drive (hwmem.run)
        self.process = process or self.machine.spawn()
        self._random = np.random.default_rng(seed)  # hashes' seeds
        self._types, self._next_type, self._next_global = {}, TYPES, GLOBALS
        self.type_names, self.sites = {}, {}
        self.finalizers, self.pins, self.free_pins = {}, {}, []  # number: callback; address: variables that hold it
        self._register, self.main = 0, None  # main: the goroutine of a program that was recorded
        self.turns = True  # a call begins with the turns of the collector's goroutines
        self._load_program()
        record = self.machine.state.process[self.process.number]
        record.guest[:] = record.asked[:] = 0  # another program's, that had the number before
        self._log = start_log(self.process)
        self._schedinit(start)
        self._began = self._nanotime()
        self.process.store(V.sched + schedt.procresizetime, self._began)
        if start is not None:
            assume_asked(self)
        guest = self.machine.state.process[self.process.number].guest
        guest[[P.MALLOCS, P.MALLOC_CYCLES]] = 0  # of the program, not of starting
        guest[P.COLLECTOR] = P.ENABLED if collects and start is None else 0
        if self.memprofilerate:
            from goalloc.observe.memprofile import start_profile

            start_profile(self, self.memprofilerate)

    # Starting

    def _load_program(self):
        """What execve does: map the program's segments, and the read-only tables in them. ValueError where something lies already."""
        p = self.process
        if any(vma.start < DATA_END and RODATA < vma.end for vma in p.maps()):
            raise ValueError("process: runs a program already")
        p.mmap(RODATA, RODATA_END - RODATA, flags=FIXED)
        p.mmap(DATA, DATA_END - DATA, flags=FIXED)
        p.mmap(TYPES, TYPES_SIZE, flags=FIXED)
        for name, dtype, table in TABLES:
            p.write(getattr(V, name), np.array(table, dtype).tobytes())
        p.write(V.staticuint64s, np.arange(STATIC_VALUES).tobytes())

    def _schedinit(self, start):
        p, config = self.process, self.machine.config
        t = p.thread_on(0)
        self.machine.state.process[p.number].guest[P.MILLISECOND] = round(config.frequency_ghz * 1e6)
        self.machine.state.thread[t].guest[P.G] = V.g0
        p.store(V.m0 + m_.g0, V.g0)
        self._door(0, SET_M, V.m0, 0)
        self._door(0, MALLOCINIT, 0, 0)
        init_controller(p, self.gogc if start is None else -1, self.memory_limit)  # recorded heaps are not collected
        p.store(V.debug + debug.madvdontneed, self.madvdontneed, size=4)
        for name, value in (("physPageSize", P.physPageSize), ("physHugePageSize", P.physHugePageSize)):
            p.store(getattr(V, name), value)
        p.store(V.startingStackSize, P.fixedStack, size=4)
        p.store(V.sched + schedt.lastpoll, 1)
        p.store(V.hashkey, int(self._random.integers(1 << 64, dtype=np.uint64)))  # hashes' secret
        self.ps, self.gs, self._maptype = [], [], None
        for i, of in enumerate(LINKED):
            p.store(V.typelinks + 8 * i, self.type_address(of))
        if start is not None:
            p.store(V.allp, self.globals(1))  # in the recorded heap it is one of the objects
            if "full" in start:
                from goalloc.runtime.start_swept import rebuild_swept

                rebuild_swept(self, start)
            else:
                rebuild(self, start)
            self._parsedebugvars()
            return
        self._bootstrap_object(8 * self.gomaxprocs, array(pointer, self.gomaxprocs), V.allp)
        self._parsedebugvars()
        for i in range(self.gomaxprocs):
            self.add_p(self._bootstrap_object(P_TYPE.size, P_TYPE), i)

    def _parsedebugvars(self):
        """disablethp counts from here on: the heap's first 4 MiB, which mcommoninit's signal stack asked for, are mapped already."""
        if self.disablethp:
            self.process.store(V.debug + debug.disablethp, self.disablethp, size=4)

    def _bootstrap_object(self, size, of, variable=None):
        """An object allocated before there is a P to allocate as, from mcache0; its address, also stored at `variable`."""
        spanclass = size_class(size) << 1
        x = self.call(0, P.DOOR_NEXT_FREE, self.process.load(V.mcache0), spanclass, 0)
        self.machine.state.thread[self.process.thread_on(0)].guest[P.SIZE] = class_to_size[spanclass >> 1]
        self.call(0, P.DOOR_HEAP_BITS, x, size, self.type_address(of))
        if variable:
            self.process.store(variable, x)
        return x

    def add_p(self, pp, i):
        """Make the memory at `pp` P number `i`, with an mcache and an M on core `i`."""
        p = self.process
        p.store(pp + p_.id, i, size=4)
        p.store(pp + p_.mcache, self._door(0, NEW_MCACHE, 0, 0) if i else p.load(V.mcache0))
        p.store(V.gomaxprocs, i + 1, size=4)
        p.store(p.load(V.allp) + 8 * i, pp)
        mp, g0 = V.m0, V.g0
        if i:
            mp, g0 = self.mallocgc(M_TYPE.size, type=M_TYPE), self.mallocgc(G_TYPE.size, type=G_TYPE)
            p.store(mp + m_.g0, g0)
            p.store(mp + m_.id, i)
            self.machine.state.thread[p.thread_on(i)].guest[P.G] = g0
        p.store(mp + m_.fastrand, int(self._random.integers(1 << 64, dtype=np.uint64)))
        self._door(0, SET_M, mp, pp)
        self.ps.append(pp)
        self.gs.append(g0)

    # Allocating

    def new(self, of, core=0):
        """An object of a type, zeroed; its address."""
        check_type(of)
        return self.mallocgc(of.size, type=of, core=core)

    def mallocgc(self, n, noscan=True, needzero=True, type=None, core=0):
        """`n` bytes without pointers, or values of `type`; `noscan=False` without a type: all words are pointers. Its address."""
        of = type if type is not None else None if noscan else pointer
        if of is not None:
            check_type(of)
        typ = self.type_address(of) if of and of.pointers else 0
        return self.in_register(core, self._run(core, malloc_one, check_count(n, "n"), typ, bool(needzero)))

    def malloc_many(self, sizes, noscan=True, type=None, core=0):
        """Addresses (int64 array) of objects of `sizes` bytes each, allocated in one jitted loop. `noscan`: one, or an array;
        `type`: of all of them, instead."""
        sizes = check_sizes(sizes)
        plain = np.atleast_1d(np.asarray(noscan, bool))
        if len(plain) not in (1, len(sizes)):
            raise ValueError(f"noscan: takes one value or {len(sizes)}, got {len(plain)}")
        addresses = np.zeros(len(sizes), np.int64)
        types = np.where(plain, 0, self.type_address(pointer)) if type is None else np.array([self.type_address(type)])
        self._run(core, malloc_all, sizes, types, addresses, many=True)
        return addresses

    def make_slice(self, of, n, cap=None, core=0):
        """make([]T, n, cap)."""
        check_type(of)
        cap = check_count(n, "n") if cap is None else check_count(cap, "cap")
        if cap < n:
            raise ValueError("cap: smaller than n")
        if cap * of.size > P.maxAlloc:
            code = MAKESLICE_LEN if n * of.size > P.maxAlloc else MAKESLICE_CAP
            raise FatalError(TEXTS[code], code)
        return Slice(self.mallocgc(cap * of.size, type=of, core=core), n, cap, of)

    def append(self, s, *values, n=None, core=0):
        """append(s, values...): the slice, moved if it had no room. `n`: how many elements; those without values are zero. A value is
        an int, a float, a tuple of words (a string, a struct of words), or the element's bytes (types.py encode)."""
        check_slice(s, "s")
        encoded = [encode(s.type, value) for value in values]
        count = len(values) if n is None else check_count(n, "n")
        if count < len(values):
            raise ValueError(f"n: {n} is less than the {len(values)} values")
        needed, size = s.len + count, s.type.size
        if needed > P.maxInt64:
            raise FatalError(TEXTS[GROWSLICE_LEN], GROWSLICE_LEN)
        if needed > s.cap:
            typ = self.type_address(s.type) if s.type.pointers else 0
            x, cap = self._call(core, slice_grow, (s.array, s.len, s.cap), needed, size, typ)
            s = s._replace(array=int(x), cap=int(cap))
        at = s.array + s.len * size
        for i, value in enumerate(encoded):
            for offset in s.type.pointers if self.collector & P.MARKING else ():  # they may be over old ones
                self.write_pointer(at + i * size + offset, int.from_bytes(value[offset : offset + 8], "little", signed=True), core)
            if size in (1, 2, 4, 8):
                self.process.store(at + i * size, int.from_bytes(value, "little"), size=size, core=core)
            else:
                self.process.write(at + i * size, value, core=core)
        if count > len(values):
            self._run(core, clear, at + len(values) * size, (count - len(values)) * size)
        return s._replace(len=needed)

    def concat(self, a, b, core=0):
        """a + b of two strings, (address, length) each; the result likewise."""
        return String(self._run(core, concat_one, *check_string(a, "a"), *check_string(b, "b")), a[1] + b[1])

    def to_bytes(self, s, core=0):
        """[]byte(s) of a string, (address, length): a Slice."""
        x, capacity = self._call(core, to_bytes, *check_string(s, "s"))
        return Slice(int(x), s[1], int(capacity), uint8)

    def to_string(self, b, core=0):
        """string(b) of a Slice of bytes: (address, length)."""
        check_slice(b, "b")
        return String(self._run(core, to_string, b.array, b.len), b.len)

    def box(self, value, size=8, core=0):
        """The data word of an interface that holds the unsigned integer of 2, 4 or 8 bytes, or the string (address, length):
        the address where it is."""
        if isinstance(value, tuple):
            return self._run(core, box_string, *check_string(value, "value"), self.type_address(string))
        if (
            size not in (2, 4, 8)
            or isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or not 0 <= value < 1 << min(8 * size, 63)
        ):
            raise ValueError(f"value: takes an unsigned integer of 2, 4 or 8 bytes below 2^63, or a string, got {value!r}, size {size!r}")
        return self._run(core, box_one, value, size)

    def make_map(self, core=0):
        """make(map[int]int): a Map."""
        h = self.mallocgc(hmap.sizeof, type=HMAP_TYPE, core=core)
        self.call(core, P.DOOR_MAP, h, 0, MAKE)
        return Map(self, h, self.maptype(), core)

    def maptype(self):
        """Address of the three words that map.py takes as `mt`."""
        if self._maptype is None:
            types = [self.type_address(of) for of in (MAPEXTRA_TYPE, slice_of, pointer)]
            self._maptype = self.globals(len(types))
            for i, address in enumerate(types):
                self.process.store(self._maptype + 8 * i, address)
        return self._maptype

    def globals(self, n):
        """Address of `n` new global variables that are pointers."""
        address = self._next_global
        if not 1 <= check_count(n, "n") <= 1 << 20:
            raise ValueError("n: takes 1 to 1048576 variables")
        end = -(-(address + 8 * n) // H.PAGE) * H.PAGE
        mapped = -(-address // H.PAGE) * H.PAGE
        if end > mapped:
            self.process.mmap(mapped, end - mapped, flags=FIXED)
        self._next_global = address + 8 * n
        self.machine.state.process[self.process.number].guest[P.GLOBALS_END] = self._next_global
        add_globals(self.process, 8 * n)
        return address

    def write_pointer(self, slot, value, core=0):
        """*slot = value."""
        self._run(core, store_word, to_int64("slot", slot), to_int64("value", value))

    def read_pointer(self, slot, core=0):
        """The pointer that the slot holds."""
        return self.in_register(core, self._run(core, load_word, to_int64("slot", slot)))

    def go(self, core=0):
        """A goroutine that has been started and waits; its stack is empty."""
        core = check_core(core, self.gomaxprocs)
        return Goroutine(self, self.call(core, P.DOOR_PROC, NEWG, 0, 0), core)

    def arena(self, core=0):
        """arena.NewArena(): memory that is freed as a whole."""
        from goalloc.runtime.arena import UserArena

        return UserArena(self, core)

    def type_address(self, of):
        """Address of a type's descriptor in the program's data; written when it is first needed."""
        check_type(of)
        key = (of.name, of.size, of.align, of.pointers)
        if key not in self._types:
            mask = of.mask()
            if self._next_type + type_.sizeof + len(mask) > GLOBALS:
                raise ValueError("type: the program has no room for more types")
            at = self._next_type
            self._next_type += type_.sizeof + -(-len(mask) // 16) * 16
            self.process.store(at + type_.Size_, of.size)
            self.process.store(at + type_.PtrBytes, of.ptrdata)
            self.process.store(at + type_.GCData, at + type_.sizeof)
            self.process.store(at + type_.Align_, of.align, size=1)
            self.process.write(at + type_.sizeof, mask)
            self._types[key] = at
            self.type_names[at] = of.name
        return self._types[key]

    # What the collector goes by

    def set_gc_percent(self, percent, core=0):
        """debug.SetGCPercent: the heap's goal changes at once. Negative or "off": no collection but for the memory limit's sake, and
        those asked for. The old value, -1 for off."""
        from goalloc.gc.mgcpacer_commit import set_gc_percent

        return self._run(core, set_gc_percent, check_gogc(percent, "percent"))

    def set_memory_limit(self, limit, core=0):
        """debug.SetMemoryLimit: bytes, or a size such as "1GiB"; None or "off" for none; a negative number only asks. The old limit, in
        bytes (2^63 - 1 if there was none)."""
        from goalloc.gc.mgcpacer_commit import set_memory_limit

        return self._run(core, set_memory_limit, -1 if is_negative(limit) else check_limit(limit, "limit"))

    # Collecting (collect.py)

    def gc(self, core=0):
        """runtime.GC(), then the sweeper's and the finalizers' goroutines have their turns."""
        from goalloc.runtime.collect import gc

        gc(self, check_core(core, self.gomaxprocs))

    def free_os_memory(self, core=0):
        """debug.FreeOSMemory(): a collection, and every free page goes back to the kernel."""
        from goalloc.runtime.collect import free_os_memory

        free_os_memory(self, check_core(core, self.gomaxprocs))

    def set_finalizer(self, address, callback, core=0):
        """runtime.SetFinalizer: once the object is not reached any more, `callback(address)` is called; None takes it away. FatalError with
        Go's words for what has no beginning there, or has one already."""
        from goalloc.runtime.collect import set_finalizer

        set_finalizer(self, address, callback, check_core(core, self.gomaxprocs))

    def pin(self, address, core=0):
        """Pinner.Pin: the object stays, and lives, until it is unpinned as often."""
        from goalloc.runtime.collect import pin

        pin(self, address, True, check_core(core, self.gomaxprocs))

    def unpin(self, address, core=0):
        """Undo the last `pin` of the object at `address`."""
        from goalloc.runtime.collect import pin

        pin(self, address, False, check_core(core, self.gomaxprocs))

    def is_live(self, address):
        """Whether an address points into an object that is allocated."""
        from goalloc.runtime.collect import is_live

        return is_live(self, address)

    def color(self, address):
        """ "white", "grey" or "black": what a running collection knows of the object."""
        from goalloc.runtime.collect import color

        return color(self, address)

    # Looking

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

    def gc_cycles(self):
        """The collections so far, a dict each: n, forced, heap_trigger, heap_start, heap_end, heap_marked, goal, next_goal, stack_scan,
        globals_scan, heap_scan_work, mapped_ready, heap_free, heap_released (bytes), assist_ns, dedicated_ns, fractional_ns, idle_ns,
        at_ns (four moments), pauses_ns (sweep termination, mark termination), cons_mark, objects_marked, spans_swept (observe/gctrace.py)."""
        guest = self.machine.state.process[self.process.number].guest
        return cycles(rows(self.process, self._log), int(guest[P.OBJECTS_MARKED]), int(guest[P.SPANS_SWEPT]))

    def trace_lines(self, gctrace=True, scavtrace=True):
        """What GODEBUG=gctrace=1,scavtrace=1 would have printed so far, a string a line; or only one of both."""
        wanted = [kind for kind, asked in ((CYCLE, gctrace), (FORCED, gctrace), (SCAVENGED, scavtrace)) if asked]
        log = rows(self.process, self._log)
        return lines(log[np.isin(log[:, 0], wanted)], self._began)

    def metrics(self):
        """runtime/metrics' values by name, of those that are modelled (observe/metrics.py); unlike memstats() it flushes nothing."""
        return read_metrics(Inspector(self.process))

    def mem_profile(self, inuse_zero=True):
        """runtime.MemProfile's records, as dicts. Samples are taken if GODEBUG has memprofilerate=BYTES (1: every object)."""
        from goalloc.observe.memprofile import mem_profile

        return mem_profile(self, inuse_zero)

    def call_site(self, name):
        """`with rt.call_site("parse"): ...`: for the profile, what is allocated meanwhile was allocated there."""
        from goalloc.observe.memprofile import call_site

        return call_site(self, name)

    def cycles_of(self, operation):
        """{"count", "cycles", "each"} of an operation: "mallocgc" (by new, mallocgc, make_slice, malloc_many), "lock" (the waiting)."""
        counts = self.machine.state.process[self.process.number].guest
        slots = {"mallocgc": (P.MALLOCS, P.MALLOC_CYCLES), "lock": (P.LOCK_WAITS, P.LOCK_WAIT_CYCLES)}
        if not isinstance(operation, str) or operation not in slots:
            raise ValueError(f"operation: {operation!r} is none of {', '.join(slots)}")
        count, cycles = (int(counts[k]) for k in slots[operation])
        return {"count": count, "cycles": cycles, "each": cycles / count if count else 0.0}

    # What stands behind

    def _nanotime(self, core=0):
        """The clock of a core, nanoseconds."""
        return round(self.machine.cycles(core) / self.machine.config.frequency_ghz)

    def _door(self, core, operation, a, b):
        return self.call(core, P.DOOR_RUNTIME, operation, a, b)

    def call(self, core, door, a, b, c):
        """Go through a door of the runtime as the M of `core`."""
        t = self.process.thread_on(core)
        result = enter(self.machine.state, door, t, core, a, b, c)
        self.raise_error(t)
        return int(result)

    def _run(self, core, operation, *arguments, many=False):
        result = self._call(core, operation, *arguments, many=many)
        return result if result is None else int(result)

    def _call(self, core, operation, *arguments, many=False):
        core = check_core(core, self.gomaxprocs)
        if self.turns and self.collector & (P.MARKING | P.SYSTEM):
            from goalloc.runtime.collect import catch_up

            catch_up(self, core)
        t = self.process.thread_on(core)
        place_thread(self.machine.state, t, core)
        m = self.machine.state
        result = run_interruptibly(m, operation, m, t, *arguments) if many else operation(m, t, *arguments)
        self.raise_error(t)
        return result

    @property
    def collector(self):
        """What the collector is about: bits of params.py."""
        return int(self.machine.state.process[self.process.number].guest[P.COLLECTOR])

    def in_register(self, core, x):
        """An address that a call has given is in one of its M's 16 registers, which keeps it from a collection that begins by itself
        until as many others have come."""
        if self.turns:
            self.machine.state.thread[self.process.thread_on(core)].local[self._register] = x
            self._register = (self._register + 1) % REGISTERS
        return x

    def raise_error(self, t):
        """Raise what ended the M's thread `t`, if something did: FatalError or MachineError."""
        raise_fatal(self.machine, t)
        self.machine.raise_fault(t)
