"""Where a Runtime's cycles go, by call site: a CPU profile without sampling.

`with rt.call_site(name)` (memprofile.py) charges the cycles that the cores' clocks have gained since the last change of site to the sites that
were entered. Waiting counts, too: a clock goes on while its core waits for another. `rt.cpu_profile(path)` writes the file (pprof.py).
"""


class Spent:
    """Cycles of the runtime's cores by call site: {its frames, the innermost first: cycles}."""

    def __init__(self, rt):
        self.cycles, self.frames, self._until = {}, (), self._clock(rt)

    @staticmethod
    def _clock(rt):
        return sum(int(rt.machine.state.core[core].cycles) for core in range(rt.gomaxprocs))

    def charge(self, rt):
        """What was spent since the last call was spent where the program is."""
        now = self._clock(rt)
        if now > self._until:
            self.cycles[self.frames] = self.cycles.get(self.frames, 0) + now - self._until
        self._until = now


def cpu_profile(rt):
    """Where the cycles of the runtime's cores went, a dict a place, most first: "frames" (call sites, the innermost first; () outside of all),
    "cycles", "ns" of the emulated clock."""
    rt.spent.charge(rt)
    ghz = rt.machine.config.frequency_ghz
    return [
        {"frames": frames, "cycles": cycles, "ns": round(cycles / ghz)}
        for frames, cycles in sorted(rt.spent.cycles.items(), key=lambda one: -one[1])
    ]
