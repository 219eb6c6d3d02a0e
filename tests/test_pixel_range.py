"""What estimators and Pipelines make of the range of pixels, in each call that takes images."""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline, make_pipeline

from skcifar import ImageNormalizer

OTHER_SCALES = {
    "fractions after bytes": (np.uint8, lambda X: X / 255),
    "symmetric after bytes": (np.uint8, lambda X: X / 127.5 - 1),
    "bytes after fractions": (lambda X: X / 255, np.asarray),
}


@pytest.fixture(params=OTHER_SCALES.values(), ids=OTHER_SCALES)
def scaled(request, images):
    """Return images as they are fitted, the same as they are shown later, and their labels."""
    X, y = images
    fitted, shown = request.param
    return fitted(X), shown(X), y


def warns(name="X"):
    return pytest.warns(UserWarning, match=f"^{name} holds pixels in .*, but the fit was on pixels")


def test_other_scale_at_predict_warns(make_classifier, scaled):
    X, X_other, y = scaled
    classifier = make_classifier(epochs=1).fit(X, y)
    with warns():
        classifier.predict(X_other)


def test_other_scale_of_the_validation_set_warns(make_classifier, scaled):
    X, X_other, y = scaled
    with warns("X_val"):
        make_classifier(epochs=1).fit(X, y, X_val=X_other, y_val=y)


def test_other_scale_of_a_later_batch_warns(make_classifier, scaled):
    X, X_other, y = scaled
    classifier = make_classifier().partial_fit(X, y, classes=[0, 1, 2])
    with warns():
        classifier.partial_fit(X_other, y)


def test_other_scale_of_a_warm_start_warns(make_classifier, scaled):
    X, X_other, y = scaled
    classifier = make_classifier(epochs=1, warm_start=True).fit(X, y)
    with warns():
        classifier.fit(X_other, y)


@pytest.mark.parametrize("estimator", ["features", "normalizer"])
def test_other_scale_at_transform_warns(estimator, make_features, scaled):
    X, X_other, _ = scaled
    transformer = {"features": make_features, "normalizer": ImageNormalizer}[estimator]().fit(X)
    with warns():
        transformer.transform(X_other)


def test_validation_set_that_went_past_the_normalizer_warns(make_classifier, images):
    X, y = images
    pipeline = Pipeline([("scale", ImageNormalizer()), ("classify", make_classifier(epochs=1))])
    with warns("X_val"):
        pipeline.fit(X, y, classify__X_val=X, classify__y_val=y)


def test_rows_of_weight_zero_decide_no_range(make_classifier, images):
    X, y = images
    X, weights = (X / 255).astype(np.float32), np.ones(len(X))
    X[0], weights[0] = 200, 0
    assert make_classifier(epochs=1).fit(X, y, weights).pixel_range_ == (0, 1)


@pytest.mark.parametrize("pixel", [1.0000001, -1e-7])
def test_rounding_of_one_pixel_changes_no_prediction(pixel, make_classifier, images):
    X, y = images
    X = (X / 255).astype(np.float32)
    odd = X.copy()
    odd[3, 4, 5, 0] = pixel
    found, expected = (make_classifier(epochs=1).fit(data, y).predict_proba(X) for data in (odd, X))
    np.testing.assert_allclose(found, expected, atol=0.01)  # another pixel, the same range


# --- Bright images behind ImageNormalizer("symmetric") ------------------------------------------


@pytest.fixture
def bright(images):
    """Return images without a pixel below 128: in [-1, 1], none is below 0."""
    X, y = images
    return 128 + X // 2, y


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_bright_images_are_predicted_alike_behind_a_normalizer(make_classifier, bright, dtype):
    X, y = bright
    X = X.astype(dtype) * (257 if dtype == np.uint16 else 1)
    pipeline = make_pipeline(ImageNormalizer("symmetric"), make_classifier()).fit(X, y)
    assert pipeline[-1].pixel_range_ == (-1, 1)
    # Rounding of normalised pixels, through a random network and standardised features.
    expected = make_classifier().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(pipeline.predict_proba(X), expected, atol=5e-3)


def test_first_batch_of_bright_images_fixes_the_range_of_all(make_classifier, bright, images):
    symmetric = ImageNormalizer("symmetric").fit(images[0])
    classifier = make_classifier().partial_fit(
        symmetric.transform(bright[0][:6]), bright[1][:6], classes=[0, 1, 2]
    )
    classifier.partial_fit(symmetric.transform(images[0]), images[1])
    assert classifier.pixel_range_ == (-1, 1)


def test_one_bright_image_is_in_the_symmetric_range(make_features, bright):
    one = ImageNormalizer("symmetric").fit_transform(bright[0][:1])
    assert make_features().fit(one).pixel_range_ == (-1, 1)


def test_standardised_images_are_a_guess_in_doubt(make_features, bright):
    standardised = ImageNormalizer("standardize").fit_transform(bright[0])
    with pytest.warns(UserWarning, match="not a usual range"):
        make_features().fit(standardised)
