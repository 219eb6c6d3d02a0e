"""docs/check_site.py finds what is wrong with a built site."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def check_site():
    return runpy.run_path(str(DOCS / "check_site.py"))["check_site"]


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="other.html">', "broken link: other.html"),
        ('<a href="#there">', "no such place: #there"),
        ('<img src="picture.png" alt="">', "broken link: picture.png"),
        ('<a id="here" href="#here"><img src="index.html">', "image without a text: index.html"),
        ('<script src="https://x.org/a.js">', "fetched from elsewhere: https://x.org/a.js"),
    ],
)
def test_what_is_wrong_is_named(check_site, tmp_path, html, problem):
    (tmp_path / "index.html").write_text(html)
    assert check_site(tmp_path) == [f"index.html: {problem}"]


def test_sound_site_has_no_problems(check_site, tmp_path):
    (tmp_path / "index.html").write_text('<a href="a%20b.html#there"><a href="https://x.org">')
    (tmp_path / "a b.html").write_text('<p id="there"><a href="index.html">')
    assert check_site(tmp_path) == []


def test_empty_folder_is_no_site(check_site, tmp_path):
    assert check_site(tmp_path) == [f"{tmp_path} holds no pages"]
