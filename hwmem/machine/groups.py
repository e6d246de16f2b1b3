"""Memory groups from Python: a limit for several processes together, as a container's (linux/group.py).

g = machine.group("web", max="64MiB", swap_max=0)       memory.max, memory.swap.max
p = machine.spawn(group=g)                              or p.join(g); children belong to their parent's group
g.current, g.working_set, g.stat(), g.events()
"""

from hwmem import params as P
from hwmem.errors import MachineError
from hwmem.proc import group as files
from hwmem.units import parse_size


NAMES = {"most": "max", "high": "high", "swap_most": "swap_max"}  # of a group's record, as users know them


class Group:
    """A memory group. Not made directly: Machine.group(). `name`: as it was made; limits are bytes, None: none."""

    def __init__(self, machine, number, name):
        self.machine, self.number, self.name = machine, number, name

    def __repr__(self):
        return f"<Group {self.name!r}, {self.current} bytes of {'no limit' if self.max is None else self.max}>"

    @property
    def record(self):
        """What the machine keeps of it: a row of `group` (layout/linux.py)."""
        return self.machine.state.group[self.number]

    def _limit(self, name):
        pages = int(self.record[name])
        return None if pages == P.NO_LIMIT_PAGES else pages * P.PAGE

    def _set(self, name, value):
        self.record[name] = P.NO_LIMIT_PAGES if value is None else parse_size(value, NAMES[name]) // P.PAGE

    @property
    def max(self):
        """memory.max: what its processes may have together; a lower one counts from the next allocation on."""
        return self._limit("most")

    @max.setter
    def max(self, value):
        self._set("most", value)

    @property
    def high(self):
        """memory.high: above it its processes reclaim and wait."""
        return self._limit("high")

    @high.setter
    def high(self, value):
        self._set("high", value)

    @property
    def swap_max(self):
        """memory.swap.max."""
        return self._limit("swap_most")

    @swap_max.setter
    def swap_max(self, value):
        self._set("swap_most", value)

    @property
    def oom_group(self):
        """memory.oom.group: whether its processes are killed all together."""
        return bool(self.record["together"])

    @oom_group.setter
    def oom_group(self, value):
        self.record["together"] = bool(value)

    @property
    def current(self):
        """memory.current: bytes charged to it."""
        return int(self.record.usage) * P.PAGE

    @property
    def peak(self):
        """memory.peak."""
        return int(self.record.peak) * P.PAGE

    @property
    def swap_current(self):
        """memory.swap.current."""
        return int(self.record.swap) * P.PAGE

    @property
    def working_set(self):
        """memory.current without inactive pages of files, which would be given up first."""
        return max(self.current - int(self.record.pages[P.LRU_INACTIVE_FILE]) * P.PAGE, 0)

    def stat(self):
        """memory.stat: the kernel's names -> bytes; pgscan and pgsteal are counts."""
        return files.stat(self.machine, self.number)

    def stat_text(self):
        return files.stat_text(self.machine, self.number)

    def events(self):
        """memory.events: counts of high, max, oom, oom_kill, oom_group_kill."""
        return files.events(self.machine, self.number)


ABSENT = {
    "min": "memory.min and memory.low, which protect a group's pages from others, are not modelled",
    "low": "memory.min and memory.low, which protect a group's pages from others, are not modelled",
    "parent": "groups do not nest: they stand side by side, and a process is in one",
    "swap_high": "memory.swap.high is not modelled",
    "zswap_max": "there is no zswap",
}


def refuse(name, others):
    """Raise TypeError or ValueError for settings of cgroup v2 that are missing here, naming the available ones."""
    if not isinstance(name, str) or not name.isprintable():
        raise TypeError(f"name: takes a line of printable text, not {name!r:.40}")
    if "/" in name:
        raise ValueError(f"name: {name!r:.40}: {ABSENT['parent']}")
    for other in others:
        raise TypeError(f"{other}: {ABSENT.get(other, 'not a setting of a group')}; a group takes max, high, swap_max and oom_group")


def create(machine, name, limits, oom_group):
    """A new group; ValueError for a bad limit or a name that there is, MachineError when full."""
    m = machine.state
    if name in machine.groups:
        raise ValueError(f"name: there is a group {name!r} already")
    if m.groups + 1 == P.MAX_GROUPS:
        raise MachineError(f"the emulator holds {P.MAX_GROUPS - 1} memory groups, and this would be one more")
    group = Group(machine, int(m.groups) + 1, name)
    group.max, group.high, group.swap_max = limits
    group.oom_group = oom_group
    m.groups += 1
    machine.groups[name] = group
    return group
