"""All interleavings of a litmus test, or random ones: each step is made by the machine.

    a state (encode.py) ── install ──> the machine's memory, store buffers, invalidation queues
                                       step: one instruction, by the kernels of core/; or a drain: one entry leaves;
                                       or (relaxed) a thread reads a location early
    another state       <── extract ──

Which entries may leave a buffer, what a load finds there, what a fence or a locked instruction waits for, what a load
that was made early sees and until when: all that is the machine's answer.

`explore` visits every reachable state once. Each step brings the program on by one, and each drain too (a step that
drains, by that much more), early reads by a fraction of that, so states are looked at in the order of their progress,
and when a state's turn comes, every way into it is known: WAYS counts the interleavings, DEPTH is the length of the
shortest. Pruning by identical states is sound: what can happen next depends on nothing else. early.py says which early
reads need not be tried.

`wander` takes an action at random, of those that are possible, until there are none.

    an action, of thread c: c * x.actions +  0               its next step
                                             1 + k           the entry at position k of its buffer leaves
                                             1 + x.slots + l it reads location l early
                                             the last        its next step, a load, is the last to see its early read
"""

from hwmem import params as P
from hwmem._jit import call_door, kernel
from hwmem.cache.invalidations import hold, oldest, process
from hwmem.core.access import atomic_place, load, store
from hwmem.core.fence import lfence, mfence, sfence
from hwmem.core.ordered import load_acquire, store_release, store_stream
from hwmem.core.store_buffer import may_leave
from hwmem.litmus import test as T
from hwmem.litmus.alu import ALL_BUT_CARRY, CF, CHOOSE, MINUS, TELL, compute, extended, flags_of, low, part_of, taken, with_part
from hwmem.litmus.early import find_changers, is_awaited, may_read_early, may_step, note_reader
from hwmem.litmus.encode import ACTION, DEPTH, ENTRY, NEXT, NONE, PARENT, PROGRESS, STATE, WAYS
from hwmem.litmus.state import HOLD, buffer_at, extract, install, line_of, location_of, register_at
from hwmem.memory.ram import peek64, poke64

MOST_WAYS = 1 << 61


@kernel
def act(m, x, table, a, action, b):
    """Row `b` becomes what `action` makes of row `a`."""
    for i in range(x.width):
        table[b, i] = table[a, i]
    install(m, x, table, a)
    c, k = action // x.actions, action % x.actions
    if x.reads:
        table[b, x.early_at] = 0
    if k == 0:
        step(m, x, table, b, c)
    elif k <= x.slots:
        call_door(m, P.DOOR_MEMORY, c, k - 1, P.DRAIN_ENTRY << P.KIND_SHIFT, 0)
    elif k < x.actions - 1:
        table[b, x.early_at] = table[a, x.early_at]
        note_reader(x, table, b, c, k - 1 - x.slots)
        hold(m, c, line_of(x, k - 1 - x.slots), HOLD)
    else:
        line = line_of(x, location_of(x, table, b, c, x.code[c, table[b, STATE + c]]))
        step(m, x, table, b, c)
        process(m.core[c], oldest(m.core[c], line))
    extract(m, x, table, b)


@kernel
def step(m, x, table, n, c):
    """Thread `c` of row `n` makes its next step: its registers and pc change in the row, all else in the machine."""
    pc = table[n, STATE + c]
    code = x.code[c, pc]
    table[n, STATE + c] += 1
    if code.operation == T.JUMP:
        if taken(code.condition, register(x, table, n, c, code.flag_register)):
            table[n, STATE + c] = code.goto
        return
    location = location_of(x, table, n, c, code)
    if code.pointer >= 0 and location < 0:
        x.lost = 1 + 64 * c + pc
        return
    t, va = x.thread[c], x.address[location] if location >= 0 else 0
    if code.operation == T.MFENCE:
        mfence(m, t)
    elif code.operation == T.SFENCE:
        sfence(m, t)
    elif code.operation == T.LFENCE:
        lfence(m, t)
    elif code.operation == T.LOAD or code.operation == T.LOAD_ACQUIRE:
        value = load(m, t, va, code.bytes) if code.operation == T.LOAD else load_acquire(m, t, va, code.bytes)
        put(x, table, n, c, extended(value, code.extend) if code.extend else value)
    elif code.operation == T.ATOMIC or code.operation == T.COMPARE_EXCHANGE:
        locked(m, x, table, n, c, va)
    else:
        computed(m, x, table, n, c, va)


@kernel
def register(x, table, n, c, number):
    """What a register holds; 0 where there is none."""
    return table[n, register_at(x, c, number)] if number >= 0 else 0


@kernel
def put(x, table, n, c, value):
    """The step that thread `c` of row `n` has begun puts a value into its target."""
    code = x.code[c, table[n, STATE + c] - 1]
    if code.target >= 0:
        at = register_at(x, c, code.target)
        table[n, at] = with_part(table[n, at], code.target_part, value)


@kernel
def operand(x, table, n, c, code):
    """The second operand."""
    value = code.value + part_of(register(x, table, n, c, code.source), code.source_part)
    return low(extended(value, code.extend) if code.extend else value, code.bytes)


@kernel
def set_flags(x, table, n, c, a, b):
    """The flags of what the step computes of `a` and `b`."""
    code = x.code[c, table[n, STATE + c] - 1]
    if code.sets and code.flag_register >= 0:
        at = register_at(x, c, code.flag_register)
        kind = MINUS if code.operation == T.COMPARE_EXCHANGE else code.alu
        flags = flags_of(kind, a, b, code.bytes)
        table[n, at] = flags & ~CF | table[n, at] & CF if code.sets == ALL_BUT_CARRY else flags


@kernel
def computed(m, x, table, n, c, va):
    """A step whose result is computed: into a register, or stored."""
    code = x.code[c, table[n, STATE + c] - 1]
    t, a, b = x.thread[c], part_of(register(x, table, n, c, code.first), code.first_part), operand(x, table, n, c, code)
    met = taken(code.condition, register(x, table, n, c, code.flag_register))
    if code.alu == TELL:
        result = 1 if met else 0
    elif code.alu == CHOOSE:
        result = b if met else a
    else:
        result = compute(code.alu, a, b, code.bytes)
    set_flags(x, table, n, c, a, b)
    if code.operation == T.STORE:
        store(m, t, va, code.bytes, result)
    elif code.operation == T.STORE_RELEASE:
        store_release(m, t, va, code.bytes, result)
    elif code.operation == T.STORE_STREAM:
        store_stream(m, t, va, code.bytes, result)
    else:
        put(x, table, n, c, result)


@kernel
def locked(m, x, table, n, c, va):
    """A locked instruction: the machine gives it the word, alone. Of its bytes those that it names change."""
    code = x.code[c, table[n, STATE + c] - 1]
    host = atomic_place(m, x.thread[c], va, P.ATOMIC, 0)
    word = peek64(host)
    old, b = low(word, code.bytes), operand(x, table, n, c, code)
    if code.operation == T.COMPARE_EXCHANGE:
        source = code.expected_source
        expected = low(code.expected + register(x, table, n, c, source), code.bytes)
        set_flags(x, table, n, c, expected, old)
        if old != expected or code.target != source:
            put(x, table, n, c, old)
        b = b if old == expected else old
    else:
        set_flags(x, table, n, c, old, b)
        b = compute(code.alu, old, b, code.bytes)
        put(x, table, n, c, old)
    poke64(host, with_part(word, code.bytes, b) if code.bytes != 4 else word & ~0xFFFFFFFF | b)


@kernel
def find_drains(m, x, table, n):
    """x.may_drain: of each thread, a bit an entry of its buffer that may leave in the state of row `n`. And x.may_change."""
    install(m, x, table, n)
    for c in range(x.threads):
        x.may_drain[c] = 0
        for k in range(m.core[c].sb_count):
            if may_leave(m, m.core[c], k):
                x.may_drain[c] |= 1 << k
    if x.reads:
        find_changers(x, table, n)


@kernel
def possible(x, table, n, action):
    c, k = action // x.actions, action % x.actions
    if k == 0 or (x.reads and k == x.actions - 1):
        return may_step(x, table, n, c, k != 0)
    if k > x.slots:
        return may_read_early(x, table, n, c, k - 1 - x.slots)
    return x.may_drain[c] >> k - 1 & 1 == 1 and is_awaited(x, table, n, c, table[n, buffer_at(x, c) + 2 + ENTRY * (k - 1)])


@kernel
def explore(m, x, table, index):
    """Visit every state from row 0 on, which the caller has put there; False when the table is full: call again with a
    larger one. x.progress goes on from where it was. Ends early when the machine is to stop (m.until)."""
    while x.progress <= x.last_progress and m.until > 0:
        n = x.bucket[x.progress] - 1
        if n < 0:
            x.progress += 1
        elif x.count + x.threads * x.actions > len(table):
            return False
        else:
            x.bucket[x.progress] = table[n, NEXT]
            find_drains(m, x, table, n)
            stuck = x.progress != x.last_progress
            for action in range(x.threads * x.actions):
                if possible(x, table, n, action):
                    stuck = False
                    act(m, x, table, n, action, x.count)
                    arrive(x, table, index, n, action)
            if stuck:
                x.cut = min(x.cut + table[n, WAYS], MOST_WAYS)
    return True


@kernel
def arrive(x, table, index, n, action):
    """The row after the last was made of row `n` by `action`: a state met before, or a new one."""
    here = find(x, table, index, x.count)
    if here == x.count:
        table[here, PROGRESS] = progress_of(x, table, here)
        table[here, DEPTH], table[here, WAYS] = MOST_WAYS, 0
        table[here, NEXT] = x.bucket[table[here, PROGRESS]]
        x.bucket[table[here, PROGRESS]] = here + 1
        x.count += 1
    table[here, WAYS] = min(table[here, WAYS] + table[n, WAYS], MOST_WAYS)
    if table[n, DEPTH] + 1 < table[here, DEPTH]:
        table[here, DEPTH], table[here, PARENT], table[here, ACTION] = table[n, DEPTH] + 1, n, action


@kernel
def progress_of(x, table, n):
    """Steps made and stores that have become visible; between two of those, early reads that wait for one."""
    done = 0
    for c in range(x.threads):
        pc = table[n, STATE + c]
        done += pc + x.stores_before[c, pc] - table[n, buffer_at(x, c)]
    done *= x.layers
    if x.reads:
        for c in range(x.threads):
            done += table[n, x.early_at] >> c & 1
    return done


@kernel
def find(x, table, index, n):
    """The row with the state of row `n`, which enters the index if there is none."""
    h = 0
    for i in range(STATE, x.width):
        word = table[n, i]
        h = ((h ^ word ^ word >> 30) & (1 << 30) - 1) * 0x9E3779B1
        h ^= h >> 17
    slot = h & len(index) - 1
    while index[slot] != 0:
        here = index[slot] - 1
        i = STATE
        while i < x.width and table[here, i] == table[n, i]:
            i += 1
        if i == x.width:
            return here
        slot = slot + 1 & len(index) - 1
    index[slot] = n + 1
    return n


@kernel
def enter_all(x, table, index, start, end):
    """An index gets the rows [start, end)."""
    for n in range(start, end):
        find(x, table, index, n)


@kernel
def wander(m, x, table, index, runs):
    """`runs` random ways from row 0 to an end; WAYS of an end's row says how many came there. The number of runs made:
    fewer when the table is full."""
    for run in range(runs):
        if x.count + 2 > len(table) or m.until == 0:
            return run
        n = x.count
        for i in range(x.width):
            table[n, i] = table[0, i]
        while True:
            find_drains(m, x, table, n)
            action = random_action(x, table, n)
            if action == NONE:
                break
            act(m, x, table, n, action, n)
        if progress_of(x, table, n) != x.last_progress:
            x.cut += 1
            continue
        here = find(x, table, index, n)
        if here == n:
            x.count += 1
            table[here, WAYS] = 0
        table[here, WAYS] += 1
    return runs


@kernel
def random_action(x, table, n):
    """One of the possible actions, each as likely as the others; NONE at an end."""
    choices, chosen = 0, NONE
    for action in range(x.threads * x.actions):
        if possible(x, table, n, action):
            choices += 1
            if draw(x) % choices == 0:
                chosen = action
    return chosen


@kernel
def draw(x):
    """xorshift (Marsaglia, 2003), on 62 bits."""
    s = x.random
    s ^= s << 13 & (1 << 62) - 1
    s ^= s >> 7
    s ^= s << 17 & (1 << 62) - 1
    x.random = s
    return s >> 5
