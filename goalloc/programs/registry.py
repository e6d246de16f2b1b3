"""The Go programs by name: a registry of goalloc's own, so that hwmem's list has only its own programs."""

from hwmem.programs.registry import Registry

PROGRAMS = Registry("goalloc")
workload = PROGRAMS.workload
