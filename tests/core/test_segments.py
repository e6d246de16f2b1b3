"""Segments: what a real processor and kernel do with the same accesses, and that pages still have their say.

CASES holds the answers of Linux 6.18 on x86 to tests/core/segment_oracle.c; where gcc can build 32-bit programs and the
kernel runs them, they are asked again.
"""

import pathlib
import shutil
import subprocess

import pytest

import hwmem
from hwmem.core.segment import FLAT_CODE, FLAT_DATA, GRANULAR, descriptor, parts

SIGSEGV, SIGBUS, KERNEL, ADDRESS = 11, 7, 1 << 6, 1 << 7
GP, SS, PF = SIGSEGV | KERNEL, SIGBUS | KERNEL, SIGSEGV | ADDRESS
USEABLE, PAGES, READ_ONLY, BIG = 0x40, 0x10, 0x08, 0x01  # struct user_desc's flags; contents << 1: 0 data, 1 down, 2 code
DATA, DOWN, CODE = USEABLE | BIG, USEABLE | BIG | 1 << 1, USEABLE | BIG | 2 << 1
TOP = (1 << 20) - 1

# name: base from `memory`, limit and flags as modify_ldt takes them; our rights; offset; read, write or stack; the answer
CASES = {
    "inside": (0, 99, DATA, "rw", 96, "read", 0),
    "its last byte outside": (0, 99, DATA, "rw", 97, "read", GP),
    "beyond": (0, 99, DATA, "rw", 100, "read", GP),
    "written": (0, 99, DATA, "rw", 0, "write", 0),
    "read-only, written": (0, 99, DATA | READ_ONLY, "r", 0, "write", GP),
    "read-only, read": (0, 99, DATA | READ_ONLY, "r", 0, "read", 0),
    "stack, inside": (0, 99, DATA, "rw", 96, "stack", 0),
    "stack, beyond": (0, 99, DATA, "rw", 97, "stack", SS),
    "down, at the limit": (0, 99, DOWN, "rw down", 99, "read", GP),
    "down, above the limit": (0, 99, DOWN, "rw down", 100, "read", 0),
    "code, execute only": (0, 99, CODE | READ_ONLY, "x", 0, "read", GP),
    "code, readable": (0, 99, CODE, "rx", 0, "read", 0),
    "code, written": (0, 99, CODE, "rx", 0, "write", GP),
    "null": (0, 99, DATA, "none", 0, "read", GP),
    "around the end of the address space": (16, TOP, DATA | PAGES, "rw", 0xFFFF_FFF0, "read", 0),
    "inside, but no page": (-0x800_0000, TOP, DATA | PAGES, "rw", 0, "read", PF),
    "the kernel's part": (0, TOP, DATA | PAGES, "rw", 0xE000_0000, "read", PF),
}


@pytest.fixture(scope="module")
def process():
    return hwmem.Machine(hwmem.MachineConfig().replace(memory="16MiB")).spawn(layout="linux-i386")


@pytest.fixture(scope="module")
def memory(process):
    """Two pages far from everything else, as segment_oracle.c's are from where its segments reach."""
    return process.mmap(0x1000_0000, 8192, flags=hwmem.MAP_PRIVATE | hwmem.MAP_ANONYMOUS | hwmem.MAP_FIXED)


def answer(process, memory, base, limit, flags, rights, offset, kind):
    """What becomes of an access, as segment_oracle.c's exit status says it."""
    name = "ss" if kind == "stack" else "fs"
    process.set_segment(name, memory + base, limit << 12 | 4095 if flags & PAGES else limit, rights)
    try:
        if kind == "write":
            process.store_segment(name, offset, 1, size=4)
        else:
            process.load_segment(name, offset, size=4)
        return 0
    except hwmem.SegmentationFault as fault:
        return SIGSEGV | (KERNEL if fault.code == "SI_KERNEL" else 0) | (ADDRESS if fault.address else 0)
    except hwmem.MachineError as error:
        assert "bus error" in str(error) and "address 0x0" in str(error)
        return SS


@pytest.mark.parametrize("case", CASES)
def test_an_access_through_a_segment_ends_as_on_a_real_machine(process, memory, case):
    *question, expected = CASES[case]
    assert answer(process, memory, *question) == expected


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Builds and runs segment_oracle.c with a case's values; its exit status."""
    if shutil.which("gcc") is None:
        pytest.skip("not installed: gcc")
    program = tmp_path_factory.mktemp("segments") / "oracle"

    def ask(base, limit, flags, rights, offset, kind):
        values = {"BASE": base, "LIMIT": limit, "FLAGS": flags, "OFFSET": offset, "SELECTOR": 0 if rights == "none" else 7}
        words = [f"-D{name}={value}" for name, value in values.items()] + ([f"-D{kind.upper()}"] if kind != "read" else [])
        options = "-w -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie -fno-stack-protector -fcf-protection=none".split()
        source = pathlib.Path(__file__).with_name("segment_oracle.c")
        built = subprocess.run(["gcc", *options, *words, "-o", program, source], capture_output=True)
        if built.returncode:
            pytest.skip("gcc builds no 32-bit programs here")
        try:
            return subprocess.run([program]).returncode
        except OSError:
            pytest.skip("the kernel runs no 32-bit programs")

    return ask


@pytest.mark.live
@pytest.mark.parametrize("case", CASES)
def test_this_hosts_kernel_says_the_same(host, case):
    *question, expected = CASES[case]
    status = host(*question)
    if status == 100:
        pytest.skip("the kernel has no modify_ldt")
    assert status == expected


def test_registers_are_flat_until_they_are_set():
    p = hwmem.Machine(hwmem.MachineConfig().replace(memory="16MiB")).spawn(layout="linux-i386")
    a = p.mmap(0, 4096)
    for name in ("ds", "es", "fs", "gs", "ss"):
        p.store_segment(name, a, 7, size=4)
        assert p.load_segment(name, a, size=4) == p.load(a, size=4) == 7
    assert p.load_segment("cs", a, size=4) == 7
    with pytest.raises(hwmem.SegmentationFault):
        p.store_segment("cs", a, 7, size=4)


def test_the_base_is_added_and_other_segments_do_not_change(process, memory):
    process.set_segment("gs", memory + 100, 4095)
    process.store_segment("gs", 16, 0x1234, size=4)
    assert process.load(memory + 116, size=4) == process.load_segment("ds", memory + 116, size=4) == 0x1234


def test_pages_have_their_say_under_a_segment_that_allows_everything(process, memory):
    page = process.mmap(0, 4096, prot=hwmem.PROT_READ)
    process.set_segment("es", page, 4095, "rw")
    with pytest.raises(hwmem.SegmentationFault) as caught:
        process.store_segment("es", 8, 1, size=4)
    assert (caught.value.address, caught.value.access, caught.value.code) == (page + 8, "write", "SEGV_ACCERR")


def test_a_child_has_the_parents_segments_and_changes_its_own():
    p = hwmem.Machine(hwmem.MachineConfig().replace(memory="16MiB")).spawn(layout="linux-i386")
    p.set_segment("fs", 0x1000, 99)
    q = p.fork()
    assert q.segment("fs") == p.segment("fs")
    q.set_segment("fs", 0x2000, 9, "r")
    assert p.segment("fs")[:3] == (0x1000, 99, "rw") and q.segment("fs")[:3] == (0x2000, 9, "r")
    q.exit()
    assert p.machine.spawn(layout="linux-i386").segment("fs")[:3] == (0, 0xFFFF_FFFF, "rw")


def test_descriptors_have_the_processors_layout():
    """Linux's flat user segments, arch/x86/kernel/cpu/common.c: GDT_ENTRY_DEFAULT_USER32_CS, GDT_ENTRY_DEFAULT_USER_DS."""
    assert descriptor(0, 0xFFFF_FFFF, FLAT_CODE) == 0x00CF_FB00_0000_FFFF
    assert descriptor(0, 0xFFFF_FFFF, FLAT_DATA) == 0x00CF_F300_0000_FFFF
    assert descriptor(0x1234_5678, 0xA_BCDE, FLAT_DATA) == 0x124A_F334_5678_BCDE
    for base, limit in ((0, 0), (0xFFFF_FFFF, 0xF_FFFF), (0x8048_0123, 0x10_0FFF), (1, 0xFFFF_FFFF)):
        back = parts(descriptor(base, limit, FLAT_DATA))
        assert back[:2] == (base, limit) and back[2] & ~GRANULAR == FLAT_DATA


@pytest.mark.parametrize(
    "words, message",
    [
        (("fs", 0, 0x10_0000), "limit: 0x100000 is neither"),
        (("fs", -1, 99), "base: "),
        (("fs", 1 << 32, 99), "base: "),
        (("ax", 0, 99), "name: 'ax' is none of cs"),
        (("fs", 0, 99, "w"), "rights: 'w' is none of"),
        (("ss", 0, 99, "r"), "rights: ss takes rw or rw down"),
        (("cs", 0, 99, "rw"), "rights: cs takes rx or x"),
    ],
)
def test_what_no_descriptor_or_register_takes_is_refused(process, words, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        process.set_segment(*words)


def test_only_32_bit_processes_have_segments(process):
    wide = process.machine.spawn()
    with pytest.raises(ValueError, match="linux-i386"):
        wide.set_segment("fs", 0, 99)
