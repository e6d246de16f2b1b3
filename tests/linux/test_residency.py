"""The map of an address space beside the kernel's own figures, which another walk of the page tables adds up (proc/walk.py)."""

import pytest

import hwmem
from hwmem.proc.residency import BUCKETS, residency

PAGE, MIB = 4096, 1 << 20


def compare(process):
    rows, vmas = residency(process), process.maps()
    for name in ("start", "end", "perms", "offset", "device", "inode", "name"):
        assert [r[name] for r in rows] == [getattr(v, name) for v in vmas], name
    for r, v in zip(rows, vmas):
        pages = r["pages"]
        assert (pages["anon"] + pages["lazy"]) * PAGE == v.anonymous and pages["lazy"] * PAGE == v.lazyfree, r
        assert (pages["anon"] + pages["lazy"] + pages["file"]) * PAGE == v.rss and pages["swap"] * PAGE == v.swap, r
        assert pages["huge"] * PAGE == v.anonhugepages, r
    return rows


@pytest.mark.parametrize("layout", ["linux-x86_64", "linux-i386"])
def test_pages_of_every_kind_are_counted_as_the_kernel_counts_them(layout):
    config = hwmem.MachineConfig().replace(memory="16MiB", swap="64MiB", thp="never")
    p = hwmem.Machine(config).spawn(layout)
    a = p.mmap(0, 20 * MIB)
    p.touch(a, 20 * MIB)  # more than there is: some of it is swapped out
    b = p.mmap(0, 64 * PAGE)
    p.touch(b, 64 * PAGE)
    p.madvise(b + 8 * PAGE, 16 * PAGE, hwmem.MADV_FREE)
    p.madvise(b + 32 * PAGE, 8 * PAGE, hwmem.MADV_DONTNEED)
    p.touch(b + 36 * PAGE, PAGE, write=False)  # the zero page
    rows = {r["start"]: r for r in compare(p)}
    assert any(r["pages"]["swap"] for r in rows.values())
    of_b = next(r for r in rows.values() if r["start"] <= b < r["end"])
    assert of_b["pages"]["zero"] == 1 and of_b["pages"]["lazy"] == 16


def test_huge_pages_are_counted_by_their_pages():
    p = hwmem.Machine(hwmem.MachineConfig().replace(thp="always")).spawn()
    a = p.mmap(0, 8 * MIB)
    p.touch(a, 5 * MIB)
    assert sum(r["pages"]["huge"] for r in compare(p)) >= 1024


def test_buckets_are_where_the_pages_are():
    p = hwmem.Machine(hwmem.MachineConfig().replace(thp="never")).spawn()
    a = p.mmap(0, 96 * 10 * PAGE)
    for k in range(0, 96, 2):
        p.touch(a + k * 10 * PAGE, 10 * PAGE)
    b = p.mmap(0, 5 * PAGE, flags=hwmem.MAP_SHARED | hwmem.MAP_ANONYMOUS)
    p.touch(b + 3 * PAGE, PAGE)
    maps = {r["start"]: r["resident"] for r in residency(p)}
    assert maps[a] == "90" * (BUCKETS // 2) and maps[b] == "00090"


def test_a_process_that_has_ended_has_no_map():
    machine = hwmem.Machine()
    p, q = machine.spawn(), machine.spawn()
    p.exit()
    assert residency(p) == [] and residency(q)
