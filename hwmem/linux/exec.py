"""A new process: a program's address space as execve leaves it, without randomisation (ADDR_NO_RANDOMIZE).

    linux-x86_64                                       linux-i386 (3 GiB user, 1 GiB kernel)
    0x7ffffffff000  top: [stack], grows down           0xc0000000
    0x7ffff7fff000  mmap area, grows down: vdso, ...   0xb8000000
       ...          heap, grows up from start_brk
    0x400000        program: text, rodata, data, bss   0x8048000

The stack may grow to RLIMIT_STACK; the mmap area begins 128 MiB below the top, so that it can (arch/x86/mm/mmap.c,
mmap_base). The program is file 0: what the loader maps of it is read from there on demand (fs/binfmt_elf.c).
"""

from hwmem import params as P
from hwmem._jit import DOORS, kernel
from hwmem.linux.group import uncharge_frames
from hwmem.linux.page_table import new_table
from hwmem.linux.shmem import get_file
from hwmem.linux.vma import new_vma, pages_of
from hwmem.linux.vma_tree import link_vma

PROGRAM = 0  # number of the file that is the program
TEXT_PAGES, RODATA_PAGES, DATA_PAGES, BSS_PAGES = 8, 4, 2, 2
PROGRAM_PAGES = TEXT_PAGES + RODATA_PAGES + DATA_PAGES
STACK_PAGES = 33  # what execve sets up: 128 KiB and the arguments' page (setup_arg_pages)
VVAR_PAGES, VDSO_PAGES = 4, 2


@DOORS.door(P.DOOR_SPAWN)
def spawn_call(m, t, call, layout, b):
    return spawn(m, t, layout)


@kernel
def task_end(layout):
    return P.TASK_END[1] if layout == P.LINUX_I386 else P.TASK_END[0]


@kernel
def take_process(m, layout):
    """A free process number with an empty address space, -1 if there is none. It has no page table yet."""
    for p in range(len(m.process)):
        process = m.process[p]
        if process.alive == 0:
            process.alive = 1
            process.killed = 0
            process.asid = p + 1
            process.layout = layout
            process.levels = 2 if layout == P.LINUX_I386 else 4
            process.tree = process.first_vma = process.vma_count = process.found_high = 0
            process.cores = process.root = process.parent = 0
            process.total_vm = process.locked_vm = process.peak = process.peak_vm = 0
            process.anon = process.file = process.shared = process.swapped = process.table_pages = 0
            process.minflt = process.majflt = process.libc = process.max_fast = 0
            for s in range(len(process.segment_rights)):
                process.segment_rights[s] = 0  # flat (core/segment.py)
            process.limit_stack = P.STACK_LIMIT
            process.limit_space = P.UNLIMITED
            process.limit_locked = P.LOCKED_LIMIT
            process.limit_data = P.UNLIMITED
            process.privileged = process.lock_future = process.tracked = process.group = process.oom_adj = 0
            return p
    m.mm.full = P.FULL_PROCESSES
    return -1


@kernel
def spawn(m, t, layout):
    """A process that is about to run a program; its number, or -EAGAIN / -ENOMEM."""
    p = take_process(m, layout)
    if p < 0:
        return -P.EAGAIN
    if m.mmu:
        root = new_table(m, m.thread[t].core, p)
        if root < 0:
            m.process[p].alive = 0
            return -P.ENOMEM
        m.process[p].root = root
        uncharge_frames(m, root >> P.PAGE_SHIFT, 1)  # whoever starts a program is not of its group
        lay_out(m, p)
    return p


@kernel
def lay_out(m, p):
    """The VMAs of a program just started."""
    process = m.process[p]
    wide = process.levels == 4
    text = P.PROGRAM_START[0] if wide else P.PROGRAM_START[1]
    top = P.STACK_TOP[0] if wide else P.STACK_TOP[1]
    rodata = text + TEXT_PAGES * P.PAGE
    data = rodata + RODATA_PAGES * P.PAGE
    bss = data + DATA_PAGES * P.PAGE
    end = bss + BSS_PAGES * P.PAGE
    map_program(m, p, text, rodata, P.VM_READ | P.VM_EXEC, 0)
    map_program(m, p, rodata, data, P.VM_READ, TEXT_PAGES)
    map_program(m, p, data, bss, P.VM_READ | P.VM_WRITE | P.VM_ACCOUNT, TEXT_PAGES + RODATA_PAGES)
    map_own(m, p, bss, end, P.VM_READ | P.VM_WRITE | P.VM_ACCOUNT)
    process.start_code, process.end_code = text, rodata
    process.start_data, process.end_data = data, bss
    process.start_brk = process.brk = end
    process.start_stack = top - P.PAGE
    process.mmap_base = top - P.MMAP_GAP
    map_own(m, p, top - STACK_PAGES * P.PAGE, top, P.VM_READ | P.VM_WRITE | P.VM_ACCOUNT | P.VM_GROWSDOWN)
    process.vdso = process.mmap_base - VDSO_PAGES * P.PAGE
    map_own(m, p, process.vdso, process.mmap_base, P.VM_READ | P.VM_EXEC | P.VM_SPECIAL)
    map_own(m, p, process.vdso - VVAR_PAGES * P.PAGE, process.vdso, P.VM_READ | P.VM_SPECIAL)


@kernel
def map_program(m, p, start, end, vm_flags, pgoff):
    add_vma(m, p, new_vma(m, start, end, vm_flags, pgoff, PROGRAM + 1))
    get_file(m, PROGRAM)


@kernel
def map_own(m, p, start, end, vm_flags):
    add_vma(m, p, new_vma(m, start, end, vm_flags, start >> P.PAGE_SHIFT, 0))


@kernel
def add_vma(m, p, v):
    """The program has the new VMA `v` (-1: there is no record for it, and the machine will say so); charging it to overcommit cannot fail."""
    if v < 0:
        return
    link_vma(m, p, v)
    m.process[p].total_vm += pages_of(m, v)
    if m.vma[v].vm_flags & P.VM_ACCOUNT:
        m.mm.committed += pages_of(m, v)
