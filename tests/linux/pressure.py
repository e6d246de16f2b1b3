"""Small machines whose RAM is soon exhausted, and what the tests of reclaim ask of them."""

from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine

PAGE = P.PAGE
PRIVATE = P.MAP_PRIVATE | P.MAP_ANONYMOUS
GREEDY = PRIVATE | P.MAP_NORESERVE  # more than there is may be had


def small_machine(memory="4MiB", swap="16MiB", **settings):
    """Two cores, 1024 frames, four times as many slots; no huge pages unless `settings` say otherwise."""
    return Machine(MachineConfig().replace(**{"cores": 2, "memory": memory, "swap": swap, "thp": "never", **settings}))


def counted(machine, operation):
    """What vmstat counted, and core 0's clock advanced, while `operation()` ran."""
    before, clock = machine.vmstat(), machine.cycles(0)
    operation()
    after = machine.vmstat()
    return {name: after[name] - before[name] for name in after} | {"cycles": machine.cycles(0) - clock}


def fill(process, start, pages, salt=0):
    """One word a page, each another."""
    for i in range(pages):
        process.store(start + i * PAGE, word(i, salt))


def holds(process, start, pages, salt=0):
    """Whether every page has the word that `fill` put there."""
    found = process.load_many([start + i * PAGE for i in range(pages)])
    return found.tolist() == [word(i, salt) for i in range(pages)]


def word(i, salt):
    return (i + 1) * 0x9E37 + salt


def free_frames(machine):
    f = machine.state.frames
    return int(f.free + f.total - f.fresh)


def residents(process, start, pages):
    """Which of the pages an entry leads to a frame for: a list of bools."""
    return [process.pagemap(start + i * PAGE).present for i in range(pages)]


def failure(call, *arguments):
    """The errno of a call, 0: none."""
    try:
        call(*arguments)
    except OSError as failed:
        return failed.errno
    return 0
