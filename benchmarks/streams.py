"""Part "streams": accesses a second on S1..S5, ours beside the bare C loop and other simulators.

    C           lru.c: one core, LRU, no coherence, no clock           AVX-512     the same by vector instructions
    hwmem       4 cores, coherence, DRAM, clocks, all counters on; mmu=False, and with the MMU on
    pycachesim  its fastest call from Python                           cachegrind  data references of a program
    unjitted    ours under NUMBA_DISABLE_JIT=1, a short beginning of the stream

C, AVX-512, hwmem and pycachesim run in this process in turn; caches are cold at the start of each repetition. Ours is
a machine made anew, C's tables are emptied, and both have their tables' pages in the host's memory already. With the
MMU on, the stream's pages were touched beforehand, so that its walks are measured and its page faults are not.
"""
import importlib.util

from tqdm import tqdm

from benchmarks import cachegrind, c_loop
from benchmarks.measure import best_in_turn, last_json, python, run_child
from benchmarks.traffic import LINE, SHAPES, SPAN, STREAMS

CORES = 4
OTHERS_ACCESSES = 1 << 21       # for pycachesim, whose addresses are Python's ints
UNJITTED_ACCESSES = 3_000
MMU_FLOOR = {"S1": 0.5, "S2": 0.3, "S3": 0.3, "S4": 0.3, "S5": 0.5}
FLOOR = 0.5


class Emulator:
    """hwmem's machine as a contender."""

    def __init__(self, mmu):
        import numpy as np

        from hwmem.config import MachineConfig
        self.config = MachineConfig().replace(cores=CORES, mmu=mmu)
        self.sizes = np.uint16(8)

    def prepare(self, stream):
        """A new machine, its pages touched if it has an MMU, and the call that replays `stream` on it."""
        import numpy as np

        from hwmem.machine import Machine
        machine = Machine(self.config)
        commit(machine)
        process, addresses = machine.spawn(), stream.addresses
        if self.config.mmu:
            base = process.mmap(0, SPAN)
            process.touch(base, int(addresses.max()) + LINE)
            addresses = addresses + base
        sizes = np.full(len(addresses), 8, np.uint16)
        return lambda: machine.replay((addresses, stream.is_store, sizes), process=process)


def commit(machine):
    """Write zeros over a new machine's cache tables, which are zero: the host's pages are there before the clock runs."""
    m = machine.state
    last = m.llc[m.sockets - 1]
    entries, sets = int(last.base) + (int(last.sets) << int(last.row_shift)), int(last.order_base + last.sets)
    for pool, used in ((m.tag, entries), (m.word, entries), (m.stamp, entries), (m.order, sets)):
        pool[:used] = 0


class Pycachesim:
    """pycachesim as a contender: a list for `load`, pairs for `loadstore`; of what it takes, these go fastest."""

    def prepare(self, stream):
        simulator, addresses = self.simulator(), stream.addresses.tolist()
        if not stream.is_store.any():
            return lambda: simulator.load(addresses)
        pairs = [(None, (a,)) if store else ((a,), None) for a, store in zip(addresses, stream.is_store.tolist())]
        return lambda: simulator.loadstore(pairs)

    def simulator(self):
        from cachesim import Cache, CacheSimulator, MainMemory
        cache = memory = None
        for number, (sets, ways) in reversed(list(enumerate(SHAPES, 1))):
            cache = Cache(f"L{number}", sets, ways, LINE, "LRU", store_to=cache, load_from=cache)
            if memory is None:
                memory = MainMemory()
                memory.load_to(cache)
                memory.store_from(cache)
        return CacheSimulator(cache, memory)


def measure(repeats):
    """{"missing": {contender: why}, "streams": {name: {"title", "accesses", "rates": {contender: accesses a second}}}}."""
    missing = {"cachegrind": cachegrind.missing(), "c": c_loop.missing(),
               "pycachesim": "" if importlib.util.find_spec("cachesim") else "not installed: pycachesim"}
    loop = None if missing["c"] else CLoopChecked()
    missing["c_avx512"] = missing["c"] or ("" if loop.has_vector else "this processor has no AVX-512")
    streams = {}
    with tqdm(STREAMS.items(), desc="streams", unit="stream", disable=None) as bar:
        for name, make in bar:
            stream = make()
            step = lambda what: bar.set_postfix_str(f"{name} {what}")       # noqa: E731
            rates = in_process_rates(stream, loop, missing, repeats, step)
            rates |= in_children_rates(name, stream, missing, repeats, step)
            streams[name] = {"title": stream.title, "accesses": len(stream.addresses), "rates": rates}
    return {"cores": CORES, "repeats": repeats, "missing": {k: why for k, why in missing.items() if why}, "streams": streams}


class CLoopChecked(c_loop.CLoop):
    """The C loops; before a stream is measured, both have counted the same misses."""

    def check(self, stream):
        counts = []
        for vector in (False, True):
            self.prepare(stream, vector)()
            counts.append(self.misses())
        if counts[0] != counts[1]:
            raise RuntimeError(f"the C loops disagree: {counts[0]} misses and {counts[1]}")


def in_process_rates(stream, loop, missing, repeats, step):
    """Accesses a second of those that run here, in turn."""
    others = stream.head(OTHERS_ACCESSES)
    emulators = {"hwmem": Emulator(False), "hwmem_mmu": Emulator(True)}
    contenders = {name: (lambda e=e: e.prepare(stream)) for name, e in emulators.items()}
    for e in emulators.values():
        e.prepare(stream.head(1))()             # compiled, or loaded from the compile cache
    if loop:
        loop.check(stream)
        contenders |= {"c": lambda: loop.prepare(stream), "c_avx512": lambda: loop.prepare(stream, vector=True)}
    if not missing["pycachesim"]:
        contenders["pycachesim"] = lambda: Pycachesim().prepare(others)
    seconds = best_in_turn({k: c for k, c in contenders.items() if not missing.get(k)}, repeats, step)
    return {k: len((others if k == "pycachesim" else stream).addresses) / s for k, s in seconds.items()}


def in_children_rates(name, stream, missing, repeats, step):
    """Accesses a second of those that need a process of their own."""
    rates = {}
    if not missing["cachegrind"]:
        step("cachegrind")
        with cachegrind.Cachegrind() as tool:
            rates["cachegrind"] = tool.rate(stream, repeats)
    step("unjitted")
    child = run_child(python("benchmarks.unjitted", name, UNJITTED_ACCESSES), {"NUMBA_DISABLE_JIT": "1"})
    return rates | {"unjitted": last_json(child.output)}


COLUMNS = {"c": "C", "c_avx512": "AVX-512", "hwmem": "hwmem", "hwmem_mmu": "+MMU", "pycachesim": "pycachesim",
           "cachegrind": "cachegrind", "unjitted": "unjitted"}


def text(result):
    """The table: million accesses a second."""
    from hwmem.report.table import table
    rows = [[f"{name} {s['title']}", *(million(s["rates"].get(key)) for key in COLUMNS)] for name, s in result["streams"].items()]
    lines = [f"Million accesses a second of CPU time, best of {result['repeats']}; ours with {result['cores']} cores, coherence and counters on",
             table(["stream", *COLUMNS.values()], rows)]
    lines += [f"no column {COLUMNS[key]}: {why}" for key, why in result["missing"].items()]
    return "\n".join(lines)


def million(rate):
    return None if rate is None else float(rate) / 1e6


def floors(result):
    """(what, stream, value, floor) of every promise; floor None: only told."""
    for name, stream in result["streams"].items():
        rate = stream["rates"].get
        for ours, against, floor in (("hwmem", "c", FLOOR), ("hwmem_mmu", "c", MMU_FLOOR[name]), ("hwmem", "pycachesim", 1.0),
                                     ("hwmem", "cachegrind", 1.0), ("hwmem", "c_avx512", None), ("hwmem_mmu", "c_avx512", None)):
            if rate(against):
                yield f"{COLUMNS[ours] if ours == 'hwmem' else 'hwmem +MMU'} / {COLUMNS[against]}", name, rate(ours) / rate(against), floor
