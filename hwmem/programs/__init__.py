"""Programs that run on the machine: hwmem's own, and how to write another (docs/workloads.md).

    registry.py     what a workload is: the decorator `workload`, and `parameter`
    space.py        emulated memory as a workload's setup sees it
    barrier.py      a barrier for kernels

    sharing.py      false-sharing, true-sharing
    regression.py   linear-regression (Phoenix)
    hoard.py        cache-scratch, cache-thrash
    heap.py         malloc-free
    messages.py     ping-pong, producer-consumer
    locks.py        spin-lock: test-and-set, ttas, ticket, mcs
    readers.py      reader-writer
    exclusion.py    mutual-exclusion: Peterson's, Dekker's
    publication.py  message-passing, double-checked-locking
    treiber.py      treiber-stack
    fences.py       fence-costs
    stream.py       stream: copy, scale, add, triad
    latency.py      pointer-chase, memory-mountain
    matrix.py       matrix-multiply

    meter.py            what the phases of an experiment cost; the experiments on the operating system's memory:
    faults.py           page-faults
    returning.py        madvise-return
    oversubscription.py oversubscription
    reach.py            tlb-reach
    forks.py            fork-storm
    allocation.py       brk-mmap
    mappings.py         vma-explosion
    contiguous.py       segments-pages
    overlay.py          overlay
"""
from hwmem.programs import (sharing, regression, hoard, heap, messages, locks, readers, exclusion, publication, treiber, fences,   # noqa: F401
                            stream, latency, matrix, faults, returning, oversubscription, reach, forks, allocation, mappings,
                            contiguous, overlay)
from hwmem.programs.registry import WORKLOADS, Workload, find, grid, parameter, workload, workloads
from hwmem.programs.space import Space, Symbol

__all__ = ["WORKLOADS", "Workload", "find", "grid", "parameter", "workload", "workloads", "Space", "Symbol"]
