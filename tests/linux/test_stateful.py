"""Random histories of several processes in little memory, every byte compared with a dictionary.

Processes fork, end, map private and shared memory, unmap, protect, move, advise; RAM is smaller than what they write, so
pages go to swap and come back, and huge pages are made and taken apart. After each step the machine's invariants hold;
in the end, and now and then, every readable page of every process is read.
"""

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hwmem import params as P
from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.errors import SegmentationFault
from hwmem.machine.machine import Machine
from stateful_model import PAGE, Space

BASE = 0x2000_0000_0000
AREA = 1200  # pages that the processes use: two huge pages and some
MOST_PROCESSES = 3
FIXED = P.MAP_ANONYMOUS | P.MAP_FIXED
RIGHTS = st.sampled_from([P.PROT_READ | P.PROT_WRITE] * 4 + [P.PROT_READ, P.PROT_NONE])
FIRST = st.one_of(st.integers(0, AREA - 1), st.sampled_from([0, 512]))
LENGTH = st.one_of(st.integers(1, 12), st.sampled_from([64, 512, 600, AREA]))
ADVICE = st.sampled_from(
    [
        P.MADV_DONTNEED,
        P.MADV_FREE,
        P.MADV_FREE,
        P.MADV_PAGEOUT,
        P.MADV_PAGEOUT,
        P.MADV_HUGEPAGE,
        P.MADV_NOHUGEPAGE,
        P.MADV_COLD,
        P.MADV_WILLNEED,
    ]
)
WHICH, CORE, BYTE = st.integers(0, MOST_PROCESSES - 1), st.integers(0, 1), st.integers(1, 255)
SMALL = {"l1d": CacheConfig(size="4KiB", ways=4, latency=4), "l2": None, "llc": CacheConfig(size="64KiB", ways=8, latency=40)}


def address(page):
    return BASE + page * PAGE


class Histories(RuleBasedStateMachine):
    @initialize()
    def start(self):
        """A process that has written more than RAM holds, its first huge page among it."""
        self.machine = Machine(MachineConfig().replace(cores=2, memory="4MiB", swap="64MiB", thp="madvise", **SMALL))
        self.running = [(self.machine.spawn(), Space())]
        self.map(0, 0, AREA, P.PROT_READ | P.PROT_WRITE, P.MAP_PRIVATE)
        self.advise(0, 0, 512, P.MADV_HUGEPAGE)
        self.write(0, 0, AREA, 7, 0)

    def pick(self, which):
        return self.running[which % len(self.running)]

    def expect(self, errno, call, *arguments):
        """The call succeeds, or fails as the model says."""
        try:
            call(*arguments)
        except OSError as failure:
            assert failure.errno == errno, (failure, errno)
        else:
            assert errno == 0, f"{errno} expected"

    @rule(which=WHICH, first=FIRST, n=LENGTH, prot=RIGHTS, shared=st.sampled_from([P.MAP_PRIVATE, P.MAP_PRIVATE, P.MAP_SHARED]))
    def map(self, which, first, n, prot, shared):
        process, space = self.pick(which)
        assert process.mmap(address(first), n * PAGE, prot, FIXED | shared) == address(first)
        space.map(first, n, prot, shared == P.MAP_SHARED)

    @rule(which=WHICH, first=FIRST, n=LENGTH)
    def unmap(self, which, first, n):
        process, space = self.pick(which)
        process.munmap(address(first), n * PAGE)
        space.unmap(first, n)

    @rule(which=WHICH, first=FIRST, n=LENGTH, prot=RIGHTS)
    def protect(self, which, first, n, prot):
        process, space = self.pick(which)
        self.expect(space.protect(first, n, prot), process.mprotect, address(first), n * PAGE, prot)

    @rule(which=WHICH, first=FIRST, n=LENGTH, advice=ADVICE)
    def advise(self, which, first, n, advice):
        process, space = self.pick(which)
        self.expect(space.advise(first, n, advice), process.madvise, address(first), n * PAGE, advice)

    @rule(which=WHICH, chosen=st.integers(0, 1000), to=FIRST, more=st.integers(-4, 20))
    def move(self, which, chosen, to, more):
        """A whole private mapping goes elsewhere, longer or shorter."""
        process, space = self.pick(which)
        vmas = [v for v in process.maps() if BASE <= v.start < address(AREA + 600) and v.flags & P.MAP_PRIVATE]
        if not vmas:
            return
        vma = vmas[chosen % len(vmas)]
        first, n = (vma.start - BASE) // PAGE, vma.size // PAGE
        new = max(1, n + more)
        if first < to + new and to < first + n:
            return
        flags = P.MREMAP_MAYMOVE | P.MREMAP_FIXED
        assert process.mremap(vma.start, vma.size, new * PAGE, flags, address(to)) == address(to)
        space.move(first, n, to, new)

    @rule(which=WHICH)
    def fork(self, which):
        if len(self.running) < MOST_PROCESSES:
            process, space = self.pick(which)
            self.running.append((process.fork(), space.fork()))

    @rule(which=WHICH)
    def exit(self, which):
        if len(self.running) > 1:
            self.running.pop(which % len(self.running))[0].exit()

    @rule(which=WHICH, first=FIRST, n=LENGTH, byte=BYTE, core=CORE)
    def write(self, which, first, n, byte, core):
        process, space = self.pick(which)
        for page in range(first, first + n):
            offset = byte * 8 % PAGE
            code = space.refusal(page, True)
            if code is None:
                process.store(address(page) + offset, byte, 1, core)
                space.pages[page].content.write(offset, byte)
            else:
                with pytest.raises(SegmentationFault) as caught:
                    process.store(address(page) + offset, byte, 1, core)
                assert (caught.value.address, caught.value.access, caught.value.code) == (address(page) + offset, "write", code)
                return

    @rule(which=WHICH, first=FIRST, n=st.integers(1, 12), core=CORE)
    def read(self, which, first, n, core):
        process, space = self.pick(which)
        for page in range(first, first + n):
            code = space.refusal(page, False)
            if code is None:
                assert space.pages[page].content.expect(process.read(address(page), PAGE, core)), f"page {page}"
            else:
                with pytest.raises(SegmentationFault) as caught:
                    process.load(address(page), 8, core)
                assert (caught.value.address, caught.value.access, caught.value.code) == (address(page), "read", code)
                return

    @rule()
    def read_everything(self):
        for process, space in self.running:
            for page, mapped in space.pages.items():
                if space.refusal(page, False) is None:
                    assert mapped.content.expect(process.read(address(page), PAGE)), f"process {process.number}, page {page}"

    @rule(which=WHICH)
    def look_at_maps(self, which):
        process, space = self.pick(which)
        mapped = {
            page: v.prot
            for v in process.maps()
            if BASE <= v.start < address(4 * AREA)
            for page in range((v.start - BASE) // PAGE, (v.end - BASE) // PAGE)
        }
        assert mapped == {page: m.prot for page, m in space.pages.items()}

    @invariant()
    def all_is_well(self):
        if hasattr(self, "machine"):
            self.machine.check()
            for process, _ in self.running:
                rollup, status = process.smaps_rollup(), process.status()
                assert status["VmRSS"] == rollup["Rss"]
                assert status["RssAnon"] == rollup["Anonymous"]

    def teardown(self):
        if hasattr(self, "machine"):
            self.read_everything()
            while self.running:
                self.running.pop()[0].exit()
            self.machine.check()
            memory, vmstat = self.machine.meminfo(), self.machine.vmstat()
            for name in ("pgsteal_kswapd", "pgsteal_direct", "pswpin", "pglazyfreed", "thp_fault_alloc", "thp_split_page"):
                event(f"{name}: {'some' if vmstat[name] else 'none'}")
            assert memory["AnonPages"] == memory["Shmem"] == memory["Committed_AS"] == 0
            assert memory["SwapFree"] == memory["SwapTotal"]


Histories.TestCase.settings = settings(max_examples=25, stateful_step_count=40)
TestHistories = Histories.TestCase
