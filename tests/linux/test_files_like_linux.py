"""Random scripts on mapped files: every recorded answer of Linux 6.18, and, where gcc is there, the host kernel's own.

Faults, minor and major, the place and code of signals, what the page cache holds, VMAs with rights, Rss, Anonymous and
dirty bytes, one answer after each operation.
"""

import gzip
import itertools
import json
import platform
import shutil

import pytest

import hwmem
from hwmem import params as P
from hwmem.config.machine import DiskConfig, MachineConfig
from hwmem.machine.machine import Machine
from host_memory import lies_on_a_disk
from mapped_files import PAGE, contents, faults, runs
from oracles.linux import file_scripts, scripts

BASE, WINDOW = 0x1000_0000_0000, 4 << 20
CODES = {"SEGV_MAPERR": 1, "SEGV_ACCERR": 2}
BUS_ADRERR = 12  # as files_oracle.c writes it
LATER = 1 << 30  # cycles after which all that was read ahead is there
FAST = DiskConfig(latency=0, bytes_per_cycle=1024)
RECORDED = [json.loads(line) for line in gzip.open(scripts.FOLDER / "files.jsonl.gz", "rt")]
_names = itertools.count()


@pytest.fixture(scope="module")
def machines():
    """One with a disk as fast as the file in memory on which Linux's file system lay, one with a slower disk: what a fault
    maps depends on whether what was read ahead is there already."""
    config = MachineConfig().replace(cores=2, memory="64MiB", swap="16MiB", thp="never")
    return Machine(config.replace(disk=FAST)), Machine(config)


class Script:
    """A script's process and file on the emulated machine."""

    def __init__(self, machine):
        self.machine, self.process, self.mapped = machine, machine.spawn(), None

    def answer(self, line):
        op, *numbers = line.split()
        self.bad, self.code, self.value = -1, 0, 0
        ret, counted = 0, (0, 0)
        try:
            if op in ("read", "write", "fill", "sum"):
                counted = faults(self.process, lambda: self.each(self.process, op[0], *map(int, numbers)))
            else:
                getattr(self, op)(*map(int, numbers))
        except OSError as failure:
            ret = -failure.errno
        for core in self.machine.state.core[: self.machine.config.cores]:
            core.cycles += LATER
        return {
            "op": line,
            "ret": ret,
            "minflt": counted[0],
            "majflt": counted[1],
            "segv": self.bad,
            "code": self.code,
            "value": self.value,
            "cached": runs(self.mapped.cached()),
            "vmas": self.vmas(),
        }

    def vmas(self):
        return [
            [
                v.start - BASE,
                v.end - BASE,
                rights(v),
                v.offset // PAGE,
                v.rss // 1024,
                v.anonymous // 1024,
                (v.shared_dirty + v.private_dirty) // 1024,
            ]
            for v in self.process.maps()
            if BASE <= v.start < BASE + WINDOW
        ]

    def each(self, process, kind, off, length, byte=1):
        """One access a page, until the first that is refused."""
        for o in range(off, off + length, PAGE):
            try:
                if kind in "wf":
                    process.store(BASE + o, byte, 1)
                else:
                    self.value += process.load(BASE + o, 1) if kind == "s" else 0 * process.load(BASE + o, 1)
            except hwmem.MachineError as refused:
                self.bad, self.value = o, -1
                self.code = CODES[refused.code] if isinstance(refused, hwmem.SegmentationFault) else BUS_ADRERR
                return

    def file(self, pages):
        name = f"script {next(_names)}"
        self.fd = self.machine.create_file(name, contents(pages))
        self.mapped = self.machine.file(name)

    def warm(self, pages):
        self.file(pages)
        a = self.process.mmap(BASE, pages * PAGE, 1, P.MAP_SHARED | P.MAP_FIXED, self.fd)
        self.process.madvise(a, pages * PAGE, P.MADV_RANDOM)
        self.process.touch(a, pages * PAGE, write=False)
        self.process.munmap(a, pages * PAGE)

    def map(self, off, length, prot, flags, page):
        self.process.mmap(BASE + off, length, prot, flags | P.MAP_FIXED, self.fd, page * PAGE)

    def anon(self, off, length):
        self.process.mmap(BASE + off, length, 3, P.MAP_SHARED | P.MAP_ANONYMOUS | P.MAP_FIXED)

    def unmap(self, off, length):
        self.process.munmap(BASE + off, length)

    def protect(self, off, length, prot):
        self.process.mprotect(BASE + off, length, prot)

    def advise(self, off, length, advice):
        self.process.madvise(BASE + off, length, advice)

    def msync(self, off, length, flags):
        self.process.msync(BASE + off, length, flags)

    def fsync(self):
        self.mapped.sync()

    def truncate(self, length):
        self.mapped.truncate(length)

    def fork(self, byte):
        child = self.process.fork()
        for off in range(0, WINDOW, PAGE):
            self.each(child, "f", off, PAGE, byte)
        child.exit()
        self.bad, self.code, self.value = -1, 0, 0


def rights(vma):
    return "".join(letter if vma.prot & bit else "-" for letter, bit in zip("rwx", (1, 2, 4))) + ("s" if vma.flags & P.MAP_SHARED else "p")


def agree(linux, ours):
    """Whether an answer is Linux's, as far as that is known."""
    if isinstance(linux, dict):
        return all(agree(linux[key], ours[key]) for key in linux)
    if isinstance(linux, list):
        return len(linux) == len(ours) and all(map(agree, linux, ours))
    return linux is None or linux == ours


def leaves_the_model(line, cached):
    """Whether a file is cut inside a page that is not in the cache: ext4 then has one there that is not up to date, here the
    disk alone is changed."""
    op, *numbers = line.split()
    return op == "truncate" and int(numbers[0]) % PAGE > 0 and not any(a <= int(numbers[0]) // PAGE <= b for a, b in cached or ())


def compare(machines, answers):
    """All answers are Linux's, with a fast disk or with a slow one."""
    found = [first_difference(machine, answers) for machine in machines]
    assert None in found, f"with a fast disk: {found[0]}; with a slow one: {found[1]}"


def first_difference(machine, answers):
    script, difference = Script(machine), None
    for place, linux in enumerate(answers):
        if leaves_the_model(linux["op"], answers[place - 1]["cached"]):
            break
        ours = script.answer(linux["op"])
        different = {key: (linux[key], ours[key]) for key in linux if not agree(linux[key], ours[key])}
        if different:
            difference = f"line {place + 1}: {linux['op']}: (Linux, here): {different}"
            break
    script.process.exit()
    machine.check()
    return difference


@pytest.mark.oracle
@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"seed {r['seed']}")
def test_linux_answered_the_same(machines, recorded):
    compare(machines, recorded["answers"])


@pytest.mark.live
@pytest.mark.oracle
def test_the_hosts_kernel_answers_the_same(machines, tmp_path, seed):
    if not shutil.which("gcc") or not shutil.which("setarch"):
        pytest.skip("no gcc or no setarch")
    if not lies_on_a_disk(tmp_path):
        pytest.skip("temporary files do not lie on a disk's file system")
    program = scripts.build(tmp_path, "files_oracle")
    known = next(recorded["answers"] for recorded in RECORDED if recorded["answers"][0]["op"].startswith("warm"))
    if not agree(known, scripts.settled(program, [answer["op"] for answer in known], tmp_path / "mapped")):
        pytest.skip(f"Linux {platform.release()} does not answer a recorded script as Linux 6.18 did on ext4")
    for number in range(seed, seed + 5):
        print(f"warm script {number}")
        compare(machines, scripts.settled(program, list(file_scripts.script(number, 60, "warm")), tmp_path / "mapped"))
