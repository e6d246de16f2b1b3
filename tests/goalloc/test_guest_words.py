"""The words that a process keeps for a runtime without emulated memory: each has one meaning, for Go's collector runs behind the programs of the
other collectors, too, and counts in the same process as they."""

import re

from goalloc import params as P
from hwmem.layout import MACHINE

SECTION = re.compile(r"^# What a process counts without.*?(?=^# What a thread of such a process)", re.M | re.S)
BITS = {"ENABLED", "MARKING", "SWEEPING", "SYSTEM", "READY", "ALONE", "UNPUBLISHED", "BEGINS", "TOGETHER", "PERIODIC"}


def test_no_word_has_two_meanings():
    with open(P.__file__) as file:
        section = SECTION.search(file.read())[0]
    names = [name for line in re.findall(r"^[A-Z][A-Z_, ]*(?= = )", section, re.M) for name in line.split(", ")]
    words = {name: getattr(P, name) for name in names if name not in BITS}
    assert {"MALLOCS", "GLOBALS_MASK", "TURNS", "COLLECTOR_CYCLES", "POLICY"} <= words.keys()
    assert len(set(words.values())) == len(words)
    assert max(words.values()) < MACHINE["process"].base["guest"].shape[0]
