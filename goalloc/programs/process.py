"""The initial state of a garbage-collected program: that of a small real Go process when main began (recorded, linux/amd64).

    global variables    205,384 bytes, which every cycle scans; of their words two in five are pointers, as the linker's masks say
    stacks              42,152 bytes, all but 1,176 of it main's
    the heap            57 objects, 20,240 bytes, 16,376 of them scanned: here the runtime's own objects, and the rest to that sum

Where the heap is small, this decides when it is collected. `background="off"`: the process is alone on a processor and gives it to
nobody (real-time priority, one core), so that goroutines that allocate do all the marking; workers get the time in which it waits.
"""

from hwmem.programs.registry import parameter
from hwmem.params import PAGE
from goalloc import params as P
from goalloc.gc.mgcmark_roots import DATA_MASK_BYTES, DATA_ROOT_BYTES, INITIALISED_BYTES
from goalloc.gc.mgcmark_scan import GROUP_BYTES
from goalloc.heap.stack import CALL, HI, SP, STACKALLOC
from goalloc.layout import GLOBALS, mstats, p_, variables as V
from goalloc.programs.goroutines import start_main
from goalloc.programs.start import start
from goalloc.sched.proc import VARIABLES_BYTES
from goalloc.types import Type

BACKGROUND = parameter("go", "go: workers mark in the background, as in Go; off: only goroutines that allocate mark", choices=("go", "off"))
OVERLAPPED = {"l1d": {"latency": 1}}  # the machine of these programs: a processor overlaps loads that hit; allocating is mostly such
GLOBALS_BYTES, STACK_BYTES = 205_384, 40_928
# Objects beside the runtime's own: those that the data, bss and a waiting goroutine's stack point to, which are scanned to their ends, and plain ones.
# Sums (but for 16 bytes scanned), the sizes of which spans are begun, and objects of 16 bytes are those of the recorded process: the first collections of
# most programs mark the recorded bytes, with as much memory mapped. In which order they are scanned is not known: chosen so that all 33 collections of
# `recursive-trees` are the recorded ones. An assist that has scanned the data and what they point to has done more than a first cycle expects
OF_DATA, OF_BSS, OF_STACK = (208, 2_048, 48), (2_032, 704, 8, 16, 48), (72, 16, 80)
PLAIN = (1_536, 176, 96, 96, 96, 160, 224, 240, 144)
STARTED = (192, 208)  # garbage: other sizes of which a span has been begun
DROPPED = 2  # objects of 16 bytes with a pointer: garbage too
WAITING, WAITING_BYTES = 2, 480  # goroutines of the runtime's beside the sweeper, the scavenger and the worker; what their frames have
CENTRAL = (
    16  # pages of bss that the first collection is the first to read, most of them of mheap_.central: page faults traced in a real process
)
THREAD_STACKS = 3 * (32 << 10,) + 2 * (16 << 10,)  # of three Ms: their signal handlers', and the g0s of those that the runtime has started
WORD = 8
# Of eight words of a small program's data and bss, how many are pointers: groups with 0, 1, 2, ... 8 (firstmoduledata's gcdatamask and gcbssmask)
DATA_GROUPS = (0, 2, 31, 65, 88, 1, 3, 2, 65)
BSS_GROUPS = (1196, 537, 159, 9, 8, 2, 0, 1, 1028)


def start_collected_main(w, space):
    """A program of goroutines whose heap is collected; its main has not run yet."""
    rt = start_main(w, space, collects=True)
    fill_process(rt, rt.process.load(rt.ps[0] + p_.runnext), w.background == "off")
    return rt


def start_collected(w, space):
    """A program on every P whose heap is collected; a goroutine that waits has the stack that main would have."""
    rt = start(w, space, collects=True)
    fill_process(rt, rt.go().address, w.background == "off")
    return rt


def fill_process(rt, gp, alone=False, started=STARTED, stacks=THREAD_STACKS):
    """Globals, objects and, for goroutine `gp`, the stack of a recorded process. Nothing is collected meanwhile: Python is not the thread of a P.

    What a process has written by then is in memory: the first collection finds only CENTRAL pages of bss that were never touched.
    """
    guest = rt.machine.state.process[rt.process.number].guest
    guest[P.COLLECTOR] |= P.BEGINS | (P.ALONE if alone else 0)
    for nbytes in stacks:
        rt.call(0, P.DOOR_STACK, STACKALLOC, nbytes, 0)
    rt.call(0, P.DOOR_CYCLE, P.GC_ENABLE, 0, 0)
    waiting = [rt.go().address for _ in range(WAITING)]
    for g in waiting:
        rt.call(0, P.DOOR_STACK, CALL, g, WAITING_BYTES)
    for size in started:
        new(rt, size, ())
    objects(rt, OF_DATA)  # which are marked before the other globals are looked at
    initialised = INITIALISED_BYTES // WORD - len(OF_DATA)
    rt.process.touch(rt.globals(initialised), WORD * initialised)
    objects(rt, OF_BSS)
    for i, size in enumerate(OF_STACK):
        rt.process.store(rt.process.load(waiting[0] + HI) - VARIABLES_BYTES + WORD * i, new(rt, size, (size - WORD,)))
    for _ in range(DROPPED):
        new(rt, 16, (WORD,))
    end = objects(rt, PLAIN, plain=True)
    rest = (GLOBALS_BYTES - DATA_ROOT_BYTES - (end + WORD - GLOBALS)) // WORD  # but for the program's own
    others = rt.globals(rest)
    set_masks(rt, others + WORD * rest - GLOBALS)
    rt.process.touch(others + CENTRAL * PAGE, WORD * rest - CENTRAL * PAGE)
    rt.call(0, P.DOOR_STACK, CALL, gp, STACK_BYTES)
    rt.process.touch(rt.process.load(gp + SP), STACK_BYTES)  # a frame's variables have been set
    guest[P.COLLECTOR] &= ~P.BEGINS


def objects(rt, sizes, plain=False):
    """Objects of the process's own, with a global variable each that points to them; where these variables end."""
    roots = rt.globals(len(sizes))
    for i, size in enumerate(sizes):
        rt.write_pointer(roots + WORD * i, new(rt, size, () if plain else (size - WORD,)))
    return roots + WORD * len(sizes)


def new(rt, size, pointers):
    """An object that the program has written to."""
    x = rt.mallocgc(size, type=Type(f"{size} bytes", size, WORD, pointers))
    rt.process.touch(x, size)
    return x


def set_masks(rt, nbytes):
    """Pointer masks, in memory outside the heap, of the first `nbytes` of the program's globals. The full groups are first: the roots are there."""
    bss = -(-(nbytes - INITIALISED_BYTES) // GROUP_BYTES)
    mask = mask_of(DATA_GROUPS, DATA_MASK_BYTES) + mask_of(BSS_GROUPS, bss)
    address = rt.call(0, P.DOOR_PERSISTENTALLOC, len(mask), 1, V.memstats + mstats.buckhash_sys)
    rt.process.write(address, mask)
    guest = rt.machine.state.process[rt.process.number].guest
    guest[P.GLOBALS_MASK], guest[P.GLOBALS_MASKED] = address, nbytes


def mask_of(groups, nbytes):
    mask = b"".join(bytes([(1 << pointers) - 1]) * groups[pointers] for pointers in range(8, -1, -1))
    return (mask + bytes(nbytes))[:nbytes]
