"""/proc/PID/smaps and smaps_rollup: how much of each VMA is in memory, of what kind, and shared with whom.

The figures come from walk.py by maps.py; here is their form. Sizes are kB in the texts, bytes in the dict.
Source: fs/proc/task_mmu.c (show_smap, __show_smap, show_smaps_rollup).
"""

from hwmem import params as P
from hwmem.proc import walk
from hwmem.proc.maps import SMAPS, maps_line, measured, name_column, vmas


def field(name, kib="{:8}"):
    return f"{name + ':':<16}{kib} kB\n"


VMA_FORM = (
    field("Size")
    + field("KernelPageSize", f"{P.PAGE >> 10:8}")
    + field("MMUPageSize", f"{P.PAGE >> 10:8}")
    + "".join(field(name) for name in SMAPS)
    + "THPeligible:    {:8}\nVmFlags: {} \n"
)
ROLLUP_FORM = "".join(field(name) for name in walk.FIGURES)
FIRST_FIGURE = 8  # of a Vma's fields


def smaps_text(process):
    column = name_column(process)
    return "".join(
        maps_line(vma, column) + VMA_FORM.format(vma.size >> 10, *(n >> 10 for n in vma[FIRST_FIGURE:-2]), *vma[-2:])
        for vma in vmas(process)
    )


def smaps_rollup(process):
    """Sums over all VMAs, bytes, under the kernel's names."""
    sums = measured(process).sum(axis=0)
    sums[list(walk.PROPORTIONAL)] >>= walk.PSS_SHIFT
    return dict(zip(walk.FIGURES, sums[walk.FILE + 1 :].tolist()))


def rollup_text(process):
    rows = measured(process)
    head = f"{rows[0, walk.START]:08x}-{rows[-1, walk.END]:08x} ---p 00000000 00:00 0 " if len(rows) else ""
    return f"{head:{name_column(process)}} [rollup]\n" + ROLLUP_FORM.format(*(n >> 10 for n in smaps_rollup(process).values()))
