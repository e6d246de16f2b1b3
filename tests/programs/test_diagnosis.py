"""What can be seen in a kernel's source before it runs: widths of loads and stores that there are not."""

import hwmem.kernels as operations
from hwmem.kernels import kernel, load, load_segment, store, store_release
from hwmem.programs.diagnosis import SIZES, width_that_is_none

WIDTH, WORD = 5, 8


@kernel
def every_width(m, w):
    for size in (1, 2, 3):
        load(m, 0, w.a, size)
    WORD = 3
    store(m, 0, w.a, WORD, load(m, 0, w.a, 1) + load(m, 0, w.a, 2) + load(m, 0, w.a, 4) + load(m, 0, w.a, 8))


@kernel
def written(m, w):
    load(m, 0, w.a, 3)


@kernel
def named(m, w):
    store(m, 0, w.a, WIDTH, 1)


@kernel
def negative(m, w):
    store_release(m, 0, w.a, -8, 1)


@kernel
def of_a_module(m, w):
    operations.load_acquire(m, 0, w.a, 16)


@kernel
def by_keyword(m, w):
    load(m, 0, w.a, size=0)


@kernel
def through_a_segment(m, w):
    load_segment(m, 0, 3, 0, 7)


@kernel
def called(m, w):
    if w.again:
        called(m, w)
    through_a_segment(m, w)


def place_of(function):
    return function.py_func.__code__.co_filename, function.py_func.__code__.co_firstlineno + 2


def test_a_width_that_is_written_as_a_number_is_seen_where_it_is_used():
    for function, width in ((written, 3), (named, 5), (negative, -8), (of_a_module, 16), (by_keyword, 0), (through_a_segment, 7)):
        file, line, text = width_that_is_none(function)
        assert (file, line) == place_of(function) and text.endswith(f"of {width}") and ", ".join(map(str, SIZES)) in text
    assert width_that_is_none(called) == width_that_is_none(through_a_segment)


def test_what_may_be_right_is_not_refused():
    assert width_that_is_none(every_width) is None
