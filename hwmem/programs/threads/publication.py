"""One thread makes something, others must see it whole: a message behind its flag, an object behind its pointer.

    message-passing          data = i; flag = i                   flag read as i, then data
    double-checked-locking   if p == 0: lock; if p == 0: make the object, p = object; unlock      then its fields

The flag (the pointer) is written by a release store, or with release=false by a plain one. Where stores leave in order
(sc, tso) that makes no difference; where they may pass each other (relaxed) a reader then finds the flag without the
data. It is read by an acquire load, or with acquire=false by a plain one; where loads may be early (relaxed) a reader may
have read the data before the flag, if its core has had the line: with little memory, in which lines come again.

Every message and object has a line of its own in memory that was used long ago, as an allocator would give it: its line
comes from afar while the flag's is near, so the flag is first. Threads have other work to do between looks, of ever
different length, so that they come at any moment.

Sources: Sewell et al., "x86-TSO", 2010 (MP); Bacon et al., "The 'double-checked locking is broken' declaration", 2000.
"""

from hwmem.kernels import compute, exchange64, fetch_add64, finish, kernel, load64, load_acquire64, next_thread, store64, store_release64
from hwmem.programs.registry import parameter, workload

RANK, COUNT, STATE, SEEN, CHANCE = range(5)  # a thread's registers
WRITER = 0
WRITE, PUBLISH, AWAIT_ANSWER = range(3)  # states of a writer of messages
LOOK, READ, ANSWER = range(3)  # ... of a reader
CHECK, LOCK, CHECK_AGAIN, MAKE, SHOW, UNLOCK, USE, ARRIVE, MEET = range(9)  # ... of a thread that wants the object
LINE = 64
LONGEST_WORK = 500  # cycles


def place_messages(w, space):
    w.threads = 2
    w.data = space.map("data", w.memory, element=LINE)
    w.flag = space.map("flag", 8)
    w.answer = space.map("answer", 8)
    w.lines = w.memory // LINE
    w.stale = 0


def read_messages(w, space):
    return {"messages": space.load(w.answer), "stale": w.stale, "operations": w.rounds}


@kernel
def publish(m, t, w, va, value):
    if w.release:
        store_release64(m, t, va, value)
    else:
        store64(m, t, va, value)


@kernel
def observe(m, t, w, va):
    return load_acquire64(m, t, va) if w.acquire else load64(m, t, va)


@kernel
def other_work(m, t, r):
    """Up to LONGEST_WORK cycles, by a linear congruential generator (Numerical Recipes, 7.1)."""
    r[CHANCE] = (r[CHANCE] * 1664525 + 1013904223 + r[RANK]) & 0xFFFF_FFFF
    compute(m, t, (r[CHANCE] >> 16) % LONGEST_WORK)


@workload(
    "message-passing",
    "one thread writes data and then a flag, another waits for the flag and reads the data",
    setup=place_messages,
    values=read_messages,
    operation="message",
    against=("release", (True, False)),
    rounds=parameter(5_000, "messages", 1, 1 << 17),
    release=parameter(True, "the flag is written by a release store"),
    acquire=parameter(True, "the flag is read by an acquire load"),
    memory=parameter("32MiB", "bytes in which the messages lie, one a line", 4096, 1 << 30),
)
def message_passing(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        if r[RANK] == WRITER:
            send(m, t, w, r)
        else:
            receive(m, t, w, r)
        if r[COUNT] == w.rounds:
            finish(m, t)


@kernel
def send(m, t, w, r):
    """One step of the writer."""
    number = r[COUNT] + 1
    if r[STATE] == WRITE:
        store64(m, t, w.data + number % w.lines * LINE, number)
        r[STATE] = PUBLISH
    elif r[STATE] == PUBLISH:
        publish(m, t, w, w.flag, number)
        r[STATE] = AWAIT_ANSWER
    elif load_acquire64(m, t, w.answer) == number:
        r[STATE] = WRITE
        r[COUNT] += 1


@kernel
def receive(m, t, w, r):
    """One step of the reader."""
    number = r[COUNT] + 1
    if r[STATE] == LOOK:
        if observe(m, t, w, w.flag) == number:
            r[STATE] = READ
        else:
            other_work(m, t, r)
    elif r[STATE] == READ:
        w.stale += load64(m, t, w.data + number % w.lines * LINE) != number
        r[STATE] = ANSWER
    else:
        store_release64(m, t, w.answer, number)
        r[STATE] = LOOK
        r[COUNT] += 1


def place_objects(w, space):
    w.objects = space.map("objects", w.memory, element=LINE)
    w.pointers = space.map("pointers", 8 * w.rounds)
    w.lock = space.map("lock", 8)
    w.met = space.map("met", 8)
    w.lines = w.memory // LINE
    w.unmade = w.made = 0


def read_objects(w, space):
    return {"made": w.made, "unmade": w.unmade, "operations": w.threads * w.rounds}


@workload(
    "double-checked-locking",
    "threads make objects on first use, and look before they lock",
    setup=place_objects,
    values=read_objects,
    operation="use",
    against=("release", (True, False)),
    threads=parameter(4, "threads", 1, 64),
    rounds=parameter(3_000, "objects", 1, 1 << 17),
    release=parameter(True, "the pointer is written by a release store"),
    acquire=parameter(True, "the pointer is read by an acquire load"),
    memory=parameter("32MiB", "bytes in which the objects lie, one a line", 4096, 1 << 30),
)
def double_checked_locking(m, w):
    while True:
        t = next_thread(m)
        if t < 0:
            return
        r = m.thread[t].local
        r[STATE] = get(m, t, w, r) if r[STATE] < USE else use(m, t, w, r)
        if r[COUNT] == w.rounds:
            finish(m, t)


@kernel
def get(m, t, w, r):
    """One step towards the object; the next state."""
    state, pointer, fresh = r[STATE], w.pointers + 8 * r[COUNT], w.objects + (r[COUNT] + 1) % w.lines * LINE
    if state == CHECK or state == CHECK_AGAIN:
        r[SEEN] = observe(m, t, w, pointer)
        if state == CHECK:
            return USE if r[SEEN] else LOCK
        return UNLOCK if r[SEEN] else MAKE
    if state == LOCK:
        return LOCK if exchange64(m, t, w.lock, 1) else CHECK_AGAIN
    if state == MAKE:
        store64(m, t, fresh, fresh + r[COUNT])
        w.made += 1
        return SHOW
    if state == SHOW:
        publish(m, t, w, pointer, fresh)
        r[SEEN] = fresh
        return UNLOCK
    store_release64(m, t, w.lock, 0)
    return USE


@kernel
def use(m, t, w, r):
    """Read the object's field, which says which object it is, and wait for the others to have done so; the next state."""
    if r[STATE] == USE:
        w.unmade += load64(m, t, r[SEEN]) != r[SEEN] + r[COUNT]
        other_work(m, t, r)
        return ARRIVE
    if r[STATE] == ARRIVE:
        fetch_add64(m, t, w.met, 1)
        return MEET
    if load_acquire64(m, t, w.met) < w.threads * (r[COUNT] + 1):
        return MEET
    r[COUNT] += 1
    other_work(m, t, r)
    return CHECK
