"""Names put into a recorded program: lines, code, the source around it, what --apart would take."""

import json
import pathlib
import re
from codecs import BOM_UTF8

import pytest

from built import BIAS, HERE, addresses, build, names_of, run

from hwmem.symbols.label import advice, excerpt, label
from hwmem.trace.program import Block, Code, Line, Object, Program, Thread


def functions(program):
    return {line.split()[2]: int(line.split()[0], 16) for line in run("nm", program).splitlines() if line[0] != " "}


@pytest.fixture
def built(tmp_path):
    return build(tmp_path, "told.c", "-O2")


def recorded(program, *lines, **more):
    return Program(objects=[Object(str(program), BIAS, (), str(program))], lines=list(lines), **more)


@pytest.mark.oracle
@pytest.mark.live
def test_a_falsely_shared_line_has_its_fields_its_code_and_advice(built):
    start = addresses(built)["table"] + BIAS
    after, size = names_of(built, BIAS).part("table[0].after")
    line, offset = after & -64, after % 64
    within = functions(built)["within"] + BIAS
    row = Line(
        line,
        "false",
        9,
        (1, 2),
        {1: 0xFF << offset, 2: 1 << offset + 8},
        {},
        (Code(within + 8, 2, 9, 9, 0, 1 << offset + 8), Code(within + 8, 1, 9, 0, 0, 0xFF << offset)),
    )
    program = label(recorded(built, row))
    named = program.lines[0]
    assert start < line and named.symbol == "table[0].after, table[0].deep.x"
    assert named.apart == ("table[0].after", "table[0].deep")
    assert named.code[0].function in ("within", "twice") and named.code[0].object == "told"
    assert re.fullmatch(r"told\.c:\d+", named.source[0])
    text, number = (HERE / "told.c").read_text().split("\n"), int(named.source[0].partition(":")[2])
    assert program.excerpts[0].lines[number - program.excerpts[0].first] == text[number - 1].expandtabs(4)
    assert Program.from_dict(json.loads(json.dumps(program.to_dict()))) == program


def test_an_excerpt_shows_no_byte_order_mark_and_no_carriage_return(tmp_path):
    (tmp_path / "x.c").write_bytes(BOM_UTF8 + b"int a;\r\nint b;\r\n")
    assert excerpt("x.c:1", str(tmp_path / "x.c"), 1).lines[:2] == ("int a;", "int b;")


@pytest.mark.live
def test_a_heap_block_is_named_by_the_pointer_that_is_declared_where_it_was_allocated(built):
    text = (HERE / "told.c").read_text().split("\n")
    line = next(n for n, one in enumerate(text, 1) if "calloc" in one)
    code = functions(built)["main"]
    names = names_of(built, BIAS)
    call = next(pc for pc in range(code + BIAS, code + BIAS + 2000) if names.code(pc).line == line)
    _, element = names.part("table[1]")
    blocks = [
        Block(0x5000000, 3 * element, (call + 1,), 1, 0, 5),
        Block(0x6000000, 48, (call + 1,), 1, 9),
        Block(0x6001000, 8, (0x77,), 1, 9),
    ]
    names = names_of(built, BIAS, blocks=blocks)
    offset = names.part("table[0].after")[0] - names.part("table[0]")[0]
    assert names.data(0x5000000 + 2 * element + offset + 1) == f"block[2].after (allocated at main, told.c:{line}) + 1"
    assert names.part("block[2].after") == (0x5000000 + 2 * element + offset, 8)
    assert names.data(0x6000008) == f"48 bytes (allocated at main, told.c:{line}) + 8"
    assert names.data(0x6001000) == "8 bytes (allocated at 0x77)"


@pytest.mark.live
def test_stacks_and_data_of_threads(built):
    names = names_of(built, BIAS, threads=[Thread(1, (0x1FFE801000, 0x1FFF001000)), Thread(2, (0x5000000, 0x57FF000), 0x57FF6C0)])
    assert names.data(0x1FFF000000) == "stack of thread 1"
    assert names.data(0x5001000) == "stack of thread 2"
    assert names.data(0x57FF6D0) == "control block of thread 2+16"
    assert names.data(0x57FF6C0 - 8) == "of_thread of thread 2"


@pytest.mark.live
def test_no_advice_where_bytes_are_shared_and_addresses_where_no_name_leads_back(built):
    names = names_of(built, BIAS)

    def line(written, touched, sharing="false"):
        code = [Code(1, thread, 9, 5, 0, mask) for thread, mask in touched.items()]
        return Line(0x7000000, sharing, 10, tuple(written), written, {}, (*code, Code(2, 3, 0, 0, 0, 1 << 40)))

    assert advice(names, line({1: 255, 2: 255}, {1: 255, 2: 255}, "true")) == ()
    apart = ("0x7000000+8", "0x7000008+8")
    assert advice(names, line({1: 0xFF, 2: 0xFF00, 3: 1 << 40}, {1: 0xFF, 2: 0xFF00})) == apart
    assert advice(names, line({1: 0xFF00FF, 2: 0xFF00}, {1: 0xFF00FF, 2: 0xFF00})) == ()  # they are interleaved
    assert advice(names, line({2: 0xFF00}, {1: 0xFF, 2: 0xFF00}, "none")) == apart  # one reads what lies beside
    both = 1 << 50
    assert advice(names, line({1: 0xFF | both, 2: 0xFF00 | both}, {1: 0xFF, 2: 0xFF00}, "true")) == apart  # once they shared something


@pytest.mark.live
def test_a_source_file_is_read_only_where_its_name_says_that_it_is_one(tmp_path):
    pytest.importorskip("elftools", reason="names need pyelftools")
    secret = tmp_path / "secret"
    secret.write_text("\n" * 9)
    (tmp_path / "a.c").write_text(f'#line 1 "{secret}"\nint x; int main(void) {{ x++; return x; }}\n')
    program = tmp_path / "a"
    run("gcc", "-g", "-o", program, tmp_path / "a.c")
    code = functions(program)["main"] + 8
    row = Line(0x4000, "true", 5, (1, 2), {1: 1, 2: 1}, {}, (Code(code, 1, 5, 5),))
    named = label(Program(objects=[Object(str(program), 0, (), str(program))], lines=[row]))
    assert named.lines[0].source == ("secret:1",) and named.excerpts == []


@pytest.mark.live
def test_names_that_a_terminal_would_obey_are_kept_and_shown_harmlessly(tmp_path):
    from hwmem.printable import printable

    built = build(tmp_path)
    names, table = names_of(built), addresses(built)["table"]
    assert names.data(table).startswith("table[0]")
    damaged = built.read_bytes().replace(b"\0table\0", b"\0\x1b[2Jx\0")
    pathlib.Path(built).write_bytes(damaged)
    said = names_of(built).data(table)
    assert "\x1b" not in printable(said)


def test_of_what_has_no_name_the_first_byte_is_told():
    assert names_of("/gone").touched(0x7000000, 0xFF00F0) == ["0x7000004"]
