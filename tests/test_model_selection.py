import warnings

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer
from skcifar.datasets import make_images
from skcifar.model_selection import find_learning_rate


@pytest.fixture
def classifier(make_classifier):
    return make_classifier(batch_size=16)


def test_suggestion_lies_where_the_loss_still_falls(classifier, images):
    found = find_learning_rate(classifier, *images, n_steps=60)
    least = found.learning_rates[np.argmin(found.losses)]
    assert 1e-4 < found.suggestion < least
    assert len(found.learning_rates) == len(found.losses) <= 60


def test_suggested_rate_learns_more_than_one_that_is_far_too_small(classifier, images):
    suggestion = find_learning_rate(classifier, *images, n_steps=60).suggestion
    losses = [
        classifier.set_params(learning_rate=rate).fit(*images).history_["loss"][-1]
        for rate in (suggestion, suggestion / 1000)
    ]
    assert losses[0] < losses[1] / 2


def test_param_grid_suits_a_search_over_a_pipeline(classifier, images):
    pipeline = make_pipeline(ImageNormalizer(), classifier)
    grid = find_learning_rate(pipeline, *images, n_steps=20).param_grid
    search = GridSearchCV(pipeline, grid, cv=2).fit(*images)
    assert list(search.best_params_) == ["mobilenetv2classifier__learning_rate"]


def test_the_run_ends_where_the_loss_diverges(classifier, images):
    found = find_learning_rate(classifier, *images, max_learning_rate=1e4, n_steps=40)
    assert found.learning_rates[-1] < 1e4
    assert np.isfinite(found.losses[:-1]).all()


def test_balanced_classes_are_weighted_by_all_labels(make_classifier, images):
    X, y = images
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y != 0)[:9]]
    X, y = X[few], y[few]
    by_hand = dict(enumerate(len(y) / (3 * np.bincount(y))))
    curves = [
        find_learning_rate(make_classifier(batch_size=8, class_weight=weights), X, y, n_steps=10)
        for weights in ("balanced", by_hand, None)
    ]
    np.testing.assert_allclose(curves[0].losses, curves[1].losses, rtol=1e-12)
    assert abs(curves[0].losses[-1] - curves[2].losses[-1]) > 0.001


def test_the_estimator_is_left_as_it_was(classifier, images):
    before = dict(vars(classifier))
    find_learning_rate(classifier, *images, n_steps=10)
    assert vars(classifier) == before


def test_many_classes_are_no_regression_and_global_state_is_left_alone(make_classifier):
    X, _ = make_images(60, image_shape=(8, 8, 3), random_state=0)
    y, before = np.arange(60) % 30, np.random.get_state()[1].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_learning_rate(make_classifier(random_state=None), X, y, n_steps=10)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_callbacks_and_progress_are_not_those_of_every_step(make_classifier, images, capsys):
    epochs = []
    count = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    classifier = make_classifier(batch_size=16, callbacks=[count], verbose=1)
    find_learning_rate(classifier, *images, n_steps=10)
    assert not epochs
    assert capsys.readouterr().out.count("head") < 5


def test_same_seed_same_curve(classifier, images):
    first, again = (find_learning_rate(classifier, *images, n_steps=12) for _ in range(2))
    np.testing.assert_array_equal(first.losses, again.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 3}, "'n_steps' parameter of find_learning_rate must be an int of at least 10"),
        ({"min_learning_rate": 0}, "'min_learning_rate' parameter of find_learning_rate"),
        ({"min_learning_rate": 2.0}, "min_learning_rate=2.0 must be less than"),
    ],
)
def test_parameter_out_of_range(classifier, images, options, message):
    with pytest.raises(ValueError, match=message):
        find_learning_rate(classifier, *images, **options)


def test_estimator_without_learning_rate(images):
    X, y = images
    with pytest.raises(TypeError, match=r"that ends in one. Got LogisticRegression"):
        find_learning_rate(LogisticRegression(), X, y)


def test_lengths_that_differ(classifier, images):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        find_learning_rate(classifier, images[0], images[1][:-1])
