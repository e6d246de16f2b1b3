"""Readers and writers of two words that must agree: a lock that readers take, or a count that they check.

    rwlock    one word: how many readers are inside, or -1: a writer. Readers write it twice, so its line travels
              from reader to reader even when nobody writes the data
    seqlock   one word: odd while a writer is inside. Readers only read it, before and after; a change in between
              makes them read again

Writers add one to both words, a step each, so a reader that got in between would see them differ ("torn"). What it
reads counts only once the seqlock's word is as before.

Sources: Courtois, Heymans, Parnas, "Concurrent control with readers and writers", 1971; Linux include/linux/seqlock.h.
"""

from hwmem.config.record import Rule
from hwmem.kernels import compare_exchange64, fetch_add64, finish, kernel, load64, load_acquire64, next_thread, store64, store_release64
from hwmem.programs.registry import parameter, workload

KINDS = ("rwlock", "seqlock")
RWLOCK, SEQLOCK = range(2)
RANK, COUNT, STATE, SEEN, FIRST, SECOND, TORN, RETRIES = range(8)  # a thread's registers
LOOK, TAKE, FIRST_WORD, SECOND_WORD, LEAVE = range(5)  # its states
RESULT_BYTES = 64  # of a thread: torn reads, retries


ANYBODY = Rule("readers", lambda p: p.readers + p.writers > 0, lambda p: "above 0 without writers")


def place(w, space):
    w.threads = w.readers + w.writers
    w.word = space.map("lock", 8)
    w.data = space.map("data", 16)
    w.results = space.map("results", w.threads * RESULT_BYTES, element=RESULT_BYTES)


def read(w, space):
    torn, retries = space.read(w.results, w.threads * RESULT_BYTES // 8).reshape(w.threads, -1)[:, :2].sum(axis=0)
    return {
        "data": space.read(w.data, 2),
        "written": w.writers * w.iterations,
        "torn": torn,
        "retries": retries,
        "operations": w.threads * w.iterations,
    }


@workload(
    "reader-writer",
    "readers and writers of two words, under a lock or with a sequence count",
    setup=place,
    values=read,
    operation="read or write",
    against=("kind", KINDS),
    rules=(ANYBODY,),
    kind=parameter("rwlock", "what keeps them apart", choices=KINDS),
    readers=parameter(3, "threads that read", 0, 63),
    writers=parameter(1, "threads that write", 0, 63),
    iterations=parameter(5_000, "reads or writes of a thread"),
)
def reader_writer(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if r[RANK] < w.readers:
            done = read_step(m, t, w, r)
        else:
            done = write_step(m, t, w, r)
        r[COUNT] += done
        if r[COUNT] == w.iterations:
            store64(m, t, w.results + r[RANK] * RESULT_BYTES, r[TORN])
            store64(m, t, w.results + r[RANK] * RESULT_BYTES + 8, r[RETRIES])
            finish(m, t)


@kernel
def read_step(m, t, w, r):
    """One step of a reader; True at the end of a read."""
    state = r[STATE]
    if state == LOOK:
        r[SEEN] = load_acquire64(m, t, w.word)
        if w.kind == SEQLOCK:
            r[STATE] = LOOK if r[SEEN] & 1 else FIRST_WORD
        else:
            r[STATE] = LOOK if r[SEEN] < 0 else TAKE
    elif state == TAKE:
        r[STATE] = FIRST_WORD if compare_exchange64(m, t, w.word, r[SEEN], r[SEEN] + 1) == r[SEEN] else LOOK
    elif state == FIRST_WORD:
        r[FIRST] = load64(m, t, w.data)
        r[STATE] = SECOND_WORD
    elif state == SECOND_WORD:
        r[SECOND] = load64(m, t, w.data + 8)
        r[STATE] = LEAVE
    else:
        r[STATE] = LOOK
        if w.kind == SEQLOCK and load_acquire64(m, t, w.word) != r[SEEN]:
            r[RETRIES] += 1
            return False
        if w.kind == RWLOCK:
            fetch_add64(m, t, w.word, -1)
        r[TORN] += r[FIRST] != r[SECOND]
        return True
    return False


@kernel
def write_step(m, t, w, r):
    """One step of a writer; True at the end of a write."""
    state = r[STATE]
    if state == LOOK:
        r[SEEN] = load_acquire64(m, t, w.word)
        free = r[SEEN] & 1 == 0 if w.kind == SEQLOCK else r[SEEN] == 0
        r[STATE] = TAKE if free else LOOK
    elif state == TAKE:
        mine = r[SEEN] + 1 if w.kind == SEQLOCK else -1
        r[STATE] = FIRST_WORD if compare_exchange64(m, t, w.word, r[SEEN], mine) == r[SEEN] else LOOK
    elif state == FIRST_WORD:
        store64(m, t, w.data, load64(m, t, w.data) + 1)
        r[STATE] = SECOND_WORD
    elif state == SECOND_WORD:
        store64(m, t, w.data + 8, load64(m, t, w.data + 8) + 1)
        r[STATE] = LEAVE
    else:
        store_release64(m, t, w.word, r[SEEN] + 2 if w.kind == SEQLOCK else 0)
        r[STATE] = LOOK
        return True
    return False
