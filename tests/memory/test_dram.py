"""DRAM: rows, banks and channels against a plain model; and the bus, which is one."""

import numpy as np
import pytest

from hwmem.config.machine import CacheConfig, MachineConfig
from hwmem.machine.machine import Machine

HIT, MISS, CONFLICT = 100, 200, 300


def machine(channels, banks, row_size, sockets=1, **settings):
    """A machine with a cache of one line, so that every access of another line goes to memory."""
    line = CacheConfig(64, 1, 1)
    return Machine(
        MachineConfig().replace(
            **{
                "cores": sockets,
                "sockets": sockets,
                "mmu": False,
                "ordering": "sc",
                "inclusion": "nine",
                "l1d": line,
                "l2": None,
                "llc": line if sockets > 1 else None,
                "dram": dict(
                    channels=channels,
                    banks=banks,
                    row_size=row_size,
                    row_hit=HIT,
                    row_miss=MISS,
                    row_conflict=CONFLICT,
                    bytes_per_cycle=64.0,
                ),
                **settings,
            }
        )
    )


@pytest.mark.parametrize("channels, banks, row_size", [(1, 1, 64), (1, 1, 8192), (2, 16, 8192), (3, 5, 192), (16, 64, 1024), (6, 16, 4096)])
def test_rows_hit_miss_and_conflict_as_open_pages_do(seed, channels, banks, row_size):
    """Lines go round the channels; on a channel, a row's worth of lines lies in one bank, the next row's in the next bank."""
    rng = np.random.default_rng(seed)
    lines = np.repeat(rng.integers(0, 40, 700) * int(rng.integers(50, 200)), 3) + np.tile([0, 1, 2], 700)
    lines = lines[np.insert(np.diff(lines) != 0, 0, True)]
    open_rows, counts, cycles = {}, dict.fromkeys(("row_hits", "row_misses", "row_conflicts"), 0), 0
    for line in lines.tolist():
        channel, rest = line % channels, line // channels
        number = rest // (row_size // 64)  # of the row, counted over the channel's banks
        bank, row = number % banks, number // banks
        was = open_rows.get((channel, bank))
        kind, cost = ("row_misses", MISS) if was is None else ("row_hits", HIT) if was == row else ("row_conflicts", CONFLICT)
        counts[kind] += 1
        cycles += cost
        open_rows[channel, bank] = row
    m = machine(channels, banks, row_size)
    before = m.cycles(0)
    counters = m.replay((lines * 64, False))
    assert {k: counters["dram"][k] for k in counts} == counts
    assert counters["dram"]["reads"] == len(lines) and counters["dram"]["writes"] == counters["dram"]["queue_cycles"] == 0
    assert counters["cores"][0]["l1d.misses"] == len(lines)
    assert 0 <= m.cycles(0) - before - cycles < 1_000, "beside the replay's own system calls"


def test_pages_alternate_between_the_sockets_memories():
    m = machine(1, 1, 64, sockets=2)
    lines = np.arange(0, 4 * 64 * 16)
    m.replay((lines * 64, False))
    assert [int(m.state.dram[s].reads) for s in (0, 1)] == [len(lines) // 2] * 2


def test_a_narrow_bus_makes_cores_wait_for_each_other():
    """Four cores read other lines of one open row in turn: the bus passes one line each 100 cycles, whatever the latency."""

    def makespan(bytes_per_cycle):
        m = Machine(
            MachineConfig().replace(
                cores=4,
                mmu=False,
                ordering="sc",
                l1d=CacheConfig(64, 1, 1),
                l2=None,
                llc=None,
                dram=dict(
                    channels=1, banks=1, row_size="1MiB", row_hit=HIT, row_miss=HIT, row_conflict=HIT, bytes_per_cycle=bytes_per_cycle
                ),
            )
        )
        lines, cores = np.arange(1, 4001), np.tile(np.arange(4), 1000)
        dram = m.replay((lines * 64, False), core=cores)["dram"]
        assert dram["reads"] == 4000
        return max(m.cycles(c) for c in range(4)), dram["queue_cycles"]

    wide, narrow = makespan(64.0), makespan(0.64)
    assert wide[0] == pytest.approx(1000 * HIT, rel=0.05)
    assert narrow[0] == pytest.approx(4000 * 100, rel=0.05)
    assert narrow[1] > 100 * wide[1]
