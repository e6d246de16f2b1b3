"""Scripts of malloc_oracle.c on the emulated machine: one jitted loop, answers as the real library's are printed."""

import numpy as np

from hwmem import params as P
from hwmem.kernels import kernel, load64, mfence, store64
from hwmem.libc import Malloc
from hwmem.libc import layout as L
from hwmem.libc.malloc import calloc, end_of_thread, free, mallopt, malloc, malloc_trim, memalign, realloc, usable_size
from hwmem.libc.morecore import sbrk
from hwmem.libc.statistics import FIELDS, mallinfo
from hwmem.machine.enter import place_thread

CALLS = "mcraftsoikxd"
MALLOC, CALLOC, REALLOC, MEMALIGN, FREE, TRIM, SBRK, OPTION, INFO, THREAD, END, CREATE = range(len(CALLS))
NUMBERS = {
    1: L.MXFAST,
    -1: L.TRIM_THRESHOLD,
    -2: L.TOP_PAD,
    -3: L.MMAP_THRESHOLD,
    -4: L.N_MMAPS_MAX,
    -7: L.ARENA_TEST,
    -8: L.ARENA_MAX,
}  # malloc.h's
DTV_BYTES = 272  # what pthread_create takes from the caller's arena, unless an ended thread's stack can be reused
MMAPPED, OTHER_ARENA = 2, 4  # in a size field
HEAP = 64 << 20
SLOTS, WORDS = 4096, 8192
ALIGNMENT = 1 << 21  # break and first mapping have the real ones' places in a unit of this: mappings of whole units
# begin at a multiple of it
PROBE = 1 << 20  # bytes of a mapping that are no whole units


@kernel
def pattern(slot):
    return 0x0101010101010101 * (slot % 199 + 7)


@kernel
def allocate(m, t, call, mem, a, b):
    if call == MALLOC:
        return malloc(m, t, a)
    if call == CALLOC:
        return calloc(m, t, 1, a)
    if call == REALLOC:
        return realloc(m, t, mem, a)
    return memalign(m, t, a, b)


@kernel
def wrong_words(m, t, mem, n, word):
    wrong = 0
    for i in range(n):
        wrong += load64(m, t, mem + 8 * i) != word
    return wrong


@kernel
def give(m, t, row, slot, answer):
    """malloc, calloc, realloc or memalign, then the block's words are looked at and written."""
    call, s = row[0], row[1]
    n = row[3] if call == MEMALIGN else row[2]
    mem = allocate(m, t, call, slot[s, 0], row[2], row[3])
    answer[0] = mem
    if mem == 0 and call == REALLOC and n:
        return
    if call == CALLOC and mem:
        answer[3] = wrong_words(m, t, mem, n // 8, 0)
    elif call == REALLOC and mem:
        answer[3] = wrong_words(m, t, mem, min(n // 8, slot[s, 1]), pattern(s))
    answer[1] = usable_size(m, t, mem)
    answer[4] = load64(m, t, mem - 8) if mem else 0
    slot[s, 0], slot[s, 1] = mem, 0
    if mem:
        slot[s, 1] = min(n // 8, WORDS)
        for i in range(slot[s, 1]):
            store64(m, t, mem + 8 * i, pattern(s))


@kernel
def hand_over(m, t, other):
    """Thread `other` has waited for `t`, and goes on."""
    mfence(m, t)
    now = m.core[m.thread[t].core].cycles
    core = m.core[m.thread[other].core]
    core.cycles = max(core.cycles, now)
    place_thread(m, other, m.thread[other].core)


@kernel
def run_rows(m, threads, rows, slot, answers):
    """Rows (call, slot, a, b); a row of `answers`: address or result, usable size, break, wrong words, size field; of `i`,
    the fields. CREATE is the main thread's."""
    t = threads[0]
    for k in range(len(rows)):
        call, s = rows[k, 0], rows[k, 1]
        if call >= THREAD:
            other = threads[0] if call == CREATE else threads[s]
            hand_over(m, t, other)
            if call == CREATE:
                calloc(m, other, 1, DTV_BYTES)
            elif call == END:
                end_of_thread(m, other)
            if call == THREAD:
                t = other
            else:
                hand_over(m, other, t)
            continue
        if call == INFO:
            usable_size(m, t, 0)
            mallinfo(m, t, answers[k])
            continue
        if call == FREE:
            free(m, t, slot[s, 0])
            slot[s, 0], slot[s, 1] = 0, 0
        elif call == TRIM:
            answers[k, 0] = malloc_trim(m, t, rows[k, 2])
        elif call == SBRK:
            answers[k, 0] = sbrk(m, t, rows[k, 2])
        elif call == OPTION:
            answers[k, 0] = mallopt(m, t, rows[k, 2], rows[k, 3])
        else:
            give(m, t, rows[k], slot, answers[k])
        answers[k, 2] = sbrk(m, t, 0)


def rows_of(lines):
    """Script lines as an int64 array of (call, slot, a, b), with what creating threads takes from the heap."""
    rows, begun, stacks = [], {0}, 0
    for line in lines:
        call, *numbers = line.split()
        numbers = [int(n) for n in numbers]
        if call == "k" and numbers[0] not in begun:
            begun.add(numbers[0])
            rows += [] if stacks else [[CREATE, 0, 0, 0]]
            stacks -= stacks > 0
        elif call == "x":
            begun.remove(numbers[0])
            stacks += 1
        elif call == "o":
            numbers[0] = NUMBERS[numbers[0]]
        rows.append([CALLS.index(call), *([0] if call in "tso" else []), *numbers, 0, 0][:4])
    return np.array([row + [0] * (4 - len(row)) for row in rows], np.int64)


def align_mappings(process, end):
    """From here on mappings end where one that ends at `end` does, in a unit of ALIGNMENT."""
    probe = process.mmap(0, PROBE)
    process.munmap(probe, PROBE)
    if pad := (probe + PROBE - end) % ALIGNMENT:
        process.mmap(0, pad, prot=P.PROT_NONE)


def emulated(machine, lines, start, end, threads=1):
    """The answers of the emulated library to a script, in a process of its own whose break starts where `start` does, and
    whose mappings lie below `end`, both within a unit of ALIGNMENT."""
    process = machine.spawn()
    others = []
    try:
        process.sbrk((start - process.sbrk(0)) % ALIGNMENT)
        base = process.sbrk(0)
        Malloc(process)
        align_mappings(process, end)
        others = [machine.new_thread(process.number, k % machine.config.cores) for k in range(1, threads)]
        everybody = np.array([process.thread_on(0), *others], np.int64)
        rows, slot = rows_of(lines), np.zeros((SLOTS, 2), np.int64)
        answers = np.zeros((len(rows), len(FIELDS)), np.int64)
        place_thread(machine.state, everybody[0], 0)
        run_rows(machine.state, everybody, rows, slot, answers)
        for t in everybody:
            machine.raise_fault(t)
        return list(as_printed(rows, answers, base))
    finally:
        for t in others:
            machine.free_thread(t)
        process.exit()


def as_printed(rows, answers, base):
    mapped, heaps = None, []
    for (call, *_), row in zip(rows.tolist(), answers.tolist()):
        result, usable, end, wrong, size = row[:5]
        if call == CREATE:
            continue
        if call == INFO:
            yield row
        elif call in (THREAD, END):
            yield []
        elif call in (FREE, TRIM, SBRK, OPTION):
            yield [result - base if call == SBRK else result, end - base]
        elif result == 0:
            yield [None, usable, end - base, wrong]
        elif size & MMAPPED:
            mapped = mapped or result
            yield [[1, result - mapped], usable, end - base, wrong]
        elif size & OTHER_ARENA:
            heap = result // HEAP
            heaps += [heap] if heap not in heaps else []
            yield [[2, heaps.index(heap), result % HEAP], usable, end - base, wrong]
        else:
            yield [[0, result - base], usable, end - base, wrong]


def without_mmap_places(answers):
    """With several threads stacks and heaps lie between the mappings: where one is mapped is not compared."""
    return [[[1], *answer[1:]] if answer and isinstance(answer[0], list) and answer[0][0] == 1 else answer for answer in answers]
