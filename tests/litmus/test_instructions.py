"""x86 instructions in litmus tests: widths, flags, jumps, addresses; what herd's grammar has and what it means.

One thread's results are those of this host's processor, which runs the same text (where a compiler is), and of the manual's
rules; several threads' those of a plain model of x86-TSO, byte by byte.
"""

import itertools
import shutil
import subprocess

import numpy as np
import pytest

from hwmem import litmus
from hwmem.cli.cli import main
from hwmem.errors import LitmusError

ORDERINGS = ("sc", "tso", "relaxed")
MASK64 = (1 << 64) - 1


def herd(*threads, init="", condition="", arch="X86_64"):
    """A test in herd's text, from lists of instructions."""
    rows = [[thread[n] if n < len(thread) else "" for thread in threads] for n in range(max(map(len, threads)))]
    lines = [
        f"{arch} t",
        f"{{ {init} }}",
        " | ".join(f"P{n}" for n in range(len(threads))) + " ;",
        *(" | ".join(row) + " ;" for row in rows),
    ]
    return "\n".join([*lines, condition])


def verdicts(text):
    test = litmus.parse(text)
    return [litmus.run(test, ordering).holds for ordering in ORDERINGS]


@pytest.mark.parametrize(
    "instructions, init, condition",
    [
        (["movb $2,(x)"], "int x=0x0100", "forall x=0x0102"),  # little endian
        (["movw $1,(x)"], "int x=0x12345678", "forall x=0x12340001"),
        (["movw $1,%ax"], "0:rax=0x12345678", "forall 0:rax=0x12340001"),
        (["movb $1,%al", "movb $2,%ah"], "0:rax=-1", "forall 0:rax=0xffffffffffff0201"),
        (["movl $-1,%eax"], "0:rax=-1", "forall 0:rax=0x00000000ffffffff"),  # SDM vol. 1, 3.4.1.1
        (["movl $-1,%eax"], "0:rax=-1", "forall 0:eax=-1"),
        (["movq $-1,%rax"], "", "forall 0:rax=-1"),
        (["movl (x),%eax"], "int64_t x=-1; 0:rax=-1", "forall 0:rax=0xffffffff"),
        (["movb (x),%bl"], "int x=0x1ff; 0:rbx=0x700", "forall 0:rbx=0x7ff"),
        (["movq %rbx,(x)"], "uint64_t x; 0:RBX=0x202020202020202", "forall [x]=0x202020202020202"),
        (["lock incb (x)"], "int x=0x1ff", "forall x=0x100"),
        (["lock addw $1,(x)"], "int x=0xffff", "forall x=0"),
        (["incb (x)"], "int x=0x1ff", "forall x=0x100"),
        (["xchgb (x),%al"], "int x=0x1234; 0:rax=0x5678", "forall x=0x1278 /\\ 0:rax=0x5634"),
        (["lock xaddl (x),%eax"], "int x=-1; 0:rax=0x100000002", "forall x=1 /\\ 0:rax=0xffffffff"),
        (["lock cmpxchgb (x),%cl"], "int x=0x107; 0:rax=7; 0:rcx=9", "forall x=0x109 /\\ 0:rax=7"),
        (["lock cmpxchgl (x),%ecx"], "int x=5; 0:rax=-1; 0:rcx=9", "forall x=5 /\\ 0:rax=5"),
        (["movzbl (x),%eax", "movsbq (x),%rbx"], "int x=0x1fe; 0:rax=-1", "forall 0:rax=0xfe /\\ 0:rbx=-2"),
        (["not %eax", "neg %rbx"], "0:rbx=5", "forall 0:rax=0xffffffff /\\ 0:rbx=-5"),
        (["xchg %eax,%ebx"], "0:rax=1; 0:rbx=2", "forall 0:rax=2 /\\ 0:rbx=1"),
        (["shl $2,%eax", "and %eax,%eax"], "0:rax=1", "forall 0:RAX=4"),
        (["cmp $1,%eax", "cmovc %rbx,%rcx", "setnb %dl"], "0:rbx=7", "forall 0:rcx=7 /\\ 0:rdx=0"),
        (["nopl 0(%rax,%eax,0)", "NOPW %cs:0(%rax,%eax,0)", "endbr64", "nop"], "", "forall 0:rax=0"),
        (["movl $1,(x)", "ret", "movl $2,(x)"], "", "forall x=1"),
        (["movl (%rax),%ebx", "movl $3,(%rcx)"], "0:rax=x; int *0:rcx=&y; x=9", "forall 0:rbx=9 /\\ y=3 /\\ 0:rax=x /\\ 0:rcx<>x"),
        (["movq (p),%rax", "movl 0(%rax),%ebx"], "p=x; x=9", "forall 0:rbx=9 /\\ p=x"),
        (["movl $4,%r8d", "movb $1,%sil", "movw %r8w,(x)"], "", "forall 0:r8=4 /\\ 0:rsi=1 /\\ x=4"),
        (["cmpxchgl (x),%ecx"], "x=7; 0:rax=7; 0:rcx=9", "forall x=9 /\\ 0:rax=7"),
        (["cmpxchgl (x),%ecx"], "x=8; 0:rax=7; 0:rcx=9", "forall x=8 /\\ 0:rax=8"),
        (["xaddl (x),%ecx", "uxchl (y),%edx"], "x=8; 0:rcx=1; y=3; 0:rdx=4", "forall x=9 /\\ 0:rcx=8 /\\ y=4 /\\ 0:rdx=3"),
    ],
)
def test_one_thread_computes_what_the_manual_says(instructions, init, condition):
    swapped = [
        i
        if not i.startswith(("lock xadd", "lock cmpxchg", "cmpxchg", "xadd", "uxch"))
        else f"{i.rpartition(' ')[0]} {','.join(i.rpartition(' ')[2].split(',')[::-1])}"
        for i in instructions
    ]
    assert verdicts(herd(swapped, init=init, condition=condition)) == [True] * 3
    denied = condition.replace("forall ", "exists ~(") + ")"
    assert verdicts(herd(swapped, init=init, condition=denied)) == [False] * 3


@pytest.mark.parametrize(
    "instructions, init, condition",
    [
        (["MOV EAX,$-1", "MOV [x],EAX"], "", "forall (0:EAX=-1 /\\ 0:EAX=0xffffffff /\\ x=-1)"),
        (["MOVB [x],$2"], "x=0x0100", "forall x=0x0102"),
        (["MOV AX,$1"], "0:EAX=0x12345678", "forall 0:EAX=0x12340001"),
        (
            ["LOCK; ADD [x],$1", "LOCK OR [y],$6", "LOCK AND [y],$12", "LOCK XOR [y],$5", "LOCK DEC [x]", "LOCK; INC [x]", "LOCK NOT [z]"],
            "y=1",
            "forall (x=1 /\\ y=1 /\\ z=-1)",
        ),
        (["OR [x],$6", "AND [x],$4", "XOR [x],$5", "OR EAX,[x]", "ADD EAX,EBX"], "x=1; 0:EBX=2", "forall (x=1 /\\ 0:EAX=3)"),
        (["ADD EAX,$2147483647", "INC EAX"], "0:EAX=1", "forall 0:EAX=0x80000001"),
        (["MOV [EAX],$5", "MOV EBX,(EAX)"], "0:EAX=x", "forall (x=5 /\\ 0:EBX=5)"),
    ],
)
def test_the_32_bit_texts_compute_so_too(instructions, init, condition):
    assert verdicts(herd(instructions, init=init, condition=condition, arch="X86")) == [True] * 3


JUMPS = ["je", "jne", "jl", "jge", "jle", "jg", "js", "jns", "jb", "jae", "jbe", "ja", "jo", "jno"]
PAIRS = [(0, 0), (1, 0), (0, 1), (-1, 1), (127, -1), (-128, 1), (5, 5), (-128, 127), (100, -100), (0x7FFFFFFF, -1), (-0x80000000, 1)]
ALU = ["add", "sub", "and", "or", "xor", "cmp", "test", "inc", "dec", "neg", "not"]
REGISTERS = {"b": ("%al", "%bl", "%r9b"), "w": ("%ax", "%bx", "%r9w"), "l": ("%eax", "%ebx", "%r9d"), "q": ("%rax", "%rbx", "%r9")}


def programs():
    """Texts of an instruction on registers and all that its flags tell, of every width; results go to rax and rcx."""
    for size, operation in itertools.product("bwlq", ALU):
        first, second, _ = REGISTERS[size]
        one = f"{operation}{size} {first}" if operation in ("inc", "dec", "neg", "not") else f"{operation}{size} {second},{first}"
        told = [] if operation in ("not", "test", "and", "or", "xor") else ["setb %cl", "seto %ch"]
        yield ["movq $0,%rcx", one, *told, "sete %dl", "sets %dh"] if operation != "not" else [one]


def host_results(cases, folder):
    """(rax, rcx, rdx) that this host's processor gives for (program, rax, rbx), each from zeroed registers but those."""
    body = []
    for n, (program, a, b) in enumerate(cases):
        text = "\\n\\t".join(line.replace("%", "%%") for line in ["movq $0,%rdx", "movq $0,%rcx", *program])
        body.append(
            f'{{ unsigned long a = {a & MASK64}UL, b = {b & MASK64}UL, c = 0, d = 0; __asm__ volatile("{text}" : "+a"(a), "+b"(b), '
            f'"=c"(c), "=d"(d) : : "cc", "memory"); printf("%lu %lu %lu\\n", a, c, d); }} /* {n} */'
        )
    (folder / "host.c").write_text("#include <stdio.h>\nint main(void) {\n" + "\n".join(body) + "\nreturn 0; }\n")
    subprocess.run(["cc", "-O0", "-o", folder / "host", folder / "host.c"], check=True)
    lines = subprocess.run([folder / "host"], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    return [tuple(int(word) for word in line.split()) for line in lines]


@pytest.mark.live
@pytest.mark.skipif(shutil.which("cc") is None, reason="not installed: cc")
def test_results_and_flags_of_every_width_are_the_hosts(tmp_path):
    rng = np.random.default_rng(3)
    cases = [
        (
            program,
            *(
                int(v)
                for v in rng.choice(
                    [0, 1, -1, 127, -128, 128, 255, 0x7FFF, -0x8000, 0x7FFFFFFF, -0x80000000, 5, -7, 2**63 - 1, -(2**63)], 2
                )
            ),
        )
        for program in programs()
        for _ in range(4)
    ]
    for (program, a, b), host in zip(cases, host_results(cases, tmp_path)):
        test = litmus.parse(herd(program, init=f"0:rax={a}; 0:rbx={b}", condition="locations [0:rax; 0:rcx; 0:rdx;]"))
        ours = {tuple(v & MASK64 for v in state) for state in litmus.run(test, "sc").allowed}
        assert ours == {host}, (program, a, b)


def test_jumps_go_as_their_conditions_say():
    """Of each pair, and each jump: by what the manual's names mean for the numbers themselves."""
    for a, b in PAIRS:
        unsigned = a & 0xFFFFFFFF, b & 0xFFFFFFFF
        difference = (a - b + (1 << 31)) % (1 << 32) - (1 << 31)
        meant = {
            "je": a == b,
            "jl": a < b,
            "jle": a <= b,
            "js": difference < 0,
            "jb": unsigned[0] < unsigned[1],
            "jbe": unsigned[0] <= unsigned[1],
            "jo": difference != a - b,
        }
        meant |= {
            "jne": not meant["je"],
            "jge": not meant["jl"],
            "jg": not meant["jle"],
            "jns": not meant["js"],
            "jae": not meant["jb"],
            "ja": not meant["jbe"],
            "jno": not meant["jo"],
        }
        for jump in JUMPS:
            text = herd([f"cmpl ${b},%eax", f"{jump} L", "movl $1,%ecx", "L:"], init=f"0:rax={a & 0xFFFFFFFF}", condition="exists 0:ecx=0")
            assert litmus.run(litmus.parse(text), "sc").holds == meant[jump], (a, b, jump)


MESSAGE = ["MOV [x],$1", "MOV [y],$1"]


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            herd(
                ["LOCK; ADD [g],$1", "LFENCE", "MOV EAX,[s]"],
                ["MOV EAX,[g]", "MOV [s],EAX", "MFENCE", "MOV EBX,[g]"],
                init="g=5;",
                arch="X86",
                condition="exists (0:EAX=0 /\\ 1:EAX=5 /\\ 1:EBX=5)",
            ),
            [False, False, False],
        ),
        (
            herd(
                ["MOV [pte],$1", "MFENCE", "MOV EAX,[cpus]"],
                ["LOCK OR [cpus],$1", "MOV EAX,[pte]"],
                arch="X86",
                condition="exists (0:EAX=0 /\\ 1:EAX=0)",
            ),
            [False, False, False],
        ),
        (herd(MESSAGE, ["MOV EAX,[y]", "MOV EBX,[x]"], condition="filter (1:EAX=1)\nexists (1:EBX=0)", arch="X86"), [False, False, True]),
        (herd(MESSAGE, ["MOV EAX,[y]", "MOV EBX,[x]"], condition="forall (1:EAX=1 => 1:EBX=1)", arch="X86"), [True, True, False]),
        (herd(["MOV [x],$1"], ["MOV EAX,[x]"], condition="forall (1:EAX=0 \\/ 1:EAX<>0)", arch="X86"), [True, True, True]),
        (herd(["MOV [x],$1"], ["MOV EAX,[x]"], condition="not exists (not (1:EAX==0) /\\ 1:EAX!=1)", arch="X86"), [True, True, True]),
        (
            herd(
                MESSAGE, ["MOV EAX,[y]", "CMP EAX,$1", "JNE L1", "MOV EBX,[x]", "L1:"], condition="exists (1:EAX=1 /\\ 1:EBX=0)", arch="X86"
            ),
            [False, False, True],
        ),
        (
            herd(MESSAGE, ["L0: MOV EAX,[y]", "CMP EAX,$1", "JNE L0", "MOV EBX,[x]"], condition="exists (1:EBX=0)", arch="X86"),
            [False, False, True],
        ),
        (
            herd(["MOV [x],$1", "MOV EAX,[y]"], ["MOV [y],$1", "MOV EBX,[x]"], condition="exists (0:EAX=1:EBX /\\ 0:EAX=0)", arch="X86"),
            [False, True, True],
        ),
        # as herd's own tests of instructions say (X86_64, A006 and A011)
        (
            herd(
                ["movl $2,(x)", "movl $1,(y)", "ret"],
                ["mov (y),%eax", "cmp $1,%eax", "je L0x3b", "L0x31:", "mov %eax,(P1_r0)", "ret", "L0x3b:", "movl $1,(x)", "jmp L0x31"],
                init="[P1_r0]=0;[x]=0;[y]=0;",
                condition="exists ([x]=2 /\\ P1_r0=1)",
            ),
            [False, False, True],
        ),
        (
            herd(["movl $1,(y)"], ["movl $2,%eax", "xchgl (y),%eax"], init="int y;", condition="~exists 1:rax=1 /\\ [y]=1"),
            [True, True, True],
        ),
    ],
)
def test_what_herds_grammar_has_is_read_and_means_what_it_does_there(text, expected):
    assert verdicts(text) == expected


def test_implication_binds_closer_than_and_which_binds_closer_than_or():
    """herd: %left OR, %left AND, %right IMPLIES, %nonassoc NOT."""
    for a, b, c in itertools.product((0, 1), repeat=3):
        for text, meant in (
            ("a=1 /\\ b=1 => c=1", a and (not b or c)),
            ("a=1 => b=1 => c=1", not a or not b or c),
            ("a=1 => b=1 /\\ c=1", (not a or b) and c),
            ("~a=1 => b=1 \\/ c=1", a or b or c),
        ):
            assert litmus.condition.parse_condition(f"forall {text}").verdict([{"a": a, "b": b, "c": c}]) == bool(meant)


def test_a_loop_is_gone_round_a_bounded_number_of_times(capsys, tmp_path):
    counting = herd(["L: incl %eax", "cmpl $5,%eax", "jne L", "movl %eax,(x)"], condition="forall x=5")
    assert verdicts(counting) == [True] * 3
    spin = tmp_path / "spin.litmus"
    spin.write_text(herd(MESSAGE, ["L0: MOV EAX,[y]", "CMP EAX,$1", "JNE L0", "MOV EBX,[x]"], arch="X86", condition="exists (1:EBX=0)"))
    r = litmus.run(litmus.read_file(spin)[0], "tso")
    assert r.allowed == {(1,)} and r.cut > 0
    assert main(["litmus", str(spin), "--random", "200"]) == 0
    assert "which go round a loop more than 8 times" in capsys.readouterr().out
    spin.write_text(herd(["L0: jmp L0"], condition="exists (x=0)"))
    assert main(["litmus", str(spin)]) == 2
    assert capsys.readouterr().err == "hwmem: t: no run ends within 8 rounds of a loop\n"


def byte_model(threads, places, registers):
    """All final states under x86-TSO of threads of ("store", place, size, value) and ("load", place, size, register): one FIFO a thread,
    a load takes the youngest store that has all its bytes, and waits for one that has some of them."""
    start = (tuple((0, ()) for _ in threads), tuple((p, 0) for p in places), tuple((r, 0) for r in registers))
    met, todo, ends = {start}, [start], set()
    while todo:
        states, memory, values = todo.pop()
        following = []
        for t, (pc, buffer) in enumerate(states):
            if buffer:
                place, size, value = buffer[0]
                old, mask = dict(memory)[place], (1 << 8 * size) - 1
                following.append(
                    (put(states, t, (pc, buffer[1:])), tuple(sorted((dict(memory) | {place: old & ~mask | value}).items())), values)
                )
            if pc == len(threads[t]):
                continue
            kind, place, size, what = threads[t][pc]
            if kind == "store":
                following.append((put(states, t, (pc + 1, (*buffer, (place, size, what)))), memory, values))
                continue
            youngest = next((entry for entry in reversed(buffer) if entry[0] == place), None)
            if youngest and youngest[1] < size:
                continue
            value = (youngest[2] if youngest else dict(memory)[place]) & (1 << 8 * size) - 1
            following.append((put(states, t, (pc + 1, buffer)), memory, tuple(sorted((dict(values) | {what: value}).items()))))
        if not following:
            ends.add(tuple(v for _, v in values) + tuple(v for _, v in memory))
        for state in following:
            if state not in met:
                met.add(state)
                todo.append(state)
    return ends


def put(row, n, value):
    return (*row[:n], value, *row[n + 1 :])


TARGETS = {1: "b", 2: "w", 4: "l", 8: "q"}


def test_random_threads_of_all_widths_end_as_the_model_of_bytes_says(seed):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        threads, texts = [], []
        for t in range(2):
            thread, text = [], []
            for n in range(int(rng.integers(2, 5))):
                place, size, value = str(rng.choice(["x", "y"])), int(rng.choice([1, 2, 4, 8])), int(rng.integers(1, 128))
                letter, register = TARGETS[size], "abcd"[n]
                if rng.random() < 0.55:
                    value |= value << 8 * (size - 1)
                    thread.append(("store", place, size, value))
                    text.append(f"mov{letter} ${value},({place})" if size < 8 else f"movq ${value},({place})")
                else:
                    names = {1: f"%{register}l", 2: f"%{register}x", 4: f"%e{register}x", 8: f"%r{register}x"}
                    thread.append(("load", place, size, f"{t}:E{register.upper()}X"))
                    text.append(f"mov{letter} ({place}),{names[size]}")
            threads.append(thread)
            texts.append(text)
        registers = sorted(o[3] for thread in threads for o in thread if o[0] == "load")
        names = [*registers, "x", "y"]
        test = litmus.parse(herd(*texts, init="int64_t x; int64_t y;", condition=f"locations [{' '.join(f'{n};' for n in names)}]"))
        expected = byte_model(threads, ["x", "y"], registers)
        ours = {tuple(v & MASK64 for v in state) for state in litmus.run(test, "tso").allowed}
        assert tuple(test.observed) == tuple(names) and ours == expected, texts
        assert ours <= {tuple(v & MASK64 for v in state) for state in litmus.run(test, "relaxed").allowed}


@pytest.mark.parametrize(
    "text, line, told",
    [
        (herd(["movq (x),%eax"]), 4, "its operands are of different widths"),
        (herd(["movb $256,(x)"]), 4, "256 does not fit 1 bytes"),
        (herd(["NOP", "jne nowhere"]), 5, "P0 has no label 'nowhere'"),
        (herd(["L: NOP", "L: NOP"]), 5, "the label 'L' is there twice"),
        (herd(["NOP"], init="int8_t x=300", condition="exists (x=1)"), 2, "300 does not fit 1 bytes"),
        (herd(["NOP"], init="x=O;"), 2, "'x=O' is not name=number"),
        (herd(["movl 4(%rax),%ebx"], init="0:rax=x"), 4, "is not understood"),
        (herd(["movl (%rax,%rbx,4),%ebx"], init="0:rax=x"), 4, "there is no array"),
        (herd(["movl (%rax,%rbx,3),%ebx"], init="int t[2]; 0:rax=t"), 4, "is not understood"),
        (herd(["movntdqa (x),%xmm1"]), 4, "registers of vectors (xmm, ymm, zmm) are not there"),
        (herd(["lock movl $1,(x)"]), 4, "is not understood"),
        (herd(["NOP"], init="int64_t t[2]={1};"), 2, "is not TYPE NAME[N]={number, ...} with N of them"),
        (herd(["NOP"], init="double t[2];"), 2, "is not TYPE NAME[N]"),
        (herd(["NOP"], init="int t[65];"), 2, "64 at most"),
        (herd(["NOP"], init="int8_t t[2]={1,300};", condition="exists (t[1]=1)"), 2, "300 does not fit 1 bytes"),
        (herd(["NOP"], init="int t[2];", condition="exists (t={1})"), 5, "t has 2 elements, not 1"),
        (herd(["NOP"], init="int t[2];", condition="exists (t[2]=1)"), 5, "'t[2]' is no element of an array"),
        (herd(["NOP"], init="x=1;", condition="exists (x={1})"), 5, "'x' is no array"),
        (herd(["NOP"], init="double x=1;"), 2, "the type is none of"),
        (herd(["NOP"], condition="exists (0:ah=1)"), 5, "high byte cannot be asked for"),
    ],
)
def test_what_is_not_modelled_is_refused_by_line(text, line, told):
    with pytest.raises(LitmusError) as caught:
        litmus.parse(text)
    assert str(caught.value).startswith(f"litmus test:{line}: ") and told in str(caught.value), caught.value


def test_an_address_that_is_no_locations_is_told(tmp_path, capsys):
    (tmp_path / "t.litmus").write_text(herd(["movl (%rax),%ebx"], init="0:rax=5; x=1", condition="exists (0:rbx=0)"))
    assert main(["litmus", str(tmp_path / "t.litmus")]) == 2
    assert "its register does not hold the address of a location" in capsys.readouterr().err


@pytest.mark.parametrize(
    "instructions, init, condition",
    [
        (["movq 0(%rax,%rbx,8),%rcx"], "int64_t t[2]={1,-1}; 0:rax=t; 0:rbx=1", "forall 0:rcx=-1"),
        (["movl 4(%rax),%ecx"], "int32_t t[3]={1,2,3}; 0:rax=t", "forall 0:rcx=2"),
        (["movl -4(%rax),%ecx"], "int32_t t[3]={1,2,3}; 0:rax=&t[2]", "forall 0:rcx=2"),
        (["addq $8,%rax", "movb $7,(%rax)"], "int64_t t[2]={1,0x1ff}; 0:rax=t", "forall t={1,0x107} /\\ 0:rax=t[1]"),
        (["movl $5,(t)", "incl 2(%rax,%rbx,2)"], "int t[3]; 0:rax=t; 0:rbx=3", "forall t={5,0,1} /\\ t[2]=1"),
        (["movq (%rax),%rbx", "movl (%rbx),%ecx"], "int64_t t[1]={y}; int y=9; 0:rax=t", "forall 0:rcx=9"),
        (["lock addl $3,8(%rax)"], "int t[20]={0,0,4,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}; 0:rax=t; y=1", "forall t[2]=7 /\\ t[19]=0"),
    ],
)
def test_an_array_has_its_elements_side_by_side(instructions, init, condition):
    """What herd says of its own test of an index (herd/tests/instructions/X86_64/A009: -1, always) and what the addresses make of others."""
    assert verdicts(herd(instructions, init=init, condition=condition)) == [True, True, True]


def test_elements_of_an_array_are_locations_of_their_own():
    buffering = herd(
        ["movl $1,(%rax)", "movl 4(%rax),%ebx"],
        ["movl $1,4(%rax)", "movl (t),%ebx"],
        init="int32_t t[2]; 0:rax=t; 1:rax=t",
        condition="locations [t;]\nexists (0:ebx=0 /\\ 1:ebx=0)",
    )
    assert litmus.parse(buffering).observed == ("0:EBX", "1:EBX", "t[0]", "t[1]")
    assert verdicts(buffering) == [False, True, True]


def test_an_access_beyond_an_element_is_told(tmp_path, capsys):
    for number, one in enumerate((["movq $1,(%rax)"], ["movl 8(%rax),%ebx"], ["movl 2(%rax),%ebx"])):
        path = tmp_path / f"t{number}.litmus"
        path.write_text(herd(one, init="int t[2]; 0:rax=t", condition="exists (t[0]=1)"))
        assert main(["litmus", str(path)]) == 2
        assert "does not hold the address of a location of that width" in capsys.readouterr().err
