"""Part "streams": accesses a second on S1..S5, ours beside the bare C loop and other simulators.

    C           lru.c: one core, LRU, no coherence, no clock           AVX-512     the same by vector instructions
    hwmem       4 cores, coherence, DRAM, clocks, all counters on; mmu=False, and with the MMU on
    pycachesim  its fastest call from Python                           cachegrind  data references of a program
    unjitted    ours under NUMBA_DISABLE_JIT=1, a short beginning of the stream

C, AVX-512, hwmem and pycachesim run in this process in turn; caches are cold at the start of each repetition. Ours is
a machine made anew, C's tags are cleared, and both have their tables' pages in the host's memory already. With the
MMU on, the stream's pages were touched beforehand, so that its walks are measured and its page faults are not.
"""

from tqdm import tqdm

from benchmarks import c_loop, cachegrind
from benchmarks.c_loop import CLoop
from benchmarks.contenders import CORES, Emulator, Pycachesim
from benchmarks.floors import Floor
from benchmarks.measure import best_in_turn, last_json, python, run_child
from benchmarks.traffic import STREAMS
from hwmem.report.table import table

PYCACHESIM_ACCESSES = 1 << 21  # its addresses are Python's ints: the beginning has to do
UNJITTED_ACCESSES = 3_000
COLUMNS = {
    "c": "C",
    "c_avx512": "AVX-512",
    "hwmem": "hwmem",
    "hwmem_mmu": "+MMU",
    "pycachesim": "pycachesim",
    "cachegrind": "cachegrind",
    "unjitted": "unjitted",
}
FLOOR, MMU_FLOORS = 0.5, {"S1": 0.5, "S2": 0.3, "S3": 0.3, "S4": 0.3, "S5": 0.5}


def measure(repeats):
    """{"missing": {column: why}, "streams": {name: {"title", "accesses", "rates": {column: accesses a second}}}}."""
    loop = None if c_loop.missing() else CLoop()
    missing = missing_here(loop)
    streams = {}
    with tqdm(STREAMS.items(), desc="streams", unit="stream", disable=None) as bar:
        for name, make in bar:
            stream = make()
            rates = rates_of(name, stream, contenders(stream, loop, missing), repeats, bar)
            if "cachegrind" not in missing:
                bar.set_postfix_str(f"{name} cachegrind")
                with cachegrind.Cachegrind() as tool:
                    rates["cachegrind"] = tool.rate(stream, repeats)
            streams[name] = {"title": stream.title, "accesses": len(stream.addresses), "rates": rates}
    return {"cores": CORES, "repeats": repeats, "missing": missing, "streams": streams}


def missing_here(loop):
    """{column: why it cannot be measured here}."""
    why = {"c": c_loop.missing(), "pycachesim": Pycachesim.missing(), "cachegrind": cachegrind.missing()}
    why["c_avx512"] = why["c"] or ("" if loop.has_vector else "this processor has no AVX-512")
    return {column: reason for column, reason in why.items() if reason}


def contenders(stream, loop, missing):
    """{column: (prepare, stream)} of those that run in this process."""
    head = stream.head(PYCACHESIM_ACCESSES)
    who = {
        "hwmem": (Emulator(False).prepare, stream),
        "hwmem_mmu": (Emulator(True).prepare, stream),
        "pycachesim": (Pycachesim().prepare, head),
    }
    if loop:
        loop.check_agreement(stream)
        who |= {"c": (loop.prepare, stream), "c_avx512": (loop.prepare_vector, stream)}
    return {column: c for column, c in who.items() if column not in missing}


def rates_of(name, stream, who, repeats, bar):
    """{column: accesses a second}, of those in this process and of Python without numba."""
    for column in ("hwmem", "hwmem_mmu"):
        bar.set_postfix_str(f"{name} first run")
        who[column][0](stream.head(1))()  # compiles, or loads what is compiled
    seconds = best_in_turn(
        {column: lambda p=prepare, s=s: p(s) for column, (prepare, s) in who.items()},
        repeats,
        lambda column: bar.set_postfix_str(f"{name} {COLUMNS[column]}"),
    )
    child = run_child(python("benchmarks.unjitted", name, UNJITTED_ACCESSES), {"NUMBA_DISABLE_JIT": "1"})
    return {column: len(who[column][1].addresses) / s for column, s in seconds.items()} | {"unjitted": last_json(child.output)}


def text(result):
    """The table: million accesses a second."""
    rows = [[f"{name} {s['title']}", *(million(s["rates"].get(column)) for column in COLUMNS)] for name, s in result["streams"].items()]
    head = f"Million accesses a CPU second, best of {result['repeats']}; hwmem with {result['cores']} cores, coherence and counters on"
    absent = [f"no column {COLUMNS[column]}: {why}" for column, why in result["missing"].items()]
    return "\n".join([head, table(["stream", *COLUMNS.values()], rows), *absent])


def million(rate):
    return None if rate is None else rate / 1e6


def floors(result):
    """A Floor for each ratio and stream."""
    pairs = [
        ("hwmem", "c", FLOOR),
        ("hwmem_mmu", "c", MMU_FLOORS),
        ("hwmem", "pycachesim", 1.0),
        ("hwmem", "cachegrind", 1.0),
        ("hwmem", "c_avx512", None),
        ("hwmem_mmu", "c_avx512", None),
    ]
    for ours, against, floor in pairs:
        label = f"{'hwmem +MMU' if ours == 'hwmem_mmu' else 'hwmem'} / {COLUMNS[against]}"
        for name, stream in result["streams"].items():
            if against in stream["rates"]:
                promised = floor[name] if isinstance(floor, dict) else floor
                yield Floor(label, name, stream["rates"][ours] / stream["rates"][against], promised)
