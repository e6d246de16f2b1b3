"""Programs built and recorded here: false sharing found where it is, and what padding is worth, which a recording of the padded program confirms."""

import contextlib
import gzip
import io
import json
import os

import pytest

from built import HERE, needed, run

from hwmem.cli.cli import main

CLOSE = 0.15  # of a gain


def answer(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([str(word) for word in words]) == 0
    return json.loads(out.getvalue())


def recorded(folder, program, *options):
    trace = folder / f"{program.name}.trace"
    assert main(["record", *options, "-o", str(trace), "--", str(program)]) == 0
    return trace


@pytest.fixture
def counters(tmp_path):
    """(program whose counters are neighbours, the same with each on a line of its own)."""
    needed("valgrind", "gcc")
    programs = tmp_path / "near", tmp_path / "padded"
    for program, pad in zip(programs, ("", "_Alignas(64)")):
        run("gcc", "-g", "-O1", "-pthread", f"-DPAD={pad}", "-o", program, HERE / "counters.c")
    return programs


@pytest.mark.live
def test_the_gain_that_apart_foretells_is_that_of_the_padded_program(counters, tmp_path):
    near, padded = (recorded(tmp_path, program) for program in counters)
    plain = answer("trace", near, "--json")
    worst = plain["program"]["lines"][0]
    assert "counters[0].value" in worst["symbol"] and "counters[1].value" in worst["symbol"]
    assert worst["source"][0].startswith("counters.c:") and worst["apart"] == ["counters[0]", "counters[1]"]
    line = (HERE / "counters.c").read_text().split("\n")[int(worst["source"][0].partition(":")[2]) - 1]
    assert "mine->value +=" in line
    told = answer(
        "trace", near, "--json", "--apart", ",".join(worst["apart"]), "--callgrind", tmp_path / "out", "--pprof", tmp_path / "out.pb.gz"
    )
    before, after = told["comparison"]["cells"][0]
    assert before == plain["cycles"] and after == told["cycles"]
    assert all("counters" not in (one["symbol"] or "") for one in told["program"]["lines"] if one["hitm"] > 20)
    gain = plain["cycles"] / answer("trace", padded, "--json")["cycles"]
    assert before / after == pytest.approx(gain, rel=CLOSE) and gain > 1.5
    assert "mine" not in (tmp_path / "out").read_text() and "fn=" in (tmp_path / "out").read_text()
    assert b"counters.c" in gzip.decompress((tmp_path / "out.pb.gz").read_bytes())


@pytest.mark.live
def test_two_goroutines_on_neighbouring_fields(tmp_path):
    needed("valgrind", "go")
    (tmp_path / "main.go").write_bytes((HERE / "fields.go.txt").read_bytes())
    program = tmp_path / "fields"
    run("go", "build", "-o", program, tmp_path / "main.go", env=os.environ | {"GOFLAGS": "-mod=mod"})
    found = answer("trace", recorded(tmp_path, program), "--json")["program"]
    fields = next(line for line in found["lines"] if "main.shared.left" in line["symbol"])
    assert "main.shared.right" in fields["symbol"] and "main.apart" not in fields["symbol"] and fields["sharing"] == "false"
    assert "main.raise" in {code["function"] for code in fields["code"]} and any(name.startswith("main.go:") for name in fields["source"])
    assert not [note for note in found["notes"] if "damaged" in note]
    assert any(line["symbol"].startswith("runtime.") for line in found["lines"])


@pytest.mark.live
@pytest.mark.parametrize("order", ["clock", "conflict"])
def test_parts_that_are_moved_keep_the_order_of_the_rest(counters, tmp_path, order):
    trace = recorded(tmp_path, counters[0])
    words = ["trace", trace, "--json", "--order", order, "--top", "0"]
    plain, apart = answer(*words), answer(*words, "--apart", "counters[0]")
    for name in ("threads", "forced_steps", "process"):
        assert apart["program"][name] == plain["program"][name]
    assert sorted(map(str, apart["program"]["memory_calls"])) == sorted(map(str, plain["program"]["memory_calls"]))
    assert apart["parameters"]["apart"] == "counters[0]" and apart["cycles"] < plain["cycles"]
