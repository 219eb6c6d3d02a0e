"""examples/browser makes a page that predicts in a real browser what skcifar predicts.

Runs where its runtime (``npm install --prefix examples/browser --no-package-lock``), Playwright
and a Chromium are.
"""

import importlib.util
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skcifar import MobileNetV2Classifier
from skcifar.datasets import load_photo_patches

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
def open_page(make_page, classifier, tmp_path):
    """Serve the page; yield a Playwright page that shows it, and what went wrong there."""
    # Not in the extras of this package: npm and a browser of 200 MB. CI has a job that has both.
    if not make_page.RUNTIME.exists():
        pytest.skip("the runtime for the browser is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = _chromium(playwright)
    if chromium is None:  # one that is there and does not start is a failure
        pytest.skip("there is no Chromium")
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


def _chromium(playwright):
    """Return the path of a Chromium: one on the path, or Playwright's own, or None."""
    with playwright.sync_playwright() as running:
        own = running.chromium.executable_path
    return shutil.which("chromium") or (own if Path(own).exists() else None)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_page_predicts_what_the_classifier_predicts(open_page, classifier, tmp_path):
    page, problems = open_page
    for number, image in enumerate(load_photo_patches(subset="test").images[::100]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        page.set_input_files("input", tmp_path / f"{number}.png")
        page.wait_for_function("document.querySelector('#status').textContent.startsWith('Class')")
        page.evaluate("document.querySelector('#status').textContent = ''")
        names, shares = page.locator("th").all_inner_texts(), page.locator("td:last-child")
        expected = classifier.predict_proba(image[None])[0]
        order = np.argsort(-expected, kind="stable")[: len(names)]
        found = [float(text.removesuffix(" %")) / 100 for text in shares.all_inner_texts()]
        np.testing.assert_allclose(found, expected[order], atol=1e-3)
        assert names[0] == classifier.classes_[order[0]]
    assert not problems


def test_what_is_no_picture_is_said(open_page, tmp_path):
    page, _ = open_page
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("input", tmp_path / "notes.png")
    page.wait_for_function("document.querySelector('#status').textContent.startsWith('notes.png')")
    assert not page.locator("table").is_visible()


def test_missing_runtime_is_named(make_page, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(make_page, "RUNTIME", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="npm install"):
        make_page.make_page(classifier, tmp_path)
