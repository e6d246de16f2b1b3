"""The address space that a program left, as /proc/PID/smaps shows one: what a result knows of it (proc/residency.py).

Lines that need more than the map keeps (Pss, Shared and Private, Referenced, ...) are left out, as kernels without them do. While a
machine runs, Process.smaps_text() has all of them.
"""

from types import SimpleNamespace

from hwmem.params import PAGE
from hwmem.proc.maps import maps_line

WIDE, NARROW = 72, 48  # where names stand, by the width of a pointer


def smaps(result):
    """The text. Raises ValueError for a result without the map."""
    if not result.space:
        raise ValueError(f"{result.workload}: its address space is not in the result")
    wide = any(vma["end"] > 1 << 32 for vma in result.space)
    return "".join(mapping(vma, WIDE if wide else NARROW) for vma in result.space)


def mapping(vma, column):
    pages = vma["pages"]
    figures = {
        "Size": vma["end"] - vma["start"],
        "KernelPageSize": PAGE,
        "MMUPageSize": PAGE,
        "Rss": (pages["anon"] + pages["lazy"] + pages["file"]) * PAGE,
        "Anonymous": (pages["anon"] + pages["lazy"]) * PAGE,
        "LazyFree": pages["lazy"] * PAGE,
        "AnonHugePages": pages["huge"] * PAGE,
        "Swap": pages["swap"] * PAGE,
    }
    line = maps_line(SimpleNamespace(**vma), column)
    return line + "".join(f"{figure + ':':<16}{n >> 10:8} kB\n" for figure, n in figures.items())
