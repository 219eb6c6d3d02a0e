"""The documentation: names, docstrings, the code on its pages, the messages it quotes."""

import contextlib
import doctest
import importlib
import inspect
import pickle
import re
import textwrap
import warnings
from pathlib import Path
from pydoc import getdoc, locate

import numpy as np
import pytest
from PIL import Image

import skcifar
from skcifar.datasets import make_images

DOCS = Path(__file__).resolve().parent.parent / "docs"
GENERATED = {
    "_build",
    "_output",
    "_templates",
    "auto_examples",
    "generated",
    "sg_execution_times.rst",
}
PAGES = {
    page.relative_to(DOCS).as_posix(): page.read_text()
    for page in sorted(DOCS.rglob("*.rst"))
    if not GENERATED & set(page.relative_to(DOCS).parts)
}
CODE = re.compile(
    r"^(?P<indent> *)\.\. code-block:: python\n\n(?P<code>((?P=indent)   .*\n|\n)+)", re.MULTILINE
)
DOCTEST_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# What numpydoc asks for and these docstrings leave out, with the reason.
NUMPYDOC_IGNORED = {
    "ES01": "one sentence that says all needs no second one",
    "EX01": "methods: the example of the class shows them",
    "PR07": "X and y are described once, in fit",
    "RT02": "`self : MobileNetV2Classifier`, as scikit-learn writes it",
    "RT03": "a return value of which type and shape say all",
    "SA01": "only where there is something to see",
}


def public_modules():
    """Return the package and its public modules."""
    names = [name for name in skcifar.__all__ if inspect.ismodule(getattr(skcifar, name))]
    return [skcifar, *(importlib.import_module(f"skcifar.{name}") for name in names)]


def public_names():
    """Return the full name of every public class and function."""
    for module in public_modules():
        defined = (
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
        )
        for name in getattr(module, "__all__", defined):
            if callable(getattr(module, name)):
                yield f"{module.__name__}.{name}"


def public_methods(name):
    """Return the full name of each method that a public class of this package defines itself."""
    if not inspect.isclass(locate(name)):
        return
    for cls in locate(name).__mro__:
        if cls.__module__.startswith("skcifar."):  # a base class of ours as well
            for method, value in vars(cls).items():
                by_sklearn = method.startswith("set_") and method.endswith("_request")
                if (
                    not method.startswith("_")
                    and not by_sklearn
                    and not isinstance(value, property)
                ):
                    yield f"{name}.{method}"


NAMES = sorted(public_names())
DOCSTRINGS = sorted({*NAMES, *(method for name in NAMES for method in public_methods(name))})


def names_in_api_page():
    """Return the full name of each entry of a table in api.rst."""
    module = None
    for line in PAGES["api.rst"].splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            yield f"{module}.{line.strip()}"


def test_api_page_lists_every_public_name_once():
    assert sorted(names_in_api_page()) == NAMES


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_docstring_follows_numpydoc(name):
    from numpydoc.validate import validate

    ignored = set(NUMPYDOC_IGNORED)
    if name in NAMES:
        ignored.remove("EX01")
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in ignored]
    assert errors == []


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_types_in_docstring_are_no_references(name):
    """A name that ends in an underscore is a link to Sphinx, unless it is quoted."""
    types = re.findall(r"^ *[\w, ]+ : (.*)$", getdoc(locate(name)), re.MULTILINE)
    assert not [text for text in types if re.search(r"\w_\b", re.sub("`.*?`", "", text))]


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_signature_is_annotated(name):
    """For the type checkers of users; `make lint` checks that the types are right."""
    signature = inspect.signature(locate(name))
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
    ]
    assert bare == []
    assert inspect.isclass(locate(name)) or signature.return_annotation is not signature.empty


@pytest.mark.parametrize("name", NAMES)
def test_example_of_docstring_runs(name, without_pictures):
    finder = doctest.DocTestFinder(recurse=False)
    results = [run(test) for test in finder.find(locate(name), name)]
    assert sum(result.attempted for result in results) > 0


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if ">>> " in text])
def test_session_on_page_prints_what_it_shows(page, a_new_users_machine):
    test = doctest.DocTestParser().get_doctest(PAGES[page], {}, page, page, 0)
    with warnings_printed():
        run(test)


def run(test):
    """Run a doctest; its report is the error message."""
    report = []
    result = doctest.DocTestRunner(optionflags=DOCTEST_OPTIONS).run(test, out=report.append)
    assert not result.failed, "".join(report)
    return result


@contextlib.contextmanager
def warnings_printed():
    """Print warnings as a terminal shows them, without the line of code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = print_warning
        yield


def print_warning(message, category, *_, **__):
    print(f"{category.__name__}: {message}")


def pages_with_code():
    """Return the pages with code; those that start worker processes take longer than the rest."""
    for page, text in PAGES.items():
        if CODE.search(text):
            yield pytest.param(page, marks=[pytest.mark.slow] if "n_jobs=2" in text else [])


@pytest.mark.parametrize("page", list(pages_with_code()))
def test_code_on_page_runs(page, a_new_users_machine):
    """The blocks of a page are one program, and it runs without a warning."""
    names = {}
    for block in CODE.finditer(PAGES[page]):
        exec(compile(textwrap.dedent(block["code"]), page, "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_page_names_what_exists(page):
    """Each `~skcifar.name` on a page is a public name, or a module that has an entry."""
    named = set(re.findall(r"`~?(skcifar\.[\w.]+)`", PAGES[page]))
    modules = re.findall(r"automodule:: (\S+)", PAGES["api.rst"])
    assert named <= {*DOCSTRINGS, *modules}


def test_quoted_messages_are_those_of_the_library(tmp_path, monkeypatch):
    """Messages that no session can show, because they need another machine."""
    quoted = re.findall(r"   :class: exact-message\n\n   (.*)\n", PAGES["troubleshooting.rst"])
    raised = []
    for message in MESSAGES:
        with monkeypatch.context() as patch:
            raised.append(message(tmp_path, patch))
    assert len(quoted) == len(raised)
    for quote, real in zip(quoted, raised, strict=True):
        pattern = re.escape(quote)
        for folder in ("/home/me/scikit_learn_data", "/home/me/.keras/models"):
            pattern = pattern.replace(re.escape(folder), ".*")
        assert re.fullmatch(pattern, real)


def message_of(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (which one is compared)
        call()
    return f"{caught.type.__name__}: {caught.value}"


def no_cifar10(tmp_path, monkeypatch):
    refuse_connections(monkeypatch)
    return message_of(lambda: skcifar.datasets.fetch_cifar10(data_home=tmp_path / "home"))


def no_weights(tmp_path, monkeypatch):
    refuse_connections(monkeypatch)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    X, y = make_images(n_samples=6)
    return message_of(lambda: skcifar.MobileNetV2Classifier().fit(X, y))


def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("SKCIFAR_OFFLINE", "1")
    return no_weights(tmp_path, monkeypatch)


def refuse_connections(monkeypatch):
    import pooch
    import requests

    def refuse(*_, **__):
        raise requests.ConnectionError

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)
    monkeypatch.setattr("skcifar._system.downloads._PAUSE", 0)


def no_openvino(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    X, y = make_images(n_samples=6)
    classifier = skcifar.MobileNetV2Classifier(weights=None, engine="openvino")
    return message_of(lambda: classifier.fit(X, y))


def no_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setattr("skcifar._extraction.openvino_engine.has_bfloat16", lambda: False)
    X, y = make_images(n_samples=6)
    features = skcifar.MobileNetV2Features(engine="openvino", precision="bfloat16", weights=None)
    return message_of(lambda: features.fit(X, y))


def no_bfloat16_to_train_in(tmp_path, monkeypatch):
    monkeypatch.setattr("skcifar._extraction.openvino_engine.has_bfloat16", lambda: True)
    monkeypatch.setattr("skcifar._extraction.tensorflow_engine.has_bfloat16", lambda: False)
    X, y = make_images(n_samples=6)
    classifier = skcifar.MobileNetV2Classifier(
        engine="openvino", precision="bfloat16", weights=None, fine_tune_epochs=1
    )
    return message_of(lambda: classifier.fit(X, y))


def other_keras_backend(tmp_path, monkeypatch):
    import keras

    from skcifar._system.libraries import import_keras

    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    return message_of(import_keras.__wrapped__)


def cache_not_writable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = skcifar._extraction.feature_cache.DiskStore("features")
    Path("features", skcifar._extraction.feature_cache._DATABASE_NAME).mkdir(parents=True)
    with pytest.warns(UserWarning, match="feature cache") as caught:
        store.write(b"network", [b"image"], np.zeros((1, 4), np.float32))
    return f"UserWarning: {caught[0].message}"


def out_of_memory(tmp_path, monkeypatch):
    def allocate(*_):
        raise MemoryError("Unable to allocate 40.0 GiB for an array")

    monkeypatch.setattr(skcifar.MobileNetV2Classifier, "_frozen_network", allocate)
    X, y = make_images(n_samples=6)
    return message_of(lambda: skcifar.MobileNetV2Classifier().fit(X, y))


def forked(tmp_path, monkeypatch):
    forks = skcifar._system.forks
    monkeypatch.setitem(forks._users, "TensorFlow", -1)  # another process
    return message_of(lambda: forks.check_not_forked("TensorFlow"))


MESSAGES = (
    no_cifar10,
    no_weights,
    offline,
    no_openvino,
    no_bfloat16,
    no_bfloat16_to_train_in,
    other_keras_backend,
    cache_not_writable,
    out_of_memory,
    forked,
)


@pytest.fixture
def without_pictures(monkeypatch):
    """Draw nothing on a screen, and leave no figure behind."""
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", lambda: None)
    with plt.rc_context({"backend": "Agg", "figure.max_open_warning": 0}):
        yield
        plt.close("all")


@pytest.fixture(scope="session")
def a_few_files(tmp_path_factory):
    """A folder with a small CIFAR-10, random weights, and pictures of pets."""
    from skcifar._model.mobilenet_v2 import MobileNetV2
    from skcifar._weights.loading import _build

    folder = tmp_path_factory.mktemp("docs")
    write_small_cifar10(folder / "cifar-10-batches-py")
    with warnings.catch_warnings():
        # Keras 3.15 converts its variables in a way that NumPy 2 means to forbid.
        warnings.simplefilter("ignore", DeprecationWarning)
        _build(MobileNetV2, 1.0).save_weights(folder / "random.weights.h5")
    X, y = make_images(n_samples=24, n_classes=2, random_state=0)
    for number, (image, label) in enumerate(zip(X, y, strict=True)):
        path = folder / "pets" / ("cat", "dog")[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    Image.fromarray(X[0]).save(folder / "new.jpg")
    return folder


def write_small_cifar10(folder):
    folder.mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        # Pages take the test images where there are no ImageNet weights, and split them.
        n = 160 if name == "test_batch" else 40
        X, y = make_images(n_samples=n, n_classes=10, random_state=0)
        batch = {"data": X.transpose(0, 3, 1, 2).reshape(n, -1), "labels": y.tolist()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


@pytest.fixture
def a_new_users_machine(a_few_files, tmp_path, monkeypatch, without_pictures):
    """An empty folder to work in, with CIFAR-10, weights and pets where pages expect them."""
    for name in ("pets", "new.jpg"):
        (tmp_path / name).symlink_to(a_few_files / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(a_few_files))
    monkeypatch.setenv("KERAS_HOME", str(a_few_files))
    monkeypatch.setenv("SKCIFAR_OFFLINE", "1")
    weights, path_of = (
        a_few_files / "random.weights.h5",
        skcifar._weights.loading.imagenet_weights_path,
    )
    monkeypatch.setattr(
        "skcifar._weights.loading.imagenet_weights_path",
        lambda alpha: weights if alpha == 1.0 else path_of(alpha),
    )
