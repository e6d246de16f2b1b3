"""The allocator as plain Python does what the compiled one does."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
from goalloc import Runtime, int64, pointer, struct
rt = Runtime(gomaxprocs=1, godebug="memprofilerate=300")
node = struct("Node", left=pointer, key=int64, right=pointer)
seen = [rt.new(node) for _ in range(70)]
seen += rt.malloc_many([16, 1, 2, 8, 3000] * 4 + [40000]).tolist()
g = rt.go()
seen.append(g.push(g.sp))
for _ in range(4):
    g.call(312)
m = rt.make_map()
m.assign(range(20), range(20))
seen += [*g.stack, m.field("buckets"), m[19], rt.process.load(seen[-1])]
rt.check()
print(rt.mem_profile(), seen, rt.memstats(), rt.machine.cycles(0))
"""


def test_plain_python_gives_the_same_addresses_statistics_and_cycles():
    outputs = [
        subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, env={**os.environ, **mode})
        for mode in ({}, {"NUMBA_DISABLE_JIT": "1"})
    ]
    assert outputs[1].returncode == 0, outputs[1].stderr
    assert outputs[0].stdout == outputs[1].stdout


GOROUTINES = """
import goalloc
from mapprograms import Run
from one_p import OneP
from orders import run_all
from recorded import oracle
recorded, maps = oracle("goroutine_programs"), oracle("map_programs")
one = OneP(goalloc.Runtime(gomaxprocs=1))
ours = run_all(one, recorded["programs"][:3], recorded["answers"])
assert ours == [answer["Notes"] for answer in recorded["answers"][:3]]
k = min(range(len(maps["seen"])), key=lambda k: (len(maps["seen"][k]) < 100, len(maps["programs"][k]["Steps"])))
assert Run(one.rt, maps["programs"][k]).go_through() == maps["seen"][k]
one.rt.check()
"""


@pytest.mark.oracle
def test_plain_python_runs_goroutines_and_maps_as_the_real_ones_were_recorded():
    here = os.path.dirname(os.path.abspath(__file__))
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join([here, *sys.path])}
    run = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", GOROUTINES], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr


NEIGHBOURS = """
from types import SimpleNamespace
from goalloc.programs.neighbours import given, place_neighbours, taken_back
w = SimpleNamespace()
place_neighbours(w)
line = 0x7FFF_FFFF_F000
given(w, 0, line + 56, 8)       # the last word of a line: its owner stands in the highest bits
given(w, 63, line, 8)           # another thread on it: the allocator put them there
taken_back(w, 1, line + 56, 8, 0)
taken_back(w, 63, line, 8, 63)
given(w, 63, line, 8)           # alone there now
given(w, 1, line + 56, 8)       # what it freed for another, it gets back: the program moved it
assert (w.active, w.passive, w.unwatched) == (1, 1, 0), w
"""


def test_plain_python_tells_whose_the_last_word_of_a_line_is():
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", NEIGHBOURS], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
