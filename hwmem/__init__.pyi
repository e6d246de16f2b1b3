"""The names that users import, for type checkers: at run time they are loaded when they are first used."""

from hwmem import litmus as litmus
from hwmem.runs.job import run as run
from hwmem.runs.sweep import sweep as sweep, Sweep as Sweep
from hwmem.runs.difference import difference as difference
from hwmem.runs.struct import struct as struct
from hwmem.programs import workloads as workloads, workload as workload, parameter as parameter, grid as grid
from hwmem.runs.result import Result as Result, load_result as load_result
from hwmem.trace import Trace as Trace, open_trace as open_trace
from hwmem.config.machine import (
    MachineConfig as MachineConfig,
    presets as presets,
    preset_sources as preset_sources,
    CacheConfig as CacheConfig,
    TlbConfig as TlbConfig,
    WalkerConfig as WalkerConfig,
    StoreBufferConfig as StoreBufferConfig,
    InterconnectConfig as InterconnectConfig,
    DramConfig as DramConfig,
    CoreCosts as CoreCosts,
    KernelCosts as KernelCosts,
)
from hwmem.machine.machine import Machine as Machine
from hwmem.machine.answers import answer_script as answer_script
from hwmem.machine.process import Process as Process
from hwmem.errors import (
    MachineError as MachineError,
    SegmentationFault as SegmentationFault,
    BusError as BusError,
    Interrupted as Interrupted,
    Abort as Abort,
    TraceError as TraceError,
    ResultError as ResultError,
    LitmusError as LitmusError,
)
from hwmem.params import *  # noqa: F403

__version__: str
