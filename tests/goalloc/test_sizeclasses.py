"""The generated size classes are the real ones, and every size goes where the real allocator puts it."""

import numpy as np
import pytest
from recorded import oracle

from goalloc import sizeclasses as S
from goalloc.params import pageSize


@pytest.mark.oracle
def test_the_classes_and_their_magic_are_the_real_ones():
    for row in oracle("sizes")["classes"]:
        c = row["class"]
        assert (S.class_to_size[c], S.class_to_allocnpages[c] * pageSize, S.class_to_divmagic[c]) == (
            row["bytes_per_obj"],
            row["bytes_per_span"],
            row["div_magic"],
        )


@pytest.mark.oracle
def test_the_lookup_tables_are_the_real_ones():
    sizes = oracle("sizes")
    assert list(S.size_to_class8) == sizes["size_to_class8"] and list(S.size_to_class128) == sizes["size_to_class128"]


@pytest.mark.oracle
def test_the_table_says_what_the_real_source_says_of_waste():
    for ours, real in zip(S.size_classes(), oracle("sizes")["classes"][1:], strict=True):
        assert (ours["objects"], ours["tail waste"]) == (real["objects"], real["tail_waste"])
        assert 100 * ours["max waste"] == pytest.approx(real["max_waste_pct"], rel=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("noscan", [True, False])
def test_every_size_gets_the_span_that_the_real_allocator_gives_it(runtime, noscan):
    rt = runtime(gomaxprocs=1)
    if noscan:
        ranges = [(r, n) for r in oracle("sizes")["ranges_noscan_step1"] for n in range(r["lo"], r["hi"] + 1)]
    else:
        ranges = [(r, n) for r in oracle("sizes")["ranges_scan_step8"] for n in range(r["lo"], r["hi"] + 1, 8)]
    addresses = rt.malloc_many([n for _, n in ranges], noscan=noscan)
    known = {}
    for (row, n), a in zip(ranges, addresses.tolist()):
        if n == 0:
            assert a == known.setdefault("zerobase", a)
            continue
        page = a // pageSize
        if page not in known:
            known[page] = rt.span_of(a)
        span = known[page]
        assert span["spanclass"] == row["spanclass"] and span["npages"] == row["span_pages"], (n, row, span)
        assert n > 32768 or (span["elemsize"] == row["rounded"] and span["nelems"] == row["objs_per_span"]), (n, row, span)


@pytest.mark.oracle
def test_large_objects_have_spans_as_the_real_ones(runtime):
    rt = runtime(gomaxprocs=1)
    for row in oracle("sizes")["large_objects"]:
        for noscan, spanclass in ((True, row["noscan_spanclass"]), (False, row["scan_spanclass"])):
            if not noscan and row["size"] % 8:
                continue
            span = rt.span_of(rt.mallocgc(row["size"], noscan=noscan))
            assert (span["npages"], span["elemsize"], span["nelems"], span["spanclass"], span["limit"] - span["base"]) == (
                row["pages"],
                row["elemsize"],
                row["nelems"],
                spanclass,
                row["limit_minus_start"],
            )


def test_no_bytes_are_the_address_of_one_variable(runtime):
    rt = runtime(gomaxprocs=1)
    assert rt.mallocgc(0) == rt.mallocgc(0, noscan=False) and rt.span_of(rt.mallocgc(0)) is None


def test_one_table_lookup_fits_all_small_sizes():
    assert all(S.class_to_size[S.size_class(n)] >= n for n in range(1, 32769))
    assert np.all(np.diff(S.class_to_size) > 0)
