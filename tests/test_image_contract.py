"""The contract of scikit-learn's estimators on 4-D images, which its own suite does not cover."""

import time

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.utils import get_tags

from skcifar import ImageNormalizer, MobileNetV2Classifier
from skcifar.datasets import make_images

KINDS = ["classifier", "features", "normalizer"]
METHODS = {
    "classifier": ["predict", "predict_proba", "predict_log_proba", "decision_function"],
    "features": ["transform"],
    "normalizer": ["transform", "inverse_transform"],
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def estimator(kind, make_classifier, make_features):
    makers = {"classifier": make_classifier, "features": make_features}
    return makers.get(kind, ImageNormalizer)()


def outputs(estimator, kind, X):
    return [getattr(estimator, method)(X) for method in METHODS[kind]]


def test_fit_returns_the_estimator(estimator, images):
    assert estimator.fit(*images) is estimator


def test_constructor_stores_parameters_and_nothing_else(estimator):
    assert vars(estimator) == estimator.get_params(deep=False)


def test_fit_leaves_the_parameters_as_they_are(estimator, images):
    before = estimator.get_params()
    estimator.fit(*images)
    assert estimator.get_params() == before


def test_fit_adds_only_private_names_and_names_with_an_underscore_behind(estimator, images):
    added = set(vars(estimator.fit(*images))) - set(estimator.get_params())
    assert [name for name in added if not (name.startswith("_") or name.endswith("_"))] == []


def test_methods_leave_the_fitted_estimator_as_it_is(estimator, kind, images, new_images):
    estimator.fit(*images)
    before = dict(vars(estimator))
    outputs(estimator, kind, new_images[0])
    assert vars(estimator) == before


def test_methods_before_fit_raise_not_fitted_error(estimator, kind, images):
    for method in METHODS[kind]:
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            getattr(estimator, method)(images[0])


def test_second_fit_gives_the_same(estimator, kind, images, new_images):
    first = outputs(estimator.fit(*images), kind, new_images[0])
    second = outputs(estimator.fit(*images), kind, new_images[0])
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_forgets_images_of_another_shape(estimator, kind, images, new_images):
    other = images[0][:, :8, :12, :1]
    estimator.fit(other, images[1]).fit(*images)
    expected = outputs(clone(estimator).fit(*images), kind, new_images[0])
    for a, b in zip(outputs(estimator, kind, new_images[0]), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_images_and_their_rows_give_the_same(estimator, kind, images, new_images):
    X, y = images
    by_images = outputs(estimator.fit(X, y), kind, new_images[0])
    assert (estimator.n_features_in_, estimator.image_shape_) == (768, (16, 16, 3))
    by_rows = outputs(estimator.fit(X.reshape(len(X), -1), y), kind, new_images[0])
    assert (estimator.n_features_in_, estimator.image_shape_) == (768, (16, 16, 3))
    for a, b in zip(by_images, by_rows, strict=True):
        np.testing.assert_array_equal(a, b)


def test_fitted_on_rows_takes_images_and_the_other_way_round(estimator, kind, images, new_images):
    X, y = images
    rows = new_images[0].reshape(len(new_images[0]), -1)
    by_images = outputs(estimator.fit(X.reshape(len(X), -1), y), kind, new_images[0])
    by_rows = outputs(estimator.fit(X, y), kind, rows)
    for a, b in zip(by_images, by_rows, strict=True):
        np.testing.assert_array_equal(a.reshape(b.shape), b)


def test_nested_lists_do_as_well_as_arrays(estimator, kind, images):
    X, y = images[0][:6], images[1][:6]
    expected = outputs(clone(estimator).fit(X, y), kind, X)
    found = outputs(estimator.fit(X.tolist(), y.tolist()), kind, X.tolist())
    for a, b in zip(found, expected, strict=True):
        # Ints in a list become int64, whose mapping to the network's range rounds as uint8's does.
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["classifier", "features"], indirect=True)
def test_grey_images_are_taken_for_equal_channels(estimator, kind, images):
    grey, y = images[0][..., :1], images[1]
    by_grey = outputs(clone(estimator).fit(grey, y), kind, grey)
    repeated = np.repeat(grey, 3, axis=3)
    by_colour = outputs(estimator.fit(repeated, y), kind, repeated)
    for a, b in zip(by_grey, by_colour, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_answers_depend_neither_on_the_order_nor_on_the_batch(
    make_classifier, images, new_images, engine
):
    if engine == "openvino":
        pytest.importorskip("openvino")
    X = new_images[0]
    classifier = make_classifier(engine=engine, feature_cache=None).fit(*images)
    expected = classifier.decision_function(X)
    order = np.random.default_rng(0).permutation(len(X))
    reordered = classifier.decision_function(X[order])
    one_by_one = np.concatenate([classifier.decision_function(image[None]) for image in X])
    # Float32 through 50 layers, standardised: of scores up to 10, 1e-4 is rounding.
    np.testing.assert_allclose(reordered, expected[order], atol=1e-4)
    np.testing.assert_allclose(one_by_one, expected, atol=1e-4)


def test_scikit_learn_sees_a_classifier_of_rows_and_of_images(make_classifier):
    tags = get_tags(make_classifier())
    assert is_classifier(make_classifier())
    assert tags.input_tags.two_d_array
    assert tags.classifier_tags.multi_class
    assert not tags.input_tags.sparse
    assert tags.target_tags.required


def test_misspelt_parameter_is_a_type_error(make_classifier):
    with pytest.raises(TypeError, match="epoch"):
        make_classifier(epoch=3)


@pytest.mark.parametrize(
    "names",
    [["ship", "cat", "dog"], [30, -10, 20], np.array(["b", "c", "a"], dtype=object)],
    ids=["str", "int", "object"],
)
def test_labels_come_back_as_they_were(make_classifier, images, new_images, names):
    X, y = images
    names = np.asarray(names)
    classifier = make_classifier().fit(X, names[y])
    assert classifier.classes_.tolist() == sorted(names)
    assert classifier.predict(X).dtype == names.dtype
    assert classifier.score(new_images[0], names[new_images[1]]) > 0.8


def test_bool_labels_come_back_as_bools(make_classifier, images):
    X, y = images
    predicted = make_classifier().fit(X, y == 0).predict(X)
    assert predicted.dtype == bool
    assert np.mean(predicted == (y == 0)) > 0.8


def test_column_of_labels_warns_and_is_taken_for_a_vector(make_classifier, images):
    X, y = images
    expected = make_classifier().fit(X, y).predict_proba(X)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        classifier = make_classifier().fit(X, y[:, None])
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def test_probabilities_are_float32_and_add_up_to_one(make_classifier, images, new_images):
    probabilities = make_classifier().fit(*images).predict_proba(new_images[0])
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (30, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("test_time_augmentation", [False, True, "flip_translate"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_three_answers_agree(make_classifier, images, n_classes, test_time_augmentation):
    X, y = images
    classifier = make_classifier(test_time_augmentation=test_time_augmentation)
    classifier.fit(X, np.minimum(y, n_classes - 1))
    probabilities, scores = classifier.predict_proba(X), classifier.decision_function(X)
    np.testing.assert_array_equal(classifier.predict(X), probabilities.argmax(axis=1))
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(X)), probabilities, rtol=1e-5)
    if n_classes == 2:
        assert scores.shape == (len(X),)
        np.testing.assert_allclose(1 / (1 + np.exp(-scores)), probabilities[:, 1], atol=1e-5)
    else:
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(softmax, probabilities, atol=1e-5)


@pytest.mark.parametrize(("height", "up", "width", "left"), [(64, 4, 32, 2), (9, 1, 2, 1)])
def test_probabilities_of_moved_and_mirrored_images_are_averaged(
    make_classifier, height, up, width, left
):
    X, y = make_images(24, image_shape=(height, width, 3), random_state=0)
    classifier = make_classifier().fit(X, y)
    edges = np.pad(X, ((0, 0), (up, up), (left, left), (0, 0)), mode="edge")
    starts = (up, left), (0, left), (2 * up, left), (up, 0), (up, 2 * left)
    windows = [edges[:, i : i + height, j : j + width] for i, j in starts]
    expected = [
        classifier.predict_proba(view) for part in windows for view in (part, part[:, :, ::-1])
    ]
    classifier.set_params(test_time_augmentation="flip_translate")
    found = classifier.predict_proba(X)
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-5, atol=1e-6)


def test_second_fit_on_64_small_images_takes_under_one_and_a_half_seconds(images):
    def seconds():
        start = time.process_time()  # of all threads, and of nobody else
        MobileNetV2Classifier(weights=None, random_state=0).fit(*images)
        return time.process_time() - start

    seconds()
    assert min(seconds() for _ in range(3)) < 1.5


def test_learns_what_it_is_shown(make_classifier, images, new_images):
    assert make_classifier().fit(*images).score(*new_images) > 0.9


def test_keras_models_follow_parameters_that_are_set_after_the_fit(make_classifier, images):
    X, y = images
    classifier = make_classifier(dropout=0.3).fit(X, y)
    plain, head = classifier.model_, classifier.head_
    classifier.set_params(test_time_augmentation=True)
    found = classifier.model_.predict(X, verbose=0)
    assert np.abs(found - plain.predict(X, verbose=0)).max() > 1e-3
    np.testing.assert_allclose(found, classifier.predict_proba(X), atol=1e-3)
    assert classifier.head_ is head
    rates = [
        layer.rate
        for layer in classifier.set_params(dropout=0.5).head_.model_.layers
        if hasattr(layer, "rate")
    ]
    assert rates == [0.5, 0.5]
