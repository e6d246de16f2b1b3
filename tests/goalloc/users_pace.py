"""GOGC and memory limits that change while a program allocates, as live/users/pace.go has them: scenarios for users.py."""

MIB, KIB = 1 << 20, 1 << 10
MAX_INT32 = (1 << 31) - 1
NO_LIMIT = (1 << 63) - 1
SOURCES = {  # of golang/go, unless it says so
    "percent-in-mid-run": "19076, 39419: SetGCPercent by load, while the program goes on",
    "percent-in-mid-run-16": "the same with the smallest objects",
    "percent-in-mid-run-128k": "the same with large ones",
    "percent-beside-16-mib": "23044: beside a ballast",
    "percent-of-nodes": "the same with objects that have pointers",
    "percent-zero": "10681, 39983: GOGC=0",
    "percent-one": "39983: GOGC=1",
    "percent-ten": "39983: a low GOGC; collections are a MiB apart",
    "percent-max-int32": "48409: a GOGC that never decides",
    "next-goal-of-max-int32": "SetGCPercent(math.MaxInt32), and ints that are no int32",
    "off-then-on": "google/gops#200: GOGC=off around a phase, then as before",
    "percent-lowered-below-the-heap": "19076: nothing is collected until something is allocated",
    "limit-of-zero": "58106: GOMEMLIMIT=0",
    "limits-in-mid-run": "48409: limits alone decide (GOGC=off)",
    "limits-beside-16-mib": "the same beside what lives",
    "limit-above-what-gogc-is": "a limit that is never reached changes nothing",
    "limit-that-gogc-meets": "52433: a limit near what GOGC asks for",
    "forced-between": "runtime.GC() between automatic collections",
    "burst-then-steady": "23044, 42430: one large object, then small ones",
}


def cycles(u):
    """How many collections there were since it was called last."""
    number = u.rt.memstats()["NumGC"]
    u.note(number - u.last_gc)
    u.last_gc = number


def begin(u):
    cycles(u)
    u.notes.clear()


def percents(n, size, *each):
    def scenario(u):
        begin(u)
        for percent in each:
            u.rt.set_gc_percent(percent)
            u.garbage(n, size)
            cycles(u)

    return scenario


def limits(*each):
    def scenario(u):
        begin(u)
        for limit in each:
            u.rt.set_memory_limit(limit)
            u.garbage(4096, 64 * KIB)
            cycles(u)

    return scenario


def keep(u, size):
    u.rt.write_pointer(u.root, u.rt.mallocgc(size))


def beside(size, scenario):
    def with_ballast(u):
        keep(u, size)
        u.rt.gc()
        scenario(u)

    return with_ballast


def at_100_percent(scenario):
    def on(u):
        u.rt.set_gc_percent(100)
        scenario(u)

    return on


def percent_of_nodes(u):
    begin(u)
    for percent in (100, 50, 200):
        u.rt.set_gc_percent(percent)
        u.rt.malloc_many([u.node.size] * (1 << 20), type=u.node)
        cycles(u)


def percent_max_int32(u):
    percents(64 * KIB, KIB, MAX_INT32)(u)
    u.rt.set_gc_percent(-1)
    u.note(u.rt.set_gc_percent(MAX_INT32))


def next_goal_of_max_int32(u):
    u.rt.set_gc_percent(MAX_INT32)
    u.note(u.rt.memstats()["NextGC"])
    u.note(*(u.rt.set_gc_percent(percent) for percent in (1 << 31, (1 << 32) + 5, -1)))


def percent_lowered(u):
    keep(u, 32 * MIB)
    u.rt.set_gc_percent(400)
    u.rt.gc()
    u.garbage(48 * KIB, KIB)
    begin(u)
    u.rt.set_gc_percent(10)
    cycles(u)
    for n in (64, 4 * KIB):
        u.garbage(n, KIB)
        cycles(u)


def limit_of_zero(u):
    u.note(u.rt.set_memory_limit(0) >> 40)
    u.note(u.rt.memstats()["NextGC"] >> 20, *u.now("NumGC"))
    u.note(u.rt.set_memory_limit("off") == 0)


def forced_between(u):
    begin(u)
    for _ in range(8):
        u.garbage(2048, KIB)
        u.rt.gc()
    cycles(u)
    u.garbage(16 * KIB, KIB)
    cycles(u)


def burst_then_steady(u):
    begin(u)
    keep(u, 64 * MIB)
    cycles(u)
    u.rt.write_pointer(u.root, 0)
    for n in (32 * KIB, 64 * KIB):
        u.garbage(n, KIB)
        cycles(u)


SCENARIOS = {
    "percent-in-mid-run": percents(64 * KIB, KIB, 100, 50, 200, 400, 25, 100),
    "percent-in-mid-run-16": percents(MIB, 16, 100, 50, 200),
    "percent-in-mid-run-128k": percents(512, 128 * KIB, 100, 50, 200, 400),
    "percent-beside-16-mib": beside(16 * MIB, percents(64 * KIB, KIB, 100, 50, 200, 400, 25, 100)),
    "percent-of-nodes": percent_of_nodes,
    "percent-zero": percents(16 * KIB, KIB, 0),
    "percent-one": percents(16 * KIB, KIB, 1),
    "percent-ten": percents(16 * KIB, KIB, 10),
    "percent-max-int32": percent_max_int32,
    "next-goal-of-max-int32": next_goal_of_max_int32,
    "off-then-on": percents(64 * KIB, KIB, -1, 100, -1, 100),
    "percent-lowered-below-the-heap": percent_lowered,
    "limit-of-zero": limit_of_zero,
    "limits-in-mid-run": limits(24 * MIB, 48 * MIB, 96 * MIB, 32 * MIB),
    "limits-beside-16-mib": beside(16 * MIB, limits(48 * MIB, 96 * MIB)),
    "limit-above-what-gogc-is": at_100_percent(limits(1 << 30, NO_LIMIT)),
    "limit-that-gogc-meets": beside(32 * MIB, at_100_percent(limits(NO_LIMIT, 56 * MIB))),
    "forced-between": at_100_percent(forced_between),
    "burst-then-steady": at_100_percent(burst_then_steady),
}
NEAR, LARGE = (
    0.03,
    0.12,
)  # memory is cleared by 8 bytes, so that large objects take longer than the real ones, and cycles begin an object or two later
EXACT = ("percent-max-int32", "next-goal-of-max-int32", "limit-of-zero", "percent-zero", "percent-one", "percent-ten")
PARTS = {name: LARGE if name == "percent-in-mid-run-128k" else NEAR for name in SCENARIOS if name not in EXACT}
