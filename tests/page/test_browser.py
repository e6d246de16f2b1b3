"""Pages in a browser: everything on them works by mouse and by keys alone, in both colour schemes and widths, and says nothing to the
console."""

import pytest

from dataclasses import replace
from urllib.parse import unquote

from hwmem.cache.protocol import GETS
from hwmem.experiments.claims import EXPERIMENTS
from hwmem.experiments.experiment import Outcome, Table, Verdict
from hwmem.experiments.page import address, around, index_page, outcome_page
from hwmem.page import comparison, document, page
from hwmem.page.blocks import chart, lanes, panel, section
from hwmem.runs.difference import difference
from page.pages import HOSTILE, event_log, result

pytestmark = pytest.mark.live
SCHEMES = [(width, dark) for width in (1280, 390) for dark in (False, True)]
LOOKS = pytest.mark.parametrize("width, dark", SCHEMES, ids=lambda value: str(value))
HELD = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"


def arenas():
    """A page with the block that only Go's pages have."""
    runs = [[300, 1], [20, 0], [7, 3], [500, 4], [1000, 5]]
    block = {
        "kind": "pages",
        "kinds": ["small", "with pointers", "large", "stacks", "free", "returned"],
        "colours": ["c0", "c1", "c2", "c3", "I", "c7"],
        "across": 128,
        "areas": [{"name": "Arena at 0xc000000000", "runs": runs}],
        "note": "A square is a page.",
    }
    pieces = [[(0.001 * k, 0.001 * k + 0.0004, k % 2) for k in range(p, 40, 3)] for p in range(3)]
    ps = lanes("The collector on the Ps", [(f"P {p}", own) for p, own in enumerate(pieces)], ["marking", "sweeping"], "Empty: the program.")
    over = chart([0.001 * k for k in range(41)], [panel("Heap", "bytes", [("live", list(range(41)))]), ps], "The run over time")
    return document("Arenas", [section("heap", "The heap", [block]), section("time", "Over time", [over])])


def outcomes(names=("DONTNEED", "FREE", "munmap"), says="after DONTNEED 0 KiB stay"):
    """Three, one of each verdict; `names`: of rows."""
    kinds = {"madvise-return": True, "fork-storm": False, "recorded-program": None}
    made = []
    for name, holds in kinds.items():
        one = EXPERIMENTS[name]
        rows = [[row, *(k + n for n in range(len(one.columns) - 1))] for k, row in enumerate(names)]
        made.append(
            Outcome(one, Table(one.columns, [] if holds is None else rows), Verdict(holds, says), 0, (), (f"hwmem run {name}",), "hwmem")
        )
    return made


def pages():
    a, b = result(), result(cycles=9_000_000, seed=4)
    return {
        "run": page(a),
        "two": comparison(a, b, difference(a, b)),
        "arenas": arenas(),
        "bare": page(result(lines=0, events=0, samples=0)),
        "claim": outcome_page(outcomes()[0], around({one.experiment.name: one.experiment for one in outcomes()}, "fork-storm")),
        "claims": index_page(outcomes(), "hwmem"),
    }


PAGES = pages()


@LOOKS
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_a_word_and_fits_the_screen(browser, name, width, dark):
    browser.open(PAGES[name], width, dark)
    assert browser.one("main h2").is_displayed() and browser.errors() == []
    assert browser.script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    shade = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, shade.removeprefix("rgb(").rstrip(")").split(","))) < 200) == dark


@LOOKS
@pytest.mark.parametrize("name", ["run", "two", "arenas", "claim", "claims"])
def test_nothing_keeps_anybody_out(browser, axe, name, width, dark):
    browser.open(PAGES[name], width, dark)
    browser.script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert browser.violations(axe) == []


def test_a_table_is_sorted_and_filtered(browser):
    browser.open(PAGES["two"])
    (table,) = [t for t in browser.all("table") if "figure" in t.text]
    (head,) = [b for b in table.find_elements("css selector", "th button") if b.text == "a"]
    column = "return [...arguments[0].querySelectorAll('tbody tr')].map(r => r.children[1].textContent)"
    head.click()
    down = browser.script(column, table)
    head.click()
    assert down != browser.script(column, table) and down[0] == browser.script(column, table)[-1]
    assert browser.all("th[aria-sort=ascending]") and browser.errors() == []


def test_lines_are_filtered_and_their_bytes_are_told_one_by_one(browser):
    browser.open(page(result(names=("alpha", "beta", "gamma", "delta"), lines=9)))
    assert len(browser.all("article")) == 6 and "6 of 9 lines" in browser.one("#sharing").text
    browser.button("Show 3 more", "#sharing").click()
    assert len(browser.all("article")) == 9
    browser.one("#sharing input").send_keys("0x7080")
    assert [h.text for h in browser.all("article code") if h.text.startswith("0x")] == ["0x7080"]
    browser.one("#sharing input").clear()
    browser.one("#sharing input").send_keys("a")
    grid = browser.all(".bytes")[0]
    browser.script("arguments[0].focus()", grid)
    for keys, said in (
        ("", "byte 0: thread 0, alpha"),
        ("\ue014" * 9, "byte 9: thread 1, beta+1"),
        ("\ue015", "byte 17: thread 2, gamma+1"),
    ):
        browser.press(keys)
        assert browser.all("article .said")[0].text == said
    browser.press("\ue010")
    assert browser.all("article .said")[0].text == "byte 63: nobody" and browser.errors() == []


def test_the_matrix_filters_by_line_request_and_measure(browser):
    r = result()
    browser.open(page(r))
    selects = browser.all("#traffic .block:first-of-type select")
    cells = "return [...document.querySelectorAll('.matrix tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => c.textContent))"
    every = browser.script(cells)
    line, request, measure = selects[:3]
    line.send_keys("counters[0]")
    assert "200 requests" in browser.one("#traffic .controls").text
    of_one = browser.script(cells)
    assert of_one != every
    request.find_elements("css selector", "option")[1].click()
    log = r.events[(r.events["line"] == r.lines[0]["physical"] >> 6) & (r.events["request"] == GETS)]
    assert f"{len(log)} requests" in browser.one("#traffic .controls").text
    measure.find_elements("css selector", "option")[1].click()
    counted = sum(int(cell.replace(",", "")) for row in browser.script(cells) for cell in row if cell != "–")
    assert counted == int(log["latency"].sum()) and browser.errors() == []


def test_a_history_goes_forward_and_back_by_buttons_slider_and_keys(browser):
    browser.open(PAGES["run"])
    said = lambda: browser.one('[aria-label="a line\'s history"] .said').text  # noqa: E731
    assert said().startswith("Request 1 of 200") and not browser.button("Back").is_enabled()
    browser.button("Forward").click()
    browser.button("Forward").click()
    assert said().startswith("Request 3 of 200, cycle 400: core 2 asks to read it (GETS). Core 1 answers. 6")
    browser.button("Back").click()
    assert said().startswith("Request 2 of 200, cycle 200: core 1")
    browser.button("Last").click()
    assert said().startswith("Request 200 of 200") and not browser.button("Forward").is_enabled()
    browser.script("arguments[0].focus()", browser.one('[aria-label="a line\'s history"]'))
    browser.press("\ue011")
    assert said().startswith("Request 1 of")
    browser.press("\ue014\ue014")
    assert said().startswith("Request 3 of")
    browser.script("arguments[0].focus()", browser.one("input[type=range]"))
    browser.press("\ue014")
    assert said().startswith("Request 4 of") and browser.errors() == []


def test_the_stage_shows_the_states_of_the_step(browser):
    r = result()
    browser.open(PAGES["run"])
    from hwmem.observe.history import history

    moments = history(r.events, r.lines[0]["physical"] >> 6, 4, r.config.protocol)
    for k in range(3):
        letters = browser.script("return [...document.querySelectorAll('.stage text.big')].map(t => t.textContent).join('')")
        assert letters == moments[k].states
        browser.button("Forward").click()


def test_time_zooms_by_buttons_dragging_and_keys(browser):
    from selenium.webdriver import ActionChains

    browser.open(PAGES["run"])
    shown = lambda: browser.one("#time .controls").text.splitlines()[-1]  # noqa: E731
    assert shown() == "0 ns to 80 ms"
    browser.button("Zoom in").click()
    assert shown() == "20 ms to 60 ms"
    browser.button("Later").click()
    assert shown() == "36 ms to 76 ms"
    browser.button("All").click()
    plot = browser.all("#time .panel svg")[0]
    browser.script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    ActionChains(browser.driver).move_to_element_with_offset(plot, -100, 0).click_and_hold().move_by_offset(200, 0).release().perform()
    assert shown().split(";")[0] not in ("0 ns to 80 ms", "") and browser.button("All").is_enabled()
    browser.script("arguments[0].focus()", browser.one(".chart"))
    browser.press("0")
    assert shown().startswith("0 ns to 80 ms")
    browser.press("+")
    assert not shown().startswith("0 ns to 80 ms")
    browser.press("0\ue011")
    assert shown() == "0 ns to 80 ms; at 0 ns" and browser.errors() == []
    assert "400 KiB" in browser.one("#time .legend").text, "100 pages at the beginning"
    legend = browser.all("#time .legend button")[0]
    legend.click()
    assert legend.get_attribute("aria-pressed") == "false"


def test_lanes_zoom_with_the_lines_above_them_and_say_who_does_what(browser):
    browser.open(PAGES["arenas"])
    lane = lambda: browser.one("#time svg[aria-label^='The collector']")  # noqa: E731
    assert "0 ns to 40 ms" in lane().get_attribute("aria-label") and "P 0 14.0%" in lane().get_attribute("aria-label")
    browser.button("Zoom in").click()
    assert "10 ms to 30 ms" in lane().get_attribute("aria-label")
    browser.script("arguments[0].focus()", browser.one(".chart"))
    browser.press("0\ue011")
    assert browser.one("#time .said").text == "P 0: marking; P 1: –; P 2: –"
    browser.press("\ue014")
    assert browser.one("#time .said").text == "P 0: –; P 1: sweeping; P 2: –" and browser.errors() == []


def test_every_control_is_reached_by_the_tabulator_and_shows_that_it_has_the_focus(browser):
    browser.open(PAGES["run"])
    wanted = browser.script(
        "return [...document.querySelectorAll('a, button:enabled, select, input, summary, [tabindex=\"0\"]')].filter(e => e.offsetParent).length"
    )
    met = []
    for _ in range(wanted + 2):
        browser.press("\ue004")
        element = browser.driver.switch_to.active_element
        if element.tag_name == "body" or element in met:
            break
        met.append(element)
        assert browser.script("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert len(met) == wanted
    browser.press("\ue007")
    assert browser.errors() == []


def test_details_open_by_the_keyboard(browser):
    browser.open(PAGES["run"])
    summary = browser.all("#text summary")[0]
    browser.script("arguments[0].focus()", summary)
    browser.press("\ue007")
    assert "L1D hit" in browser.one("#text pre").text
    browser.script("arguments[0].focus()", browser.all("#time summary")[0])
    browser.press("\ue007")
    assert len(browser.all("#time tbody tr")) > 20 and browser.errors() == []


def test_what_a_page_draws_does_not_grow_with_the_run(browser):
    """A page of 10 million accesses opened in .1 s, and one with all that a page may have, of 900 lines and a million requests, in .3 s; what takes the
    time is elements, so that these are counted: a third of the lines and a hundredth of the requests have four fifths of its 8,000."""
    names = [f"mspan({k:#x}).allocCount" for k in range(300)]
    r = result(names=names, cores=64, lines=300, samples=512, events=0)
    r.events = event_log(1 << 14, 64, 300)
    browser.open(page(r))
    assert 1_000 < browser.script("return document.querySelectorAll('*').length") < 10_000 and browser.errors() == []


def test_names_that_would_be_markup_or_commands_are_text_and_run_nowhere(browser):
    browser.open(page(result(names=HOSTILE, lines=len(HOSTILE))))
    browser.script("for (const d of document.querySelectorAll('details')) d.open = true")
    for button in browser.all("#sharing > .block > button"):
        button.click()
    shown = browser.script("return document.body.textContent")
    assert browser.script("return window.hurt") is None and browser.errors() == []
    assert "</script><script>window.hurt=1</script>" in shown and "\\x1b[31mred" in shown and "\\u202egnp.exe" in shown
    assert browser.script("return document.querySelectorAll('img, iframe, object, [onerror], [onload]').length") == 0
    assert browser.script("return document.scripts.length") == 2


@pytest.mark.parametrize("hostile", HOSTILE)
def test_claims_of_hostile_words_and_their_list_run_nothing(browser, hostile):
    one, *_ = outcomes((hostile, "b", "c"), hostile)
    renamed = replace(one, experiment=replace(one.experiment, name=hostile, claim=hostile, tolerance=hostile), program=hostile)
    for text in (outcome_page(renamed, [(hostile, "index.html")]), index_page([renamed], hostile)):
        browser.open(text)
        assert browser.script("return window.hurt") is None and browser.errors() == []
        assert browser.script("return document.querySelectorAll('iframe, object, [onerror], [onload]').length") == 0
        assert all(link.startswith(("file:", "http")) for link in browser.script("return [...document.links].map(a => a.href)"))


def test_the_list_of_claims_leads_to_each_and_says_which_hold(browser):
    browser.open(PAGES["claims"])
    found = browser.script("return [...document.querySelectorAll('tbody th a')].map(a => [a.textContent, a.getAttribute('href')])")
    assert sorted(found) == sorted([one.experiment.name, f"./{address(one.experiment)}"] for one in outcomes())
    tones = browser.script("return [...document.querySelectorAll('td.tone')].map(t => [t.textContent, t.className])")
    assert sorted(tones) == [["does not hold", "tone bad"], ["holds", "tone good"], ["not measured", "tone "]]
    assert all(link.startswith("file:") for link in browser.script("return [...document.links].map(a => a.href)"))
    assert "1 of 3" in browser.one("#answer").text


def test_a_picture_is_dark_where_the_page_is(browser):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    shades = []
    for dark in (False, True):
        browser.open(PAGES["claim"], dark=dark)
        source = browser.script("return document.querySelector('figure img').src")
        drawn = (
            "const i = document.querySelector('figure img'), c = document.createElement('canvas'); c.width = i.width; c.height = i.height;"
        )
        drawn += "const x = c.getContext('2d'); x.drawImage(i, 0, 0, i.width, i.height); return [...x.getImageData(3, 3, 1, 1).data]"
        assert unquote(source).startswith("data:image/svg+xml;base64,")
        shades.append(browser.script(drawn))
    assert shades[0][:3] == [255, 255, 255] and max(shades[1][:3]) < 60 and browser.errors() == []


@pytest.mark.parametrize(
    "name, shown", [("run", ".matrix"), ("two", "table"), ("arenas", "svg"), ("claim", "figure img"), ("claims", "table")]
)
def test_a_page_prints_what_it_shows(browser, name, shown):
    browser.open(PAGES[name], media="print")
    assert not any(nav.is_displayed() for nav in browser.all("nav")) and browser.one(shown).is_displayed() and browser.errors() == []
    assert browser.script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
