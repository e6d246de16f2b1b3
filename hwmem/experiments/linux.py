"""A process and its memory under Linux: where it comes from, how it goes back, what it may not touch, when it is killed."""

from hwmem import libc
from hwmem.errors import SegmentationFault
from hwmem.experiments.experiment import Experiment, Figure, near, verdict
from hwmem.machine.machine import Machine
from hwmem.params import LAYOUTS, PAGE
from hwmem.programs.memory.limits import WAYS
from hwmem.programs.registry import parameter

LEARNING = "内存管理学习"
MODEL = "Golang Rumtime-内存模型"
LINUX = "Linux系统内存"
KERNEL_SPACE = 0xC000_0000  # of a 32-bit process with a split of 3 GiB and 1 GiB
THRESHOLD = 128 << 10  # of malloc (M_MMAP_THRESHOLD)
HEADER = 8  # bytes that malloc adds before it rounds up to 16
TAKEN = 100 << 10  # of the 132 KiB that a heap begins with
LARGEST_IN_HEAP = THRESHOLD - 3 * HEADER


def measure_returning(lab):
    v = lab.run("madvise-return", size="8MiB", machine={"memory": "32MiB"}).values
    kib = PAGE >> 10
    return [
        [row, *(v[what][k] * kib for what in ("touched", "returned", "lazyfree", "pressed")), v["faults"][k], v["zeros"][k]]
        for k, row in enumerate(v["rows"])
    ]


def judge_returning(table):
    rows = {row["way, pressure"]: row for row in table.named()}
    free, pressed = rows["FREE, none"], rows["FREE, pressure"]
    gone = [rows[f"{way}, {pressure}"] for way in ("DONTNEED", "munmap") for pressure in ("none", "pressure")]
    pages = free["RSS"] // (PAGE >> 10)
    return verdict(
        (
            not any(row["after"] for row in gone),
            f"after DONTNEED and munmap {max(row['after'] for row in gone)} KiB of {free['RSS']:,} stay",
        ),
        (all(row["faults"] == pages for row in gone), f"{min(row['faults'] for row in gone):,} of {pages:,} pages fault again"),
        (free["after"] == free["LazyFree"] == free["RSS"], f"after FREE {free['after']:,} KiB stay, as LazyFree"),
        (free["faults"] == 0, f"{free['faults']:,} of them fault"),
        (pressed["later"] < 0.5 * free["RSS"], f"under memory pressure {pressed['later']:,} KiB of them are left"),
    )


def measure_calls(lab):
    result = lab.run("brk-mmap")
    cells = result.values["grid"]["cells"]
    return [
        [size, *cells[k][:3], result.values["resident"][k] * PAGE >> 10, cells[k][5]]
        for k, size in enumerate(result.values["grid"]["rows"])
    ]


def judge_calls(table):
    rows = {(row["object"], row["from"]): row for row in table.named()}
    each, ahead, mapped = (rows["256B", way] for way in ("brk", "brk, ahead", "mmap"))
    large, at_once = rows["1MiB", "mmap"], rows["1MiB", "brk, ahead"]
    return verdict(
        (
            each["cycles an object"] >= 2 * ahead["cycles an object"],
            f"256 bytes cost {each['cycles an object'] / ahead['cycles an object']:.1f} times as much with a call for each object as with 128 KiB at once",
        ),
        (
            mapped["RSS, KiB"] == 16 * ahead["RSS, KiB"],
            f"a mapping for each takes {mapped['RSS, KiB'] // ahead['RSS, KiB']} times the memory",
        ),
        (
            near(large["cycles an object"], at_once["cycles an object"], 0.1),
            f"for 1 MiB it costs {large['cycles an object'] / at_once['cycles an object']:.2f} times as much as brk",
        ),
    )


def measure_threshold(lab):
    """A process each, whose heap has little left at its top: what is free there serves larger blocks too."""
    machine, rows = Machine(lab.config(memory="16MiB"), lab.seed), []
    for n in (1 << 10, 32 << 10, LARGEST_IN_HEAP, LARGEST_IN_HEAP + HEADER, THRESHOLD, 1 << 20):
        process = machine.spawn()
        heap = libc.Malloc(process)
        if lab.option("threshold"):
            heap.mallopt("M_MMAP_THRESHOLD", lab.option("threshold"))
        heap.malloc(TAKEN)
        address = heap.malloc(n)
        vma = next(vma for vma in process.maps() if vma.start <= address < vma.end)
        rows.append([n, vma.name or "a mapping", heap.info()["hblkhd"]])
        process.exit()
    lab.tick()
    return rows


def judge_threshold(table):
    rows = table.named()
    wrong = [row for row in rows if (row["bytes"] > LARGEST_IN_HEAP) != (row["mapped"] > 0)]
    heap, mapped = ([row["bytes"] for row in rows if (row["mapped"] > 0) == maps] for maps in (False, True))
    return verdict(
        (
            not wrong,
            f"of {len(rows)} blocks those of up to {max(heap, default=0):,} bytes lie in the heap that brk extends, "
            f"those of {min(mapped, default=0):,} and more in a mapping each",
        ),
    )


def measure_space(lab):
    process = Machine(lab.config(memory="16MiB"), lab.seed).spawn(layout=lab.option("layout"))
    process.sbrk(2 * PAGE)
    mapped = process.mmap(0, 2 * PAGE)
    rows = []
    program = [vma for vma in process.maps() if vma.end <= 1 << 31 and vma.name != "[heap]"]
    places = {
        "text": program[0],
        "data": next((vma for vma in program if vma.prot & 2), None),
        "heap": next((vma for vma in process.maps() if vma.name == "[heap]"), None),
        "mapping": next(vma for vma in process.maps() if vma.start <= mapped < vma.end),
        "stack": next(vma for vma in process.maps() if vma.name == "[stack]"),
    }
    for name, vma in places.items():
        if vma is not None:
            rows.append([name, f"{vma.start:#010x}", f"{vma.end:#010x}", written(process, vma.start)])
    rows.append(["kernel space", f"{KERNEL_SPACE:#010x}", "0x100000000", written(process, KERNEL_SPACE)])
    lab.tick()
    return rows


def written(process, address):
    """What comes of a write of 4 bytes."""
    try:
        process.store(address, 1, size=4)
    except SegmentationFault as fault:
        return f"SIGSEGV, {fault.code}"
    return "written"


def judge_space(table):
    rows = table.named()
    starts = [int(row["from"], 16) for row in rows]
    kernel = rows[-1]
    writable = [row for row in rows if row["region"] in ("data", "heap", "mapping", "stack")]
    user = max(int(row["to"], 16) for row in rows[:-1])
    return verdict(
        (starts == sorted(starts) and user <= KERNEL_SPACE, f"text, data, heap, mappings and stack lie below {user:#x}, in this order"),
        (
            all(row["a write"] == "written" for row in writable),
            f"{sum(row['a write'] == 'written' for row in writable)} of {len(writable)} writable ones take a write",
        ),
        (kernel["a write"].startswith("SIGSEGV"), f"a write at {KERNEL_SPACE:#x}: {kernel['a write']}"),
    )


def measure_isolation(lab):
    """Two processes at the same address."""
    machine = Machine(lab.config(memory="16MiB"), lab.seed)
    processes = [machine.spawn() for _ in range(2)]
    rows, address = [], None
    for number, process in enumerate(processes):
        address = process.mmap(address or 0, PAGE)
        process.store(address, 1000 + number)
    for number, process in enumerate(processes):
        rows.append([f"process {number}", f"{address:#x}", f"{process.physical(address):#x}", 1000 + number, process.load(address)])
    lab.tick()
    return rows


def judge_isolation(table):
    frames = set(table.column("physical"))
    kept = table.column("stored") == table.column("loaded")
    return verdict(
        (kept, "each finds what it stored" if kept else "one finds what the other stored"),
        (len(frames) == 2, f"one virtual address maps to {len(frames)} physical address{'es' * (len(frames) != 1)}"),
    )


def measure_limit(lab):
    result = lab.run("memory-limit")
    v, kib = result.values, PAGE >> 10
    limit = result.parameters["limit"] >> 10
    return [
        [way, "killed" if v["died"][k] else "lives", limit, *(v[what][k] * kib for what in ("touched", "rss", "charged", "working_set"))]
        for k, way in enumerate(WAYS)
    ]


def judge_limit(table):
    rows = {row["memory"]: row for row in table.named()}
    own, read, shared = rows["own pages"], rows["a file, read"], rows["shared, unmapped"]
    return verdict(
        (
            own["end"] == "killed" and near(own["charged"], own["limit"], 0.02),
            f"own pages: {own['end']} at {own['charged']:,} KiB of a limit of {own['limit']:,}",
        ),
        (read["end"] == "lives" and read["touched"] >= 1.9 * read["limit"], f"a file of {read['touched']:,} KiB: {read['end']}"),
        (
            shared["end"] == "killed" and shared["RSS"] < 0.1 * shared["limit"],
            f"shared memory no longer mapped: {shared['end']} with an RSS of {shared['RSS']} KiB",
        ),
    )


EXPERIMENTS = [
    Experiment(
        "isolation",
        "Virtual memory keeps processes apart: the same address is a different place in each.",
        ("go内存管理", "虚拟内存和物理内存"),
        ("process", "virtual", "physical", "stored", "loaded"),
        measure_isolation,
        judge_isolation,
        "none: addresses and values are exact",
    ),
    Experiment(
        "brk-mmap",
        "A system call for each small object costs more than the memory itself, so allocators take much at once and hand it out.",
        ("内存管理", "为什么要内存管理"),
        ("object", "from", "calls", "faults", "RSS, KiB", "cycles an object"),
        measure_calls,
        judge_calls,
        "twice for 256-byte objects, where a call takes some hundred cycles and the object's share of a fault as much; 10 % for 1 MiB, beside which a call is nothing",
        workloads=("brk-mmap",),
        figure=Figure("object", ("cycles an object",), "cycles an object", log=True, by="from"),
    ),
    Experiment(
        "mmap-threshold",
        "malloc takes blocks below 128 KiB from the heap that brk extends, and maps larger ones one by one.",
        (LEARNING, "brk 和 mmap"),
        ("bytes", "lies in", "mapped"),
        measure_threshold,
        judge_threshold,
        "24 bytes: the block's header counts and its size is rounded up, so 131,049 bytes already make 128 KiB",
        "24 bytes",
        options={"threshold": parameter(0, "M_MMAP_THRESHOLD, bytes; 0: as it is", 0, 32 << 20)},
        figure=Figure("bytes", ("mapped",), "bytes mapped for the block", shape="bars"),
    ),
    Experiment(
        "madvise-return",
        "DONTNEED and munmap lower RSS at once and every page faults again; after FREE it stays until memory is short, and a touch costs no fault.",
        (LEARNING, "madvise, munmap"),
        ("way, pressure", "RSS", "after", "LazyFree", "later", "faults", "zeros"),
        measure_returning,
        judge_returning,
        "counts are exact, in KiB and pages; under pressure at least half must go, since how much the kernel takes is up to it",
        workloads=("madvise-return",),
        figure=Figure("way, pressure", ("RSS", "after", "later"), "KiB resident"),
    ),
    Experiment(
        "address-space",
        "A 32-bit process has 3 GiB: text, data, heap, mappings and stack; the top 1 GiB belongs to the kernel, and a write there is a segmentation fault.",
        (LINUX, "进程的内存"),
        ("region", "from", "to", "a write"),
        measure_space,
        judge_space,
        "none: addresses and signals are exact",
        options={"layout": parameter("linux-i386", "the process's", choices=tuple(LAYOUTS))},
        figure=Figure("region", ("from", "to"), "address", shape="spans"),
    ),
    Experiment(
        "memory-limit",
        "A control group is killed at its memory limit for memory that cannot be reclaimed; page cache can, and RSS does not show how near the limit is.",
        (LINUX, "内存管理中的一些常见问题: 内存泄漏"),
        ("memory", "end", "limit", "touched", "RSS", "charged", "working set"),
        measure_limit,
        judge_limit,
        "2 % of the limit; in KiB",
        "2 % of the limit",
        workloads=("memory-limit",),
        figure=Figure("memory", ("RSS", "charged", "working set"), "KiB"),
    ),
]
