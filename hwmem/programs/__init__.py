"""Programs that run on the machine: hwmem's own, and how to write another (docs/workloads.md).

registry.py     what a workload is: the decorator `workload`, and `parameter`
shipped.py      which file has which workload
space.py        emulated memory as a workload's setup sees it
barrier.py      a barrier for kernels

threads/    sharing         false-sharing, true-sharing
            regression      linear-regression (Phoenix)
            hoard           cache-scratch, cache-thrash
            heap            malloc-free
            messages        ping-pong, producer-consumer
            locks           spin-lock: test-and-set, ttas, ticket, mcs
            readers         reader-writer
            exclusion       mutual-exclusion: Peterson's, Dekker's
            publication     message-passing, double-checked-locking
            treiber         treiber-stack
            fences          fence-costs
caches/     stream          stream: copy, scale, add, triad
            latency         pointer-chase, memory-mountain
            matrix          matrix-multiply
memory/     faults          page-faults
            returning       madvise-return
            oversubscription
            reach           tlb-reach
            forks           fork-storm
            allocation      brk-mmap
            mappings        vma-explosion
            limits          memory-limit
            contiguous      segments-pages
            overlay

meter.py    what the phases of an experiment in memory/ cost
"""

from hwmem.programs.registry import WORKLOADS, Registry, Workload, find, grid, parameter, workload, workloads
from hwmem.programs.space import Space, Symbol

__all__ = ["WORKLOADS", "Registry", "Workload", "find", "grid", "parameter", "workload", "workloads", "Space", "Symbol"]
