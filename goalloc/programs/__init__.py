"""The Go programs that come with it: `goalloc list` shows them, `goalloc run` runs one.

    start.py        a Go program's runtime as a workload's setup makes it
    storm.py        alloc-storm: objects of one size, from per-P caches or from one locked heap; mixed-sizes
    structures.py   linked-list, binary-trees, slices, maps, strings
    churn.py        goroutine-churn
    benchmarks.py   threadtest, larson
    sleepers.py     sleepers
    goroutines.py   channel, and what programs of goroutines are made of
"""
from contextlib import contextmanager

from hwmem.programs.registry import WORKLOADS
from goalloc.runtime.arguments import check_places
from goalloc.programs import benchmarks, churn, goroutines, sleepers, storm, structures       # noqa: F401
from goalloc.programs.start import environment, fit

PROGRAMS = {name: w for name, w in WORKLOADS.items() if w.kernel.__module__.startswith("goalloc.")}
for _name in PROGRAMS:
    del WORKLOADS[_name]                                    # hwmem lists its own


@contextmanager
def registered():
    """Inside, hwmem knows the Go programs by name."""
    WORKLOADS.update(PROGRAMS)
    try:
        yield
    finally:
        for name in PROGRAMS:
            del WORKLOADS[name]


def workloads():
    """Name -> {"description", "parameters": {name: {"default", "takes", "doc"}}}."""
    return {name: w.describe() for name, w in PROGRAMS.items()}


def run(name, config=None, seed=0, progress=False, gogc=100, memory_limit=None, godebug="", **parameters):
    """Run the program `name` on a machine of its own; an hwmem.Result. `gogc`, `memory_limit`, `godebug`: as Runtime takes them.
    `parameters`: its own, gomaxprocs among them (4, or all cores if there are fewer); what else hwmem.run takes. Raises TypeError or
    ValueError for wrong arguments, MachineError if the program failed."""
    from hwmem.runs.job import run as run_workload
    if not isinstance(name, str) or name not in PROGRAMS:
        raise ValueError(f"workload {name!r} does not exist; goalloc list shows them")
    check_places(config)
    parameters = fit(config or PROGRAMS[name].config(), parameters)
    with registered(), environment(GOGC=gogc, GOMEMLIMIT=memory_limit, GODEBUG=godebug):
        return run_workload(name, config, seed, progress, **parameters)
