"""Parts of variables on lines of their own: what moves, what does not, what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from hwmem.machine.records import ADDRESS_SHIFT, ATOMIC, CALL, KIND_BITS, LOAD, MODIFY_STORE, STORE
from hwmem.runs.apart import HOME, Apart

PARTS = {"a": (0x1000, 8), "b": (0x1008, 8), "wide": (0x2010, 100), "in a": (0x1004, 4), "huge": (0x10000, 1 << 30)}


def names():
    def part(words):
        if words not in PARTS:
            raise ValueError(f"{words}: there is no variable of that name")
        return PARTS[words]

    return SimpleNamespace(part=part)


def word(address, size, kind=LOAD):
    return address << ADDRESS_SHIFT | size - 1 << KIND_BITS | kind


def moved(apart, *words):
    array = np.array(words, np.int64)
    apart.move(array)
    return array.tolist()


def test_every_kind_of_access_to_a_part_goes_to_its_line_and_keeps_its_size_and_offset():
    apart = Apart(names(), ["a", "b", "wide"])
    assert moved(apart, word(0x1000, 8, STORE), word(0x100C, 2, MODIFY_STORE), word(0x1008, 8, ATOMIC)) == [
        word(HOME, 8, STORE),
        word(HOME + 64 + 4, 2, MODIFY_STORE),
        word(HOME + 64, 8, ATOMIC),
    ]
    assert moved(apart, word(0x2010 + 99, 1)) == [word(HOME + 128 + 99, 1)]
    assert apart.lines.tolist() == [HOME // 64 + n for n in range(4)] and apart.pages == (HOME, 4096)


def test_what_is_beside_a_part_or_reaches_beyond_it_stays():
    apart = Apart(names(), ["a", "b"])
    stay = [word(0x0FF8, 8), word(0x1010, 8), word(0x0FFC, 8), word(0x1004, 8), word(0x100C, 8), 0x1000 << ADDRESS_SHIFT | CALL]
    assert moved(apart, *stay) == stay
    assert apart.across == 4  # one of them reaches from one part into the other


def test_masks_move_with_the_parts():
    apart = Apart(names(), ["a", "b"])
    masks = {0x1000: {1: (0xFF, 0xFF, 5, 5), 2: (0xFF00, 0xFF0000, 7, 7)}, 0x3000: {1: (1, 0, 1, 0), 2: (0, 1, 0, 1)}}
    assert apart.masks(masks) == {
        HOME: {1: (0xFF, 0xFF)},
        HOME + 64: {2: (0xFF, 0)},
        0x1000: {2: (0, 0xFF0000)},
        0x3000: {1: (1, 0), 2: (0, 1)},
    }
    assert apart.symbol(HOME) == "a" and apart.symbol(HOME + 64) == "b" and apart.symbol(0x1000) is None


@pytest.mark.parametrize(
    "wanted, reason",
    [
        ([], "1 to 64 parts"),
        (["c"], "no variable"),
        (["a", "in a"], "overlap"),
        (["a", "a"], "overlap"),
        (["huge"], "up to 16,777,216 bytes"),
    ],
)
def test_what_cannot_be_moved_is_refused_in_a_line(wanted, reason):
    with pytest.raises(ValueError, match=reason):
        Apart(names(), wanted)
