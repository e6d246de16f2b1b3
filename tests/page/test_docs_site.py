"""The documents' site builds without a warning, asks no network, and nothing on it keeps anybody out."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
from documents import ROOT

pytestmark = pytest.mark.live
DOCS = ROOT / "docs"
CONFIG = DOCS / "site" / "mkdocs.yml"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (pip install 'hwmem[docs]')")
    folder = tmp_path_factory.mktemp("documents") / "site"
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(CONFIG), "-d", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def test_every_document_is_a_page_that_asks_no_network(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md"))) - 1
    for page in pages:
        assert "fonts.googleapis" not in page.read_text(), "asks no network"


@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
@pytest.mark.parametrize("name", ["index", "experiments", "comparison"])
def test_nothing_keeps_anybody_out(browser, axe, site, name, width, dark):
    address = (site / f"{name}.html").as_uri()
    browser.show(address, width, dark)
    browser.script("localStorage.clear()")  # the scheme that the page before chose
    browser.show(address, width, dark)
    assert browser.script("return document.body.dataset.mdColorScheme") == ("slate" if dark else "default")
    assert browser.violations(axe) == []
