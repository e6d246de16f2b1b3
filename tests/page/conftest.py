"""A headless Chromium for the tests of pages, one a module; without one, or without selenium, those tests skip and say so.

`HWMEM_AXE`: where axe.min.js is (npm install axe-core); the tests of accessibility need it.
"""

import os
import shutil

import pytest

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """A driver with what these tests say often."""

    def __init__(self, driver, folder):
        self.driver, self.folder = driver, folder

    def open(self, text, width=1280, dark=False, media="screen"):
        """Show the page `text`, which is HTML."""
        file = self.folder / "page.html"
        file.write_text(text, encoding="utf-8")
        self.show(file.as_uri(), width, dark, media)

    def show(self, address, width=1280, dark=False, media="screen"):
        scheme = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(address)

    def violations(self, axe):
        """What axe-core, its text `axe`, finds on the page, in words."""
        self.script(axe)
        return self.driver.execute_async_script(
            "const done = arguments[0]; setTimeout(() => axe.run({resultTypes: ['violations']}).then(r => done(r.violations.map(v =>"
            " `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')}`))), 100)"
        )

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def button(self, name, within="body"):
        (found,) = (b for b in self.all(f"{within} button") if b.text == name)
        return found

    def press(self, *keys):
        """Keys to whatever has the focus, and what they set off: a <details> opens first and says so in a task of its own."""
        self.driver.switch_to.active_element.send_keys(*keys)
        self.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done))")

    def errors(self):
        """What the console has said since the page was opened."""
        return self.driver.get_log("browser")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install 'hwmem[browser]')")
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no chromium with chromedriver (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield Browser(started, tmp_path_factory.mktemp("pages"))
    started.quit()


@pytest.fixture(scope="module")
def axe():
    """The text of axe-core."""
    path = os.environ.get("HWMEM_AXE")
    if not path or not os.path.isfile(path):
        pytest.skip("axe-core is not here (npm install axe-core, HWMEM_AXE=.../axe.min.js)")
    with open(path, encoding="utf-8") as file:
        return file.read()
