"""Open each page of the built site in Chromium: laptop and phone, light and dark.

    python docs/look_at_site.py docs/_build/html [folder for pictures]

Complains about what only a browser notices: errors on the console, requests that fail or leave the
site, images that do not show, and pages, tables or blocks of code that stick out of the screen.
Needs Playwright (``pip install playwright``), and a Chromium: one on the path, or Playwright's own.
"""

import functools
import itertools
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WIDTHS = {"laptop": 1366, "phone": 390}
SCHEMES = ("light", "dark")
_HEIGHT = 844

# What sticks out: an element right of the screen that no box around it scrolls or cuts.
_PROBLEMS = """() => {
  const width = document.documentElement.clientWidth, problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth)
    problems.push(`the page is ${root.scrollWidth} px wide`);
  for (const image of document.images)
    if (!image.complete || !image.naturalWidth) problems.push(`image not shown: ${image.src}`);
  const boxed = element => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible") return true;
    return false;
  };
  for (const element of document.querySelectorAll("main :is(table, pre, img, p, li, dt, h1, h2)"))
    if (element.getBoundingClientRect().right > width + 1 && !boxed(element)
        && element.checkVisibility())
      problems.push(`sticks out: ${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
  for (const element of document.querySelectorAll("main a"))
    if (getComputedStyle(element).overflowX === "hidden"
        && element.scrollWidth > element.clientWidth + 1)
      problems.push(`cut off: ${element.textContent.trim().slice(0, 40)}`);
  return problems;
}"""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def look_at_site(root, pictures=None):
    """Yield the problems of the site below `root`, one line each."""
    from playwright.sync_api import sync_playwright

    handler = functools.partial(_QuietHandler, directory=root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for (device, width), scheme in itertools.product(WIDTHS.items(), SCHEMES):
            viewport = {"width": width, "height": _HEIGHT}
            page = browser.new_page(viewport=viewport, color_scheme=scheme)
            problems = _listen(page, address)
            for name in _pages(root):
                page.goto(address + name, wait_until="load")
                _load_lazy_images(page)
                problems += page.evaluate(_PROBLEMS)
                if pictures:
                    picture = f"{device}-{scheme}-{name.replace('/', '-')}.png"
                    page.screenshot(path=Path(pictures) / picture, full_page=True)
                yield from (f"{device}, {scheme}, {name}: {problem}" for problem in problems)
                problems.clear()
            page.close()
        browser.close()
    server.shutdown()
    server.server_close()


def _pages(root):
    pages = (path.relative_to(root) for path in sorted(Path(root).rglob("*.html")))
    return [page.as_posix() for page in pages if page.parts[0] != "_static"]


def _listen(page, address):
    """Return a list that what goes wrong on `page` is added to."""
    problems = []
    page.on("console", lambda said: said.type == "error" and problems.append(said.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"not loaded: {request.url}"))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((address, "data:", "blob:"))
            or problems.append(f"asked for elsewhere: {request.url}")
        ),
    )
    return problems


def _load_lazy_images(page):
    page.evaluate("() => { for (const image of document.images) image.loading = 'eager'; }")
    page.wait_for_load_state("networkidle")


def main():
    problems = list(look_at_site(*sys.argv[1:3]))
    print("\n".join(problems) or "Nothing wrong: laptop and phone, light and dark.")
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main())
