"""The experiments by name, in the order in which the documents, notes on memory management, make their claims."""

from hwmem.experiments import caches, linux, memory, ordering, recorded

ORDER = (
    # 内存管理
    "brk-mmap",
    # go内存管理
    "isolation", "page-faults", "fork-storm", "tlb-reach", "oversubscription", "segments-pages",
    # 内存管理学习
    "mmap-threshold", "madvise-return",
    # Golang Rumtime-内存模型
    "pointer-chase", "true-sharing", "ping-pong", "protocols", "reordering", "fence-costs", "false-sharing", "recorded-program",
    # Linux系统内存
    "overlay", "address-space", "memory-limit",
)  # fmt: skip


def in_order(order, *rooms):
    """{name: experiment} of lists of experiments."""
    found = {one.name: one for room in rooms for one in room}
    return {name: found[name] for name in order}


EXPERIMENTS = in_order(ORDER, caches.EXPERIMENTS, ordering.EXPERIMENTS, memory.EXPERIMENTS, linux.EXPERIMENTS, recorded.EXPERIMENTS)
