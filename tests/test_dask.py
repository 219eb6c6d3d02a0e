"""Dask arrays, larger than memory too: lazily, block by block."""

import re
import threading
import weakref

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer, _dask
from skcifar.datasets import make_images

da = pytest.importorskip("dask.array")

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@pytest.fixture(scope="module")
def fitted(make_classifier, images):
    return make_classifier().fit(*images)


@pytest.fixture(scope="module")
def features(make_features, images):
    return make_features(feature_cache=None).fit(images[0])


def blocks_of(X, chunks=(20, 8, 8, 3)):
    return da.from_array(X, chunks=chunks)


def assert_like(lazy, expected, rows_a_block=(20, 20, 20, 4)):
    """Assert that a Dask array announces and holds what the method returns for a whole array."""
    assert isinstance(lazy, da.Array)
    assert lazy.shape == expected.shape
    assert lazy.dtype == expected.dtype
    assert lazy.chunks[0] == rows_a_block
    computed = lazy.compute()
    assert computed.dtype == expected.dtype
    # In other batches sums come in another order; logarithms of small numbers show it.
    compare = np.testing.assert_array_equal if expected.dtype.kind in "iU" else _assert_close
    compare(computed, expected)


def _assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_of_a_dask_array_are_those_of_the_array(
    make_classifier, images, method, n_classes
):
    X, y = images
    names = np.array(["cat", "dog", "a horse"])
    rows = y < n_classes
    classifier = make_classifier(test_time_augmentation=True).fit(X[rows], names[y[rows]])
    call = getattr(classifier, method)
    assert_like(call(blocks_of(X)), call(X))


def test_features_of_a_dask_array_are_those_of_the_array(features, images):
    assert_like(features.transform(blocks_of(images[0])), features.transform(images[0]))


def test_features_of_a_dask_array_stay_lazy_where_frames_are_asked_for(features, images):
    asked = clone(features).set_output(transform="pandas").fit(images[0])
    assert isinstance(asked.transform(images[0]), pd.DataFrame)
    expected = features.transform(images[0])
    assert_like(asked.transform(blocks_of(images[0])), expected)
    assert_like(asked.fit_transform(blocks_of(images[0])), expected)
    assert isinstance(asked.fit_transform(images[0], None), pd.DataFrame)


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_normalized_dask_arrays_are_normalized_arrays(images, method):
    call = getattr(ImageNormalizer("standardize").fit(images[0]), method)
    assert_like(call(blocks_of(images[0])), call(images[0]))


def test_rows_of_pixels_may_be_a_dask_array(fitted, images):
    rows = images[0].reshape(len(images[0]), -1)
    assert_like(fitted.predict(blocks_of(rows, (20, 100))), fitted.predict(rows))


def test_a_pipeline_stays_lazy(make_classifier, images):
    pipeline = make_pipeline(ImageNormalizer(), make_classifier()).fit(*images)
    assert_like(pipeline.predict_proba(blocks_of(images[0])), pipeline.predict_proba(images[0]))


def test_fit_and_score_take_dask_arrays(make_classifier, fitted, images):
    X, y = images
    lazy = make_classifier().fit(blocks_of(X), blocks_of(y, 20))
    assert lazy.history_ == fitted.history_
    assert fitted.score(blocks_of(X), y) == fitted.score(X, y)
    assert fitted.score(blocks_of(X), blocks_of(y, 20)) == fitted.score(X, y)


def test_filtered_arrays_of_unknown_length_work(fitted, images):
    X, y = images
    lazy = fitted.predict(blocks_of(X)[blocks_of(y, 20) == 1])
    assert np.isnan(lazy.shape[0])
    np.testing.assert_array_equal(lazy.compute(), fitted.predict(X[y == 1]))


def test_blocks_that_a_filter_empties_give_empty_blocks(fitted, images):
    X, _ = images
    kept = np.arange(len(X)) >= 40  # nothing of the first two blocks
    lazy = fitted.predict_proba(blocks_of(X)[da.from_array(kept, chunks=20)])
    _assert_close(lazy.compute(), fitted.predict_proba(X[kept]))


@pytest.mark.parametrize("odd", ["shape", "channels", "empty", "complex", "text"])
def test_wrong_images_raise_before_anything_is_computed(fitted, features, images, odd):
    X = images[0]
    wrong = {
        "shape": X[:, :8],
        "channels": X[..., :2],
        "empty": X[:0],
        "complex": X.astype(complex),
        "text": X.astype(str),
    }[odd]
    never = da.from_array(wrong, chunks=20).map_blocks(pytest.fail, dtype=wrong.dtype, meta=wrong)
    for call in (fitted.predict, fitted.predict_proba, features.transform):
        with pytest.raises(ValueError) as expected:  # noqa: PT011 (compared below)
            call(wrong[:1])
        message = re.escape(str(expected.value).partition("[")[0])  # some go on with the pixels
        with pytest.raises(ValueError, match=message):
            call(never)


def test_an_estimator_that_is_not_fitted_says_so(make_classifier, images):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        make_classifier().predict(blocks_of(images[0]))


def test_pixels_outside_the_range_warn_when_they_are_computed(fitted, images):
    lazy = fitted.predict(blocks_of(images[0].astype(np.int64) * 2))
    with pytest.warns(UserWarning, match="Scale them in the same way"):
        lazy.compute(scheduler="synchronous")


def test_a_later_fit_changes_nothing_that_was_asked_for_before(make_classifier, images):
    X, y = images
    classifier = make_classifier().fit(X, y)
    expected, lazy = classifier.predict(X), classifier.predict(blocks_of(X))
    classifier.fit(X, (y + 1) % 3)
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_features_of_dask_arrays_are_not_kept_in_memory(make_classifier, images, monkeypatch):
    classifier = make_classifier().fit(*images)
    monkeypatch.setattr("skcifar._extraction.feature_cache._MEMORY_STORE.read", pytest.fail)
    classifier.predict(blocks_of(images[0])).compute()


class Blocks:
    """Makes a Dask array of new images, and counts the blocks of it that are in memory at once."""

    def __init__(self):
        self.alive = self.most_alive = self.made = 0
        self._lock = threading.Lock()

    def array(self, n_images, n_a_block):
        shape, chunks = (n_images, 16, 16, 3), (n_a_block, 16, 16, 3)
        chunks = da.core.normalize_chunks(chunks, shape)
        return da.map_blocks(self._make, chunks=chunks, meta=np.empty((0, 0, 0, 0), np.uint8))

    def _make(self, block_info=None):
        with self._lock:
            self.made += 1
            self.alive += 1
            self.most_alive = max(self.alive, self.most_alive)
        n_images = block_info[None]["chunk-shape"][0]
        X, _ = make_images(n_images, image_shape=(16, 16, 3), random_state=self.made)
        weakref.finalize(X, self._forget)
        return X

    def _forget(self):
        with self._lock:
            self.alive -= 1


@pytest.mark.parametrize("name", ["classifier", "features"])
def test_few_blocks_are_in_memory_at_once(fitted, features, name):
    blocks = Blocks()
    X = blocks.array(n_images=3_000, n_a_block=50)
    lazy = fitted.predict(X) if name == "classifier" else features.transform(X).sum(axis=1)
    assert blocks.made == 0
    assert lazy.compute(scheduler="threads", num_workers=2).shape == (3_000,)
    assert blocks.made == 60
    assert blocks.most_alive <= 8


def test_a_part_of_an_array_of_three_terabytes_is_computed_alone(fitted):
    blocks = Blocks()
    X = blocks.array(n_images=4 * 10**9, n_a_block=10**6)
    assert X.nbytes > 3e12
    lazy = fitted.predict(X)
    assert lazy.shape == (4 * 10**9,)
    assert blocks.made == 0
    small = blocks.array(n_images=10**6, n_a_block=100)
    assert fitted.predict(small)[150:250].compute().shape == (100,)
    assert blocks.made == 2


def test_what_only_looks_like_dask_is_none():
    assert not _dask.is_dask_array(np.zeros(3))
    assert not _dask.is_dask_array(None)
