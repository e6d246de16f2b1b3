"""Programs about the operating system's memory: faults, madvise, swap, forks, mappings."""
