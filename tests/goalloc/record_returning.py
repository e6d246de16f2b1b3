"""The command: python -m tests.goalloc.record_returning: writes tests/oracles/go/returning.json.gz anew.

Runs live/returning forty times with either size and either madvise, since with small objects the figures vary, and once beneath the kernel's
tracepoint exceptions:page_fault_user, which has the address and the instruction of every fault. Needs Go 1.21.13 and, for tracefs, root.
"""

import bisect
import collections
import gzip
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ORACLE = HERE.parent / "oracles" / "go" / "returning.json.gz"
RUNS, KINDS, NOTES = 40, ("large", "small"), 8
# With as many variables the process begins with 26 pages of spans, as madvise.json.gz's
ENVIRONMENT = {"GOMAXPROCS": "1"} | dict.fromkeys("ABCDEFGHI", "1")
FAULT = re.compile(r"page_fault_(?:user|kernel): address=(\S+) ip=(\S+)")
# What the function is about whose instruction faulted; memory of the heap goes by its address, and the rest is "other"
ABOUT = {
    "heapArena": ("runtime.writeHeapBits.flush", "runtime.(*mheap).setSpans", "runtime.(*mheap).allocNeedsZero"),
    "summary": ("runtime.(*pageAlloc).find",),
    "pallocData": ("runtime.(*pageBits).setRange",),
    "spanSet": ("runtime.(*spanSet).push",),
}
HEAP = range(0xC0_0000_0000, 0xD0_0000_0000)


def build(folder):
    program = pathlib.Path(folder) / "returning"
    subprocess.run(["go", "build", "-o", program, "./returning"], cwd=HERE / "live", check=True, env=os.environ | {"GOFLAGS": "-mod=mod"})
    return program


def run(program, kind, madvdontneed):
    """[HeapInuse and StackInuse at the start, then the page faults of each step]."""
    environment = ENVIRONMENT | {"GODEBUG": f"madvdontneed={madvdontneed}"}
    return [int(word) for word in subprocess.run([program, kind], env=environment, capture_output=True, check=True).stderr.split()]


def functions(program):
    """Where each function begins, and its name, by address."""
    lines = subprocess.run(["go", "tool", "nm", "-n", program], capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted((int(words[0], 16), words[2]) for words in map(str.split, lines) if len(words) > 2 and words[1] in "tT")


def traced(program, kind):
    """Page faults of the first filling by what they are about. The program opens a file in each note, and none after."""
    with tempfile.TemporaryDirectory() as tracing:
        subprocess.run(["mount", "-t", "tracefs", "none", tracing], check=True)
        try:
            text = traced_run(pathlib.Path(tracing), program, kind)
        finally:
            subprocess.run(["umount", tracing], check=True)
    starts = functions(program)
    keys, found, lines = [start for start, _ in starts], collections.Counter(), text.splitlines()
    first, second = [i for i, line in enumerate(lines) if "sys_openat(" in line][-NOTES:][:2]
    for fault in filter(None, map(FAULT.search, lines[first:second])):
        address, instruction = int(fault[1], 16), fault[2]
        name = starts[bisect.bisect_right(keys, int(instruction, 16)) - 1][1] if instruction.startswith("0x") else instruction
        about = next((key for key, names in ABOUT.items() if name in names), "other")
        found["heap" if address in HEAP else about] += 1
    return dict(found)


def traced_run(tracing, program, kind):
    """What the kernel's buffer has of a run."""
    events = ("exceptions/page_fault_user", "exceptions/page_fault_kernel", "syscalls/sys_enter_openat")
    words = [f"{name}={value}" for name, value in (ENVIRONMENT | {"GODEBUG": "madvdontneed=1"}).items()]
    process = subprocess.Popen(["sh", "-c", 'kill -STOP $$; exec env -i "$@"', "sh", *words, program, kind], stderr=subprocess.DEVNULL)
    os.waitpid(process.pid, os.WUNTRACED)
    try:
        (tracing / "buffer_size_kb").write_text("65536")
        (tracing / "tracing_on").write_text("1")
        (tracing / "options" / "event-fork").write_text("1")
        (tracing / "set_event_pid").write_text(str(process.pid))
        for event in events:
            (tracing / "events" / event / "enable").write_text("1")
        process.send_signal(signal.SIGCONT)
        process.wait()
        return (tracing / "trace").read_text()
    finally:
        for event in events:
            (tracing / "events" / event / "enable").write_text("0")
        (tracing / "set_event_pid").write_text("")
        (tracing / "trace").write_text("")
        (tracing / "buffer_size_kb").write_text("1408")


def main():
    with tempfile.TemporaryDirectory() as folder:
        program = build(folder)
        runs = {f"{kind}_madvdontneed{i}": [run(program, kind, i) for _ in range(RUNS)] for kind in KINDS for i in (0, 1)}
        places = {kind: traced(program, kind) for kind in KINDS}
    answer = {
        "go": "1.21.13",
        "kernel": os.uname().release,
        "columns": "HeapInuse, StackInuse at the start, then page faults of each step",
        "runs": runs,
        "places": places,
    }
    with gzip.GzipFile(ORACLE, "wb", mtime=0) as file:
        file.write(json.dumps(answer).encode())
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
