"""The experiments on Go's memory by name, in the order in which the documents make their claims; and the tables without one."""

from goalloc.experiments import allocation, allocators, between, collection, collectors, design, escaping, faults, gallery, leaks, marking
from hwmem.experiments.claims import in_order

ORDER = (
    # 内存管理: allocation
    "alloc-storm", "object-kinds", "tiny-allocator", "return-memory", "rss-above-heap", "stack-growth", "escaping-variables",
    # ... collection
    "stop-the-world", "leaks", "write-barrier", "goroutine-stacks", "barrier-batches", "gc-goal", "gogc-curve", "memory-limit", "limit-too-low", "assists",
    "memory-returns", "limiter-rescue",
    # go内存管理
    "size-classes",
    # 内存管理学习
    "moving-objects", "copying-cost", "counted-cycles", "counting-burden", "shared-counts", "young-garbage", "heap-size", "compaction",
    # Linux系统内存
    "common-faults",
    # other allocators: 内存管理, Golang Rumtime-内存模型
    "linear-allocator", "fits", "thread-caches", "allocator-sharing", "decay",
)  # fmt: skip

EXPERIMENTS = in_order(
    ORDER,
    allocation.EXPERIMENTS,
    collection.EXPERIMENTS,
    between.EXPERIMENTS,
    collectors.EXPERIMENTS,
    allocators.EXPERIMENTS,
    leaks.EXPERIMENTS,
    faults.EXPERIMENTS,
    escaping.EXPERIMENTS,
)
TABLES = design.EXPERIMENTS | gallery.TABLES | marking.TABLES
