"""Addresses to variables and fields, and back, as the compiler places them."""

import os

import pytest

from hwmem.symbols.label import label
from hwmem.symbols.names import could_be
from hwmem.trace.program import Code, Line, MemoryCall, Program

from built import BIAS, HERE, addresses, build, names_of, needed, run, said

VARIANTS = {
    "pie": (),
    "static": ("-static", "-no-pie"),
    "dwarf 4": ("-gdwarf-4",),
    "optimised": ("-O2",),
    "compressed": ("-gz",),
    "type units": ("-fdebug-types-section",),
    "type units of dwarf 4": ("-fdebug-types-section", "-gdwarf-4"),
}


@pytest.mark.live
@pytest.mark.parametrize("flags", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("source", ["told.c", "told.cpp"])
def test_parts_of_variables_have_the_names_and_places_that_the_compiler_gives_them(tmp_path, source, flags):
    program = build(tmp_path, source, *flags)
    bias = 0 if "-no-pie" in flags else BIAS
    names, where, rows = names_of(program, bias), addresses(program), said(program)
    assert len(rows) > 7
    for base, name, offset, size in rows:
        start = where[base] if base in where else next(a for n, a in where.items() if n.endswith(f"::{base}"))
        if base != "plain":  # two files have one
            assert names.part(name) == (start + offset + bias, size), name
        assert names.data(start + offset + bias) == name, hex(start + offset)
    assert names.limits == []


@pytest.mark.live
def test_bytes_within_a_field_padding_and_bit_fields(tmp_path):
    program = build(tmp_path)
    names, table = names_of(program), addresses(program)["table"]
    counter, _ = names.part("table[1].counter")
    assert names.data(counter + 3) == "table[1].counter+3"
    assert names.data(names.part("table[0].row[0][0].tag")[0] + 1) == "table[0].row[0][0]+1"  # alignment of what follows
    bits = names.part("table[0].row[1][2].both.word")[0] + 8
    assert [names.data(bits + n) for n in range(3)] == ["table[0].a|b", "table[0].c", "table[0].c"]
    assert names.touched(table, 0b1111 << 2) == ["table[0].row[0][0].p[0].low", "table[0].row[0][0].p[0].high"]


@pytest.mark.live
def test_variables_of_a_function_and_of_a_thread(tmp_path):
    program = build(tmp_path)
    where = addresses(program)
    names = names_of(program)
    kept = next(address for name, address in where.items() if name.startswith("kept."))
    assert names.data(kept + 8) == "within::kept[1]"
    assert names.part("within::kept[1]") == (kept + 8, 8)


def test_which_symbols_a_name_may_mean():
    """Compilers number statics of one name; a Go symbol is its package's and its own name."""
    for symbol in ("counters", "counters.0", "counters.lto_priv.1", "counters.llvm.7722", "_ZN5stats8countersE"):
        assert could_be(symbol, "counters[1].value")
    assert could_be("runtime.sched", "runtime.sched.lock.key")
    assert not could_be("runtime.mheap_", "runtime.sched.lock.key") and not could_be("counters2", "counters[1]")


@pytest.mark.live
@pytest.mark.parametrize(
    "wanted, reason",
    [
        ("tabel[0]", "no variable of that name"),
        ("table[9].after", "has 4 elements"),
        ("table[1].befor", "no such field; there are row, a, b, c, after"),
        ("table[1].a", "a bit-field has no byte of its own"),
        ("table.after", "an array takes an index"),
        ("plain", "2 variables have that name: say 0x"),
        ("table[1]..after", "takes .field and"),
        ("0x10+z", "takes 0xADDRESS"),
        ("0x7fffffffffff+8", "no bytes that a program could have"),
    ],
)
def test_what_is_no_part_of_a_variable_is_refused_in_a_line(tmp_path, wanted, reason):
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        names_of(build(tmp_path)).part(wanted)


@pytest.mark.live
def test_part_of_an_array_is_all_its_elements_there(tmp_path):
    names = names_of(build(tmp_path))
    start, size = names.part("matrix")
    assert size == 3 * 4 * 5 * 4
    assert names.part("matrix[1]") == (start + 80, 80)
    assert names.part("matrix[1][2]") == (start + 80 + 40, 20)


@pytest.mark.live
def test_without_debugging_information_symbols_and_offsets_are_left(tmp_path):
    program = build(tmp_path, "told.cpp", "-g0")
    names, block = names_of(program), addresses(program)["stats::block"]
    assert names.data(block) == "stats::block"
    assert names.data(block + 40) == "stats::block+40"


@pytest.mark.live
def test_runtime_structures_and_fields_of_a_go_program(tmp_path):
    needed("go")
    (tmp_path / "main.go").write_bytes((HERE / "told.go.txt").read_bytes())
    program = tmp_path / "told"
    run("go", "build", "-o", program, tmp_path / "main.go", env=os.environ | {"GOFLAGS": "-mod=mod"})
    where, names, rows = addresses(program), names_of(program), said(program)
    for base, name, offset, size in rows:
        start = where[f"main.{base}"]
        assert (names.part(f"main.{name}"), names.data(start + offset)) == ((start + offset, size), f"main.{name}")
    assert len(rows) > 4 and names.is_go and names.limits == []
    assert names.data(names.part("runtime.sched.lock.key")[0]) == "runtime.sched.lock.key"
    assert names.data(where["runtime.m0"]) == "runtime.m0.g0"
    pc = next(int(line.split()[0], 16) for line in run("nm", program).splitlines() if line.endswith(" main.raise"))
    found = names.code(pc + 1)
    assert (found.function, found.source.partition(":")[0]) == ("main.raise", "main.go")
    assert names.data(0xC000_0001_40) == "0xc000000140"
    main = next(int(line.split()[0], 16) for line in run("nm", program).splitlines() if line.endswith(" main.main"))
    push = next(main + n for n, byte in enumerate(names.objects.at(main).image.bytes_at(main, 200)) if byte == 0x55)  # push %rbp
    calls = [MemoryCall(1, "mmap", (0xC000000000, 0x4000000, 3, 50, 0, 0), 0xC000000000)]
    line = Line(0xC000036600, "false", 3, (1, 2), {1: 0xFF, 2: 0xFF00}, {}, (Code(push, 1, 2, 2, 0, 0xFF),))
    other = line._replace(code=(Code(pc, 1, 2, 2, 0, 0xFF),))  # main.raise adds to what its argument points to
    found = label(Program(objects=names.program.objects, memory_calls=calls, lines=[line, other]))
    assert [one.symbol for one in found.lines] == ["goroutine stack in main.main", "Go heap+0x36600"]
