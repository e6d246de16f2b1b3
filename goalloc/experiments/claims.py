"""The experiments on Go's memory by name, in the order in which the documents make their claims; and the tables without one."""

from goalloc.experiments import allocation, between, collection, design
from hwmem.experiments.claims import in_order

ORDER = (
    # 内存管理: allocation
    "alloc-storm", "object-kinds", "tiny-allocator", "return-memory", "rss-above-heap", "stack-growth",
    # ... collection
    "stop-the-world", "write-barrier", "goroutine-stacks", "barrier-batches", "gc-goal", "gogc-curve", "memory-limit", "limit-too-low", "assists",
    "work-lists", "memory-returns", "limiter-rescue",
    # go内存管理
    "size-classes",
)  # fmt: skip

EXPERIMENTS = in_order(ORDER, allocation.EXPERIMENTS, collection.EXPERIMENTS, between.EXPERIMENTS)
TABLES = design.EXPERIMENTS
