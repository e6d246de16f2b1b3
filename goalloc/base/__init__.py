"""Beneath the heap: the kernel's memory, persistent and fixed-size allocation, locks, random numbers, statistics."""
