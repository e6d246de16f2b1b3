"""The common faults of C programs with memory: what glibc says, what the kernel says, and what a collector would have prevented.

    Fault ── c            the body of a C program, for people and for the host's compiler
          ├─ run(p, heap) the same calls and accesses on the emulated machine (hwmem.libc): what the program then prints
          └─ collector    what a collector, or a language that has one, changes

outcome(name) is what ends the program: glibc's last words before SIGABRT, the kernel's SIGSEGV, or what the program prints when nobody
notices. Numbers are those of glibc 2.36 (docs/malloc.md).
"""

from typing import NamedTuple
from collections.abc import Callable

from hwmem.config.machine import MachineConfig
from hwmem.errors import Abort, SegmentationFault
from hwmem.libc.api import Malloc
from hwmem.machine.machine import Machine

WILD = 0x4141_4141_4140
PIECES, PIECE = 200, 2_000


class Fault(NamedTuple):
    what: str
    c: str
    run: Callable
    collector: str


def leak(p, heap):
    for _ in range(1000):
        heap.malloc(1000)
    return f"{heap.info()['uordblks']:d} bytes in use"


def wild(p, heap):
    p.store(WILD, 1, size=4)


def dangling_read(p, heap):
    a = heap.malloc(24)
    heap.free(a)
    b = heap.malloc(24)
    p.store(b, 42)
    return f"same: {a == b:d}, reads {p.load(a)}"


def dangling_unmapped(p, heap):
    a = heap.malloc(200_000)
    heap.free(a)
    return f"reads {p.load(a)}"


def free_twice(p, heap):
    a = heap.malloc(24)
    heap.free(a)
    heap.free(a)


def free_twice_large(p, heap):
    a = heap.malloc(2_000)
    heap.malloc(24)
    heap.free(a)
    heap.free(a)


def free_twice_hidden(p, heap):
    blocks = [heap.malloc(24) for _ in range(9)]
    for x in (*blocks, blocks[7]):  # seven fill the thread's cache; the last two and the first of them again are a fastbin's
        heap.free(x)
    for _ in range(7):
        heap.malloc(24)
    a = heap.malloc(24)
    heap.malloc(24)
    return f"same: {a == heap.malloc(24):d}"


def free_other(p, heap):
    a = heap.malloc(100)
    heap.free(a + 8)


def overflow(p, heap):
    a, b = heap.malloc(24), heap.malloc(2_000)
    heap.malloc(24)
    p.store(a + 24, 0x4141_4141_4141_4141)
    heap.free(b)


def overflow_top(p, heap):
    a = heap.malloc(24)
    p.store(a + 24, 0x0100_0001)
    heap.malloc(2_000)


def overflow_unseen(p, heap):
    a, b = heap.malloc(20), heap.malloc(20)
    p.store(a + 32, 42)
    return f"reads {p.load(b)}"


def external(p, heap):
    pieces = [heap.malloc(PIECE) for _ in range(PIECES)]
    for x in pieces[::2]:
        heap.free(x)
    free, before = heap.info()["fordblks"], heap.info()["arena"]
    heap.malloc(100_000)
    return f"{free} bytes free, {heap.info()['arena'] - before} more for 100000"


def internal(p, heap):
    taken = [heap.usable_size(heap.malloc(n)) for n in (1, 25, 41, 1025, 200_000)]
    return " ".join(map(str, taken))


FAULTS = {
    "leak": Fault(
        "memory that nobody uses any more is not freed",
        'for (int i = 0; i < 1000; i++) malloc(1000);\nprintf("%zu bytes in use\\n", mallinfo2().uordblks);',
        leak,
        "prevented: unreachable memory is freed. Memory that is reachable and not needed is not (goalloc leak)",
    ),
    "wild-pointer": Fault(
        "a pointer that was never set is used",
        f"int *p = (int *){WILD:#x}; *p = 1;",
        wild,
        "not its work: in Go every variable starts as zero, and using a nil pointer is a panic",
    ),
    "dangling-pointer": Fault(
        "a block is used after it was freed, when it already belongs to somebody else",
        'long *a = malloc(24); free(a);\nlong *b = malloc(24); *b = 42;\nprintf("same: %d, reads %ld\\n", a == b, *a);',
        dangling_read,
        "prevented: what a pointer leads to is not freed",
    ),
    "dangling-pointer-large": Fault(
        "a block that was a mapping of its own is used after it was freed",
        'long *a = malloc(200000); free(a);\nprintf("reads %ld\\n", *a);',
        dangling_unmapped,
        "prevented: what a pointer leads to is not freed",
    ),
    "double-free": Fault(
        "a block is freed twice", "void *a = malloc(24); free(a); free(a);", free_twice, "prevented: the program frees nothing"
    ),
    "double-free-large": Fault(
        "a block too large for the thread's cache is freed twice",
        "void *a = malloc(2000); malloc(24); free(a); free(a);",
        free_twice_large,
        "prevented: the program frees nothing",
    ),
    "double-free-unseen": Fault(
        "a, b and a again: a fastbin only looks at its first chunk",
        "void *x[9];\nfor (int i = 0; i < 9; i++) x[i] = malloc(24);\nfor (int i = 0; i < 9; i++) free(x[i]);\nfree(x[7]);\n"
        'for (int i = 0; i < 7; i++) malloc(24);\nvoid *a = malloc(24); malloc(24);\nprintf("same: %d\\n", a == malloc(24));',
        free_twice_hidden,
        "prevented: the program frees nothing",
    ),
    "free-other-address": Fault(
        "what is freed is not what malloc gave",
        "char *a = malloc(100); free(a + 8);",
        free_other,
        "prevented: pointers into an object keep it",
    ),
    "overflow": Fault(
        "a write past a block's end, over the size of the next chunk",
        "char *a = malloc(24), *b = malloc(2000); malloc(24);\n*(long *)(a + 24) = 0x4141414141414141; free(b);",
        overflow,
        "not its work: Go checks every index against the length",
    ),
    "overflow-into-top": Fault(
        "a write past a block's end, over the size of the top chunk",
        "char *a = malloc(24); *(long *)(a + 24) = 0x1000001; malloc(2000);",
        overflow_top,
        "not its work: Go checks every index against the length",
    ),
    "overflow-unseen": Fault(
        "a write over the next block's contents, behind its header",
        'char *a = malloc(20), *b = malloc(20);\n*(long *)(a + 32) = 42; printf("reads %ld\\n", *(long *)b);',
        overflow_unseen,
        "not its work: Go checks every index against the length",
    ),
    "external-fragmentation": Fault(
        "much is free, in pieces too small for a request",
        f"void *x[{PIECES}];\nfor (int i = 0; i < {PIECES}; i++) x[i] = malloc({PIECE});\nfor (int i = 0; i < {PIECES}; i += 2) free(x[i]);\n"
        "struct mallinfo2 before = mallinfo2(); malloc(100000);\n"
        'printf("%zu bytes free, %zu more for 100000\\n", before.fordblks, mallinfo2().arena - before.arena);',
        external,
        "only by one that moves objects; Go's does not (goalloc compare collectors)",
    ),
    "internal-fragmentation": Fault(
        "a block is larger than what was asked for: usable sizes for 1, 25, 41, 1025 and 200000 bytes",
        "size_t n[] = {1, 25, 41, 1025, 200000};\n"
        "for (int i = 0; i < 5; i++) printf(\"%zu%c\", malloc_usable_size(malloc(n[i])), i < 4 ? ' ' : '\\n');",
        internal,
        "not prevented: Go's size classes give 8, 32, 48, 1152 and 204800",
    ),
}


def outcome(name, machine=None):
    """What ends a fault's program: ("glibc", last words), ("kernel", "SIGSEGV (code)") or ("nobody", what it prints)."""
    machine = machine or Machine(MachineConfig().replace(cores=1))
    process = machine.spawn()
    try:
        return "nobody", FAULTS[name].run(process, Malloc(process))
    except Abort as error:
        return "glibc", error.message
    except SegmentationFault as error:
        return "kernel", f"SIGSEGV, {error.code}"
    finally:
        process.exit()


def source():
    """A C program of them all; its argument is a fault's number."""
    cases = "\n".join(f"case {i}: {{ {fault.c} break; }}" for i, fault in enumerate(FAULTS.values()))
    head = "#include <malloc.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
    buffer = "static char buffer[4096];\n"  # stdio's, which would be malloc's
    return f"{head}{buffer}int main(int n, char **words) {{\nsetvbuf(stdout, buffer, _IOFBF, 4096);\nswitch (atoi(words[1])) {{\n{cases}\n}}\n}}\n"
