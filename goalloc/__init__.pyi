"""The names that users import, for type checkers: at run time they are loaded when they are first used."""

from goalloc import answers as answers
from goalloc.programs.session import Runtime as Runtime
from goalloc.runtime.slice import Slice as Slice
from goalloc.types import (
    Type as Type,
    struct as struct,
    array as array,
    pointer as pointer,
    string as string,
    interface as interface,
    slice_of as slice_of,
    bool_ as bool_,
    uint8 as uint8,
    int16 as int16,
    int32 as int32,
    int64 as int64,
    uint64 as uint64,
    uintptr as uintptr,
    float32 as float32,
    float64 as float64,
)
from goalloc.sizeclasses import size_classes as size_classes
from goalloc.errors import FatalError as FatalError
from goalloc.programs import run as run, workloads as workloads, workload as workload, parameter as parameter
