"""The collector between cycles: how memory goes back over time, what the CPU limiter saves."""

from hwmem.config.record import Text, setting
from hwmem.experiments.experiment import Experiment, Figure, verdict
from hwmem.programs.registry import parameter

MANAGEMENT = "内存管理"
RETURN = "释放内存: 后台归还"
POLICIES = (("every 2.5 minutes (to 1.12)", "periodicscavenge=1"), ("in the background (from 1.13)", ""))
SPIKE = 1_500 * 4_096  # bytes
SECONDS, SOON = 10, 30  # between two looks; by then the new scavenger has worked


def measure_return(lab):
    rows = []
    for name, godebug in POLICIES:
        result = lab.run(
            "idle-after-spike",
            godebug=godebug,
            gomaxprocs=1,
            slots=SPIKE // 4_096,
            size=4_096,
            collections=lab.option("collections"),
            samples=480 // SECONDS,
            interval=SECONDS * 1000,
        )
        held = [c["heap_released"] for c in result.gc if c["forced"]][0]  # when the first collection after the spike ended
        back = [released - held for _, released, _ in result.values["samples"]]
        half = [i for i, given in enumerate(back) if given >= SPIKE // 2]
        rows.append([name, back[SOON // SECONDS] >> 10, back[-1] >> 10, SECONDS * (half[0] if half else len(back))])
    return rows


def judge_return(table):
    before, since = table.named()
    return verdict(
        (
            since["half of it after, s"] <= SOON,
            f"with the background scavenger half of it has gone back within {since['half of it after, s']} s",
        ),
        (
            300 <= before["half of it after, s"] <= 480,
            f"with a look every two and a half minutes after {before['half of it after, s']} s, five minutes after it was free",
        ),
    )


def measure_limiter(lab):
    rows = []
    for name, bucket in (("1,000 ms, as in Go", 1_000), ("2 ms", 2)):
        result = lab.run(
            "steady",
            godebug=f"limiterms={bucket}",
            memory_limit=lab.option("memory_limit"),
            gomaxprocs=1,
            slots=16_384,
            size=128,
            churn=60_000,
        )
        share = result.values["memstats"]["GCCPUFraction"]
        rows.append([name, len(result.gc), share, max((c["mapped_ready"] for c in result.gc), default=0) / (1 << 20)])
    return rows


def judge_limiter(table):
    never, limited = table.named()
    return verdict(
        (never["collecting"] >= 0.6, f"where the bucket of a second never fills, collecting takes {never['collecting']:.0%} of the time"),
        (limited["collecting"] <= 0.56, f"with one of two milliseconds {limited['collecting']:.0%}"),
        (limited["collections"] < never["collections"], f"in {limited['collections']} collections instead of {never['collections']}"),
    )


EXPERIMENTS = [
    Experiment(
        "memory-returns",
        "Since Go 1.13 idle memory goes back within seconds; before that, only what had been free for five minutes.",
        (MANAGEMENT, RETURN),
        ("scavenger", "after 30 s, KiB", "at the end, KiB", "half of it after, s"),
        measure_return,
        judge_return,
        "three looks (30 s) for the new scavenger, which sysmon wakes when the program does; five to eight minutes for the old one, which looks every two and a half",
        workloads=("idle-after-spike",),
        options={"collections": parameter(2, "calls of runtime.GC() after the spike")},
        figure=Figure("scavenger", ("after 30 s, KiB", "at the end, KiB"), "KiB that have gone back"),
    ),
    Experiment(
        "limiter-rescue",
        "With a memory limit below the live heap, collecting would take all of the time; the CPU limiter keeps it to half.",
        (MANAGEMENT, "触发垃圾回收的时机: GOMEMLIMIT 死亡螺旋"),
        ("bucket", "collections", "collecting", "mapped, MiB"),
        measure_limiter,
        judge_limiter,
        "half, and six per cent for pauses and for the time until the bucket is full; less than half where the workers do not use their quarter, "
        "which fills the bucket all the same",
        workloads=("steady",),
        options={"memory_limit": setting(Text(), "GOMEMLIMIT", "3MiB")},
        figure=Figure("bucket", ("collecting",), "part of the processor's time"),
    ),
]
