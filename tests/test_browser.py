"""examples/browser makes a page that predicts in a real browser what skcifar predicts.

Runs where its runtime (``npm install --prefix examples/browser --no-package-lock``), Playwright
and a Chromium are.
"""

import importlib.util
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skcifar import ImageFiles, MobileNetV2Classifier
from skcifar.datasets import load_photo_patches, make_images

BROWSER = Path(__file__).parent.parent / "examples" / "browser"


@pytest.fixture(scope="module")
def make_page():
    pytest.importorskip("onnx")
    spec = importlib.util.spec_from_file_location("make_page", BROWSER / "make_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def classifier():
    patches = load_photo_patches()
    X, y = patches.images[::8], patches.target_names[patches.target[::8]]
    return MobileNetV2Classifier(weights="cifar10-32px", epochs=3, random_state=0).fit(X, y)


@pytest.fixture
def opened(make_page, tmp_path):
    """Return a function from a classifier to a context: a Playwright page, and what went wrong."""
    # Not in the extras of this package: npm and a browser of 200 MB. CI has a job that has both.
    if not make_page.RUNTIME.exists():
        pytest.skip("the runtime for the browser is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = _chromium(playwright)
    if chromium is None:  # one that is there and does not start is a failure
        pytest.skip("there is no Chromium")

    @contextmanager
    def serve(classifier):
        make_page.make_page(classifier, tmp_path)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with playwright.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium)
            page, problems = browser.new_page(), []
            page.on("console", lambda said: said.type == "error" and problems.append(said.text))
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_function("!document.querySelector('input').disabled")
            yield page, problems
            browser.close()
        server.shutdown()
        server.server_close()

    return serve


def _chromium(playwright):
    """Return the path of a Chromium: one on the path, or Playwright's own, or None."""
    with playwright.sync_playwright() as running:
        own = running.chromium.executable_path
    return shutil.which("chromium") or (own if Path(own).exists() else None)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def check_prediction(page, path, expected, classes):
    """Open a picture in the page, and compare the probabilities that it shows."""
    page.set_input_files("input", path)
    page.wait_for_function("document.querySelector('#status').textContent.startsWith('Class')")
    page.evaluate("document.querySelector('#status').textContent = ''")
    names, shares = page.locator("th").all_inner_texts(), page.locator("td:last-child")
    order = np.argsort(-expected, kind="stable")[: len(names)]
    found = [float(text.removesuffix(" %")) / 100 for text in shares.all_inner_texts()]
    np.testing.assert_allclose(found, expected[order], atol=1e-3)
    assert names[0] == classes[order[0]]


def test_page_predicts_what_the_classifier_predicts(opened, classifier, tmp_path):
    with opened(classifier) as (page, problems):
        for number, image in enumerate(load_photo_patches(subset="test").images[::100]):
            path = tmp_path / f"{number}.png"
            Image.fromarray(image).save(path)
            expected = classifier.predict_proba(image[None])[0]
            check_prediction(page, path, expected, classifier.classes_)
    assert not problems


# Sizes that are cut or padded and not scaled: browsers scale a little differently.
@pytest.mark.parametrize(("resize", "box"), [("crop", (0, 0, 70, 40)), ("pad", (0, 0, 40, 26))])
def test_page_keeps_the_aspect_ratio_as_the_classifier_does(opened, tmp_path, resize, box):
    patches = load_photo_patches()
    pictures = [Image.fromarray(image) for image in patches.images[::8]]
    files = ImageFiles(pictures, image_size=40, resize=resize)
    classifier = MobileNetV2Classifier(weights="cifar10-32px", epochs=3, random_state=0)
    classifier.fit(files, patches.target_names[patches.target[::8]])
    path = tmp_path / "oblong.png"
    Image.fromarray(np.concatenate(patches.images[:2], axis=1)).crop(box).save(path)
    with opened(classifier) as (page, problems):
        check_prediction(page, path, classifier.predict_proba([path])[0], classifier.classes_)
    assert not problems


def test_what_is_no_picture_is_said(opened, classifier, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    with opened(classifier) as (page, _):
        page.set_input_files("input", tmp_path / "notes.png")
        page.wait_for_function(
            "document.querySelector('#status').textContent.startsWith('notes.png')"
        )
        assert not page.locator("table").is_visible()


def test_classifier_of_grey_images_is_refused(make_page, tmp_path):
    X, y = make_images(20, image_shape=(8, 8, 1), random_state=0)
    classifier = MobileNetV2Classifier(weights="cifar10-32px", epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"images of shape \(8, 8, 1\)\. Fit one"):
        make_page.make_page(classifier, tmp_path)


def test_missing_runtime_is_named(make_page, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(make_page, "RUNTIME", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="npm install"):
        make_page.make_page(classifier, tmp_path)
