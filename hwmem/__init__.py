"""hwmem: a multi-core memory system, emulated.

Cores with store buffers, MMUs with TLBs and page tables in emulated RAM, private caches kept coherent, a last-level
cache with a directory, DRAM, and the part of Linux that owns memory; compiled by numba, the same to the last digit for
the same seed. In the order in which one meets them:

    run, workloads, workload, parameter, grid, Result, load_result,     programs on the machine, and what came of them
      sweep, Sweep, difference
    struct                                                              does my struct false-share?
    Trace, open_trace                                                   recorded programs
    MachineConfig, presets, preset_sources,                             what a machine is made of
      CacheConfig, TlbConfig, WalkerConfig, StoreBufferConfig,
      InterconnectConfig, DramConfig, CoreCosts, KernelCosts
    Machine, Process                                                    a machine at the prompt
    litmus.parse, litmus.run                                            memory ordering, all outcomes of small programs
    answer_script                                                       what it does to a script of calls, to compare with Linux
    MachineError, SegmentationFault, BusError, Abort, Interrupted,      what goes wrong
      TraceError, ResultError, LitmusError
    PROT_*, MAP_*, MADV_*, MREMAP_*, MS_*, MCL_*, MLOCK_*,
      CLEAR_REFS_*, PAGE_IS_*                                            arguments of Process's system calls

Kernels import their operations from hwmem.kernels. Names are loaded when they are first used: `import hwmem` compiles
and imports nothing heavy.
"""

from importlib import import_module

from hwmem import params as _params
from hwmem.ctrl_c import none_lost as _none_lost

__version__ = "0.1.0"

_HOMES = {
    "runs.job": ("run",),
    "runs.sweep": ("sweep", "Sweep"),
    "runs.difference": ("difference",),
    "runs.struct": ("struct",),
    "programs": ("workloads", "workload", "parameter", "grid"),
    "runs.result": ("Result", "load_result"),
    "trace": ("Trace", "open_trace"),
    "config.machine": (
        "MachineConfig",
        "presets",
        "preset_sources",
        "CacheConfig",
        "TlbConfig",
        "WalkerConfig",
        "StoreBufferConfig",
        "InterconnectConfig",
        "DramConfig",
        "CoreCosts",
        "KernelCosts",
    ),
    "machine.machine": ("Machine",),
    "machine.answers": ("answer_script",),
    "machine.process": ("Process",),
    "errors": ("MachineError", "Interrupted", "SegmentationFault", "BusError", "Abort", "TraceError", "ResultError", "LitmusError"),
    "params": tuple(
        name
        for name in vars(_params)
        if name.startswith(("PROT_", "MAP_", "MADV_", "MREMAP_", "MS_", "MCL_", "MLOCK_", "CLEAR_REFS_", "PAGE_IS_"))
    ),
}
_SUBMODULES = ("litmus",)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [*_HOME_OF, *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return import_module(f"hwmem.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'hwmem' has no attribute {name!r}")
    with _none_lost():
        value = globals()[name] = getattr(import_module(f"hwmem.{_HOME_OF[name]}"), name)
    return value


def __dir__():
    return sorted([*globals(), *__all__])
