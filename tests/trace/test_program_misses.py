"""The program's own D1 misses of a recorded program, on the machine as it comes: cachegrind's, but for what page walks push out.

    l1d.misses of "program"                the walker's and the kernel's look-ups are counted beside them
      - l1d.upgrades                       a store to a line that is there, in S: cachegrind knows no such miss (MSI)
      - split_double_misses                a reference to two lines is at most one miss there

Walks' own lines push out some of the program's: as many misses more, or fewer, as lines they bring into the L1 at most, here. With
walker.path = "memory" they bring none, and with mmu=False there are no walks.
"""

import json

import numpy as np
import pytest

import tools
from conftest import DATA, PROGRAMS
from hwmem.config.machine import MachineConfig
from hwmem.machine.machine import Machine
from hwmem.trace import open_trace

ANSWERS = json.loads((DATA / "cachegrind.json").read_text())
L1 = {"size": "32KiB", "ways": 8}  # the first of the recorded geometries
SIZES_OF_PAGES = ("never", "always")  # thp: 4 KiB, 2 MiB
PROTOCOLS = ("msi", "mesi", "moesi", "mesif")


def cachegrinds(program):
    case = next(case for case in ANSWERS[program] if case["d1"] == [64, 8])
    return case["events"]["D1mr"] + case["events"]["D1mw"]


@pytest.fixture(scope="module", params=[*PROGRAMS, "cksum"])
def named_references(request):
    block = open_trace(DATA / f"{request.param}.lackey.xz").read()
    return request.param, (block.addresses, block.is_store, np.minimum(block.sizes, tools.LINE_BYTES))


def own_misses(references, changes=(), **settings):
    """(the program's D1 misses as cachegrind counts them, lines that walker and kernel brought into the L1)."""
    config = MachineConfig().replace(l1d=L1, **settings).with_overrides(list(changes))
    core = Machine(config).replay(references)["cores"][0]
    program = core["program"]
    return (
        program["l1d.misses"] - program["l1d.upgrades"] - core["split_double_misses"],
        core["walker"]["l1d.misses"] + core["kernel"]["l1d.misses"],
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_pages_they_are_cachegrinds(named_references, protocol):
    name, references = named_references
    assert own_misses(references, mmu=False, protocol=protocol) == (cachegrinds(name), 0)


@pytest.mark.parametrize("thp", SIZES_OF_PAGES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_pages_they_differ_by_no_more_than_the_lines_that_walks_bring(named_references, thp, protocol):
    name, references = named_references
    misses, brought = own_misses(references, thp=thp, protocol=protocol)
    assert 0 < brought and abs(misses - cachegrinds(name)) <= brought
    if name == "cksum":
        assert abs(misses - cachegrinds(name)) <= 0.02 * cachegrinds(name)


@pytest.mark.parametrize("thp", SIZES_OF_PAGES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_walks_past_the_caches_they_are_cachegrinds(named_references, thp, protocol):
    name, references = named_references
    assert own_misses(references, ["walker.path=memory"], thp=thp, protocol=protocol) == (cachegrinds(name), 0)
