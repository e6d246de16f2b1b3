"""What collecting has cost the processors: work.cpuStats, and the share of it that MemStats calls GCCPUFraction.

    pause_cpu       both pauses count for all Ps, idle ones too
    accumulate      at the end of a cycle: its assists, workers and scavenging join the totals; total time is Ps times elapsed

Times are nanoseconds. Go: mgc.go gcStart, gcMarkTermination; mstats.go cpuStats.accumulate.
"""

from hwmem._jit import cold, kernel
from goalloc.base.float64 import put_float
from goalloc.layout import cpuStats, gcControllerState, mstats, scavenge, schedt, workType, variables as V
from goalloc.words import get32, get64, put64

CPU = V.work + workType.cpuStats
TOTAL, IDLE_MARKING = CPU + cpuStats.gcTotalTime, CPU + cpuStats.gcIdleTime
C = V.gcController


@kernel
def grow(m, t, at, delta):
    put64(m, t, at, get64(m, t, at) + delta)


@cold
def pause_cpu(m, t, duration):
    """The world stood still for `duration`."""
    nanoseconds = get32(m, t, V.work + workType.stwprocs) * duration
    grow(m, t, CPU + cpuStats.gcPauseTime, nanoseconds)
    grow(m, t, TOTAL, nanoseconds)


@cold
def accumulate_cpu(m, t, now):
    """The cycle is over."""
    assist, dedicated = get64(m, t, C + gcControllerState.assistTime), get64(m, t, C + gcControllerState.dedicatedMarkTime)
    fractional, idle = get64(m, t, C + gcControllerState.fractionalMarkTime), get64(m, t, C + gcControllerState.idleMarkTime)
    grow(m, t, CPU + cpuStats.gcAssistTime, assist)
    grow(m, t, CPU + cpuStats.gcDedicatedTime, dedicated + fractional)
    grow(m, t, IDLE_MARKING, idle)
    grow(m, t, TOTAL, assist + dedicated + fractional + idle)
    eager, background = get64(m, t, V.scavenge + scavenge.assistTime), get64(m, t, V.scavenge + scavenge.backgroundTime)
    grow(m, t, CPU + cpuStats.scavengeAssistTime, eager)
    grow(m, t, CPU + cpuStats.scavengeBgTime, background)
    grow(m, t, CPU + cpuStats.scavengeTotalTime, eager + background)
    elapsed = now - get64(m, t, V.sched + schedt.procresizetime)
    total = get64(m, t, V.sched + schedt.totaltime) + elapsed * get32(m, t, V.gomaxprocs)
    put64(m, t, CPU + cpuStats.totalTime, total)
    grow(m, t, CPU + cpuStats.idleTime, get64(m, t, V.sched + schedt.idleTime))
    others = get64(m, t, TOTAL) + get64(m, t, CPU + cpuStats.scavengeTotalTime) + get64(m, t, CPU + cpuStats.idleTime)
    put64(m, t, CPU + cpuStats.userTime, total - others)
    put_float(m, t, V.memstats + mstats.gc_cpu_fraction, (get64(m, t, TOTAL) - get64(m, t, IDLE_MARKING)) / total if total > 0 else 0.0)
    for at in (V.scavenge + scavenge.assistTime, V.scavenge + scavenge.backgroundTime, V.sched + schedt.idleTime):
        put64(m, t, at, 0)
