"""Sample weights, class weights, validation data, and how pipelines and searches hand them on."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_class_weight

from skcifar import ImageNormalizer
from skcifar._keras import head_training


@pytest.fixture
def one_batch(make_classifier):
    """Return a function to classifiers whose epoch is one step, without dropout."""
    return lambda **parameters: make_classifier(
        **{"batch_size": 1000, "dropout": 0.0, "epochs": 4, **parameters}
    )


@pytest.fixture
def trained_rows(monkeypatch):
    """Return a list that grows by (labels, weights) at each training of a head."""
    calls, train_head = [], head_training.train_head

    def spying(head, settings, features, phase, **options):
        calls.append((phase.labels, phase.weights))
        return train_head(head, settings, features, phase, **options)

    monkeypatch.setattr(head_training, "train_head", spying)
    return calls


def assert_same(found, expected, X, atol=0.0):
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), 0, atol)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3, 1: 1, 2: 0.5}])
def test_weight_of_two_is_the_row_given_twice(one_batch, images, new_images, class_weight):
    X, y = images
    weights = 1.0 + (np.arange(len(X)) % 3 == 0)
    weighted = one_batch(class_weight=class_weight).fit(X, y, weights)
    twice = weights == 2
    repeated = one_batch(class_weight=class_weight)
    repeated.fit(np.concatenate([X, X[twice]]), np.concatenate([y, y[twice]]))
    # Sums in another order, in float32, over four steps: 1e-3 is what is promised.
    assert_same(weighted, repeated, new_images[0], atol=1e-3)
    unweighted = one_batch(class_weight=class_weight).fit(X, y)
    difference = weighted.predict_proba(new_images[0]) - unweighted.predict_proba(new_images[0])
    assert np.abs(difference).max() > 2e-3  # so that the tolerance above says something


def test_equal_weights_are_none(make_classifier, images, new_images):
    X, y = images
    expected = make_classifier().fit(X, y)
    assert_same(make_classifier().fit(X, y, np.full(len(X), 3.0)), expected, new_images[0], 1e-6)
    assert_same(make_classifier().fit(X, y, 0.5), expected, new_images[0], 1e-6)


def test_weights_whose_sum_is_too_large_for_a_float_are_weights(make_classifier, images):
    X, y = images
    expected = make_classifier().fit(X, y)
    assert_same(make_classifier().fit(X, y, np.full(len(X), 1e308)), expected, X, 1e-6)
    huge = make_classifier(class_weight=dict.fromkeys(range(3), 1e200))
    assert_same(huge.fit(X, y, np.full(len(X), 1e200)), expected, X, 1e-6)


def test_zero_weight_is_the_row_left_out(make_classifier, images, new_images):
    X, y = images
    kept = np.arange(len(X)) % 4 != 0
    found = make_classifier().fit(X, y, kept.astype(float))
    assert_same(found, make_classifier().fit(X[kept], y[kept]), new_images[0])


def test_class_whose_rows_all_weigh_nothing_is_known_and_never_likely(make_classifier, images):
    X, y = images
    classifier = make_classifier(epochs=20).fit(X, y, (y != 2).astype(float))
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert (classifier.predict(X) != 2).all()


@pytest.mark.parametrize("names", [[0, 1, 2], ["cat", "dog", "ship"]])
def test_class_weight_multiplies_the_sample_weights_of_its_class(
    make_classifier, images, new_images, names
):
    X, y = images
    rng = np.random.default_rng(0)
    weights, of_class = rng.uniform(0.5, 2, len(X)), np.array([1.0, 4.0, 0.25])
    labels = np.array(names)[y]
    by_class = make_classifier(class_weight=dict(zip(names, of_class, strict=True)))
    by_class.fit(X, labels, weights)
    by_row = make_classifier().fit(X, labels, weights * of_class[y])
    assert_same(by_class, by_row, new_images[0])


def test_balanced_gives_each_class_the_same_sum_of_weights(make_classifier, images, trained_rows):
    X, y = images
    kept = (y != 0) | (np.arange(len(y)) % 5 == 0)
    make_classifier(class_weight="balanced").fit(X[kept], y[kept])
    ((labels, weights),) = trained_rows
    expected = compute_class_weight("balanced", classes=np.unique(y), y=y[kept])
    np.testing.assert_allclose(weights, expected[labels])


def test_class_of_weight_zero_is_left_out(make_classifier, images, new_images):
    X, y = images
    found = make_classifier(class_weight={1: 0}).fit(X, y)
    assert_same(found, make_classifier().fit(X, y, (y != 1).astype(float)), new_images[0])


def test_class_not_named_in_class_weight_weighs_one(make_classifier, images, new_images):
    X, y = images
    found = make_classifier(class_weight={1: 2}).fit(X, y)
    expected = make_classifier(class_weight={0: 1, 1: 2, 2: 1}).fit(X, y)
    assert_same(found, expected, new_images[0])


def test_batch_without_a_class_of_class_weight_is_no_error(make_classifier, images, trained_rows):
    X, y = images
    classifier = make_classifier(class_weight={0: 3, 2: 2})
    classifier.partial_fit(X[y != 2], y[y != 2], classes=[0, 1, 2])
    ((labels, weights),) = trained_rows
    np.testing.assert_array_equal(weights, np.array([3, 1, 2])[labels])


def test_heavier_class_is_predicted_more_often(make_classifier, images):
    X, y = images
    noise = np.random.default_rng(0).permutation(y)
    light, heavy = (
        make_classifier(class_weight={0: weight}).fit(X, noise).predict(X) for weight in (0.1, 10)
    )
    assert np.mean(heavy == 0) > np.mean(light == 0)


def test_weights_are_left_as_they_were(make_classifier, images):
    weights = np.linspace(0, 1, len(images[0]))
    before = weights.copy()
    make_classifier(class_weight={0: 5}).fit(*images, weights)
    np.testing.assert_array_equal(weights, before)


def test_score_weighs_rows(make_classifier, images):
    X, y = images
    classifier = make_classifier(epochs=1).fit(X, y)
    y = np.where(np.arange(len(y)) % 2, y, np.roll(y, 1))
    right = classifier.predict(X) == y
    assert 0 < right.mean() < 1
    assert classifier.score(X, y, sample_weight=right) == 1


def test_validation_set_is_measured_and_not_learned(make_classifier, images, new_images):
    found = make_classifier().fit(*images, X_val=new_images[0], y_val=new_images[1])
    assert_same(found, make_classifier().fit(*images), new_images[0])
    probabilities = found.predict_proba(new_images[0])
    accuracy = np.mean(probabilities.argmax(axis=1) == new_images[1])
    np.testing.assert_allclose(found.history_["val_accuracy"][-1], accuracy)


@pytest.mark.parametrize("amount", [0.0, 0.05, 0.3])
def test_validation_loss_is_that_of_smoothed_labels(make_classifier, images, new_images, amount):
    X_val, y_val = new_images
    found = make_classifier(label_smoothing=amount).fit(*images, X_val=X_val, y_val=y_val)
    targets = (1 - amount) * np.eye(3)[y_val] + amount / 3
    expected = -(targets * np.log(found.predict_proba(X_val))).sum(axis=1).mean()
    np.testing.assert_allclose(found.history_["val_loss"][-1], expected, rtol=1e-4)


def test_validation_rows_weigh_as_they_are_told(make_classifier, images, new_images):
    X_val, y_val = new_images
    weights = np.linspace(0, 1, len(X_val))
    found = make_classifier(label_smoothing=0.0, learning_rate=1e-4)
    found.fit(*images, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    expected = log_loss(y_val, found.predict_proba(X_val), sample_weight=weights)
    np.testing.assert_allclose(found.history_["val_loss"][-1], expected, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-46, 1e39])
def test_the_scale_of_validation_weights_is_nothing(make_classifier, images, new_images, scale):
    validation = {"X_val": new_images[0], "y_val": new_images[1]}
    weights = np.full(len(new_images[1]), scale)
    expected = make_classifier().fit(*images, **validation).history_["val_loss"]
    found = make_classifier().fit(*images, **validation, sample_weight_val=weights)
    np.testing.assert_allclose(found.history_["val_loss"], expected, rtol=1e-5)


def test_validation_set_replaces_the_hold_out(make_classifier, images, new_images, trained_rows):
    classifier = make_classifier(early_stopping=True)
    classifier.fit(*images, X_val=new_images[0], y_val=new_images[1])
    ((labels, _),) = trained_rows
    assert len(labels) == len(images[0])


def test_pipeline_hands_on_weights_by_the_name_of_the_step(make_classifier, images, new_images):
    X, y = images
    weights = np.linspace(0.1, 2, len(X))
    pipeline = Pipeline([("normalize", ImageNormalizer()), ("classify", make_classifier())])
    pipeline.fit(X, y, classify__sample_weight=weights)
    unit = ImageNormalizer().fit(X)
    expected = make_classifier().fit(unit.transform(X), y, weights)
    assert_same(pipeline[-1], expected, unit.transform(new_images[0]))


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def test_search_routes_weights_that_fit_requests(routing, make_classifier, images, trained_rows):
    X, y = images
    weights = np.linspace(0.1, 2, len(X))
    classifier = make_classifier().set_fit_request(sample_weight=True)
    classifier.set_score_request(sample_weight=False)
    search = GridSearchCV(classifier, {"epochs": [1]}, cv=2, error_score="raise")
    search.fit(X, y, sample_weight=weights)
    *folds, (_, refitted) = trained_rows
    np.testing.assert_array_equal(refitted, weights)
    np.testing.assert_allclose(np.sort(np.concatenate([w for _, w in folds])), weights)


def test_cross_validation_routes_weights_to_the_score(routing, make_classifier, images):
    X, y = images
    classifier = make_classifier(epochs=1)
    classifier.set_fit_request(sample_weight=False).set_score_request(sample_weight=True)
    options = {"cv": 2, "error_score": "raise", "return_estimator": True, "return_indices": True}
    weights = np.linspace(0.1, 2, len(X))
    results = cross_validate(classifier, X, y, params={"sample_weight": weights}, **options)
    for fitted, test, score in zip(
        results["estimator"], results["indices"]["test"], results["test_score"], strict=True
    ):
        assert score == fitted.score(X[test], y[test], sample_weight=weights[test])


def test_weights_that_nobody_requested_raise(routing, make_classifier, images):
    weights = np.ones(len(images[0]))
    with pytest.raises(UnsetMetadataPassedError, match="set_fit_request"):
        GridSearchCV(make_classifier(), {"epochs": [1]}, cv=2).fit(*images, sample_weight=weights)


def test_one_vs_rest_routes_weights_to_partial_fit(routing, make_classifier, images, trained_rows):
    X, y = images
    weights = np.linspace(0.1, 2, len(X))
    classifier = make_classifier().set_partial_fit_request(sample_weight=True)
    OneVsRestClassifier(classifier).partial_fit(X, y, classes=[0, 1, 2], sample_weight=weights)
    assert len(trained_rows) == 3
    for _, found in trained_rows:
        np.testing.assert_array_equal(found, weights)


def test_pipeline_transforms_the_validation_set(routing, make_classifier, images, new_images):
    X, y = images
    X_val, y_val = new_images
    pipeline = Pipeline(
        [
            ("normalize", ImageNormalizer("symmetric")),
            ("classify", make_classifier().set_fit_request(X_val=True, y_val=True)),
        ],
        transform_input=["X_val"],
    ).fit(X, y, X_val=X_val, y_val=y_val)
    symmetric = ImageNormalizer("symmetric").fit(X)
    expected = make_classifier().fit(
        symmetric.transform(X), y, X_val=symmetric.transform(X_val), y_val=y_val
    )
    assert pipeline[-1].history_ == expected.history_
