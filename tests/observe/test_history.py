"""A line's history from the event log, against the machine's own states; the lesson, forwards and backwards."""

import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest
from observed import BASE, machine, random_trace, replay

import hwmem
from hwmem.experiments.classroom import BASE as LESSON_BASE
from hwmem.experiments.classroom import LESSON, LINES, Classroom, walk
from hwmem.cli.cli import main
from hwmem.cache.protocol import PROTOCOLS
from hwmem.observe import events, switches
from hwmem.observe.history import busiest, history
from hwmem.report.history import history_table, picture


SILENT = ("EM", "SO")  # a store that made E into M is not logged; under MOESI it becomes O where E would have become S


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_states_are_those_of_the_machine_but_for_silent_stores(protocol, seed):
    """After each of many accesses on few lines, so that none is dropped for want of room."""
    m = machine(protocol=protocol, l1d={"size": "4KiB", "ways": 8}, l2=None)
    switches.start(m, events=10_000)
    for access in random_trace(np.random.default_rng(seed), 300, 4):
        replay(m, [access])
        log = events.events(m)[0]
        for line in {int(e["line"]) for e in log}:
            held = m.line(line << 6)["state"]
            now = "".join(held.get(c, "I") for c in range(4))
            told = history(log, line, 4, protocol)[-1].states
            assert all(a == b or a + b in SILENT for a, b in zip(told, now, strict=True)), (told, now)


def test_a_table_and_a_picture_tell_every_request():
    m = machine()
    switches.start(m, events=100)
    replay(m, [(0, BASE, 8, False), (1, BASE, 8, True), (2, BASE, 8, False), (3, BASE + 64, 8, True)])
    log = events.events(m)[0]
    assert busiest(log) == BASE >> 6
    moments = history(log, BASE >> 6, 4, "mesi")
    assert [(x.core, x.request, x.supplier, x.states) for x in moments] == [
        (0, "GETS", -1, "EIII"),
        (1, "GETX", 0, "IMII"),
        (2, "GETS", 1, "ISSI"),
    ]
    assert len(history_table(moments, 4).splitlines()) == 4
    svg = xml.fromstring(picture(moments, 4, "a < b"))
    texts = [node.text for node in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b" in texts and "core 1 GETX" in texts and texts.count("I") == 4 + 3 + 3 + 2
    arrows = [node for node in svg.iter("{http://www.w3.org/2000/svg}line") if node.get("marker-end")]
    assert len(arrows) == 2 and "href" not in picture(moments, 4, "")


def test_the_lesson_shows_each_transition_of_mesi():
    lesson = Classroom()
    seen = [lesson.seen[0]] + [lesson.seen[-1] for _ in LESSON if lesson.forward()]
    states = [tuple(s.states[name] for name in LINES) for s in seen]
    assert states == [("...", "...", "...", "...")] + [
        (a0, a1, a2, a3)
        for a0, a1, a2, a3 in (
            ("E..", "...", "...", "..."),
            ("E..", "...", "...", "..."),
            ("M..", "...", "...", "..."),
            ("M..", "...", "...", "..."),
            ("SS.", "...", "...", "..."),
            ("SSS", "...", "...", "..."),
            (".M.", "...", "...", "..."),
            ("SS.", "...", "...", "..."),
            ("..M", "...", "...", "..."),
            (".M.", "...", "...", "..."),
            ("...", "...", ".E.", "..."),
            ("...", "...", ".M.", "..."),
            ("...", "...", "SS.", "..."),
            ("E..", "...", ".S.", "..."),
            ("E..", "..M", ".S.", "..."),
            ("E..", "...", ".S.", "..E"),
            ("E..", ".E.", ".S.", "..E"),
        )
    ]
    values = [s.value for s in seen[1:]]
    assert values == [0, 0, 1, 2, 2, 2, 3, 3, 4, 5, 0, 6, 6, 5, 7, 0, 7]
    assert not lesson.forward() and lesson.at == len(LESSON)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_step_back_is_where_the_lesson_was(protocol):
    lesson = Classroom(protocol)
    texts = [lesson.text()]
    while lesson.forward():
        texts.append(lesson.text())
    for before in reversed(texts[:-1]):
        assert lesson.back() and lesson.text() == before
        lesson.machine.check()
    assert not lesson.back()


def test_the_lesson_is_walked_by_keys():
    shown = []
    walk(Classroom(), ["b", "", "", "b", "q", ""], shown.append)
    assert shown[1] == "that is the beginning" and len(shown) == 5
    assert "2 of 17" in shown[3] and "1 of 17" in shown[4] and shown[4] == shown[2]


def test_the_commands_print_and_draw(capsys, tmp_path):
    assert main(["classroom", "--step", "5", "-o", str(tmp_path / "a0.svg")]) == 0
    out = capsys.readouterr().out
    assert "5 of 17" in out and max(map(len, out.splitlines())) <= 100
    assert xml.parse(tmp_path / "a0.svg").getroot().tag.endswith("svg")
    result = tmp_path / "r.hwm"
    hwmem.run("false-sharing", threads=2, iterations=30, events=50).save(result)
    assert main(["trace-line", str(result), "counters", "-o", str(tmp_path / "l.svg")]) == 0
    out = capsys.readouterr().out
    assert re.match(r"counters\[0\] \(0x7f[0-9a-f]+\): ", out) and "answered by" in out
    assert main(["trace-line", str(result), "nothing"]) == 2
    assert capsys.readouterr().err.startswith("hwmem: 'nothing' is on no contended line; there are counters[0]")
    hwmem.run("false-sharing", threads=2, iterations=30).save(result)
    assert main(["trace-line", str(result)]) == 2
    assert "hwmem run --events N" in capsys.readouterr().err
    assert LESSON_BASE % 128 == 0
