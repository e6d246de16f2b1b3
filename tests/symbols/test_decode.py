"""Which instructions address the stack, as a disassembler sees them."""

import re

import pytest

from built import build, needed, run

from hwmem.symbols.decode import uses_stack_pointer

INSTRUCTION = re.compile(r" *[0-9a-f]+:\t((?:[0-9a-f]{2} )+) *\t?(.*)")
BY_ITSELF = re.compile(r"(push|pop|call|ret|leave)")
NO_ACCESS = re.compile(r"(lea|nop|data16|cs nop|prefetch)")


@pytest.mark.live
@pytest.mark.parametrize("flags", [("-O0",), ("-O2", "-mavx2")], ids=["plain", "optimised with AVX2"])
def test_as_the_disassembler_says(tmp_path, flags):
    needed("objdump")
    program = build(tmp_path, "told.cpp", *flags, "-static")
    seen = {True: 0, False: 0}
    for line in run("objdump", "-d", "--no-show-raw-insn", program).splitlines()[:1]:
        assert "file format" in line or not line
    listing = run("objdump", "-d", "--insn-width=15", program).splitlines()
    for found in map(INSTRUCTION.match, listing[:: max(len(listing) // 20000, 1)]):
        if not found or NO_ACCESS.match(found[2]) or "(bad)" in found[2]:
            continue
        stack = bool(BY_ITSELF.match(found[2].removeprefix("bnd ").removeprefix("notrack "))) or "(%rsp" in found[2] or "(%esp" in found[2]
        if "%fs:" in found[2] or "%gs:" in found[2]:
            stack = False
        assert uses_stack_pointer(bytes.fromhex(found[1])) == stack, found[0]
        seen[stack] += 1
    assert min(seen.values()) > 500


@pytest.mark.parametrize("code", [b"", b"\x48", b"\x66\x66", b"\xc4\xe2", b"\x0f"])
def test_an_instruction_that_is_cut_off_is_none_of_them(code):
    assert not uses_stack_pointer(code)
