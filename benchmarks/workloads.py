"""Part "workloads": host nanoseconds an emulated access takes in shipped programs, which do what no replayed stream does.

    pointer-chase, memory-mountain, stream, matrix-multiply    one core streams through memory, strides or follows pointers: most lines are new
    tlb-reach                                                  pages are new, too
    linear-regression, treiber-stack                           cores pass lines on, by stores and by atomics

Each with its own parameters on the preset `generic`, nothing watched. Only the kernel's CPU time counts, not the set-up.
"""

from tqdm import tqdm

from benchmarks.measure import best_in_turn
from hwmem.config.machine import MachineConfig
from hwmem.programs import find
from hwmem.report.table import table
from hwmem.runs.job import Job, accesses, start_thread
from hwmem.runs.watch import Watch

NAMES = ("pointer-chase", "stream", "memory-mountain", "matrix-multiply", "tlb-reach", "linear-regression", "treiber-stack")


def measure(repeats):
    """{"workloads": {name: {"accesses", "seconds"}}}."""
    programs = {name: Workload(name) for name in NAMES}
    with tqdm(total=repeats * len(NAMES), desc="workloads", unit="run", disable=None) as bar:

        def step(name):
            bar.set_postfix_str(name)
            bar.update()

        seconds = best_in_turn({name: program.prepare for name, program in programs.items()}, repeats, step)
    found = {name: {"accesses": program.accesses, "seconds": seconds[name]} for name, program in programs.items()}
    return {"repeats": repeats, "workloads": found}


class Workload:
    """A shipped program on a machine of its own; `accesses` is how many its last run made. `watched`: contended lines are."""

    def __init__(self, name, parameters=None, config=None, watched=False):
        self.name, self.parameters, self.config, self.watched = name, parameters or {}, config or MachineConfig(), watched
        self.accesses = 0

    def prepare(self):
        """A new machine, everything set up; the call that runs the kernel to its end."""
        job = Job(find(self.name), self.config, parameters=self.parameters)
        job.set_up()
        job.level_clocks()
        m = job.machine.state
        before = accesses(m)
        if self.watched:
            Watch(c2c=True).start(job.machine, job.threads)
        for rank, t in enumerate(job.threads):
            start_thread(m, t, rank)

        def run():
            job.workload.kernel(m, job.w)
            self.accesses = accesses(m) - before

        return run


def text(result):
    rows = [[name, one["accesses"], 1e9 * one["seconds"] / one["accesses"]] for name, one in result["workloads"].items()]
    return f"Shipped programs, CPU time, best of {result['repeats']}\n" + table(["program", "accesses", "ns an access"], rows)


def floors(result):
    return ()  # none is promised: it is here to be compared with the run before
