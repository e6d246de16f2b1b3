"""A group's limit against Linux: who lives, and what is charged to the group, after every line of a script of several processes.

oracles/linux/groups.jsonl.gz holds what Linux 6.18 answered, cgroup v1 without swap (memory.high, .swap.max and .oom.group are
v2's alone). Where a compiler is, a memory controller, and the right to make a group in it, a fresh script is asked too.
Once the limit has been met, how much of the page cache went is a matter of batches: then only what reclaim cannot take must agree.
With each fork the oracle's parent and child copy some pages of their own stack and data (OWN_PAGES at most), which no script asked for.
"""

import gzip
import json
import os
import pathlib
import subprocess

import pytest

import hwmem
from host_memory import need_linux
from hwmem import params as P
from oracles.linux import group_scripts, scripts

BASE, PAGE = 0x1000_0000_0000, P.PAGE
RECORDED = [json.loads(line) for line in gzip.open(scripts.FOLDER / "groups.jsonl.gz", "rt")]
KEPT = ("anon", "shmem", "unevictable")
HIERARCHIES = ("/sys/fs/cgroup/memory",)
STEPS, OWN_PAGES = 12, 8


class Script:
    """A group on the emulated machine, and its processes."""

    def __init__(self):
        config = hwmem.MachineConfig().replace(cores=1, memory="64MiB", swap="0", thp="never")
        self.machine, self.alive = hwmem.Machine(config), [None] * group_scripts.PROCESSES
        self.fd = self.machine.create_file("data", group_scripts.FILE_PAGES * PAGE)

    def answer(self, line):
        answer = {"op": line}
        if line == "stat":
            self.machine.check()
            answer["stat"] = {name: n // PAGE for name, n in self.group.stat().items() if name not in ("pgscan", "pgsteal")}
        elif line.startswith("group"):
            self.group = self.machine.group("g", max=int(line.split()[1]) * PAGE)
        else:
            p, op, *numbers = line.split()
            lives = self.alive[int(p)] is not None and not self.alive[int(p)].record.killed
            try:
                if lives != (op == "start"):  # the script's model may have been wrong about who was killed
                    getattr(self, op)(int(p), *map(int, numbers))
            except hwmem.MachineError as killed:
                assert "Memory cgroup out of memory: Killed process" in str(killed)
        return answer | {"alive": [int(q is not None and not q.record.killed) for q in self.alive]}

    def start(self, p, adj):
        self.alive[p] = self.machine.spawn(privileged=True, group=self.group)
        self.alive[p].oom_score_adj = adj

    def fork(self, p, q):
        self.alive[q] = self.alive[p].fork()

    def end(self, p):
        self.alive[p].exit()
        self.alive[p] = None

    def take(self, p, off, n, prot, flags, fd=-1, first=0):
        return self.alive[p].mmap(BASE + off * PAGE, n * PAGE, prot, flags | P.MAP_FIXED, fd, first * PAGE)

    def anon(self, p, off, n):
        self.alive[p].touch(self.take(p, off, n, 3, P.MAP_PRIVATE | P.MAP_ANONYMOUS), n * PAGE)

    def shmem(self, p, off, n):
        self.alive[p].touch(self.take(p, off, n, 3, P.MAP_SHARED | P.MAP_ANONYMOUS), n * PAGE)

    def file(self, p, off, n, first, lock):
        a, process = self.take(p, off, n, 1, P.MAP_SHARED, self.fd, first), self.alive[p]
        process.madvise(a, n * PAGE, P.MADV_RANDOM)
        if lock:
            process.mlock(a, n * PAGE)
        else:
            process.touch(a, n * PAGE, write=False)

    def drop(self, p, off, n):
        self.alive[p].munmap(BASE + off * PAGE, n * PAGE)

    def dontneed(self, p, off, n):
        self.alive[p].madvise(BASE + off * PAGE, n * PAGE, P.MADV_DONTNEED)


def compare(answers, limit):
    script, met, forks = Script(), False, 0
    script.answer(f"group {limit}")
    for number, linux in enumerate(answers):
        ours = script.answer(linux["op"])
        assert linux["alive"] in (None, ours["alive"]), f"line {number}: {linux['op']}"
        forks += " fork " in linux["op"]
        met = met or script.group.events()["max"] > 0
        for name, pages in linux.get("stat", {}).items():
            if pages is not None and (name in KEPT or not met):
                own = OWN_PAGES * forks if name in ("anon", "inactive_anon") else 0
                assert 0 <= pages - ours["stat"][name] <= own, f"line {number}: {name}: {ours['stat']}, Linux's {linux['stat']}"


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"seed {r['seed']}")
def test_linux_answered_the_same(recorded):
    compare(recorded["answers"], recorded["limit"])


def test_the_hosts_kernel_answers_the_same(tmp_path, seed):
    need_linux()
    hierarchy = next((h for h in map(pathlib.Path, HIERARCHIES) if (h / "memory.limit_in_bytes").exists() and os.access(h, os.W_OK)), None)
    if hierarchy is None or os.geteuid() != 0:
        pytest.skip("no memory controller of cgroup v1 in which a group could be made")
    (tmp_path / "data").write_bytes(bytes(group_scripts.FILE_PAGES * PAGE))
    lines = list(group_scripts.script(seed, STEPS))
    print(lines)
    try:
        answers = scripts.answers(scripts.build(tmp_path, "groups_oracle"), lines, hierarchy, tmp_path / "data")
    except (OSError, subprocess.CalledProcessError) as failure:
        pytest.skip(f"groups_oracle does not build or run here: {failure}")
    compare(answers, int(lines[0].split()[1]))
