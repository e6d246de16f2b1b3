"""Collections of the real Go 1.21.13, program by program: every address, what each collection frees, in which order finalizers run, and the
heap's spans, lists and bitmaps after it, equal (tests/oracles/go/gc_programs.json.gz, recorded at GOMAXPROCS=1 and GOGC=off).

Which free pages the kernel held when a recording began is told by its first look, which ours begins with; what it holds later is compared."""

import gzip
import json
import pathlib

import pytest

import goalloc

FILE = pathlib.Path(__file__).resolve().parents[1] / "oracles" / "go" / "gc_programs.json.gz"
with gzip.open(FILE, "rt") as file:
    RECORDED = json.load(file)


def differences(program, answered):
    """(operation, field, ours, recorded) where they differ."""
    for ours, recorded in zip(answered["collections"], program["collections"], strict=True):
        for field, value in recorded.items():
            if ours.get(field) != value:
                yield recorded["op"], field, ours.get(field), value


@pytest.mark.oracle
@pytest.mark.parametrize("program", RECORDED["programs"], ids=lambda program: program["name"])
def test_a_program_is_collected_as_by_the_real_runtime(program):
    answered = goalloc.answers.gc_program(program, RECORDED["starts"][program["start"]])
    assert answered["addresses"] == program["addresses"]
    assert list(differences(program, answered)) == []
    assert answered["ops"] == program["ops"], "what was given stays"


@pytest.mark.oracle
def test_what_is_no_recorded_program_is_refused_in_one_line():
    with pytest.raises(TypeError, match="program: takes a dict, not int"):
        goalloc.answers.gc_program(3, {})
    with pytest.raises(ValueError, match="start: has no spans, full, stats"):
        goalloc.answers.gc_program(RECORDED["programs"][0], {})
