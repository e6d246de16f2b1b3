"""The Go programs by name: a registry of goalloc's own, so that hwmem's list has only its own programs. A program's file is imported
when it is asked for (hwmem/programs/registry.py)."""

from hwmem.programs.registry import Registry

HOMES = {  # in the order in which they are listed
    "goalloc.programs.goroutines": ("channel",),
    "goalloc.programs.benchmarks": ("threadtest", "larson"),
    "goalloc.programs.churn": ("goroutine-churn",),
    "goalloc.programs.collected": ("steady", "growth", "garbage", "explicit-gc", "goroutine-stacks", "finalizers"),
    "goalloc.programs.crowd": ("parallel-marking", "many-goroutines", "idle-after-spike"),
    "goalloc.programs.pressure": ("recursive-trees", "allocation-burst", "pointer-arrays", "map-churn"),
    "goalloc.programs.sleepers": ("sleepers",),
    "goalloc.programs.storm": ("alloc-storm", "mixed-sizes"),
    "goalloc.programs.structures": ("linked-list", "binary-trees", "slices", "maps", "strings"),
}
PROGRAMS = Registry("goalloc", HOMES)
workload = PROGRAMS.workload
