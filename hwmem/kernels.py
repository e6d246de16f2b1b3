"""What jitted code imports: the machine's operations as kernels.

    from hwmem.kernels import kernel, load64, store64, fetch_add64, next_thread, finish
"""
from hwmem._jit import kernel
from hwmem.core.access import (compare_exchange64, exchange64, fetch_add64, load, load8, load32, load64, store, store8,
                               store32, store64)
from hwmem.sched.scheduler import next_thread

__all__ = ["kernel", "load", "load8", "load32", "load64", "store", "store8", "store32", "store64", "fetch_add64",
           "exchange64", "compare_exchange64", "next_thread"]
