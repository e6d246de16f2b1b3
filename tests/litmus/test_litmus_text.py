"""Litmus tests as files and at the prompt: herd's text and the neutral form say the same, mistakes are told in one line."""

import json
from codecs import BOM_UTF8

import pytest

from hwmem import litmus
from hwmem.cli.cli import main
from hwmem.errors import LitmusError
from hwmem.litmus.condition import parse_condition
from hwmem.litmus.way import steps

SB = """X86 SB
"PodWR Fre PodWR Fre"
(* store buffering *)
{ x=0; uint64_t y = 0; 0:EAX=7; }
 P0          | P1            ;
 MOV [x],$1  | MOV [y],$1    ;
 MOV EAX,[y] | MOV EAX , [x] ;
exists (0:EAX=0 /\\ 1:EAX=0)
"""
SB_ATT = """X86_64 SB
{ }
 P0            | P1            ;
 movl $1,(x)   | movq $1, (y)  ;
 movl (y),%eax | movq (x), %rax;
exists (0:rax=0 /\\ 1:%rax=0)
"""
NEUTRAL_SB = {"threads": [[["store", "x", 1], ["load", "y", "r0"]], [["store", "y", 1], ["load", "x", "r0"]]], "obs": ["0:r0", "1:r0"]}


def x86(*threads, init="", condition="", arch="X86"):
    """A test in herd's text, from lists of instructions."""
    rows = [[thread[n] if n < len(thread) else "" for thread in threads] for n in range(max(map(len, threads)))]
    lines = [
        f"{arch} t",
        f"{{ {init} }}",
        " | ".join(f"P{n}" for n in range(len(threads))) + " ;",
        *(" | ".join(row) + " ;" for row in rows),
    ]
    return "\n".join([*lines, condition])


@pytest.mark.parametrize("text", [SB, SB_ATT])
@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
def test_herds_text_means_what_the_neutral_form_does(text, ordering):
    r = litmus.run(litmus.parse(text), ordering)
    assert r.test.observed == ("0:EAX", "1:EAX")
    assert r.outcomes == litmus.run(NEUTRAL_SB, ordering).outcomes == litmus.run(json.dumps(NEUTRAL_SB), ordering).outcomes
    assert r.holds == (ordering != "sc")


@pytest.mark.parametrize("text", [SB, json.dumps(NEUTRAL_SB, indent=1)], ids=["herd", "neutral"])
def test_a_file_may_begin_and_end_its_lines_as_on_windows(tmp_path, capsys, text):
    (tmp_path / "SB").write_text(text)
    (tmp_path / "windows").write_bytes(BOM_UTF8 + text.replace("\n", "\r\n").encode())
    said = [(main(["litmus", str(tmp_path / name)]), capsys.readouterr().out) for name in ("SB", "windows")]
    assert said[0][0] == 0 and said[1] == said[0]


@pytest.mark.parametrize(
    "instructions, init, final",
    [
        (["MOV EAX,$5", "MOV [x],EAX", "ADD EAX,$2", "MOV [y],EAX"], "", {"x": 5, "y": 7, "0:EAX": 7}),
        (["MOV EAX,[x]", "MOV EBX,EAX", "XOR EAX,EAX", "DEC EBX"], "x=9", {"0:EAX": 0, "0:EBX": 8}),
        (["XCHG [x],EAX", "XCHG EBX,[y]"], "x=1; 0:EAX=2; y=3; 0:EBX=4", {"x": 2, "0:EAX": 1, "y": 4, "0:EBX": 3}),
        (["LOCK XADD [x],EAX", "LOCK ADD [x],$10", "LOCK INC [x]"], "x=1; 0:EAX=2", {"x": 14, "0:EAX": 1}),
        (["LOCK CMPXCHG [x],EBX", "LOCK CMPXCHG [y],EBX"], "0:EBX=5; y=3", {"x": 5, "y": 3, "0:EAX": 3}),
        (["INC [x]", "SUB [x],$3", "MOVNTI [y],EAX", "SFENCE", "LFENCE", "MFENCE", "NOP"], "0:EAX=-4", {"x": -2, "y": -4}),
        (["LOCK DEC [x]"], "x=-0x10", {"x": -17}),
    ],
)
def test_one_thread_computes_what_the_processor_would(instructions, init, final):
    places = "locations [" + " ".join(f"{name};" for name in final) + "]"
    test = litmus.parse(x86(instructions, init=init, condition=places))
    for ordering in ("sc", "tso", "relaxed"):
        assert litmus.run(test, ordering).allowed == {tuple(final[name] for name in test.observed)}


def test_a_register_that_the_program_does_not_name_holds_0():
    test = litmus.parse(x86(["NOP", "MOV [x],$1"], condition="forall (0:EAX=0 /\\ x=1)"))
    assert litmus.run(test).allowed == {(0, 1)} and litmus.run(test).holds


def test_a_remark_after_a_row_is_no_column():
    rows = SB.splitlines()
    rows[5] += " #(a)Wx1 | (b)Wy1 | (c)"
    assert litmus.run("\n".join(rows)).outcomes == litmus.run(SB).outcomes


def test_the_atandt_order_is_source_first():
    test = litmus.parse(
        x86(
            ["movq $3, %rbx", "lock xaddq %rbx, (x)", "addl $4,%ebx", "movq %rbx, y(%rip)"],
            init="x=10",
            condition="locations [x; y;]",
            arch="X86_64",
        )
    )
    assert litmus.run(test, "sc").allowed == {(13, 14)}


@pytest.mark.parametrize(
    "text, holds",
    [
        ("exists (a=1 /\\ 0:r=2)", [False, True, False]),
        ("~exists a=1", [True, False, False]),
        ("forall (a=1 \\/ a=0)", [True, True, True]),
        ("forall ~(a=1)", [True, False, False]),
        ("exists a=1 \\/ a=0 /\\ 0:r=5", [False, True, True]),
        ("exists not (true)", [False, False, False]),
        ("~ exists [a]=0x1 /\\ (0 : r = 5)", [True, True, True]),
        ("exists ((0:r=-1))", [False, False, False]),
    ],
)
def test_conditions_are_read_as_herd_reads_them(text, holds):
    states = [[{"a": 0, "0:r": 0}], [{"a": 0, "0:r": 0}, {"a": 1, "0:r": 2}], [{"a": 1, "0:r": 1}]]
    assert [parse_condition(text).verdict(s) for s in states] == holds


@pytest.mark.parametrize(
    "text, line, told",
    [
        ("PPC t\n{ }\n P0 ;\n li r1,1 ;\n", 1, "the first line must be"),
        ("", 1, "the first line must be"),
        ("X86 t\n P0 ;\n MOV [x],$1 ;\n", 3, "no initial state"),
        ("X86 t\n{ x=y; }\n P0 ;\n MFENCE ;\n", 2, "'x=y' is not name=number"),
        ("X86 t\n{ }\nexists (x=1)\n", 3, "no program"),
        ("X86 t\n{ }\n P0 | P1 ;\n MFENCE ;\n", 4, "1 columns, where there are 2 threads"),
        ("X86 t\n{ }\n P0 ;\n MFENCE ;\n JMP loop ;\n", 5, "'JMP loop' is not understood"),
        ("X86 t\n{ }\n P0 ;\n LOCK MOV [x],$1 ;\n", 4, "'LOCK MOV [x],$1' is not understood"),
        ("X86 t\n{ }\n P0 ;\n MOV [x],[y] ;\n", 4, "'MOV [x],[y]' is not understood"),
        ("X86 t\n{ }\n P0 ;\n MOV [x],$1 ;\n\nexists (x=1 /\\ y)\n", 6, "'=' expected"),
        ("X86 t\n{ }\n P0 ;\n MOV [x],$1 ;\nexists (3:EAX=1)\n", 5, "'3:EAX' is no register or location"),
        ("X86 t\n{ }\n P0 ;\n MOV [x],$1 ;\n~forall x=1\n", 5, "'~forall' is none of"),
        ("X86 t\n{ }\n P0 ;\n MOV [x],$18446744073709551616 ;\n", 4, "is not understood"),
        ("X86 t\n{ x=9223372036854775808; }\n P0 ;\n MFENCE ;\n", 2, "is not name=number"),
        ('{\n "threads": [,]\n}', 2, "Expecting value"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_reason(capsys, tmp_path, text, line, told):
    file = tmp_path / "t.litmus"
    file.write_text(text)
    assert main(["litmus", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith(f"hwmem: {file}:{line}: ")
    assert told in err


@pytest.mark.parametrize(
    "document, told",
    [
        ({}, "no list"),
        ({"threads": [[["jump", "x"]]]}, "'jump x' is no operation"),
        ({"threads": [[["store", "x"]]]}, "too few"),
        ({"threads": [[["store", "x", "one"]]]}, "not a whole number"),
        ({"threads": [[["mfence"]]], "obs": ["0:r9"]}, "'0:r9' is no register"),
        ({"threads": [["mfence"]]}, "not an operation"),
        ({"threads": [[["store", 5, 1]]]}, "not a name"),
        ({"threads": [[["mfence"]]], "cond": "x"}, "expected"),
        ({"threads": [[["mfence"]]], "cond": 5}, "condition as text"),
        ({"threads": [[["mfence"]]], "init": 5}, "object of numbers"),
        ({"threads": [[["store", "x", 1 << 63]]]}, "does not fit a signed word"),
        ({"threads": [[["mfence"]]], "init": {"x": -1 << 64}}, "does not fit"),
        ('{"tests": []}', "a list of them"),
        ('{"tests": 5}', "a list of them"),
        ("[]", "a list of them"),
        ('[{"threads": [[["mfence"]]]}, {"threads": [[["mfence"]]]}]', "one test, not 2"),
    ],
)
def test_a_mistake_in_the_neutral_form_is_told(document, told):
    with pytest.raises(LitmusError, match=told):
        litmus.parse(document)


def test_what_is_no_mode_or_ordering_is_refused():
    with pytest.raises(ValueError, match="ordering: 'weak' is none of sc, tso, relaxed"):
        litmus.run(NEUTRAL_SB, "weak")
    with pytest.raises(ValueError, match="mode"):
        litmus.run(NEUTRAL_SB, mode="some")
    with pytest.raises(ValueError, match="17 threads, at most 16"):
        litmus.run({"threads": [[["mfence"]]] * 17})
    with pytest.raises(TypeError, match="^runs"):
        litmus.run(NEUTRAL_SB, mode="random", runs="many")
    with pytest.raises(TypeError, match="^seed"):
        litmus.run(NEUTRAL_SB, mode="random", seed="1")


def test_random_runs_need_no_count_of_all_interleavings():
    threads = [[["store", "x", 2 * t + 1], ["load", "y", "a"], ["store", "y", 2 * t + 2], ["load", "x", "b"]] * 2 for t in range(6)]
    r = litmus.run({"threads": threads, "obs": [f"{t}:a" for t in range(6)] + ["x", "y"]}, mode="random", runs=300, seed=1)
    assert sum(r.outcomes.values()) == 300 and r.allowed is None and len(r.outcomes) > 100
    assert all(state[-2] % 2 == 1 and state[-1] % 2 == 0 for state in r.outcomes)


def test_the_command_prints_outcomes_verdicts_and_a_way(capsys, tmp_path):
    file = tmp_path / "SB.litmus"
    file.write_text(SB)
    assert main(["litmus", str(file), "--random", "500"]) == 0
    out = capsys.readouterr().out
    for words in (
        "exists (0:EAX=0 /\\ 1:EAX=0)",
        "sc       never",
        "tso      sometimes",
        "0:EAX=0 1:EAX=0 under tso, the shortest way",
        "x=1 leaves the buffer",
        "MOV EAX,[y]: EAX=0",
        "random runs, tso",
    ):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100
    assert main(["litmus", str(file), "--show", "1:EAX=1, 0:EAX=1", "--ordering", "sc"]) == 0
    assert "0:EAX=1 1:EAX=1 under sc" in capsys.readouterr().out
    assert main(["litmus", str(file), "--show", "0:EAX=0 1:EAX=0", "--ordering", "sc"]) == 2
    assert capsys.readouterr().err == "hwmem: --show: sc does not allow 0:EAX=0 1:EAX=0\n"
    assert main(["litmus", str(file), "--show", ""]) == 2
    assert capsys.readouterr().err == "hwmem: --show takes 0:EAX=VALUE 1:EAX=VALUE, not ''\n"
    assert main(["litmus", str(file), "--random", "-3"]) == 2
    assert capsys.readouterr().err == "hwmem: runs must be an integer from 1 to 1000000000000, not -3\n"
    assert main(["litmus", str(file), str(file), "--show", "0:EAX=0 1:EAX=0"]) == 2
    assert capsys.readouterr().err == "hwmem: --show takes one test, not 2\n"
    assert main(["litmus", str(file), str(file)]) == 0
    assert capsys.readouterr().out.count("never sometimes sometimes") == 2
    assert main(["litmus", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)[0]
    assert document["results"]["sc"]["allowed"] == [[0, 1], [1, 0], [1, 1]] and document["results"]["tso"]["holds"]


@pytest.mark.parametrize("ordering", ["sc", "tso", "relaxed"])
def test_every_shortest_way_ends_where_it_says_with_empty_buffers_and_memory_in_one_core_at_most(ordering):
    test = litmus.parse(
        {"threads": [[["store", "x", 1], ["store", "y", 1], ["xadd", "z", 1, "r0"]], [["load", "y", "r0"], ["load", "x", "r1"]]]}
    )
    r = litmus.run(test, ordering)
    for state, actions in r.shortest.items():
        way = steps(test, ordering, actions)
        final = dict(zip(test.observed, state))
        assert way[-1].memory == {name: final[name] for name in ("x", "y", "z")} and way[-1].buffers == [[], []]
        assert len(way) == len(actions) + 1
        for step in way:
            for letters in step.lines.values():
                assert letters.count(".") == 1 or not set(letters) & set("ME")
    assert max(map(len, r.shortest.values())) <= 5 + 2
