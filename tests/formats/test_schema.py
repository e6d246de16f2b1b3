"""What --json prints is what its schema says, of every command that has one."""

import copy
import json

import pytest

import goalloc.cli.cli
from hwmem.cli import cli, export
from hwmem.formats.schema import VERSIONS, schema

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
SB = "X86 SB\n{ x=0; y=0; }\n P0 | P1 ;\n MOV [x],$1 | MOV [y],$1 ;\n MOV EAX,[y] | MOV EAX,[x] ;\nexists (0:EAX=0 /\\ 1:EAX=0)\n"
TRACE = "".join(f"P{n % 2} {'w' if n % 2 else 'r'} {0x1000 + 8 * (n % 2):#x}\n" for n in range(40))


def printed(capsys, main, *words):
    assert main([str(word) for word in words]) == 0
    return json.loads(capsys.readouterr().out)


def check(name, document):
    jsonschema.Draft202012Validator(schema(name)).validate(document)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "t").write_text(TRACE)
    (folder / "SB.litmus").write_text(SB)
    for name, stride in (("a", 8), ("b", 64)):
        words = ["run", "false-sharing", "--set", "iterations=100", f"stride={stride}", "--events", "50", "--classify", "--races", "-o"]
        assert cli.main([*words, str(folder / f"{name}.hwm")]) == 0
    assert cli.main(["trace", str(folder / "t"), "-o", str(folder / "t.hwm")]) == 0
    return folder


@pytest.mark.parametrize("name", VERSIONS)
def test_a_schema_is_one_and_has_a_version(name, capsys):
    made = printed(capsys, cli.main, "schema", name)
    jsonschema.Draft202012Validator.check_schema(made)
    assert made == schema(name) and made["$id"].rpartition(":")[2].isdecimal()


def test_the_command_knows_every_schema():
    assert export.SCHEMAS == tuple(VERSIONS)


def test_results(kept, capsys):
    capsys.readouterr()
    check("result", printed(capsys, cli.main, "report", kept / "a.hwm", "--json"))
    check("result", printed(capsys, cli.main, "trace", kept / "t", "--json"))
    check("result", printed(capsys, cli.main, "run", "page-faults", "--set", "pages=512", "--json"))


@pytest.mark.parametrize("section", cli.SECTIONS)
def test_sections(kept, capsys, section):
    capsys.readouterr()
    for file in ("a.hwm", "t.hwm"):
        check("section", printed(capsys, cli.main, "report", kept / file, section, "--json"))


def test_the_other_documents_of_hwmem(kept, capsys):
    capsys.readouterr()
    check("difference", printed(capsys, cli.main, "diff", kept / "a.hwm", kept / "b.hwm", "--json"))
    check("moments", printed(capsys, cli.main, "trace-line", kept / "a.hwm", "--json"))
    check("workloads", printed(capsys, cli.main, "list", "--json"))
    check("workloads", printed(capsys, cli.main, "list", "stream", "--json"))
    check("litmus", printed(capsys, cli.main, "litmus", kept / "SB.litmus", "--json"))


def test_the_documents_of_goalloc(kept, capsys):
    main, file = goalloc.cli.cli.main, kept / "go.hwm"
    check("sizes", printed(capsys, main, "sizes", "--json"))
    check("workloads", printed(capsys, main, "list", "--json"))
    check(
        "result", printed(capsys, main, "run", "explicit-gc", "--gomaxprocs", "2", "--set", "objects=60", "cycles=2", "--json", "-o", file)
    )
    found = printed(capsys, main, "report", file, "--json")
    check("heap", found)
    assert found["gc"], "of collections, too"


def test_a_schema_refuses_what_is_not_its_document(kept, capsys):
    capsys.readouterr()
    document = printed(capsys, cli.main, "report", kept / "a.hwm", "--json")
    for path, wrong in ((("format",), 99), (("counters", "cores"), {}), (("lines", 0, "bytes"), [0]), (("cycles",), "many")):
        spoilt = copy.deepcopy(document)
        place = spoilt
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = wrong
        with pytest.raises(jsonschema.ValidationError):
            check("result", spoilt)
