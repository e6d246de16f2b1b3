"""Two results side by side: what differs, and nothing else."""

import hwmem
from hwmem.runs.difference import difference_text


def test_a_result_does_not_differ_from_itself():
    a, b = (hwmem.run("false-sharing", threads=2, iterations=100) for _ in range(2))
    assert hwmem.difference(a, b) == {"settings": [], "figures": []} and difference_text(a, b) == "Nothing differs."


def test_what_was_set_and_what_came_out_otherwise():
    a = hwmem.run("false-sharing", threads=2, iterations=2000)
    b = hwmem.run("false-sharing", hwmem.MachineConfig().replace(protocol="moesi"), threads=2, iterations=2000, stride=64)
    found = hwmem.difference(a, b)
    assert {(row["name"], row["a"], row["b"]) for row in found["settings"]} == {("stride", 8, 64), ("protocol", "mesi", "moesi")}
    figures = {row["name"]: row for row in found["figures"]}
    assert [row["name"] for row in found["figures"]][:3] == ["cycles", "seconds", "cost"]
    assert figures["cycles"]["a"] == a.cycles and figures["cycles"]["ratio"] == b.cycles / a.cycles
    assert "loads" not in figures, "both made as many"
    assert "moesi" in difference_text(a, b, ("first", "second")) and "first" in difference_text(a, b, ("first", "second"))
