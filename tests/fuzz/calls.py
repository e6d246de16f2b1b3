"""System calls, accesses and look-ups of processes, with edge values of 64 bits, on random machines.

Whatever is asked, the answer is a value, an errno, a signal or one line of refusal; the machine's invariants hold after it.
"""

import hwmem
from hwmem import params as P
from hwmem.config.machine import MachineConfig
from hwmem.errors import MachineError
from tests.fuzz.edges import PAGE, edge, small, word

CALLS = 60  # of a case
CHECK_EVERY = 20
REFUSALS = (OSError, MachineError, ValueError, TypeError)
MAP_FLAGS = (
    P.MAP_PRIVATE,
    P.MAP_SHARED,
    P.MAP_FIXED,
    P.MAP_ANONYMOUS,
    P.MAP_GROWSDOWN,
    P.MAP_LOCKED,
    P.MAP_NORESERVE,
    P.MAP_POPULATE,
    P.MAP_STACK,
    P.MAP_FIXED_NOREPLACE,
)
ADVICES = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 20, 21, 22, 23, 25, 9, -1)
MOST_ACCESSED = 1 << 22  # bytes of a read, write or touch: longer ones are work, not a hang


def random_config(r, **settings):
    return MachineConfig().replace(
        **{
            "cores": r.randrange(1, 4),
            "memory": r.choice(("64KiB", "96KiB", "128KiB", "256KiB", "1MiB", "4MiB", "16MiB")),
            "swap": r.choice((0, "64KiB", "1MiB", "8MiB")),
            "thp": r.choice(("never", "madvise", "always")),
            "ordering": r.choice(("sc", "tso", "relaxed")),
            "protocol": r.choice(("msi", "mesi", "moesi", "mesif")),
            "vm": {"overcommit_memory": r.choice((0, 0, 1, 2)), "page_cluster": r.choice((0, 3))},
            **settings,
        }
    )


class World:
    """A machine, its processes and what they have mapped."""

    def __init__(self, r, config):
        self.r, self.machine = r, hwmem.Machine(config, r.randrange(1 << 30))
        self.processes, self.places, self.files = [], [0x10_0000], [0]
        self.spawn()

    def spawn(self):
        layout = "linux-i386" if self.r.random() < 0.3 else "linux-x86_64"
        self.processes.append(self.machine.spawn(layout))

    def address(self):
        r = self.r
        if r.random() < 0.15:
            return edge(r)
        return (r.choice(self.places[-8:]) + r.choice((0, 0, 0, 1, -1, 8, PAGE, -PAGE, 5 * PAGE, small(r)))) % (1 << 64)

    def core(self):
        return self.r.randrange(self.machine.config.cores)

    def flags(self):
        r = self.r
        flags = r.choice((P.MAP_PRIVATE, P.MAP_SHARED)) | P.MAP_ANONYMOUS if r.random() < 0.9 else 0
        return flags | sum(flag for flag in MAP_FLAGS if r.random() < 0.08)

    def step(self, note):
        r = self.r
        p = r.choice(self.processes)
        name = r.choice(NAMES)
        arguments, named = ARGUMENTS[name](self)
        note(f"{name}{arguments} {named}")
        try:
            value = OTHERS[name](self, p, *arguments, **named) if name in OTHERS else getattr(p, name)(*arguments, **named)
        except REFUSALS as refusal:
            assert "\n" not in str(refusal), refusal
            return
        if name in ("mmap", "mremap") and isinstance(value, int):
            self.places.append(value)


def fork(world, p):
    if len(world.processes) < 6:
        world.processes.append(p.fork())


def leave(world, p):
    if len(world.processes) > 1:
        world.processes.remove(p)
        p.exit()
        try:
            p.setrlimit("as", 0)
        except ValueError:
            return
        raise AssertionError("a process that has exited takes a limit")


def spawn(world, p):
    if len(world.processes) < 6:
        world.spawn()


def create_file(world, p, size):
    world.files.append(world.machine.create_file(f"f{len(world.files)}", size))


def file_bytes(world, p, number, offset, n, on_disk):
    file = world.machine.file(world.machine.file_names[number])
    if n is None or abs(n) > MOST_ACCESSED:
        n = 100
    return (file.on_disk if on_disk else file.read)(offset, n)


def truncate(world, p, number, length):
    world.machine.file(world.machine.file_names[number]).truncate(length)


def replay(world, p, addresses, is_store, sizes, core):
    world.machine.replay((addresses, is_store, sizes), core=core, process=p)


def texts(world, p, name):
    getattr(p, name)()


def mincore(world, p, address, length):
    if length % (1 << 64) < 1 << 36 or length % (1 << 64) > 1 << 62:
        p.mincore(address, length)


OTHERS = {
    "fork": fork,
    "exit": leave,
    "spawn": spawn,
    "create_file": create_file,
    "file_bytes": file_bytes,
    "truncate": truncate,
    "replay": replay,
    "texts": texts,
    "mincore": mincore,
}


def replayed(w):
    n = w.r.randrange(1, 20)
    signed = [(a + (1 << 63)) % (1 << 64) - (1 << 63) for a in (w.address() for _ in range(n))]
    core = w.core() if w.r.random() < 0.5 else [w.core() for _ in range(n)]
    return (signed, [w.r.randrange(2) for _ in range(n)], [w.r.choice((1, 8, 16, 64, 65, 300, 65535)) for _ in range(n)], core), {}


def accessed(w):
    return min(small(w.r), MOST_ACCESSED)


ARGUMENTS = {
    "mmap": lambda w: (
        (w.address() if w.r.random() < 0.5 else 0, word(w.r)),
        {
            "prot": w.r.randrange(8) if w.r.random() < 0.9 else edge(w.r),
            "flags": w.flags(),
            "fd": w.r.choice(w.files) if w.r.random() < 0.9 else edge(w.r),
            "offset": w.r.choice((0, 0, PAGE, word(w.r))),
        },
    ),
    "munmap": lambda w: ((w.address(), word(w.r)), {}),
    "mprotect": lambda w: ((w.address(), word(w.r), w.r.randrange(8) if w.r.random() < 0.9 else edge(w.r)), {}),
    "madvise": lambda w: ((w.address(), word(w.r), w.r.choice(ADVICES)), {}),
    "mincore": lambda w: ((w.address(), word(w.r)), {}),
    "mremap": lambda w: ((w.address(), word(w.r), word(w.r), w.r.randrange(4), w.address()), {}),
    "brk": lambda w: ((w.address(),), {}),
    "sbrk": lambda w: ((word(w.r),), {}),
    "mlock": lambda w: ((w.address(), word(w.r)), {}),
    "munlock": lambda w: ((w.address(), word(w.r)), {}),
    "msync": lambda w: ((w.address(), word(w.r), w.r.randrange(8)), {}),
    "fsync": lambda w: ((w.r.choice(w.files),), {}),
    "ftruncate": lambda w: ((w.r.choice(w.files), word(w.r)), {}),
    "pread": lambda w: ((w.r.choice(w.files), w.address(), word(w.r), word(w.r)), {}),
    "setrlimit": lambda w: ((w.r.choice(("stack", "as", "memlock")), w.r.choice((None, 1 << 20, 1 << 40, word(w.r)))), {}),
    "fork": lambda w: ((), {}),
    "exit": lambda w: ((), {}),
    "spawn": lambda w: ((), {}),
    "create_file": lambda w: ((min(small(w.r), 1 << 20),), {}),
    "file_bytes": lambda w: ((w.r.choice(w.files), word(w.r), w.r.choice((None, word(w.r))), w.r.random() < 0.5), {}),
    "truncate": lambda w: ((w.r.choice(w.files), word(w.r) if w.r.random() < 0.3 else small(w.r)), {}),
    "load": lambda w: ((w.address(),), {"size": w.r.choice((1, 2, 4, 8)), "core": w.core()}),
    "store": lambda w: ((w.address(), edge(w.r)), {"size": w.r.choice((1, 2, 4, 8)), "core": w.core()}),
    "read": lambda w: ((w.address(), accessed(w)), {"core": w.core()}),
    "write": lambda w: ((w.address(), bytes(min(accessed(w), 1 << 16))), {"core": w.core()}),
    "fetch_add": lambda w: ((w.address(), edge(w.r)), {"core": w.core()}),
    "compare_exchange": lambda w: ((w.address(), w.r.choice((0, edge(w.r))), edge(w.r)), {"core": w.core()}),
    "touch": lambda w: ((w.address(), accessed(w)), {"write": w.r.random() < 0.7, "core": w.core()}),
    "load_many": lambda w: (([w.address() for _ in range(8)],), {"core": w.core()}),
    "pagemap": lambda w: ((w.address(),), {}),
    "physical": lambda w: ((w.address(),), {}),
    "set_segment": lambda w: ((w.r.choice(("ds", "fs", "gs")),), {"base": word(w.r), "limit": word(w.r)}),
    "load_segment": lambda w: ((w.r.choice(("ds", "fs", "gs")), word(w.r)), {"core": w.core()}),
    "texts": lambda w: ((w.r.choice(("maps_text", "smaps_text", "status_text", "statm_text", "rusage")),), {}),
    "replay": replayed,
}
OFTEN = ("mmap", "mmap", "mmap", "store", "store", "touch", "touch", "write", "fetch_add", "mremap", "mprotect", "madvise", "fork")
NAMES = tuple(ARGUMENTS) + OFTEN


def case(r, note):
    world = World(r, random_config(r))
    for n in range(1, CALLS + 1):
        world.step(note)
        if n % CHECK_EVERY == 0:
            note("check()")
            world.machine.check()


def prepare():
    """Compile what the cases call."""
    import random

    for seed in range(6):
        case(random.Random(seed), lambda text: None)
