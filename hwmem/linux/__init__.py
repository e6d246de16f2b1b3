"""The part of Linux that manages memory: frames, VMAs, page tables as the kernel writes them, faults, system calls."""
