"""/proc/PID/maps: a process's VMAs, their names and rights, and what of them is in memory.

    line     start-end rwxp offset dev inode            name        padded as seq_setwidth(m, 25 + 6 * sizeof(void *) - 1)
    name     a file's path (the inode is its number + 1); [heap] overlaps start_brk..brk; [stack] holds start_stack; [vdso], [vvar] of the kernel's own

`vmas` is the one reading of the record; smaps.py writes the figures that it brings.
Source: fs/proc/task_mmu.c (show_map_vma, get_vma_name, __show_smap, show_smap_vma_flags), mm/huge_memory.c
(__thp_vma_allowable_orders).
"""

from collections import namedtuple

import numpy as np

from hwmem import params as P
from hwmem.proc import walk

SMAPS = tuple(name for name in walk.FIGURES if name not in ("Pss_Anon", "Pss_File", "Pss_Shmem"))  # the rollup alone has these
RIGHTS = ((P.VM_READ, "r"), (P.VM_WRITE, "w"), (P.VM_EXEC, "x"))
MAP_FLAGS = ((P.VM_GROWSDOWN, P.MAP_GROWSDOWN), (P.VM_LOCKED, P.MAP_LOCKED), (P.VM_NORESERVE, P.MAP_NORESERVE))
HUGE_POOL = "/anon_hugepage (deleted)"  # MAP_HUGETLB (fs/hugetlbfs/inode.c)
SHARED_MEMORY = "/dev/zero (deleted)"  # shared anonymous memory is a file without a name (mm/shmem.c)
NO_DEVICE, SHARED_DEVICE, DISK_DEVICE = "00:00", "00:01", "08:01"

# Mnemonics of vm_flags, lowest bit first; VM_MAY* follow from the kind of mapping, and the kernel's own pages have more
MNEMONICS = ((P.VM_READ, "rd"), (P.VM_WRITE, "wr"), (P.VM_EXEC, "ex"), (P.VM_SHARED, "sh"))
MNEMONICS_ABOVE = (
    (P.VM_GROWSDOWN, "gd"),
    (P.VM_MAYBE_GUARD, "gu"),
    (P.VM_LOCKED, "lo"),
    (P.VM_SEQUENTIAL, "sr"),
    (P.VM_RANDOM, "rr"),
    (P.VM_DONTCOPY, "dc"),
    (P.VM_HUGETLB, "de"),  # VM_DONTEXPAND, which it has too
    (P.VM_LOCKONFAULT, "lf"),
    (P.VM_ACCOUNT, "ac"),
    (P.VM_NORESERVE, "nr"),
    (P.VM_HUGETLB, "ht"),
    (P.VM_SYNC, "sf"),
    (P.VM_WIPEONFORK, "wf"),
    (P.VM_DONTDUMP, "dd"),
    (P.VM_HUGEPAGE, "hg"),
    (P.VM_NOHUGEPAGE, "nh"),
    (P.VM_DROPPABLE, "dp"),
)
SPECIAL_MNEMONICS = {"[vdso]": "rd ex mr mw me de", "[vvar]": "rd mr pf io de dd"}


Space = namedtuple("Space", ("brk", "start_brk", "start_stack", "vdso", "levels", "thp", "machine"))


class Vma(
    namedtuple(
        "Vma", ("start", "end", "prot", "flags", "offset", "device", "inode", "name", *map(str.lower, SMAPS), "thpeligible", "vmflags")
    )
):
    """A mapping. `prot`: PROT_* bits, `flags`: MAP_* bits, `offset`: bytes into the file, `device` and `inode`: the file's.

    smaps' figures follow in bytes, under the kernel's names in lower case: rss, pss, private_dirty, anonymous, lazyfree,
    anonhugepages, swap, ...; `thpeligible` is 0 or 1, `vmflags` the two-letter codes.
    """

    __slots__ = ()

    @property
    def size(self):
        return self.end - self.start

    @property
    def perms(self):
        """As in maps: "rw-p"."""
        return "".join(letter if self.prot & right else "-" for right, letter in RIGHTS) + ("s" if self.flags & P.MAP_SHARED else "p")


def measured(process):
    """One row a VMA (walk.py), proportional figures in bytes."""
    m = process.machine.state
    rows = np.zeros((int(m.process[process.number].vma_count), walk.COLUMNS), np.int64)
    walk.measure(m, process.number, rows)
    return rows


def vmas(process):
    """The list of Vma, by address."""
    rows, space = measured(process), space_of(process)
    rows[:, list(walk.PROPORTIONAL)] >>= walk.PSS_SHIFT
    columns = [walk.FILE + 1 + walk.FIGURES.index(name) for name in SMAPS]
    return [vma_of(space, *row[: walk.FILE + 1], [row[c] for c in columns]) for row in rows.tolist()]


def space_of(process):
    """What the address space as a whole says of its VMAs."""
    machine, task = process.machine, process.record
    return Space(*(int(task[name]) for name in Space._fields[:5]), int(machine.state.mm.thp), machine)


def vma_of(space, start, end, vm_flags, pgoff, file, figures):
    name = name_of(space, start, end, vm_flags, file)
    flags = P.MAP_SHARED if vm_flags & P.VM_SHARED else P.MAP_PRIVATE
    flags |= sum(bit for vm_flag, bit in MAP_FLAGS if vm_flags & vm_flag)
    device, offset = NO_DEVICE, 0
    if file:
        device, offset = SHARED_DEVICE if name in (SHARED_MEMORY, HUGE_POOL) else DISK_DEVICE, pgoff * P.PAGE
    if device != DISK_DEVICE:
        flags |= P.MAP_ANONYMOUS
    return Vma(
        start,
        end,
        vm_flags & P.VM_ACCESS,
        flags,
        offset,
        device,
        file,
        name,
        *figures,
        int(thp_eligible(space, start, end, vm_flags, file)),
        mnemonics(vm_flags, name),
    )


def name_of(space, start, end, vm_flags, file):
    if vm_flags & P.VM_HUGETLB:
        return HUGE_POOL
    if file:
        return SHARED_MEMORY if space.machine.state.file[file - 1].shared else space.machine.file_names[file - 1]
    if vm_flags & P.VM_SPECIAL:
        return "[vdso]" if start == space.vdso else "[vvar]"
    if start < space.brk and end > space.start_brk:
        return "[heap]"
    return "[stack]" if start <= space.start_stack <= end else ""


def thp_eligible(space, start, end, vm_flags, file):
    """Whether a fault here may bring a huge page: allowed, anonymous, and with room for one."""
    allowed = space.thp == P.THP_ALWAYS or (space.thp == P.THP_MADVISE and vm_flags & P.VM_HUGEPAGE)
    room = -(-start // P.HUGE_PAGE) * P.HUGE_PAGE + P.HUGE_PAGE <= end
    return allowed and room and not file and not vm_flags & (P.VM_NOHUGEPAGE | P.VM_SPECIAL) and space.levels == 4


def mnemonics(vm_flags, name):
    if vm_flags & P.VM_SPECIAL:
        return SPECIAL_MNEMONICS[name]
    codes = [code for bit, code in MNEMONICS if vm_flags & bit] + ["mr", "mw", "me"]
    if vm_flags & P.VM_SHARED:
        codes.append("ms")
    return " ".join(codes + [code for bit, code in MNEMONICS_ABOVE if vm_flags & bit])


def maps_line(vma, name_column):
    """A VMA's line of maps."""
    text = f"{vma.start:08x}-{vma.end:08x} {vma.perms} {vma.offset:08x} {vma.device} {vma.inode} "
    return f"{text:{name_column}} {vma.name}\n" if vma.name else f"{text}\n"


def name_column(process):
    """Where names stand: pointers of eight bytes, or of four."""
    return 72 if process.record.levels == 4 else 48


def maps_text(process):
    column = name_column(process)
    return "".join(maps_line(vma, column) for vma in vmas(process))
