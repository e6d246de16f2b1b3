"""C++'s names, as c++filt has them (its answers, without parameters and the blank between >)."""

import pytest

from hwmem.symbols.demangle import demangled

SAID = {
    "_ZN5stats5blockE": "stats::block",
    "_ZL5start": "start",
    "_ZNKSt6vectorIiSaIiEE4sizeEv": "std::vector<int, std::allocator<int>>::size",
    "_ZNSt6threadC1IRFviiEJRiiEvEEOT_DpOT0_": None,  # any answer that ends
    "main": "main",
    "main.raise": "main.raise",
    "_Z": "_Z",
    "_ZNN": "_ZNN",
    "_Z" + "N" * 5000: "_Z" + "N" * 5000,
}


@pytest.mark.parametrize("name", SAID)
def test_as_people_write_them(name):
    pytest.importorskip("itanium_demangler")
    assert SAID[name] is None or demangled(name) == SAID[name]
