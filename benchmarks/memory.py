"""Part "memory": what a machine takes of the host's memory beyond the emulated bytes that were touched.

For every preset a process of its own builds the machine, touches 64 MiB of emulated memory and replays random accesses
to it from all cores, so that every cache's tables are in use:

    beyond = most bytes resident - bytes resident after `import numba, numpy, hwmem` - frames in use * 4096

numba's own machinery for loading machine code counts as ours. "watched" is the same with misses classified and contended
lines followed. `python -m benchmarks.memory PRESET plain` prints one preset's bytes; so that it begins with nothing, this file imports
what it needs where it needs it.
"""

import re
import sys
from pathlib import Path

MODES = ("plain", "watched")
LIMIT_MB = 300
SPAN = 64 << 20
ACCESSES = 2_000_000
LINE, PAGE, ACCESS_BYTES = 64, 4096, 8
STORES, SEED = 0.3, 1


def measure(repeats):
    """{"beyond": {preset: {mode: bytes}}}."""
    from tqdm import tqdm

    from benchmarks.measure import last_json, python, run_child
    from hwmem.config.machine import presets

    beyond = {}
    with tqdm(presets(), desc="memory", unit="preset", disable=None) as bar:
        for n, preset in enumerate(bar):
            bar.set_postfix_str(preset)
            if n == 0:
                run_child(python("benchmarks.memory", preset, MODES[-1]))  # compiles what is not compiled yet
            beyond[preset] = {mode: last_json(run_child(python("benchmarks.memory", preset, mode)).output) for mode in MODES}
    return {"beyond": beyond}


def bytes_beyond(preset, mode):
    """One preset's, in a process that has done nothing else."""
    import numba  # noqa: F401
    import numpy as np

    import hwmem

    config = hwmem.MachineConfig.preset(preset)
    span = min(SPAN, config.memory // 2)
    rng = np.random.default_rng(SEED)
    addresses, is_store = rng.integers(0, span // LINE, ACCESSES) * LINE, rng.random(ACCESSES) < STORES
    core, sizes = rng.integers(0, config.cores, ACCESSES), np.full(ACCESSES, ACCESS_BYTES, np.uint16)
    before = resident("VmRSS")  # the accesses themselves are not the machine's
    machine = hwmem.Machine(config)
    if mode == "watched":
        from hwmem.observe import switches

        switches.start(machine, classify=True, c2c=True)
    process = machine.spawn()
    base = process.mmap(0, span)
    process.touch(base, span)
    addresses += base
    machine.replay((addresses, is_store, sizes), core=core, process=process)
    return resident("VmHWM") - before - int(machine.state.frames.used) * PAGE


def resident(field):
    """VmRSS (now) or VmHWM (at most, so far) of this process, in bytes."""
    return int(re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10


def text(result):
    from benchmarks.measure import MB
    from hwmem.report.table import table

    rows = [[preset, *(by_mode[mode] / MB for mode in MODES)] for preset, by_mode in result["beyond"].items()]
    return "Host memory beyond the emulated bytes touched, MB\n" + table(["preset", *MODES], rows)


def floors(result):
    from benchmarks.floors import UNDER, Floor
    from benchmarks.measure import MB

    for mode in MODES:
        worst = max(result["beyond"], key=lambda preset: result["beyond"][preset][mode])
        yield Floor(f"memory beyond, {mode}, MB", worst, result["beyond"][worst][mode] / MB, LIMIT_MB, UNDER)


if __name__ == "__main__":
    print(bytes_beyond(*sys.argv[1:]))
