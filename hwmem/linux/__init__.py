"""The part of Linux that owns memory: frames, VMAs, page tables as the kernel writes them, faults, system calls."""
