"""Where experiments on Go programs are made: hwmem's Lab with programs of goalloc, GOGC and GOMEMLIMIT, and runtimes at the prompt."""

from hwmem.experiments.experiment import Lab
from hwmem.runs.job import Job
from hwmem.runs.watch import UNWATCHED
from goalloc.programs import PROGRAMS, environment, fit
from goalloc.programs.command import command
from goalloc.runtime.runtime import Runtime


class GoLab(Lab):
    program = "goalloc"

    def find(self, name):
        return PROGRAMS.find(name)

    def run(self, name, machine=None, gogc=100, memory_limit="off", godebug="", **parameters):
        """A program's Result, without contended lines: no claim is about them, and of a heap they are thousands."""
        program = self.find(name)
        config = self.config(program, **(machine or {}))
        variables = environment(gogc, memory_limit, godebug)
        job = Job(program, config, self.seed, None, fit(config, self.changed(program, parameters)), variables)
        return self.noted(job.run(watch=UNWATCHED))

    def command(self, result):
        return command(result)

    def runtime(self, **settings):
        """A Runtime of one P."""
        return Runtime(config=self.config(), gomaxprocs=1, seed=self.seed, **settings)
