"""/proc's texts and figures: the same form as the host's own, the same figures after the same calls, and sums that agree."""

import re
from itertools import product

import numpy as np
import pytest

import host_memory
from host_memory import HEAD, HostMemory, parse_smaps
from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine

PAGE, BASE = 4096, 0x2000_0000_0000
RW, R, NONE = P.PROT_READ | P.PROT_WRITE, P.PROT_READ, P.PROT_NONE
PRIVATE, SHARED = P.MAP_PRIVATE | P.MAP_ANONYMOUS | P.MAP_FIXED, P.MAP_SHARED | P.MAP_ANONYMOUS | P.MAP_FIXED
HOSTS_OWN = {"ProtectionKey"}  # of smaps, where the processor has protection keys
NO_MACHINE = {"sd"}  # of VmFlags, where the kernel tracks soft-dirty pages: not modelled


@pytest.fixture(scope="module")
def machine():
    return Machine(MachineConfig().replace(cores=2, memory="64MiB", swap="32MiB", thp="madvise"))


@pytest.fixture
def process(machine):
    process = machine.spawn()
    yield process
    process.exit()


@pytest.fixture(scope="module")
def host():
    host_memory.need_linux()
    return HostMemory()


def busy(process):
    """A process with memory of several kinds: dirty, zero, shared with a child, swapped, huge, locked."""
    a = process.mmap(BASE, 64 * PAGE, RW, PRIVATE)
    process.touch(a, 40 * PAGE)
    process.touch(a + 40 * PAGE, 8 * PAGE, write=False)
    process.mprotect(a + 4 * PAGE, 4 * PAGE, R)
    process.madvise(a + 16 * PAGE, 8 * PAGE, P.MADV_PAGEOUT)
    huge = process.mmap(BASE + (64 << 20), 4 << 20, RW, PRIVATE)
    process.madvise(huge, 4 << 20, P.MADV_HUGEPAGE)
    process.touch(huge, 3 << 20)
    process.touch(process.mmap(BASE + (128 << 20), 8 * PAGE, RW, SHARED), 8 * PAGE)
    process.mlock(a + 32 * PAGE, 4 * PAGE)
    process.sbrk(3 * PAGE)
    child = process.fork()
    child.touch(a, 4 * PAGE)
    return child


def test_smaps_has_the_hosts_fields_in_the_hosts_order_and_columns(process, host):
    ours, hosts = process.smaps_text(), host.smaps_text()
    names = [name for name in parse_smaps(hosts)[0][1] if name not in HOSTS_OWN]
    for _, figures, codes in parse_smaps(ours):
        assert list(figures) == names
        assert codes
    columns = [{(len(line), line.index(":")) for line in text.splitlines() if line.startswith("Rss:")} for text in (ours, hosts)]
    assert columns[0] == columns[1]


def test_a_maps_line_has_the_hosts_columns(process, host):
    for text in (process.maps_text(), host_memory.read("self/maps")):
        for line in text.splitlines(keepends=True):
            head = HEAD.fullmatch(line)
            assert head and (not head["name"] or head.start("name") == 73 or not head["gap"])
    assert [line.split()[-1] for line in process.maps_text().splitlines()[-3:]] == ["[vvar]", "[vdso]", "[stack]"]


def test_smaps_rollup_has_the_hosts_form(process, host):
    ours, hosts = process.smaps_rollup_text().splitlines(), host_memory.read("self/smaps_rollup").splitlines()
    assert [line.split(":")[0] for line in ours[1:]] == [line.split(":")[0] for line in hosts[1:]]
    assert [line.index("[rollup]") for line in (ours[0], hosts[0])] == [73, 73] and " ---p 00000000 00:00 0 " in ours[0]


def test_a_process_has_a_thread_before_it_does_anything(machine):
    process = machine.spawn()
    assert "\nThreads:\t1\n" in process.status_text() and process.stat().num_threads == 1
    process.load(process.mmap(0, PAGE), core=0)
    assert process.stat().num_threads == 1
    process.exit()


def names_of(text, separator):
    return [re.split(separator, line)[0] for line in text.splitlines()]


def is_subsequence(some, of):
    rest = iter(of)
    return all(name in rest for name in some)


def test_status_has_the_hosts_memory_fields_in_the_hosts_order(process, host):
    ours, hosts = process.status_text(), host_memory.read("self/status")
    assert is_subsequence(names_of(ours, ":"), names_of(hosts, ":"))
    memory = re.compile(r"(Vm\w+|Rss\w+|HugetlbPages):\t *\d+ kB")
    found = [[line for line in text.splitlines() if memory.fullmatch(line)] for text in (ours, hosts)]
    assert [line.split(":")[0] for line in found[0]] == [line.split(":")[0] for line in found[1]]
    assert {len(line.split("\t")[1]) for line in found[0]} == {11}


def test_stat_and_statm_have_as_many_fields_as_the_hosts(process, host):
    assert len(process.stat_text().split()) == len(host_memory.read("self/stat").split())
    assert len(process.statm_text().split()) == len(host_memory.read("self/statm").split())


def in_width(number):
    """Ns in place of a number, as wide as one of at most eight digits."""
    return "N" * (len(number[0]) - max(0, len(number[0].strip()) - 8))


def test_meminfo_vmstat_and_buddyinfo_have_the_hosts_lines_in_the_hosts_order(machine, host):
    ours, hosts = (
        [re.sub(r" +\d+", in_width, line) for line in text.splitlines() if "VmallocTotal" not in line]
        for text in (machine.meminfo_text(), host_memory.read("meminfo"))
    )
    assert is_subsequence(ours, [*hosts, ours[-1]]), "a processor without pages of 1 GiB has no DirectMap1G, the last line"
    assert {"HugePages_Total:NNNNNNNN", "DirectMap4k:NNNNNNNNNNNN kB"} <= set(ours)
    assert is_subsequence(names_of(machine.vmstat_text(), " "), names_of(host_memory.read("vmstat"), " "))
    normal = next(text for text in host_memory.read("buddyinfo").splitlines(keepends=True) if "Normal" in text)
    assert re.sub(r" +\d+", " N", machine.buddyinfo_text()) == re.sub(r" +\d+", " N", normal)


CASES = [
    (prot, flags, advice, touched)
    for prot, flags, advice, touched in product(
        (RW, R, NONE),
        (PRIVATE, SHARED),
        (None, P.MADV_HUGEPAGE, P.MADV_NOHUGEPAGE, P.MADV_DONTFORK, P.MADV_SEQUENTIAL, P.MADV_RANDOM, P.MADV_DONTNEED),
        (None, False, True),
    )
    if touched is None or prot == RW or (prot == R and not touched)
] + [(RW, PRIVATE | P.MAP_NORESERVE, None, True), (RW, PRIVATE | P.MAP_STACK, None, True)]


def same_calls(memory, address, prot, flags, advice, touched):
    """A mapping of sixteen pages, five of them touched before the advice."""
    memory.mmap(address, 16 * PAGE, prot, flags)
    if touched is not None:
        memory.touch(address, 5 * PAGE, touched)
    if advice is not None:
        memory.madvise(address, 16 * PAGE, advice)


def entry_at(memory, address):
    return next(entry for entry in parse_smaps(memory.smaps_text()) if int(entry[0]["start"], 16) == address)


def compare_entries(ours, hosts):
    assert (ours[0]["end"], ours[0]["perms"], ours[0]["offset"], ours[0]["name"]) == (
        hosts[0]["end"],
        hosts[0]["perms"],
        hosts[0]["offset"],
        hosts[0]["name"],
    )
    assert ours[1] == {name: value for name, value in hosts[1].items() if name not in HOSTS_OWN}
    assert ours[2] == [code for code in hosts[2] if code not in NO_MACHINE]


@pytest.mark.parametrize("prot, flags, advice, touched", CASES)
def test_a_mapping_has_the_entry_in_smaps_that_the_host_gives_it(process, host, prot, flags, advice, touched):
    for memory in (process, host):
        same_calls(memory, BASE, prot, flags, advice, touched)
    try:
        compare_entries(entry_at(process, BASE), entry_at(host, BASE))
    finally:
        host.munmap(BASE, 16 * PAGE)


def test_a_locked_mapping_has_the_hosts_entry(process, host):
    for memory in (process, host):
        memory.mmap(BASE, 16 * PAGE, RW, PRIVATE)
        memory.mlock(BASE, 16 * PAGE)
    try:
        compare_entries(entry_at(process, BASE), entry_at(host, BASE))
    finally:
        host.munmap(BASE, 16 * PAGE)


@pytest.mark.live
def test_a_huge_page_has_the_hosts_entry(process, host):
    if "[madvise]" not in host_memory.huge_pages():
        pytest.skip("the host's transparent huge pages are not in madvise mode")
    for memory in (process, host):
        memory.mmap(BASE, 4 << 20, RW, PRIVATE)
        memory.madvise(BASE, 4 << 20, P.MADV_HUGEPAGE)
        memory.touch(BASE, PAGE)
        memory.touch(BASE + (3 << 20), PAGE, write=False)
    try:
        hosts = entry_at(host, BASE)
        if hosts[1]["AnonHugePages"] == 0:
            pytest.skip("the host has no huge page to give")
        compare_entries(entry_at(process, BASE), hosts)
    finally:
        host.munmap(BASE, 4 << 20)


def compare_pagemaps(process, host, n):
    """The same bits of every page of [BASE, BASE + n), which the host gives back."""
    try:
        ours, hosts = process.pagemap_words(BASE, n), host.pagemap_words(BASE, n)
    finally:
        host.munmap(BASE, n)
    for bit in (63, 62, 61, 56):
        assert [int(word) >> bit & 1 for word in ours] == [word >> bit & 1 for word in hosts], f"bit {bit}"


def test_pages_have_the_hosts_pagemap_bits(process, host):
    for memory in (process, host):
        memory.mmap(BASE, 16 * PAGE, RW, PRIVATE)
        memory.madvise(BASE, 16 * PAGE, P.MADV_NOHUGEPAGE)
        memory.touch(BASE, 4 * PAGE)
        memory.touch(BASE + 4 * PAGE, 4 * PAGE, write=False)
        memory.mmap(BASE + 16 * PAGE, 4 * PAGE, RW, SHARED)
        memory.touch(BASE + 16 * PAGE, 2 * PAGE)
        memory.mprotect(BASE, 2 * PAGE, NONE)
    compare_pagemaps(process, host, 20 * PAGE)


@pytest.mark.live
def test_huge_pages_have_the_hosts_pagemap_bits(process, host):
    if "[never]" in host_memory.huge_pages():
        pytest.skip("the host makes no huge pages")
    for memory in (process, host):
        memory.mmap(BASE, 1024 * PAGE, RW, PRIVATE)
        memory.madvise(BASE, 1024 * PAGE, P.MADV_HUGEPAGE)
        memory.touch(BASE, PAGE)
        memory.touch(BASE + 512 * PAGE, PAGE, write=False)
    compare_pagemaps(process, host, 1024 * PAGE)


def test_pagemap_tells_what_stands_behind_a_page(process):
    process.mmap(BASE, 8 * PAGE, RW, PRIVATE)
    process.touch(BASE, 2 * PAGE)
    process.touch(BASE + 2 * PAGE, PAGE, write=False)
    process.madvise(BASE + PAGE, PAGE, P.MADV_PAGEOUT)
    here, out, zero, empty = (process.pagemap(BASE + k * PAGE + 5) for k in range(4))
    assert here.present and here.dirty and here.exclusive and here.anon and here.slot is None
    assert here.pfn * PAGE + 5 == process.physical(BASE + 5)
    assert out["swapped"] and not out.present and out.pfn is None and out.slot is not None
    assert zero.present and zero.zero and not zero.exclusive
    assert not empty.present and not empty.swapped
    assert int(process.pagemap_words(BASE + PAGE, PAGE)[0]) == 1 << 62 | out.slot << 5
    with pytest.raises(ValueError, match="not mapped"):
        process.physical(BASE + PAGE)


def test_every_sum_of_proc_agrees_with_the_others(machine, process):
    child = busy(process)
    for owner in (process, child):
        vmas, rollup, status, stat = owner.maps(), owner.smaps_rollup(), owner.status(), owner.stat()
        for name in ("Rss", "Anonymous", "Referenced", "Private_Dirty", "Shared_Dirty", "AnonHugePages", "Swap"):
            assert rollup[name] == sum(getattr(v, name.lower()) for v in vmas), name
        assert rollup["Rss"] == sum(rollup[kind] for kind in ("Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty"))
        assert abs(rollup["Pss"] - rollup["Pss_Anon"] - rollup["Pss_File"] - rollup["Pss_Shmem"]) <= 3
        assert status["VmRSS"] == rollup["Rss"] == status["RssAnon"] + status["RssFile"] + status["RssShmem"] == stat.rss * PAGE
        assert status["RssAnon"] == rollup["Anonymous"] and status["VmSwap"] == rollup["Swap"]
        assert status["VmSize"] == sum(v.size for v in vmas) == stat.vsize
        assert status["VmLck"] == sum(v.size for v in vmas if v.flags & P.MAP_LOCKED)
        assert (stat.minflt, stat.majflt) == owner.rusage()[:2]
    everybody = [owner.smaps_rollup() for owner in (process, child)]
    memory = machine.meminfo()
    shares = sum(rollup["Pss"] for rollup in everybody)
    assert abs(shares - memory["AnonPages"] - memory["Mapped"]) <= 2 * 600, "every mapped frame is shared out among its users"
    assert memory["AnonHugePages"] == process.smaps_rollup()["AnonHugePages"] > 0
    assert 0 < process.smaps_rollup()["Swap"] <= memory["SwapTotal"] - memory["SwapFree"] + memory["SwapCached"]
    child.exit()


def test_reading_proc_disturbs_nothing(machine, process):
    child = busy(process)
    before, clocks = machine.counters(), [machine.cycles(c) for c in range(2)]
    for owner in (process, child):
        owner.smaps_text(), owner.smaps_rollup(), owner.status_text(), owner.stat_text(), owner.pagemap_words(BASE, 64 * PAGE)
    machine.meminfo(), machine.vmstat(), machine.buddyinfo(), machine.fragmentation_index()
    assert machine.counters() == before
    assert [machine.cycles(c) for c in range(2)] == clocks
    machine.check()
    child.exit()


def test_a_mappings_name_follows_the_heap_and_the_stack(process):
    process.sbrk(5 * PAGE)
    names = [v.name for v in process.maps()]
    assert names.count("[heap]") == 1 and names[-1] == "[stack]" and names[-3:-1] == ["[vvar]", "[vdso]"]
    heap = next(v for v in process.maps() if v.name == "[heap]")
    assert heap.end == process.brk(0) and heap.perms == "rw-p"
    shared = process.mmap(0, 4 * PAGE, RW, P.MAP_SHARED | P.MAP_ANONYMOUS)
    assert next(v for v in process.maps() if v.start == shared).name == "/dev/zero (deleted)"


def test_vm_peak_and_hwm_keep_the_most_there_was(process):
    a = process.mmap(BASE, 100 * PAGE, RW, PRIVATE)
    process.touch(a, 100 * PAGE)
    high = process.status()
    process.munmap(a, 100 * PAGE)
    low = process.status()
    assert (low["VmPeak"], low["VmHWM"]) == (high["VmSize"], high["VmRSS"])
    assert low["VmSize"] == high["VmSize"] - 100 * PAGE and low["VmRSS"] == high["VmRSS"] - 100 * PAGE


def test_free_blocks_and_their_indices_follow_the_kernels_formulas(machine):
    counts = machine.buddyinfo()
    free = sum(n << order for order, n in enumerate(counts))
    assert free * PAGE == machine.meminfo()["MemFree"] and free == machine.vmstat()["nr_free_pages"]
    unusable = machine.unusable_index()
    assert unusable[0] == 0 and unusable == sorted(unusable)
    for order, index in enumerate(machine.fragmentation_index()):
        if any(counts[order:]):
            assert index == -1
        else:
            assert index == pytest.approx(1 - (1 + free / (1 << order)) / sum(counts), abs=0.003)


def test_many_mappings_are_read_at_once(machine):
    process = machine.spawn()
    a = process.mmap(BASE, 6000 * PAGE, RW, PRIVATE)
    process.touch(a, 6000 * PAGE)
    for page in range(0, 6000, 2):
        process.mprotect(a + page * PAGE, PAGE, R)
    vmas = [v for v in process.maps() if BASE <= v.start < BASE + 6000 * PAGE]
    assert len(vmas) == 6000 and {(v.size, v.rss, v.private_dirty) for v in vmas} == {(PAGE, PAGE, PAGE)}
    assert np.array_equal([v.prot for v in vmas], np.tile([R, RW], 3000))
    process.exit()
