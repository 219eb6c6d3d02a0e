"""`make demo FOLDER=...`: one file that anybody can open, with all that it promises."""

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skcifar.datasets import load_photo_patches

DEMO = Path(__file__).parent.parent / "examples" / "demo"
VOID = {"meta", "img", "source", "br"}


class Page(HTMLParser):
    """What a page holds: tags with their attributes, and the text in each kind of tag."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts, self.unbalanced = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]

    def texts_of(self, name):
        return [text for tag, text in self.texts if tag == name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of pictures in three classes, and of two files that cannot be used."""
    root = tmp_path_factory.mktemp("some place") / "my pictures"
    patches = load_photo_patches(subset="test")
    for label in range(3):
        (root / patches.target_names[label]).mkdir(parents=True)
        for number, image in enumerate(patches.images[patches.target == label][:14]):
            path = root / patches.target_names[label] / f"{number} <&>.png"
            Image.fromarray(image).save(path)
    (root / "bush" / "broken.jpg").write_bytes(b"no picture")
    (root / "lost.png").write_bytes(b"beside the classes")
    return root


@pytest.fixture(scope="module")
def html(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DEMO))
        patch.setenv("SKCIFAR_OFFLINE", "1")
        for variable in ("SCIKIT_LEARN_DATA", "KERAS_HOME"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("empty")))
        spec = importlib.util.spec_from_file_location("demo_main", DEMO / "__main__.py")
        demo = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(demo)
        import steps

        patch.setattr(steps, "EPOCHS", 2)
        patch.setattr(steps, "KERAS_EPOCHS", 1)
        patch.setattr(steps, "LEARNING_RATES", (1e-3, 1e-2))
        path = tmp_path_factory.mktemp("demo") / "report.html"
        demo.make_report(demo.load_demo_data(str(folder)), path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_every_tag_is_closed(page):
    assert page.unbalanced == page.open == []


def test_nothing_is_fetched_and_nothing_runs(html, page):
    assert not re.search(r"https?://|@import|url\(", html)
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    sources = [a["src"] for a in page.all("img")] + [a["srcset"] for a in page.all("source")]
    assert all(re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", source) for source in sources)


def test_all_steps_are_there(page):
    assert page.texts_of("h2") == [
        "The data",
        "Training",
        "Accuracy",
        "Confusion matrix",
        "Confused pairs",
        "Sample predictions",
        "Grid search",
        "Time against plain Keras",
        "Now with your own pictures",
        "Left out",
    ]


def test_every_figure_has_a_caption_and_a_text_in_its_place(page):
    figures, captions = page.all("figure"), page.texts_of("figcaption")
    assert len(figures) == len(captions) == len(page.all("img")) >= 7
    assert all(len(image["alt"]) > 20 for image in page.all("img"))


def test_every_figure_is_there_for_light_and_for_dark_screens(page):
    light = [image["src"] for image in page.all("img")]
    dark = [source["srcset"] for source in page.all("source")]
    assert len(light) == len(dark)
    assert not set(light) & set(dark)


def test_unusable_pictures_are_listed_by_their_place_in_the_folder(page):
    listed = " ".join(page.texts_of("li"))
    assert "bush/broken.jpg: " in listed
    assert "lost.png: " in listed


def test_no_path_of_this_machine_is_told(html, folder):
    assert str(folder.parent) not in html
    assert str(Path.home()) not in html
    assert "from the folder my pictures" in html


def test_a_rare_class_is_kept_where_pictures_are_left_out(monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO))
    from demo_data import LEAST_PICTURES, _drawn

    y = np.repeat([0, 1, 2], [20_000, 10, 5_000])
    counts = np.bincount(y[_drawn(y, 6_000)])
    assert counts[1] == LEAST_PICTURES
    assert counts[0] / counts[2] == pytest.approx(4, rel=1e-3)
    assert counts.sum() == pytest.approx(6_000, abs=10)
    np.testing.assert_array_equal(_drawn(y, 10**6), np.arange(len(y)))


def test_a_class_of_few_pictures_is_an_error_that_names_it(folder, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(DEMO))
    from demo_data import load_demo_data

    for name, count in (("bush", 9), ("sky", 3)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.new("RGB", (40, 40), (number, 0, count)).save(tmp_path / name / f"{number}.png")
    with pytest.raises(ValueError, match=r"Too few pictures of sky \(3\): the demo needs 8"):
        load_demo_data(str(tmp_path))
