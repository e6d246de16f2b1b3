"""A Go program's runtime on an emulated machine, as Python drives it.

    Runtime(...) ── a process: tables, variables, heap structures, Ps with an M, a g0 and an mcache each (heap/malloc_init.py)
                ├─ new, mallocgc, malloc_many                          allocate, as the P of a core
                ├─ write_pointer, read_pointer, globals                the program's memory
                ├─ Values (values.py)            make_slice, append, make_map, strings, interfaces
                ├─ Collecting (collecting.py)    gc, finalizers, pinning, GOGC and the memory limit
                └─ Looking (looking.py)          memstats, span_of, check, gc_cycles, cycles_of: what can be seen

P i runs on core i. A call is a step of that core's M; what it costs is on the core's clock. Fatal errors of the program are
FatalError, bad accesses hwmem.SegmentationFault; the machine goes on. Wrong arguments raise ValueError or TypeError.
"""

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
)
from goalloc.heap.malloc_init import MALLOCINIT, NEW_MCACHE, SET_M
from goalloc.runtime.entries import (
    load_word,
    malloc_all,
    malloc_one,
    store_word,
)
from goalloc.errors import TEXTS, FatalError, raise_fatal
from goalloc.runtime.goroutine import Goroutine
from goalloc.values.string import STATIC_VALUES
from goalloc.layout import (
    DATA,
    DATA_END,
    DECLARED,
    GLOBALS,
    RODATA,
    RODATA_END,
    TYPES,
    debug,
    m_,
    mcache,
    p_,
    pointer_words,
    schedt,
    type_,
    variables as V,
)
from goalloc.runtime.log import start_log
from goalloc.runtime.pacing import add_globals, init_controller
from goalloc.sched.proc import NEWG
from goalloc.sizeclasses import class_to_allocnpages, class_to_divmagic, class_to_size, size_class, size_to_class8, size_to_class128
from goalloc.observe.cpuprofile import Spent
from goalloc.observe.sizestats import assume_asked
from goalloc.runtime.collecting import Collecting
from goalloc.runtime.looking import Looking
from goalloc.runtime.start import check_start, rebuild
from goalloc.runtime.values import Values
from goalloc.types import Type, array, check_type, int64, pointer

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
P_TYPE, M_TYPE, G_TYPE, SUDOG_TYPE, HCHAN_TYPE, TIMER_TYPE = (
    Type(name, DECLARED[name].size, 8, pointer_words(name)) for name in ("p", "m", "g", "sudog", "hchan", "timer")
)
TIMER_OBJECT_TYPE = Type("Timer", 8 + TIMER_TYPE.size, 8, (0, *(8 + at for at in TIMER_TYPE.pointers)))
# Those whose addresses the runtime finds in its data (typelinks)
LINKED = (G_TYPE, SUDOG_TYPE, HCHAN_TYPE, TIMER_TYPE, pointer, int64, TIMER_OBJECT_TYPE)
REGISTERS = 16  # of a thread that Python drives
FIXED = H.MAP_PRIVATE | H.MAP_ANONYMOUS | H.MAP_FIXED


@one_at_a_time(its_machine)
class Runtime(Values, Collecting, Looking):
    """Go's memory, started. `config`: MachineConfig, or `machine`: one that exists, or `process`: with nothing mapped.

    `gomaxprocs`: Ps, one a core, all cores if None; `gogc`: percent, negative or "off" for none; `memory_limit`: bytes, a size such as "1GiB", or "off";
    `godebug`: "madvdontneed=0" (or 1), "disablethp=1", "memprofilerate=524288", and what is older or not Go's: "periodicscavenge=1",
    "sharedworklists=1", "limiterms=20" (docs/go.md); `start`: a recorded heap to begin with (start.py). `seed`: of what is random in the machine, in maps' hashes, in what is sampled. `collects`:
    collections start by themselves, by GOGC and the limit; without it only on request (gc).
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
        self.machine.signals.update(TEXTS)  # for programs that Runtime does not drive (goalloc.run)
        self.machine.failures.update(dict.fromkeys(TEXTS, FatalError))
        self.process = process or self.machine.spawn()
        self._random = np.random.default_rng(seed)  # hashes' seeds
        self._types, self._next_type, self._next_global = {}, TYPES, GLOBALS
        self.type_names, self.types, self.sites = {}, {}, {}
        self.places = {}  # where goroutines are: what the goroutine profile calls it
        self._global_names = {}  # address: (its end, name)
        self.finalizers, self.pins, self.free_pins = {}, {}, []  # number: callback; address: variables that hold it
        self.free_iterators = []  # variables of range loops that have ended
        self._register, self.main = 0, None  # main: the goroutine of a program that was recorded
        self.turns = True  # a call begins with the turns of the collector's goroutines
        self._load_program()
        record = self.machine.state.process[self.process.number]
        record.guest[:] = record.asked[:] = 0  # another program's, that had the number before
        self._log = start_log(self.process)
        self._schedinit(start)
        self._has_begun(collects and start is None)
        self._began = self._nanotime()
        self.process.store(V.sched + schedt.procresizetime, self._began)
        if start is not None:
            assume_asked(self)
        guest = self.machine.state.process[self.process.number].guest
        guest[[P.MALLOCS, P.MALLOC_CYCLES]] = 0  # of the program, not of starting
        guest[P.COLLECTOR] = P.ENABLED if collects and start is None else 0
        guest[P.COLLECTOR] |= settings["sharedworklists"] * P.TOGETHER | settings["periodicscavenge"] * P.PERIODIC
        guest[P.LIMITER_NS] = settings["limiterms"] * 1_000_000
        if self.memprofilerate:
            from goalloc.observe.memprofile import start_profile

            start_profile(self, self.memprofilerate)
        self.spent = Spent(self)

    # Starting

    def _has_begun(self, collects):
        """What a process has of its own before the program begins (programs/session.py)."""

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
        self.machine.state.process[self.process.number].asked[spanclass >> 1] += size
        x = self.call(0, P.DOOR_NEXT_FREE, self.process.load(V.mcache0), spanclass, 0)
        self.machine.state.thread[self.process.thread_on(0)].guest[P.SIZE] = class_to_size[spanclass >> 1]
        self.call(0, P.DOOR_HEAP_BITS, x, size, self.type_address(of))
        scanned = self.process.load(V.mcache0) + mcache.scanAlloc
        self.process.store(scanned, self.process.load(scanned) + of.ptrdata)
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

    def globals(self, n, name=None):
        """Address of `n` new global variables that are pointers. `name`: what rt.why_live calls them."""
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
        if name is not None:
            self._global_names[address] = n, str(name)
        return address

    def global_name(self, address):
        """The name that the global variable at an address was given, or its address."""
        for start, (n, name) in self._global_names.items():
            if start <= address < start + 8 * n:
                return name if n == 1 else f"{name}[{(address - start) // 8}]"
        return f"at {address:#x}"

    def write_pointer(self, slot, value, core=0):
        """*slot = value."""
        slot, value = to_int64("slot", slot), to_int64("value", value)
        self._run(core, store_word, slot, value)
        if GLOBALS <= slot < self._next_global:
            registers = self.machine.state.thread[self.process.thread_on(core)].local
            registers[registers == value] = 0

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
            self.type_names[at], self.types[at] = of.name, of
        return self._types[key]

    # What stands behind

    def _nanotime(self, core=0):
        """The clock of a core, nanoseconds."""
        return round(self.machine.cycles(core) / self.machine.config.frequency_ghz)

    def _door(self, core, operation, a, b):
        return self.call(core, P.DOOR_RUNTIME, operation, a, b)

    def call(self, core, door, a, b, c):
        """Go through a door of the runtime as the M of `core`."""
        t = self.process.thread_on(core)
        result = enter(self.machine.state, door, t, a, b, c)
        self.raise_error(t)
        return int(result)

    def _run(self, core, operation, *arguments, many=False):
        result = self._call(core, operation, *arguments, many=many)
        return result if result is None else int(result)

    def _call(self, core, operation, *arguments, many=False):
        core = check_core(core, self.gomaxprocs)
        if self.turns and self.others_are_due(core):
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

    def others_are_due(self, core):
        """Whether the collector's goroutines, or sysmon, may have something to do by now."""
        asked = int(self.machine.state.process[self.process.number].guest[P.WAKE_AT])
        return self.collector & (P.MARKING | P.SYSTEM) != 0 or 0 < asked <= self.machine.cycles(core)

    def in_register(self, core, x):
        """An address that a call has given is in one of its M's 16 registers, which keeps it from a collection that begins by itself
        until as many others have come, or a global variable has it."""
        if self.turns:
            self.machine.state.thread[self.process.thread_on(core)].local[self._register] = x
            self._register = (self._register + 1) % REGISTERS
        return x

    def raise_error(self, t):
        """Raise what ended the M's thread `t`, if something did: FatalError or MachineError."""
        raise_fatal(self.machine, t)
        self.machine.raise_fault(t)
