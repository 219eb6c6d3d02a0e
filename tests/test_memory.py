"""Memory that a fit takes beside its images."""

import tracemalloc

import numpy as np
import pytest

from skcifar import clear_feature_cache
from skcifar._extraction import extractor, feature_cache
from skcifar._validation.selected_rows import SelectedRows
from skcifar.datasets import make_images


@pytest.fixture(scope="module")
def large():
    """Return (X, y): 22 MB of images, of which the features are 1 MB."""
    return make_images(n_samples=200, image_shape=(192, 192, 3), random_state=0)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(extractor, "_CHUNK_BYTES", 2**20)


def traced_peak(function):
    """Return the bytes that NumPy and Python had at most while `function` ran."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"feature_cache": None}])
def test_a_fit_reads_images_in_parts_and_never_copies_them_all(
    make_classifier, large, small_parts, options
):
    classifier = make_classifier(epochs=1, **options).fit(large[0][:30], large[1][:30])
    clear_feature_cache()
    assert traced_peak(lambda: classifier.fit(*large)) < large[0].nbytes / 2


def test_leaving_out_rows_of_weight_zero_copies_no_images(make_classifier, large, small_parts):
    X, y = large
    weights = np.ones(len(X))
    weights[0] = 0
    classifier = make_classifier(epochs=1, feature_cache=None).fit(X[:30], y[:30])
    assert traced_peak(lambda: classifier.fit(X, y, sample_weight=weights)) < X.nbytes / 2


def test_features_that_are_partly_there_copy_no_images(make_classifier, large, small_parts):
    X, y = large
    clear_feature_cache()
    classifier = make_classifier(epochs=1).fit(X[::50], y[::50])
    assert traced_peak(lambda: classifier.predict(X)) < X.nbytes / 2


def test_parts_are_bounded_in_bytes_of_images_and_of_features():
    assert extractor._chunk_size(32 * 32 * 3) == extractor._CHUNK_SIZE
    assert extractor._chunk_size(512 * 512 * 3) * 512 * 512 * 3 <= extractor._CHUNK_BYTES
    assert extractor._chunk_size(10 * extractor._CHUNK_BYTES) == 1


def test_after_fine_tuning_the_cache_holds_features_alone(make_classifier, images):
    clear_feature_cache()
    classifier = make_classifier(fine_tune_epochs=1).fit(*images)
    n_features = classifier._frozen.n_features
    assert feature_cache._MEMORY_STORE._n_bytes == len(images[0]) * n_features * 4


def test_selected_rows_are_those_of_the_array():
    images = np.arange(7 * 2 * 2 * 3).reshape(7, 2, 2, 3)
    chosen = np.array([False, True, True, False, True, True, True])
    selected = SelectedRows(SelectedRows(images, chosen), np.array([4, 0, 2]))
    expected = images[[6, 1, 4]]
    assert (selected.shape, selected.dtype, len(selected)) == (expected.shape, expected.dtype, 3)
    for rows in (slice(1, 3), np.array([2, 0]), np.array([[0, 1], [2, 2]])):
        np.testing.assert_array_equal(selected[rows], expected[rows])
    np.testing.assert_array_equal(list(selected), expected)
    assert (selected.min(), selected.max()) == (expected.min(), expected.max())
