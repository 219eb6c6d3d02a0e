"""Inputs that nobody would think of: a clear error or a right answer, nothing else, nothing half.

Each run takes the same examples; ``FUZZING_EFFORT=50 pytest tests/test_fuzzing.py`` takes fifty
times as many, and others each time. What that found stands here as an ``@example``.
"""

import functools
import io
import json
import os
import pickle
import warnings
import zipfile
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skcifar import (
    ImageFiles,
    ImageNormalizer,
    MobileNetV2Classifier,
    load,
    load_image,
    save,
)
from skcifar._extraction.feature_cache import _DATABASE_NAME, DiskStore, MemoryStore
from skcifar._training.checkpoint import PhaseCheckpoint
from skcifar._training.fit import Fit
from skcifar.datasets import fetch_cifar10, load_image_folder, make_images

EFFORT = int(os.environ.get("FUZZING_EFFORT", "1"))


def examples(number):
    return settings(
        max_examples=number * EFFORT,
        derandomize=EFFORT == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def quietly():
    """Let anything be warned about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- Arrays ----------------------------------------------------------------------------------

NUMBERS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
ANYTHING = hnp.scalar_dtypes() | st.just(np.dtype(object)) | hnp.array_dtypes(max_size=2)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)
IMAGE_SHAPES = st.tuples(*[st.integers(1, 5)] * 3, st.sampled_from([1, 3]))
PIXELS = NUMBERS.flatmap(lambda dtype: hnp.arrays(dtype, IMAGE_SHAPES))


def _objects(dtype):
    return {"elements": SCALARS} if dtype.hasobject else {}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.binary(max_size=3)
)


def arrays_of_anything(shape):
    # Objects are `SCALARS`: Hypothesis would draw of all types that are imported by then.
    return ANYTHING.flatmap(lambda dtype: hnp.arrays(dtype, shape, **_objects(dtype)))


ARRAYS = arrays_of_anything(SHAPES)
LISTS = st.recursive(SCALARS, lambda items: st.lists(items, max_size=4), max_leaves=12)
WHATEVER = ARRAYS | PIXELS | LISTS


class TrainingReached(Exception):  # noqa: N818 (it is where a good fit ends)
    """Training would begin now."""


@pytest.fixture(scope="module")
def classifier():
    """A classifier that checks everything, and then raises instead of training."""

    class Untrained(MobileNetV2Classifier):
        def fit(self, *args):
            with mock.patch.object(Fit, "train_head", side_effect=TrainingReached):
                return super().fit(*args)

    return Untrained(weights=None, alpha=0.35, input_size=32, feature_cache=None)


@pytest.fixture(scope="module")
def fitted():
    small = {"weights": None, "alpha": 0.1, "input_size": 32, "hidden_units": (4,)}
    X, y = make_images(30, image_shape=(4, 4, 3), random_state=0)
    return MobileNetV2Classifier(**small, epochs=1, random_state=0).fit(X, y)


def outcome(call, *args, allowed=(ValueError, TypeError), **options):
    """Return what `call` returns or raises; anything that is not allowed goes on."""
    with quietly():
        try:
            return call(*args, **options)
        except allowed as error:
            return error


@contextmanager
def unchanged(estimator):
    before = dict(vars(estimator))
    yield
    after = vars(estimator)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)


@examples(150)
@given(X=WHATEVER, y=WHATEVER)
def test_fit_takes_data_or_says_why_not(classifier, X, y):
    with unchanged(classifier):
        outcome(classifier.fit, X, y, allowed=(ValueError, TypeError, TrainingReached))


@examples(60)
@given(data=st.data(), X=PIXELS)
def test_fit_takes_labels_and_weights_or_says_why_not(classifier, data, X):
    n = len(X)
    y = data.draw(arrays_of_anything(n) | st.lists(SCALARS, min_size=n, max_size=n) | LISTS)
    weights = data.draw(st.none() | hnp.arrays(NUMBERS, n) | LISTS)
    with unchanged(classifier):
        outcome(classifier.fit, X, y, weights, allowed=(ValueError, TypeError, TrainingReached))


@examples(60)
@given(X=hnp.arrays(NUMBERS, st.tuples(st.integers(0, 3), st.just(4), st.just(4), st.just(3))))
@example(X=np.full((1, 4, 4, 3), 1e300))
@example(X=np.full((1, 4, 4, 3), -1e300))
def test_predict_returns_probabilities_or_says_why_not(fitted, X):
    with unchanged(fitted):
        result = outcome(fitted.predict_proba, X)
    if not isinstance(result, Exception):
        assert result.shape == (len(X), 3)
        np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-5)


@examples(100)
@given(X=WHATEVER)
def test_predict_takes_anything_or_says_why_not(fitted, X):
    with unchanged(fitted):
        outcome(fitted.predict, X)


@examples(150)
@given(X=PIXELS | WHATEVER, method=st.sampled_from(["unit", "symmetric", "standardize"]))
@example(X=np.array([-1.7e308, 1.7e308, 0]).reshape(1, 1, 1, 3), method="unit")
@example(X=np.array([0, 1e200, 0]).reshape(1, 1, 1, 3), method="standardize")
@example(X=np.array([0, 1e-150]).reshape(2, 1, 1, 1), method="standardize")
@example(X=np.full((1, 1, 1, 1), 1e16), method="unit")
@example(X=np.full((3, 1, 1, 3), 0.1), method="standardize")
@example(X=np.float32([-3e38, 3e38, 0]).reshape(1, 1, 1, 3), method="symmetric")
def test_normalized_images_are_finite(X, method):
    normalizer = ImageNormalizer(method)
    result = outcome(normalizer.fit_transform, X)
    if isinstance(result, Exception):
        assert vars(normalizer) == vars(ImageNormalizer(method))
        with pytest.raises(NotFittedError):
            normalizer.transform(np.zeros((1, 4, 4, 3)))
    else:
        assert result.dtype == np.float32
        assert np.isfinite(result).all()


@examples(60)
@given(data=st.data(), X=PIXELS)
def test_the_layout_in_memory_does_not_matter(data, X):
    assume(np.isfinite(X).all())
    steps = data.draw(st.tuples(*[st.sampled_from([1, -1, 2])] * 3))
    order = data.draw(st.sampled_from("CFK"))
    seen = np.array(X[tuple(slice(None, None, step) for step in steps)], order=order)
    odd = np.repeat(seen, 2, axis=0)[::2]  # with gaps between the images
    odd.flags.writeable = False
    plain = np.ascontiguousarray(seen).astype(seen.dtype.newbyteorder("="))
    results = [outcome(ImageNormalizer().fit_transform, images) for images in (plain, odd)]
    if isinstance(results[0], Exception):
        assert str(results[0]) == str(results[1])
    else:
        np.testing.assert_array_equal(*results)


VALUES = WHATEVER | st.dictionaries(SCALARS, SCALARS, max_size=3) | st.sampled_from([np.sum, int])


@examples(200)
@given(name=st.sampled_from(sorted(MobileNetV2Classifier().get_params())), value=VALUES)
def test_parameters_are_taken_or_said_to_be_wrong(name, value):
    class NotStarted(MobileNetV2Classifier):
        def _frozen_network(self, images):
            raise TrainingReached

    X, y = make_images(12, image_shape=(2, 2, 3), random_state=0)
    classifier = NotStarted(**{name: value})
    with unchanged(classifier):
        outcome(classifier.fit, X, y, allowed=(ValueError, TypeError, TrainingReached))


@examples(100)
@given(name=st.sampled_from(sorted(ImageNormalizer().get_params())), value=VALUES)
def test_parameters_of_the_normalizer_are_taken_or_said_to_be_wrong(name, value):
    normalizer = ImageNormalizer().set_params(**{name: value})
    outcome(normalizer.fit, np.zeros((2, 2, 2, 3)))


# --- The feature cache -----------------------------------------------------------------------

KEYS = st.tuples(st.binary(min_size=1, max_size=3), st.binary(min_size=1, max_size=3))
ROWS = hnp.arrays(np.uint32, 4).map(lambda bits: bits.view(np.float32))  # any bits, NaN too
KEPT = st.dictionaries(KEYS, ROWS, max_size=12)


def write_rows(store, kept):
    for (network, digest), row in kept.items():
        store.write(network, [digest], row[None])


def read_row(store, key):
    """Return the bytes of a row, or None if it is not there."""
    out = np.zeros((1, 4), np.float32)
    return None if store.read(key[0], [key[1]], out) else out.tobytes()


@pytest.mark.parametrize("in_memory", [True, False])
@examples(20)
@given(kept=KEPT, others=st.lists(KEYS, max_size=5))
def test_rows_come_back_as_they_were_put(tmp_path_factory, in_memory, kept, others):
    store = MemoryStore() if in_memory else DiskStore(tmp_path_factory.mktemp("cache"))
    write_rows(store, kept)
    for key in [*kept, *others]:
        assert read_row(store, key) == (kept[key].tobytes() if key in kept else None)


def damages(n_bytes):
    """Return a strategy of functions that damage bytes of that length."""
    place = st.integers(0, n_bytes - 1) | st.integers(0, min(n_bytes, 300) - 1)
    flips = st.lists(st.tuples(place, st.integers(1, 255)), min_size=1, max_size=4)
    return st.one_of(
        flips.map(lambda flips: lambda data: _flipped(data, flips)),
        flips.map(lambda flips: lambda data: _flipped(data[::-1], flips)[::-1]),
        place.map(lambda end: lambda data: data[:end]),
        st.tuples(place, st.binary(max_size=50)).map(
            lambda inserted: lambda data: data[: inserted[0]] + inserted[1] + data[inserted[0] :]
        ),
        st.binary(max_size=200).map(lambda other: lambda data: other),
        st.binary(max_size=200).map(lambda other: lambda data: data[:16] + other),
    )


def _flipped(data, flips):
    data = bytearray(data)
    for place, bits in flips:
        data[place] ^= bits
    return bytes(data)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The rows in a store of 60, and the bytes of its file."""
    kept = {(b"n", bytes([i])): np.full(4, i, np.float32) for i in range(60)}
    folder = tmp_path_factory.mktemp("whole")
    write_rows(DiskStore(folder), kept)
    return kept, (folder / _DATABASE_NAME).read_bytes()


@examples(60)
@given(data=st.data())
def test_a_damaged_store_forgets_but_never_errs(tmp_path_factory, database, data):
    kept, whole = database
    folder = tmp_path_factory.mktemp("damaged")
    (folder / _DATABASE_NAME).write_bytes(data.draw(damages(len(whole)))(whole))
    store = DiskStore(folder)
    with quietly():
        for key, row in kept.items():
            assert read_row(store, key) in (None, row.tobytes())
        write_rows(store, dict(list(kept.items())[:2]))
        assert read_row(store, (b"n", b"\0")) in (None, bytes(16))


# --- Saved estimators ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    """The bytes of small saved files: a fitted classifier without network, and its manifest."""
    path = tmp_path_factory.mktemp("saved") / "file"
    save(ImageNormalizer("standardize").fit(np.zeros((2, 2, 2, 3))), path)
    small = path.read_bytes()
    save(fitted, path)
    return small, path.read_bytes()


def assert_loads_or_says_why_not(path):
    """Assert that `load` returns an estimator or raises the error that it promises."""
    result = outcome(load, path, allowed=ValueError)
    if isinstance(result, ValueError):
        assert str(path) in str(result)
    else:
        repr(result)
        clone(result)


@examples(200)
@given(data=st.data())
def test_damaged_files_are_refused_or_loaded(tmp_path_factory, saved, data):
    path = tmp_path_factory.mktemp("damaged") / "file"
    whole = saved[data.draw(st.integers(0, 1))]
    path.write_bytes(data.draw(damages(len(whole)))(whole))
    assert_loads_or_says_why_not(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text(max_size=8), items),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["array", "float", "tuple", "dict", "path", "scalar", "objects", "RandomState", "Head"]
)
FORGED = JSON | st.dictionaries(KINDS, JSON, min_size=1, max_size=1)


def places(value, path=()):
    """Yield the path to every node of what JSON holds."""
    yield path
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from places(item, (*path, key))


def replaced(value, path, new):
    """Return a copy of what JSON holds with another node at `path`."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@pytest.fixture(scope="module")
def members(saved):
    """The members of the saved classifier by name, and the places in its manifest."""
    with zipfile.ZipFile(io.BytesIO(saved[1])) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents.pop("manifest.json"))
    return contents, manifest, list(places(manifest))


def write_members(path, contents, manifest):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**contents, "manifest.json": json.dumps(manifest)}.items():
            archive.writestr(name, content)


@examples(250)
@given(data=st.data(), new=FORGED)
def test_forged_manifests_are_refused_or_loaded(tmp_path_factory, members, data, new):
    contents, manifest, all_places = members
    place = data.draw(st.sampled_from(all_places))
    path = tmp_path_factory.mktemp("forged") / "file"
    write_members(path, contents, replaced(manifest, place, new))
    assert_loads_or_says_why_not(path)


LONG_NAME = "x" * 5000


@pytest.mark.parametrize("name", ["feature_cache", "checkpoint_dir"])
@pytest.mark.parametrize("value", [LONG_NAME, "a\0b", {"path": [LONG_NAME]}, 3, ["memory"]])
def test_forged_folders_are_refused_or_forgotten(tmp_path, members, name, value):
    contents, manifest, _ = members
    write_members(
        tmp_path / "file",
        contents,
        replaced(manifest, ("content", "parameters", name), value),
    )
    assert_loads_or_says_why_not(tmp_path / "file")


# --- Checkpoints -----------------------------------------------------------------------------


class _Array:
    """A variable of a model as far as a checkpoint knows it."""

    def __init__(self, value):
        self.value = np.array(value, np.float32)
        self.shape = self.value.shape

    def numpy(self):
        return self.value

    def assign(self, value):
        self.value = np.array(value)


class _Model:
    """As much of a model as a checkpoint knows."""

    stop_training = False

    def __init__(self, number):
        self.weights = [_Array(np.full((2, 3), number)), _Array(np.full(3, number))]
        self.optimizer = type("Optimizer", (), {"variables": [_Array(number)]})()

    def get_weights(self):
        return [variable.value for variable in self.weights]

    def set_weights(self, arrays):
        for variable, array in zip(self.weights, arrays, strict=True):
            variable.assign(array)

    def state(self):
        variables = [*self.weights, *self.optimizer.variables]
        return [variable.value.tolist() for variable in variables]


@examples(80)
@given(data=st.data())
@example(data=None)
def test_a_damaged_checkpoint_is_used_whole_or_not_at_all(tmp_path_factory, data):
    checkpoint = PhaseCheckpoint(tmp_path_factory.mktemp("fit") / "head.npz", best=None)
    checkpoint.save(_Model(1), {"loss": [0.5]})
    whole = checkpoint._path.read_bytes()
    if data is None:  # an array alone, which numpy.load takes as well
        np.save(checkpoint._path.with_suffix(".npy"), np.zeros(3))
        checkpoint._path.with_suffix(".npy").rename(checkpoint._path)
    else:
        checkpoint._path.write_bytes(data.draw(damages(len(whole)))(whole))
    model = _Model(0)
    with quietly():
        history, _ = checkpoint.restore(model)
    assert model.state() == _Model(1 if history else 0).state()


def test_a_checkpoint_of_another_optimizer_is_not_used_by_half(tmp_path):
    checkpoint = PhaseCheckpoint(tmp_path / "head.npz", best=None)
    other = _Model(1)
    other.optimizer.variables.append(_Array(1))
    checkpoint.save(other, {"loss": [0.5]})
    model = _Model(0)
    with pytest.warns(UserWarning, match="other shapes"):
        assert checkpoint.restore(model) == ({}, False)
    assert model.state() == _Model(0).state()


# --- Data sets -------------------------------------------------------------------------------


def picture_bytes(format):
    X, _ = make_images(1, random_state=0)
    stream = io.BytesIO()
    Image.fromarray(X[0]).save(stream, format)
    return stream.getvalue()


PICTURES = {name: picture_bytes(name) for name in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")}


@examples(120)
@given(data=st.data(), format=st.sampled_from(sorted(PICTURES)))
def test_damaged_pictures_are_read_or_named(tmp_path_factory, data, format):
    whole = PICTURES[format]
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "cat").mkdir()
    picture = folder / "cat" / "1.png"
    picture.write_bytes(data.draw(damages(len(whole)))(whole))
    result = outcome(load_image_folder, folder, image_size=8, allowed=ValueError)
    if isinstance(result, ValueError):
        assert str(picture) in str(result)
    else:
        assert result.images.shape == (1, 8, 8, 3)


@examples(120)
@given(
    data=st.data(),
    format=st.sampled_from(sorted(PICTURES)),
    resize=st.sampled_from(["stretch", "crop", "pad"]),
    image_size=st.integers(1, 40) | st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_damaged_bytes_are_read_or_refused_alike(data, format, resize, image_size):
    """By `load_image` and by `ImageFiles`, and twice the same."""
    whole = PICTURES[format]
    content = data.draw(damages(len(whole)))(whole)
    options = {"image_size": image_size, "resize": resize}
    files = ImageFiles([content], **options)
    image = outcome(load_image, content, **options, allowed=ValueError)
    images = outcome(np.asarray, files, allowed=ValueError)
    if isinstance(image, ValueError):
        assert str(image) == str(images)
    else:
        assert (image.shape, image.dtype) == (files.image_shape, np.uint8)
        np.testing.assert_array_equal(images, [image])


@examples(40)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"]),
    image_size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    resize=st.sampled_from(["stretch", "crop", "pad"]),
    orientation=st.integers(0, 9),
)
def test_pictures_of_any_kind_and_size_are_read(size, mode, image_size, resize, orientation):
    picture = Image.new(mode, size)
    picture.getexif()[0x0112] = orientation
    image = load_image(picture, image_size=image_size, resize=resize)
    assert image.shape == (*image_size, 3)


@examples(60)
@given(name=st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name)))
@example(name=b"two\nlines.png")
@example(name=b"\xff.png")
@example(name=b"~root")
@example(name=b"-")
def test_pictures_of_any_name_are_read_or_passed_over(tmp_path_factory, name):
    assume(name not in (b".", b".."))
    folder = tmp_path_factory.mktemp("names")
    (folder / "cat").mkdir()
    (folder / "cat" / "1.png").write_bytes(PICTURES["PNG"])
    path = os.path.join(os.fsencode(folder / "cat"), name)
    with open(path, "wb") as file:
        file.write(b"text")
    data = outcome(load_image_folder, folder, image_size=8, allowed=ValueError)
    if isinstance(data, ValueError):
        assert all(line.isprintable() for line in str(data).splitlines())
    else:
        hidden = name.startswith(b".") or name.lower() in (b"thumbs.db", b"desktop.ini")
        assert hidden or os.fsdecode(name) == "1.png"
    with open(path, "wb") as file:
        file.write(PICTURES["PNG"])
    image = load_image(os.fsdecode(path), image_size=8)
    np.testing.assert_array_equal(image, load_image(PICTURES["PNG"], image_size=8))


N_FILES = 7
INDICES = st.one_of(
    st.slices(N_FILES),
    hnp.arrays(np.bool_, N_FILES),
    hnp.arrays(np.int64, st.integers(0, 9), elements=st.integers(-N_FILES, N_FILES - 1)),
    st.lists(st.integers(-N_FILES, N_FILES - 1), max_size=9),
    st.integers(-N_FILES, N_FILES - 1),
)


@examples(100)
@given(first=INDICES.filter(lambda index: not isinstance(index, int)), second=INDICES)
def test_parts_of_files_are_those_of_an_array(first, second):
    files = ImageFiles([encoded(number) for number in range(N_FILES)], image_size=4)
    images = np.asarray(files)
    expected = outcome(lambda: images[first][second], allowed=IndexError)
    found = outcome(lambda: np.asarray(files[first][second]), allowed=IndexError)
    if isinstance(expected, IndexError):
        assert isinstance(found, IndexError)
    else:
        np.testing.assert_array_equal(found, expected)


@functools.cache
def encoded(number):
    stream = io.BytesIO()
    Image.new("L", (4, 4), number).save(stream, "PNG")
    return stream.getvalue()


BATCH = pickle.dumps(
    {"data": np.zeros((2, 3072), np.uint8), "labels": [3, 4], "filenames": ["a", "b"]}, protocol=2
)
# Whole opcodes, so that random sequences of them get somewhere.
OPCODES = st.sampled_from(
    [
        *(b"N", b"(", b"]", b"}", b")", b"l", b"d", b"t", b"a", b"e", b"s", b"u", b"0", b"1", b"2"),
        *(b"b", b"R", b"\x81", b"o", b"\x85", b"\x86", b"\x87", b"\x88", b"\x93", b"."),
        *(b"K\x01", b"q\x00", b"h\x00", b"r\xff\xff\xff\x7f", b"\x94", b"J\xff\xff\xff\x7f"),
        *(b"U\x04data", b"U\x06labels", b"U\x02u1", b"X\x02\0\0\0i8", b"\x8a\x01\x05"),
        *(b"cos\nsystem\n", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n"),
        *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n"),
        *(b"cnumpy.core.numeric\n_frombuffer\n", b"c__builtin__\neval\n", b"\x8e" + b"\xff" * 8),
        *(b"\x96\xff\xff\xff\xff\xff\0\0\0", b"T\xff\xff\xff\x7f", b"P1\n", b"Q", b"\x82\x01"),
    ]
)
HOSTILE = st.lists(OPCODES, max_size=15).map(lambda codes: b"\x80\x02" + b"".join(codes) + b".")


def nested(n_levels):
    """Return a pickle of a few hundred bytes of a list of 10**n_levels numbers."""
    values = [0] * 10
    for _ in range(n_levels - 1):
        values = [values] * 10
    return pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": values}, protocol=2)


@examples(250)
@given(batch=HOSTILE | st.binary(max_size=100) | damages(len(BATCH)).map(lambda f: f(BATCH)))
@example(batch=b"\x80\x02Nr\xff\xff\xff\x7f.")  # 34 GB for the memo of the unpickler in C
@example(batch=nested(11))  # 800 GB once it is an array
def test_hostile_batches_are_read_or_refused(tmp_path_factory, batch):
    home = tmp_path_factory.mktemp("home")
    (home / "cifar-10-batches-py").mkdir()
    (home / "cifar-10-batches-py" / "test_batch").write_bytes(batch)
    result = outcome(fetch_cifar10, subset="test", data_home=home, return_X_y=True, allowed=OSError)
    if isinstance(result, OSError):
        assert "is not a file of CIFAR-10" in str(result)
    else:
        assert len(result[0]) == len(result[1])
