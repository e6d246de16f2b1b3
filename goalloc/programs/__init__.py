"""The Go programs that come with goalloc: `goalloc list` shows them, `goalloc run` runs one.

registry.py     which file has which program
start.py        a Go program's runtime as a workload's setup makes it
storm.py        alloc-storm: objects of one size, from per-P caches or from one locked heap; mixed-sizes
structures.py   linked-list, binary-trees, slices, maps, strings
churn.py        goroutine-churn
benchmarks.py   threadtest, larson
sleepers.py     sleepers
goroutines.py   channel, and what programs of goroutines are made of
pressure.py     recursive-trees, allocation-burst, pointer-arrays, map-churn: what is expensive to mark
crowd.py        parallel-marking, many-goroutines, idle-after-spike: what happens beside collections, and between them
collected.py    steady, growth, garbage, explicit-gc, goroutine-stacks, finalizers: programs whose heap is collected
process.py      how these begin
"""

from hwmem.programs.registry import parameter
from goalloc.programs.registry import PROGRAMS, workload
from goalloc.programs.start import environment, fit
from goalloc.runtime.arguments import check_places

workloads = PROGRAMS.describe


def run(
    name,
    config=None,
    seed=0,
    progress=False,
    cores=None,
    compare=False,
    c2c=None,
    classify=False,
    events=0,
    races=False,
    max_cycles=None,
    gogc=100,
    memory_limit=None,
    godebug="",
    **parameters,
):
    """Run the program `name` on a machine of its own; an hwmem.Result. `gogc`, `memory_limit`, `godebug`: as Runtime takes them;
    `parameters`: its own, gomaxprocs among them (4, or all cores if there are fewer); the others as hwmem.run takes them.
    Raises TypeError or ValueError for wrong arguments, FatalError if the program ended as Go ends it, MachineError if it failed otherwise."""
    from hwmem.runs.job import Job
    from hwmem.runs.watch import Watch

    program = PROGRAMS.find(name)
    check_places(config)
    parameters = fit(config or program.config(), parameters)
    job = Job(program, config, seed, cores, parameters, environment(gogc, memory_limit, godebug))
    return job.run(progress, compare, Watch(c2c, classify, events, races), max_cycles)
