"""A program that moves pointers while collections mark: a graph in emulated memory, and the same in Python, which knows what must live.

    variables   global pointers                  stacks    goroutines whose frames hold objects, that grow and shrink
    fields      what each object points to       ballast   a list of objects that a collection has to go through

Each step is one of some P's: an object, an edge that moves (the way to lose an object behind the marker's back), a variable that is
cleared, a frame entered or left. `check_lost` holds the collector to the other half: what nothing has pointed to since before a cycle
began is gone after it.
"""

import random

import goalloc
from goalloc import params as P
from goalloc.layout import mstats, variables as V
from goalloc.observe.inspect import Inspector

NUMGC = V.memstats + mstats.numgc
NODE = goalloc.struct("Node", left=goalloc.pointer, right=goalloc.pointer, key=goalloc.int64)
SLOTS, GOROUTINES, FRAMES = 16, 3, 60
LIVE_MOST = 60  # objects of the graph, about


class Mutator:
    def __init__(self, rt, seed, ballast=256, ballast_bytes=4096, compute=1_000_000):
        """`ballast`: objects of the list; `compute`: cycles for which the P computes before each step."""
        self.rt, self.random, self.compute = rt, random.Random(seed), compute
        self.roots = rt.globals(SLOTS)
        self.variables, self.fields, self.lost = [None] * SLOTS, {}, {}
        self.goroutines = [(rt.go(core=i % rt.gomaxprocs), []) for i in range(GOROUTINES)]
        head = rt.globals(1)
        for _ in range(ballast):
            x = rt.mallocgc(ballast_bytes, noscan=False)
            rt.write_pointer(x, rt.read_pointer(head))
            rt.write_pointer(head, x)

    def marking(self):
        return bool(self.rt.machine.state.process[self.rt.process.number].guest[P.COLLECTOR] & P.MARKING)

    def cycles(self):
        """Collections that have ended."""
        return Inspector(self.rt.process).word(NUMGC, 4)

    def reachable(self):
        seen, todo = set(), [x for x in self.variables if x]
        todo += [x for _, frames in self.goroutines for x in frames if x]
        while todo:
            x = todo.pop()
            if x not in seen:
                seen.add(x)
                todo += [y for y in self.fields[x] if y]
        return seen

    def step(self):
        r = self.random
        core = r.randrange(self.rt.gomaxprocs)
        live = sorted(self.reachable())
        self.rt.machine.state.core[core].cycles += self.compute
        choice = r.random()
        if choice < (0.4 if len(live) < LIVE_MOST else 0.05) or not live:
            self.make(core, live)
        elif choice < 0.75:
            self.move_edge(core, live)
        elif choice < 0.85:
            self.set_variable(core, r.randrange(SLOTS), None)
        else:
            self.use_stack(live)
        for i in range(self.rt.gomaxprocs):  # what it needs is where it must be; nothing else keeps it
            self.rt.machine.state.thread[self.rt.process.thread_on(i)].local[:] = 0
        since = self.cycles() + self.marking()
        for x in self.fields.keys() - self.reachable() - self.lost.keys():
            self.lost[x] = since

    def make(self, core, live):
        x = self.rt.new(NODE, core=core)
        self.lost.pop(x, None)
        self.fields[x] = [None, None]
        if live and self.random.random() < 0.5:
            self.set_field(core, x, 0, self.random.choice(live))
        self.set_variable(core, self.random.randrange(SLOTS), x)

    def move_edge(self, core, live):
        x, y = self.random.choice(live), self.random.choice([*live, None])
        self.set_field(core, x, self.random.randrange(2), y)

    def use_stack(self, live):
        goroutine, frames = self.random.choice(self.goroutines)
        if len(frames) < FRAMES and self.random.random() < 0.6:
            if self.random.random() < 0.3:
                goroutine.call(400)
                self.rt.process.write(goroutine.sp, bytes(400), core=goroutine.core)  # no words of frames that were there before
                frames.append(None)
            else:
                x = self.random.choice(live)
                goroutine.push(x)
                frames.append(x)
        else:
            for _ in range(min(len(frames), self.random.randrange(1, 8))):
                goroutine.ret()
                frames.pop()

    def set_field(self, core, x, side, y):
        self.fields[x][side] = y
        self.rt.write_pointer(x + 8 * side, y or 0, core=core)

    def set_variable(self, core, k, x):
        self.variables[k] = x
        self.rt.write_pointer(self.roots + 8 * k, x or 0, core=core)

    def check_reachable(self):
        for x in self.reachable():
            assert self.rt.is_live(x), f"{x:#x} can be reached and has been freed"

    def check_lost(self):
        """What was lost before a cycle began that has ended is gone."""
        done = self.cycles()
        for x, since in list(self.lost.items()):
            if since < done:
                assert not self.rt.is_live(x), f"{x:#x} has been garbage since before cycle {since + 1} and lives after cycle {done}"
                del self.lost[x], self.fields[x]
