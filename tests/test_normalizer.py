import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import ImageNormalizer


@pytest.mark.parametrize(("method", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
@pytest.mark.parametrize(
    ("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float64, 255), (bool, 1)]
)
def test_black_and_white_become_the_ends_of_the_range(method, low, high, dtype, white):
    X = np.zeros((2, 4, 4, 3), dtype)
    X[1] = white
    transformed = ImageNormalizer(method).fit_transform(X)
    assert transformed.dtype == np.float32
    np.testing.assert_allclose(transformed[0], low, atol=1e-6)
    np.testing.assert_allclose(transformed[1], high, atol=1e-6)


def test_standardize_is_a_standard_scaler_on_each_channel(images):
    X = images[0]
    transformed = ImageNormalizer("standardize").fit_transform(X)
    expected = StandardScaler().fit_transform(X.reshape(-1, 3)).reshape(X.shape)
    # Float32 of numbers up to 3, against scikit-learn's float64.
    np.testing.assert_allclose(transformed, expected, atol=2e-6)


def test_standardize_leaves_a_constant_channel_undivided(images):
    X = images[0].copy()
    X[..., 1] = 7
    transformed = ImageNormalizer("standardize").fit_transform(X)
    np.testing.assert_allclose(transformed[..., 1], 0, atol=1e-6)


def test_standardize_learns_over_more_images_than_one_pass_holds(monkeypatch, images):
    expected = ImageNormalizer("standardize").fit(images[0])
    monkeypatch.setattr("skcifar._normalizer._IMAGES_PER_PASS", 7)
    in_parts = ImageNormalizer("standardize").fit(images[0])
    np.testing.assert_allclose(in_parts.scale_, expected.scale_, rtol=1e-12)
    np.testing.assert_allclose(in_parts.offset_, expected.offset_, rtol=1e-12)


@pytest.mark.parametrize("method", ["unit", "symmetric", "standardize"])
@given(X=arrays(np.uint8, (3, 2, 4, 3), elements=st.integers(0, 255)))
@settings(max_examples=25, deadline=None)
def test_inverse_transform_undoes_transform(method, X):
    normalizer = ImageNormalizer(method).fit(X)
    restored = normalizer.inverse_transform(normalizer.transform(X))
    np.testing.assert_allclose(restored, X, atol=1e-3)  # of 255, in float32


def test_new_images_are_mapped_as_those_of_fit(images, new_images):
    normalizer = ImageNormalizer("standardize").fit(images[0])
    found = normalizer.transform(new_images[0])
    np.testing.assert_allclose(
        found, new_images[0] * normalizer.scale_ + normalizer.offset_, atol=1e-5
    )


def test_rows_come_out_as_rows(images):
    X = images[0]
    rows = X.reshape(len(X), -1)
    expected = ImageNormalizer().fit_transform(X).reshape(len(X), -1)
    np.testing.assert_array_equal(ImageNormalizer().fit_transform(rows), expected)


def test_rows_of_grey_images_need_their_shape(images):
    grey = images[0][..., :1]
    rows = grey.reshape(len(grey), -1)
    normalizer = ImageNormalizer(image_shape=(16, 16, 1)).fit(rows)
    assert normalizer.image_shape_ == (16, 16, 1)
    expected = ImageNormalizer().fit_transform(grey).reshape(rows.shape)
    np.testing.assert_array_equal(normalizer.transform(rows), expected)


def test_pandas_rows_keep_their_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.full((2, 12), 51.0), columns=[f"p{i}" for i in range(12)])
    frame.iloc[0, 0] = 255
    normalizer = ImageNormalizer().set_output(transform="pandas")
    transformed = normalizer.fit_transform(frame)
    assert transformed.columns.tolist() == frame.columns.tolist()
    np.testing.assert_allclose(transformed.iloc[1], 0.2, rtol=1e-6)


@pytest.mark.parametrize("method", ["transform", "fit_transform"])
def test_images_stay_arrays_where_frames_are_asked_for(images, method):
    pytest.importorskip("pandas")
    X = images[0]
    expected = ImageNormalizer().fit_transform(X)
    normalizer = ImageNormalizer().fit(X)
    with config_context(transform_output="pandas"):
        np.testing.assert_array_equal(getattr(normalizer, method)(X), expected)
    found = getattr(normalizer.set_output(transform="pandas"), method)(X)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ["transform", "fit_transform"])
def test_rows_become_frames_where_frames_are_asked_for(images, method):
    pandas = pytest.importorskip("pandas")
    rows = images[0].reshape(len(images[0]), -1)
    normalizer = ImageNormalizer().fit(rows)
    with config_context(transform_output="pandas"):
        frame = getattr(normalizer, method)(rows)
    assert isinstance(frame, pandas.DataFrame)
    np.testing.assert_array_equal(frame, ImageNormalizer().fit_transform(rows))


def test_pipeline_of_a_notebook_that_asks_for_frames_predicts_as_any(make_classifier, images):
    pytest.importorskip("pandas")
    pipeline = make_pipeline(ImageNormalizer(), make_classifier(epochs=1))
    expected = clone(pipeline).fit(*images).predict_proba(images[0])
    with config_context(transform_output="pandas"):
        found = pipeline.fit(*images).predict_proba(images[0])
        head = pipeline[-1].head_
        head.predict_proba(np.zeros((2, head.n_features_in_), np.float32))  # no warning either
    np.testing.assert_array_equal(found, expected)


def test_images_of_different_sizes_are_named(images):
    normalizer = ImageNormalizer().fit(images[0])
    ragged = [np.zeros((32, 32, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)]
    for method in (normalizer.fit, normalizer.transform, normalizer.inverse_transform):
        with pytest.raises(ValueError, match="images of different shapes"):
            method(ragged)


def test_images_are_left_as_they_were(images):
    X = images[0].copy()
    normalizer = ImageNormalizer().fit(X)
    normalizer.inverse_transform(normalizer.transform(X))
    np.testing.assert_array_equal(X, images[0])


@pytest.mark.parametrize("method", ["unit", "symmetric"])
def test_classifier_predicts_alike_with_and_without_it(make_classifier, images, new_images, method):
    plain = make_classifier().fit(*images)
    pipeline = make_pipeline(ImageNormalizer(method), clone(plain)).fit(*images)
    found, expected = (c.predict_proba(new_images[0]) for c in (pipeline, plain))
    # Rounding of normalised pixels, through a random network and standardised features.
    np.testing.assert_allclose(found, expected, atol=5e-3)
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_classifier_learns_from_standardised_images(make_classifier, images, new_images):
    pipeline = make_pipeline(ImageNormalizer("standardize"), make_classifier())
    with pytest.warns(UserWarning, match="which is not a usual range"):
        pipeline.fit(*images)
    assert pipeline.score(*new_images) > 0.9


@pytest.mark.parametrize("method", ["standardise", None, 3])
def test_method_is_one_of_three(method, images):
    with pytest.raises(ValueError, match="'method' parameter of ImageNormalizer must be 'unit'"):
        ImageNormalizer(method).fit(images[0])
