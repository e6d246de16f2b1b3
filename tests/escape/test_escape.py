"""What the analysis prints is what Go 1.21's compiler prints: on programs of the project's own, on generated ones, live and recorded."""

import builtins
import collections
import json
import os
import random
from codecs import BOM_UTF8

import pytest

pytest.importorskip("tree_sitter_go", reason="needs pip install '.[escape]'")

from compiler import HERE, PROGRAMS, SEEDS, ask, go, recording
from gofunctions import program

from goalloc.cli.cli import main
from goalloc.escape.cost import Allocation
from goalloc.escape.driver import Analysis
from goalloc.escape.library import table

live = pytest.mark.skipif(go() is None, reason="needs Go 1.21: pip install '.[go]'")
WHOLE = [name for name in PROGRAMS if name != "refused.go"]
MODES = pytest.mark.parametrize("inline", [True, False], ids=["m", "m-l"])


def lines(source: str, inline: bool) -> list[str]:
    found = Analysis(source.encode(), inline)
    assert found.refused == []
    return found.lines


@pytest.mark.oracle
@MODES
@pytest.mark.parametrize("name", WHOLE)
def test_a_program_gets_the_compilers_messages_in_the_compilers_order(name, inline):
    assert lines((HERE / name).read_text(), inline) == recording()["programs"][name][0 if inline else 1]


@pytest.mark.live
@live
@MODES
@pytest.mark.parametrize("name", WHOLE)
def test_a_program_gets_the_messages_of_the_compiler_that_is_here(name, inline):
    source = (HERE / name).read_text()
    assert lines(source, inline) == ask(source, inline)


@pytest.mark.slow
@pytest.mark.oracle
@MODES
def test_generated_functions_get_the_compilers_messages(inline):
    for seed in SEEDS:
        assert lines(program(seed), inline) == recording()["generated"][str(seed)][0 if inline else 1], f"seed {seed}"


@pytest.mark.slow
@pytest.mark.live
@live
@MODES
def test_fresh_functions_get_the_messages_of_the_compiler_that_is_here(inline):
    first = random.SystemRandom().randrange(10**9) if os.environ.get("HWMEM_TEST_SEED") == "fresh" else 1000
    for seed in range(first, first + 8):
        source = program(seed)
        assert lines(source, inline) == ask(source, inline), f"seed {seed}"


@pytest.mark.oracle
@MODES
def test_beside_what_is_refused_the_rest_is_said_and_nothing_else(inline):
    found = Analysis((HERE / "refused.go").read_bytes(), inline)
    said = collections.Counter(recording()["programs"]["refused.go"][0 if inline else 1])
    assert collections.Counter(found.lines) - said == collections.Counter()
    analysed = [line for line in said if int(line.split(":")[0]) >= 35]
    assert found.lines == analysed
    names = [name for _, name, _ in found.refused]
    assert names == ["max", "get", "usesMax", "usesUser", "usesPair", "usesReflect", "usesPointer", "zero"]


def test_a_call_of_a_method_that_the_library_hides_is_refused():
    source = 'package p\n\nimport "errors"\n\nfunc f() string { return errors.New("x").Error() }\n'
    assert [name for _, name, _ in Analysis(source.encode()).refused] == ["f"]


def test_lines_carry_the_files_name_as_go_build_writes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.go").write_text("package p\n\nfunc f() *int { return new(int) }\n")
    assert main(["escape", "x.go", "-m"]) == 0
    assert capsys.readouterr().out == "./x.go:3:6: can inline f\n./x.go:3:27: new(int) escapes to heap\n"


def test_a_file_may_begin_and_end_its_lines_as_on_windows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.go").write_bytes(BOM_UTF8 + b"package p\r\n\r\nfunc f() *int { return new(int) }\r\n")
    assert main(["escape", "x.go", "-m"]) == 0
    assert capsys.readouterr().out == "./x.go:3:6: can inline f\n./x.go:3:27: new(int) escapes to heap\n"


@pytest.mark.parametrize(
    "source, why",
    [
        ("package p\nfunc f() { x := }\n", "syntax error"),
        ("package p\nfunc f() { g() }\n", "undefined: g"),
        ("package p\nfunc f() int { return \"s\" }\n", "cannot use constant as int"),
        ("package p\nfunc f(a int, b string) bool { return a == b }\n", "mismatched"),
        ("package p\nvar a = b\nvar b = a\n", "has no type"),
        ("package p\ntype T struct { T }\nvar t T\n", "contains itself"),
        ("package p\nfunc f() { break }\nfunc f() {}\n", "declared twice"),
        ("", "no package clause"),
        ("\x00\x01", "syntax error"),
        ("package p\n\nvar s = \"\xff\"\n", "x.go:3:10: not UTF-8"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_go_is_refused_in_one_line(source, why, tmp_path, capsys):
    path = tmp_path / "x.go"
    path.write_bytes(source.encode("latin-1"))
    assert main(["escape", str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and why in said.err


def test_without_the_grammar_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def no_grammar(name, *rest):
        if name.startswith("tree_sitter"):
            raise ImportError(name)
        return real(name, *rest)

    (tmp_path / "x.go").write_text("package p\n")
    monkeypatch.setattr(builtins, "__import__", no_grammar)
    assert main(["escape", str(tmp_path / "x.go")]) == 2
    assert capsys.readouterr().err == "goalloc: goalloc escape needs tree-sitter and its Go grammar: pip install 'hwmem[escape]'\n"


def test_deep_nesting_is_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "x.go"
    path.write_text("package p\nvar x = " + "(" * 100_000 + "1" + ")" * 100_000 + "\n")
    assert main(["escape", str(path)]) == 2
    assert "nested too deeply" in capsys.readouterr().err


def test_a_sum_of_a_thousand_terms_is_no_deep_nesting():
    source = "package p\n\nfunc f(s string) string { return " + " + ".join(["s"] * 1000) + " }\n"
    assert [line.split(": ")[1][:5] for line in Analysis(source.encode()).lines] == ["s doe", "s + s"]


def test_every_inlined_library_function_says_what_its_body_adds_or_is_refused():
    functions = [
        f
        for e in table().values()
        for f in [*e["funcs"].values(), *(m for t in e["types"].values() for m in t.get("methods", {}).values())]
    ]
    inlined = [f for f in functions if "cost" in f]
    assert inlined and all(f["cost"] <= 80 for f in inlined)
    for f in inlined:
        if "body" in f:
            count = len(f["body"]["vars"])
            for step in f["body"]["steps"]:
                count += step[0] == "new"
                if step[0] == "flow":
                    assert all(isinstance(i, str) or 0 <= i < count for i in (step[1], step[4]))


def sizes(source: str, name: str) -> list[tuple[str, int | None, int]]:
    """(what, bytes, words that are pointers) of a function's allocations."""
    found = [Allocation(n, escapes) for n, escapes in Analysis(source.encode()).allocations(name) or []]
    return [(a.text, a.size, sum(a.pointers)) for a in found]


def test_allocations_have_the_sizes_and_pointers_of_gos_types():
    source = """package p

type node struct {
	next *node
	key  int32
	val  any
}

func f(n int) (out []any) {
	x := n
	out = append(out, new(node), &node{}, make([]string, 3), make([]byte, n), [2]*int{&x}, n, 7)
	out = append(out, func() int { return n + x }, map[int]int{}, []int16{9: 1})
	return out
}
"""
    assert sizes(source, "f") == [
        ("x", 8, 0),
        ("new(node)", 32, 3),
        ("&node{}", 32, 3),
        ("make([]string, 3)", 24, 1),
        ("make([]string, 3)", 48, 3),
        ("make([]byte, n)", 24, 1),
        ("make([]byte, n)", None, 0),
        ("[2]*int{...}", 16, 2),
        ("n", 8, 0),
        ("7", 0, 0),
        ("func literal", 24, 1),
        ("map[int]int{}", 48, 3),
        ("[]int16{...}", 24, 1),
        ("[]int16{...}", 20, 0),
    ]


def test_costs_of_what_does_not_exist_or_is_refused_are_one_line(capsys):
    assert main(["escape", str(HERE / "refused.go"), "--cost", "nobody"]) == 2
    assert "nobody is no function of" in capsys.readouterr().err
    assert main(["escape", str(HERE / "refused.go"), "--cost", "usesMax"]) == 2
    assert "usesMax is not analysed: max is generic" in capsys.readouterr().err
    assert main(["escape", str(HERE / "refused.go"), "--cost", "beside", "--runs", "0"]) == 2
    assert "--runs: takes 1 to 1,000,000" in capsys.readouterr().err


@pytest.mark.slow
def test_on_the_heap_objects_lie_side_by_side_and_on_the_stack_in_one_place(capsys):
    assert main(["escape", str(HERE / "loops.go"), "--cost", "list", "--runs", "512", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["allocation"], row["bytes"], row["size class"], row["pointers"]) == ("&node{...}", 16, 16, "1 of 2 words")
    assert row["heap lines"] == 512 * 16 // 64 and row["stack lines"] == 1
    assert row["goes to"] == "heap" and row["heap cycles"] > row["stack cycles"] > 0
