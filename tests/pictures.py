"""The pictures of the README, of a system made for them: `python -m tests.pictures`. Needs Debian's Chromium."""

import io
import time
from pathlib import Path

from PIL import Image
from tests.browser import Browser

from marketplace.running.system import System

FOLDER = Path(__file__).parent.parent / "docs/images"
COLOURS = 64  # enough for text, and a third of the size


def main() -> None:
    with System() as system:
        browser = Browser(width=760, height=700)
        try:
            live_page(browser, system.url)
            keep(browser, "live-page.png")
            browser.open(f"{system.url}/api/docs")
            browser.until(lambda: browser.all(".opblock"))
            keep(browser, "api-docs.png")
        finally:
            browser.close()


def live_page(browser: Browser, url: str) -> None:
    """The provider watches, and was just booked."""
    browser.open(url)
    browser.one('[data-email="provider@example.com"]').click()
    browser.until(lambda: browser.all("#inbox li"))
    browser.one("#happen").click()
    browser.until(lambda: "booked" in browser.one("#happened").text)
    browser.until(lambda: browser.one("#news").get_attribute("textContent"))
    browser.until(lambda: "Looking" not in browser.one("#parts").text)
    browser.run("document.activeElement.blur()")


def keep(browser: Browser, name: str) -> None:
    time.sleep(0.5)  # until fonts and shadows are drawn; nothing tells when
    picture = Image.open(io.BytesIO(browser.picture())).convert("RGB").quantize(COLOURS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture.save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main()
