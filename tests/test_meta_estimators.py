"""scikit-learn's searches, ensembles and displays over the estimators, on 4-D images."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    LearningCurveDisplay,
    RandomizedSearchCV,
    StratifiedKFold,
    ValidationCurveDisplay,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from skcifar import ImageNormalizer, clear_feature_cache
from skcifar._extraction import engines


@pytest.fixture
def classifier(make_classifier):
    return make_classifier()


@pytest.fixture
def pipeline(classifier):
    return Pipeline([("normalize", ImageNormalizer()), ("classify", classifier)])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def images_run(monkeypatch):
    """Return a list that grows by the number of images at each run of the frozen network."""
    clear_feature_cache()
    counts, run_network = [], engines.run_network

    def counting(frozen, images, *args):
        counts.append(len(images))
        return run_network(frozen, images, *args)

    monkeypatch.setattr(engines, "run_network", counting)
    return counts


def test_grid_search_finds_the_learning_rate_that_learns(classifier, images, new_images):
    search = GridSearchCV(classifier, {"learning_rate": [1e-8, 1e-2]}, cv=2, error_score="raise")
    search.fit(*images)
    assert search.best_params_ == {"learning_rate": 1e-2}
    assert search.score(*new_images) > 0.9


def test_grid_search_runs_the_backbone_once_per_image(classifier, images, images_run):
    grid = {"learning_rate": [1e-3, 1e-2], "hidden_units": [(), (16,)]}
    GridSearchCV(classifier, grid, cv=3, error_score="raise").fit(*images)
    assert sum(images_run) == len(images[0])


def test_grid_search_over_a_pipeline(pipeline, images, new_images):
    grid = {"normalize__method": ["unit", "symmetric"], "classify__epochs": [2, 4]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(*images)
    assert len(search.cv_results_["params"]) == 4
    assert search.score(*new_images) > 0.9


def test_randomized_search_draws_learning_rates(classifier, images, new_images):
    distributions = {"learning_rate": loguniform(1e-3, 1e-1)}
    search = RandomizedSearchCV(
        classifier, distributions, n_iter=2, cv=2, random_state=0, error_score="raise"
    )
    assert search.fit(*images).score(*new_images) > 0.9


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_halving_search_takes_epochs_for_its_resource(classifier, pipeline, images, in_a_pipeline):
    prefix = "classify__" if in_a_pipeline else ""
    search = HalvingGridSearchCV(
        pipeline if in_a_pipeline else classifier,
        {f"{prefix}learning_rate": [1e-8, 1e-3, 1e-2]},
        resource=f"{prefix}epochs",
        max_resources=20,
        min_resources=2,
        cv=2,
        error_score="raise",
    ).fit(*images)
    epochs = [params[f"{prefix}epochs"] for params in search.cv_results_["params"]]
    assert (min(epochs), max(epochs)) == (2, 6)
    assert search.best_params_[f"{prefix}learning_rate"] > 1e-8


def test_cross_validate_with_several_scorers(classifier, images):
    scorers = ["accuracy", "roc_auc_ovr", "neg_log_loss", "f1_macro"]
    results = cross_validate(classifier, *images, cv=2, scoring=scorers, error_score="raise")
    assert (results["test_roc_auc_ovr"] > 0.9).all()
    assert (results["test_f1_macro"] > 0.8).all()
    assert (results["test_neg_log_loss"] < 0).all()


def test_cross_validation_stratifies(classifier, images):
    X, y = images
    order = np.argsort(y)  # without stratifying, a fold would hold one class
    assert cross_val_score(classifier, X[order], y[order], cv=3, error_score="raise").min() > 0.8


def test_cross_val_predict_is_fitting_and_predicting_by_hand(classifier, images):
    X, y = images
    cv = StratifiedKFold(2)
    expected = np.empty((len(X), 3), np.float32)
    for train, test in cv.split(X, y):
        expected[test] = classifier.fit(X[train], y[train]).predict_proba(X[test])
    found = cross_val_predict(classifier, X, y, cv=cv, method="predict_proba")
    np.testing.assert_array_equal(found, expected)


def test_soft_voting_averages_the_probabilities(make_classifier, images, new_images):
    members = [("a", make_classifier()), ("b", make_classifier(random_state=1))]
    voting = VotingClassifier(members, voting="soft").fit(*images)
    expected = np.mean([m.fit(*images).predict_proba(new_images[0]) for _, m in members], axis=0)
    np.testing.assert_allclose(voting.predict_proba(new_images[0]), expected, rtol=1e-6)


def test_stacking_learns_from_out_of_fold_probabilities(classifier, make_features, images):
    members = [
        ("own", classifier),
        ("linear", make_pipeline(make_features(), LogisticRegression(max_iter=10_000))),
    ]
    stacking = StackingClassifier(members, LogisticRegression(), cv=2).fit(*images)
    assert stacking.final_estimator_.n_features_in_ == 6
    assert stacking.score(*images) > 0.9


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_works_on_images(classifier, images, new_images, method):
    calibrated = CalibratedClassifierCV(classifier, method=method, cv=2).fit(*images)
    assert calibrated.score(*new_images) > 0.8


def test_one_vs_rest_fits_a_classifier_for_each_class(classifier, images, new_images):
    one_vs_rest = OneVsRestClassifier(classifier).fit(*images)
    assert [len(member.classes_) for member in one_vs_rest.estimators_] == [2, 2, 2]
    assert one_vs_rest.score(*new_images) > 0.8


def test_frozen_classifier_is_calibrated_without_being_fitted_again(
    classifier, images, new_images, images_run
):
    classifier.fit(*images)
    expected = classifier.predict_proba(new_images[0])
    calibrated = CalibratedClassifierCV(FrozenEstimator(classifier)).fit(*new_images)
    np.testing.assert_array_equal(classifier.predict_proba(new_images[0]), expected)
    assert calibrated.score(*images) > 0.8
    assert sum(images_run) == len(images[0]) + len(new_images[0])


def test_feature_union_joins_two_networks(make_features, images):
    small, large = make_features(), make_features(input_size=64)
    union = FeatureUnion([("small", small), ("large", large)])
    joined = union.fit_transform(images[0])
    expected = [f.fit_transform(images[0]) for f in (small, large)]
    np.testing.assert_array_equal(joined, np.hstack(expected))
    assert union.get_feature_names_out()[0] == "small__mobilenetv2_expanded_conv_0"


def test_bagging_on_rows_draws_different_images(classifier, images, new_images):
    X, y = images
    bagging = BaggingClassifier(classifier, n_estimators=2, random_state=0)
    bagging.fit(X.reshape(len(X), -1), y)
    rows = new_images[0].reshape(len(new_images[0]), -1)
    first, second = (member.predict_proba(rows) for member in bagging.estimators_)
    assert (first != second).any()
    assert bagging.score(rows, new_images[1]) > 0.8


def test_permutation_importance_finds_the_pixels_that_matter(make_classifier):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.integers(100, 110, (60, 2, 2, 3), dtype=np.uint8)
    X[:, 0] += 100 * y[:, None, None].astype(np.uint8)  # the upper row tells the class
    rows = X.reshape(60, -1)
    classifier = make_classifier(epochs=10).fit(rows, y)
    result = permutation_importance(classifier, rows, y, scoring="neg_log_loss", random_state=0)
    upper, lower = result.importances_mean.reshape(2, 6)
    assert upper.mean() > 10 * abs(lower.mean())


def test_confusion_matrix_display_counts_every_image(classifier, images, new_images):
    classifier.fit(*images)
    display = ConfusionMatrixDisplay.from_estimator(classifier, *new_images)
    assert display.confusion_matrix.sum() == len(new_images[0])
    assert display.confusion_matrix.trace() == classifier.score(*new_images) * len(new_images[0])


def test_roc_curve_display_of_two_classes(classifier, images):
    X, y = images
    display = RocCurveDisplay.from_estimator(classifier.fit(X, y == 0), X, y == 0)
    assert display.roc_auc > 0.9


def test_learning_curve_display_fits_growing_parts(classifier, images):
    display = LearningCurveDisplay.from_estimator(
        classifier, *images, train_sizes=[0.5, 1.0], cv=2, error_score="raise"
    )
    assert display.test_scores.shape == (2, 2)
    assert display.train_sizes.tolist() == [16, 32]


def test_validation_curve_display_over_epochs(classifier, images):
    display = ValidationCurveDisplay.from_estimator(
        classifier,
        *images,
        param_name="epochs",
        param_range=[1, 4],
        scoring="neg_log_loss",
        cv=2,
        error_score="raise",
    )
    one, four = display.test_scores.mean(axis=1)
    assert four > one


def test_workers_predict_what_this_process_predicts(pipeline, images):
    X, y = images
    found, expected = (
        cross_val_predict(pipeline, X, y, cv=2, method="predict_proba", n_jobs=n_jobs)
        for n_jobs in (2, 1)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_workers_search_as_this_process_does(classifier, images):
    grid = {"learning_rate": [1e-3, 1e-2]}
    by_two, by_one = (
        GridSearchCV(
            classifier, grid, scoring="neg_log_loss", cv=2, n_jobs=n_jobs, error_score="raise"
        ).fit(*images)
        for n_jobs in (2, 1)
    )
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(by_two.cv_results_[name], by_one.cv_results_[name], rtol=1e-5)
    probabilities = by_two.predict_proba(images[0])
    np.testing.assert_allclose(probabilities, by_one.predict_proba(images[0]), atol=1e-6)


def test_workers_fit_the_members_of_an_ensemble(make_classifier, images, new_images):
    members = [("a", make_classifier()), ("b", make_classifier(random_state=1))]
    by_two, by_one = (
        VotingClassifier(members, voting="soft", n_jobs=n_jobs).fit(*images) for n_jobs in (2, 1)
    )
    found = by_two.predict_proba(new_images[0])
    np.testing.assert_allclose(found, by_one.predict_proba(new_images[0]), atol=1e-6)
    assert log_loss(new_images[1], found) < 0.5
