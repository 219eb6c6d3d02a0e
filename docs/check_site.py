"""Look for broken links and images in the built site, and for anything it would fetch.

python docs/check_site.py docs/_build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes that make a browser fetch something by itself, and those that lead elsewhere.
_FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
_NOT_FETCHED_LINKS = {"canonical", "next", "prev", "index", "search", "author", "copyright"}


class Page(HTMLParser):
    """What a page links to, what it fetches, and the names of its places."""

    def __init__(self, path):
        super().__init__()
        self.links, self.fetched, self.places, self.problems = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.places |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag in _FETCHED and attributes.get(_FETCHED[tag]):
            if attributes.get("rel") in _NOT_FETCHED_LINKS:
                self.links.append(attributes["href"])
            else:
                self.fetched.append(attributes[_FETCHED[tag]])
        if tag == "img" and attributes.get("alt") is None:
            self.problems.append(f"image without a text: {attributes.get('src')}")

    handle_startendtag = handle_starttag


def check_site(root):
    """Return the problems of the site below `root`, one line each."""
    files = (path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts)
    pages = {path: Page(path) for path in files}
    problems = [] if pages else [f"{root} holds no pages"]
    for path, page in pages.items():
        found = [*page.problems, *_broken(path, page, pages), *_fetched_from_elsewhere(page)]
        problems += [f"{path.relative_to(root)}: {problem}" for problem in found]
    return problems


def _broken(path, page, pages):
    for link in {*page.links, *page.fetched}:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link == "#":
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            yield f"broken link: {link}"
        elif parts.fragment and target in pages:
            # What follows ":~:" is for the browser to search.
            place = unquote(parts.fragment.partition(":~:")[0])
            if place and place not in pages[target].places:
                yield f"no such place: {link}"


def _fetched_from_elsewhere(page):
    for address in page.fetched:
        parts = urlsplit(address)
        if parts.netloc or parts.scheme not in ("", "data"):
            yield f"fetched from elsewhere: {address}"


def main():
    problems = check_site(Path(sys.argv[1]).resolve())
    print("\n".join(problems) or "No broken links, nothing fetched from elsewhere.")
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main())
