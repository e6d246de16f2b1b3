"""Types are laid out as Go's compiler lays them out (cmd/compile/internal/types CalcSize): sizes that unsafe.Sizeof gives."""

import pytest

from goalloc.types import array, int32, int64, interface, pointer, slice_of, string, struct, uint8

EMPTY = struct("empty")
INNER = struct("inner", flag=uint8, link=pointer)
ENDS = struct("ends", a=int64, b=EMPTY)


@pytest.mark.parametrize(
    "fields, size",
    [
        ((), 0),
        ((EMPTY, EMPTY), 0),
        ((int64, EMPTY), 16),
        ((EMPTY, int64), 8),
        ((uint8, array(int64, 0)), 16),
        ((pointer, array(uint8, 0)), 16),
        ((ENDS, uint8), 24),
        ((uint8, int32, uint8), 12),
        ((uint8, INNER, array(INNER, 3), string, interface, slice_of), 128),
    ],
)
def test_a_structs_size_is_the_real_ones(fields, size):
    of = struct("T", **{f"f{i}": field for i, field in enumerate(fields)})
    assert of.size == size and of.size % of.align == 0


def test_an_array_may_be_large_but_not_its_mask():
    assert array(int64, 1 << 40).size == 1 << 43 and array(int64, 1 << 40).pointers == ()
    with pytest.raises(ValueError, match="n: takes fewer"):
        array(pointer, 1 << 40)


def test_pointers_are_those_of_the_fields_and_elements():
    of = struct("T", x=uint8, inner=INNER, several=array(INNER, 2), text=string, any=interface)
    assert of.pointers == (16, 32, 48, 56, 72, 80) and of.ptrdata == 88
    assert of.offsets == {"x": 0, "inner": 8, "several": 24, "text": 56, "any": 72}
