"""What users give a Runtime, checked: one line that names the argument. TypeError for a wrong type, ValueError for a wrong value."""

import re

import numpy as np

from hwmem import params as H
from hwmem.machine.arguments import int64_array, to_int64
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.machine.process import Process
from hwmem.units import parse_size
from goalloc import params as P
from goalloc.runtime.slice import Slice
from goalloc.types import check_type

WHOLE = re.compile(r"-?[0-9]{1,10}")


def as_int32(number):
    """What int32(number) is in Go, of an int; all else as it is."""
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    return (int(number) + (1 << 31)) % (1 << 32) - (1 << 31) if whole else number


def check_gogc(gogc, name="gogc"):
    """A percentage that fits 32 bits, also as text, as GOGC is; -1 for "off" and for all that is negative, as in Go."""
    if isinstance(gogc, str):
        if gogc == "off":
            return -1
        gogc = int(gogc) if WHOLE.fullmatch(gogc) else gogc
    if isinstance(gogc, bool) or not isinstance(gogc, (int, np.integer)) or as_int32(gogc) != gogc:
        raise ValueError(f"{name}: takes a percentage up to 2147483647, negative or 'off' for none, got {gogc!r}")
    return max(int(gogc), -1)


def check_limit(limit, name="memory_limit"):
    """Bytes; None and "off", as in GOMEMLIMIT, are as many as Go counts."""
    if limit is None or isinstance(limit, str) and limit == "off":
        return P.maxInt64
    nbytes = parse_size(limit, name)
    if nbytes > P.maxInt64:
        raise ValueError(f"{name}: takes less than 2^63 bytes, got {limit!r}")
    return nbytes


def is_negative(number):
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool) and number < 0


def check_godebug(words):
    """{name: number} of what a GODEBUG string can set: madvdontneed and disablethp, 0 or 1, and memprofilerate, bytes a sample. Not Go's
    own are periodicscavenge and sharedworklists, 0 or 1, older behaviour, and limiterms, milliseconds of the CPU limiter's bucket."""
    settings = {"madvdontneed": 1, "disablethp": 0, "memprofilerate": 0, "periodicscavenge": 0, "sharedworklists": 0, "limiterms": 0}
    numbers = ("memprofilerate", "limiterms")
    if not isinstance(words, str):
        raise TypeError(f"godebug: takes a string, such as 'madvdontneed=0', not {type(words).__name__}")
    for word in filter(None, words.split(",")):
        name, _, value = word.partition("=")
        if name not in settings or not value.isdecimal() or (name not in numbers and int(value) > 1) or int(value) >= 1 << 31:
            raise ValueError(
                "godebug: takes madvdontneed, disablethp, periodicscavenge and sharedworklists (0 or 1), memprofilerate=BYTES "
                f"and limiterms=MILLISECONDS, got {word!r}"
            )
        settings[name] = int(value)
    return settings


def check_places(config, machine=None, process=None):
    """What a program runs on: each None or of its kind."""
    for name, given, kind in (("config", config, MachineConfig), ("machine", machine, Machine), ("process", process, Process)):
        if given is not None and not isinstance(given, kind):
            raise TypeError(f"{name}: takes a hwmem.{kind.__name__}, not {type(given).__name__}")
    if process is not None and process.layout != H.LINUX_X86_64:
        raise ValueError("process: takes one of layout linux-x86_64, as Go's amd64 programs have")


def check_gomaxprocs(gomaxprocs, cores, recorded):
    """How many Ps; all cores if None, but one of a recorded heap."""
    if gomaxprocs is None:
        return 1 if recorded else cores
    if isinstance(gomaxprocs, bool) or not isinstance(gomaxprocs, int) or not 1 <= gomaxprocs <= cores:
        raise ValueError(f"gomaxprocs: takes 1 to {cores}, the machine's cores, got {gomaxprocs!r}")
    if recorded and gomaxprocs > 1:
        raise ValueError(f"gomaxprocs: takes 1 with a recorded heap, which has one P, got {gomaxprocs}")
    return gomaxprocs


def check_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed: takes an int, not {type(seed).__name__}")
    if seed < 0:
        raise ValueError(f"seed: takes an integer from 0, got {seed}")
    return int(seed)


def check_core(core, ps):
    """The number of a core that has a P."""
    if not 0 <= to_int64("core", core) < ps:
        raise ValueError(f"core: {core} has no P; there are {ps}")
    return int(core)


def check_count(n, name):
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 0 <= n <= P.maxInt64:
        raise ValueError(f"{name}: takes a count or size from 0 to 2^63 - 1, got {n!r}")
    return int(n)


def check_sizes(sizes):
    """A contiguous int64 array of sizes."""
    given = int64_array("sizes", sizes)
    if given.size and given.min() < 0:
        raise ValueError("sizes: takes an array of sizes, none negative")
    return given


def check_string(value, name):
    """(address, length) of a string."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"{name}: takes a string, (address, length), not {value!r:.60}")
    return to_int64(name, value[0]), check_count(value[1], name)


def check_slice(value, name):
    if not isinstance(value, Slice):
        raise TypeError(f"{name}: takes a goalloc.Slice, such as make_slice gives, not {type(value).__name__}")
    check_type(value.type)
    to_int64(f"{name}.array", value.array)
    if check_count(value.len, f"{name}.len") > check_count(value.cap, f"{name}.cap"):
        raise ValueError(f"{name}: its len, {value.len}, is more than its cap, {value.cap}")
