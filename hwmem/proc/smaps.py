"""/proc/PID/smaps and smaps_rollup: how much of each VMA is in memory, of what kind, and shared with whom.

The figures come from walk.py by maps.py; here is their form. Sizes are kB in the texts, bytes in the dict.
Source: fs/proc/task_mmu.c (show_smap, __show_smap, show_smaps_rollup).
"""

from hwmem import params as P
from hwmem.proc import walk
from hwmem.proc.maps import HUGE_POOL, SMAPS, maps_line, measured, name_column, vmas


def field(name, kib="{:8}"):
    return f"{name + ':':<16}{kib} kB\n"


VMA_FORM = (
    field("Size")
    + field("KernelPageSize")
    + field("MMUPageSize")
    + "".join(field(name) for name in SMAPS)
    + "THPeligible:    {:8}\nVmFlags: {} \n"
)
ROLLUP_FORM = "".join(field(name) for name in walk.FIGURES)
FIRST_FIGURE = 8  # of a Vma's fields


def smaps_text(process):
    return "".join(one_text(process, vma) for vma in vmas(process))


def one_text(process, vma):
    """A VMA's part of smaps."""
    page = int(process.machine.state.file[vma.inode - 1].pages) * P.PAGE if vma.name == HUGE_POOL else P.PAGE
    sizes = (vma.size, page, page, *vma[FIRST_FIGURE:-2])
    return maps_line(vma, name_column(process)) + VMA_FORM.format(*(n >> 10 for n in sizes), *vma[-2:])


def smaps_rollup(process):
    """Sums over all VMAs, bytes, under the kernel's names."""
    sums = measured(process).sum(axis=0)
    sums[list(walk.PROPORTIONAL)] >>= walk.PSS_SHIFT
    return dict(zip(walk.FIGURES, sums[walk.FILE + 1 :].tolist()))


def rollup_text(process):
    rows = measured(process)
    head = f"{rows[0, walk.START]:08x}-{rows[-1, walk.END]:08x} ---p 00000000 00:00 0 " if len(rows) else ""
    return f"{head:{name_column(process)}} [rollup]\n" + ROLLUP_FORM.format(*(n >> 10 for n in smaps_rollup(process).values()))
