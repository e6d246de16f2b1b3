"""Where hwmem's own workloads are: module -> their names, in the order in which they are listed. registry.py imports a module when one of
its workloads is asked for."""

HOMES = {
    "hwmem.programs.threads.sharing": ("false-sharing", "true-sharing"),
    "hwmem.programs.threads.regression": ("linear-regression",),
    "hwmem.programs.threads.hoard": ("cache-scratch", "cache-thrash"),
    "hwmem.programs.threads.heap": ("malloc-free",),
    "hwmem.programs.threads.messages": ("ping-pong", "producer-consumer"),
    "hwmem.programs.threads.locks": ("spin-lock",),
    "hwmem.programs.threads.readers": ("reader-writer",),
    "hwmem.programs.threads.exclusion": ("mutual-exclusion",),
    "hwmem.programs.threads.publication": ("message-passing", "double-checked-locking"),
    "hwmem.programs.threads.treiber": ("treiber-stack",),
    "hwmem.programs.threads.fences": ("fence-costs",),
    "hwmem.programs.caches.stream": ("stream",),
    "hwmem.programs.caches.latency": ("pointer-chase", "memory-mountain"),
    "hwmem.programs.caches.matrix": ("matrix-multiply",),
    "hwmem.programs.memory.faults": ("page-faults",),
    "hwmem.programs.memory.returning": ("madvise-return",),
    "hwmem.programs.memory.oversubscription": ("oversubscription",),
    "hwmem.programs.memory.reach": ("tlb-reach",),
    "hwmem.programs.memory.forks": ("fork-storm",),
    "hwmem.programs.memory.allocation": ("brk-mmap",),
    "hwmem.programs.memory.mappings": ("vma-explosion",),
    "hwmem.programs.memory.limits": ("memory-limit",),
    "hwmem.programs.memory.contiguous": ("segments-pages",),
    "hwmem.programs.memory.overlay": ("overlay",),
}
