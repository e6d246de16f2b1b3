"""A user's kernel that does anything that kernels may do: operations, addresses, sizes and numbers drawn at random.

What is unchecked, and so left out here unless the machine is in its checked mode (docs/workloads.md): a thread's number `t`
that is none, given to an operation as the one who acts.
"""

import numpy as np

import hwmem
from hwmem import kernels as K
from hwmem.errors import MachineError
from tests.fuzz.calls import random_config

OPERATIONS, CASES = 40, 20
WORDS = 6


def setup(w, space):
    w.a = space.map("a", 1 << 14)
    w.script = np.zeros((w.operations, WORDS), np.int64)
    r = np.random.default_rng(w.script_seed)
    near = np.array(
        [w.a, w.a + 8, w.a + 60, w.a + 4092, w.a + (1 << 14) - 4, w.a + (1 << 14), 0, -1, -2, 1 << 62, -(1 << 63), (1 << 63) - 1]
    )
    numbers = np.array(
        [
            0,
            1,
            2,
            3,
            4,
            5,
            8,
            9,
            16,
            64,
            65,
            4096,
            8192,
            65536,
            -1,
            -8,
            1 << 16,
            5 << 16,
            7 << 16,
            11 << 16,
            123456789,
            1 << 31,
            1 << 62,
            -(1 << 63),
            (1 << 63) - 1,
        ]
    )
    w.script[:, 0] = r.integers(0, KINDS, w.operations)
    w.script[:, 1] = r.choice(near, w.operations)
    for column in range(2, WORDS):
        w.script[:, column] = r.choice(numbers, w.operations)
    w.threads = 3


@hwmem.workload(
    "fuzz-kernel",
    "anything",
    setup=setup,
    script_seed=hwmem.parameter(0, "seed of the script", 0, 1 << 40),
    operations=hwmem.parameter(40, "of all threads", 2, 10_000),
)
def fuzz_kernel(m, w):
    n = 0
    while True:
        t = K.next_thread(m)
        if t < 0:
            return
        if n == w.operations:
            K.finish(m, t)
            continue
        step(m, t, w.script[n])
        n += 1


@K.kernel
def step(m, t, s):
    kind, va, a, b, c = s[0], s[1], s[2], s[3], s[4]
    if kind == 0:
        K.load(m, t, va, a)
    elif kind == 1:
        K.store(m, t, va, a, b)
    elif kind == 2:
        K.load_acquire(m, t, va, a)
    elif kind == 3:
        K.store_release(m, t, va, a, b)
    elif kind == 4:
        K.store_stream(m, t, va, a, b)
    elif kind == 5:
        K.fetch_add64(m, t, va, a)
    elif kind == 6:
        K.compare_exchange64(m, t, va, a, b)
    elif kind == 7:
        K.exchange64(m, t, va, a)
    elif kind == 8:
        K.mfence(m, t)
    elif kind == 9:
        K.joined(m, t, a)
    else:
        call(m, t, kind, va, a, b, c)


@K.kernel
def call(m, t, kind, va, a, b, c):
    if kind == 10:
        K.mmap(m, t, va, a, b, c)
    elif kind == 11:
        K.munmap(m, t, va, a)
    elif kind == 12:
        K.mprotect(m, t, va, a, b)
    elif kind == 13:
        K.madvise(m, t, va, a, b)
    elif kind == 14:
        K.brk(m, t, va)
    elif kind == 15:
        K.pread(m, t, a, va, b, c)
    elif kind == 16:
        K.mmap_file(m, t, va, a, b, c, a)
    elif kind == 17:
        K.futex_wake(m, t, va, a)
    elif kind == 18:
        K.compute(m, t, a & 0xFFFF)
    elif kind == 19:
        K.load_segment(m, t, a & 3, va, b)
    elif kind == 20:
        K.happens_before(m, t, a)
    else:
        K.happens_after(m, t, a)


KINDS = 22


def case(r, note):
    for _ in range(CASES):
        seed, races = r.randrange(1 << 40), r.random() < 0.3
        config = random_config(r, memory=r.choice(("1MiB", "4MiB")))
        for n in range(OPERATIONS):  # one step of the report for each operation
            note(f"fuzz-kernel seed={seed} races={races} {config.to_dict()}")
        try:
            run(seed, config, races)
        except (MachineError, OSError) as refusal:
            assert "\n" not in str(refusal), refusal


def run(seed, config, races):
    from hwmem.programs import find
    from hwmem.runs.job import Job
    from hwmem.runs.watch import Watch

    job = Job(find("fuzz-kernel"), config, 0, None, {"script_seed": seed, "operations": OPERATIONS})
    try:
        job.run(watch=Watch(races=races), max_cycles=10**8)
    finally:
        job.machine.check()


def prepare():
    import random

    for seed in range(2):
        case(random.Random(seed), lambda text: None)
