"""A browser for the tests marked `external`: Debian's Chromium without a window, driven by its own chromedriver."""

import shutil
from collections.abc import Callable
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60  # seconds; a loaded machine is slow

# Every text whose contrast with the ground that it stands on is below what WCAG 2.2 AA asks for.
FAINT = """
const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [red, green, blue] = numbers(colour).slice(0, 3).map(channel);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if ((numbers(colour)[3] ?? 1) > 0) return colour;
  }
  throw new Error("no ground is said");
};
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !element.getClientRects().length || element.closest("script, style")) continue;
  const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort();
  if ((other + 0.05) / (one + 0.05) < 4.5) found.push(texts.currentNode.data.trim());
}
return found;
"""


class Browser:
    """One tab. What the page complained about is in `complaints`, and must be looked at."""

    def __init__(self, *, width: int = 1000, height: int = 800) -> None:
        options = ChromeOptions()
        options.binary_location = _installed("chromium")
        # Root, as in a container, has no sandbox; and a container's /dev/shm is small.
        for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars", "lang=en"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=ChromeService(_installed("chromedriver")))
        self.driver.set_page_load_timeout(PATIENCE)
        self.resize(width, height)
        self.dim(False)

    def close(self) -> None:
        self.driver.quit()

    def resize(self, width: int, height: int = 800) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def dim(self, dark: bool) -> None:
        """Be a system whose user likes it dark, or light."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, url: str) -> None:
        self.driver.get(url)

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        [found] = self.all(css)
        return found

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def until(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    @property
    def overhang(self) -> int:
        """How many pixels the page is wider than the window."""
        return self.run("const page = document.documentElement; return page.scrollWidth - page.clientWidth")

    @property
    def faint(self) -> list[str]:
        """The texts that can hardly be read."""
        return self.run(FAINT)

    @property
    def complaints(self) -> list[str]:
        """What the console says since the last look: errors, refusals of the CSP, files that are not there."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def picture(self) -> bytes:
        """The window's contents, as PNG."""
        return self.driver.get_screenshot_as_png()


def _installed(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is not installed: apt-get install chromium chromium-driver"
    return path
