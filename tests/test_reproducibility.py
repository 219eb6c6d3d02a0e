"""Random state, global state, pickles and processes, threads."""

import copy
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from tensorflow.python.eager import context
from tensorflow.python.framework.config import is_op_determinism_enabled

from skcifar import ImageNormalizer, clear_feature_cache
from skcifar.datasets import make_images

FITS = {
    "head": {},
    "early stopping": {"early_stopping": True},
    "fine-tuning": {"fine_tune_epochs": 1, "fine_tune_blocks": 1},
    "TensorFlow": {"engine": "tensorflow", "feature_cache": None},
    "augmentation": {"augmentation": "flip_translate"},
    "crops": {
        "augmentation": "flip_crop",
        "input_size": 64,
        "fine_tune_epochs": 2,
        "fine_tune_blocks": 5,
    },
    "another optimizer": {"optimizer": "adamw", "weight_decay": 0.01},
}


@pytest.fixture(scope="module", params=FITS.values(), ids=FITS)
def parameters(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(make_classifier, images, parameters):
    return make_classifier(**parameters).fit(*images)


# --- random_state --------------------------------------------------------------------------


def test_same_seed_gives_the_same_to_the_bit(fitted, images):
    again = clone(fitted).fit(*images)
    assert again.history_ == fitted.history_
    np.testing.assert_array_equal(again.predict_proba(images[0]), fitted.predict_proba(images[0]))


def test_another_seed_gives_another_result(make_classifier, images):
    first, second = (
        make_classifier(random_state=seed).fit(*images).predict_proba(images[0]) for seed in (0, 1)
    )
    assert np.abs(first - second).max() > 1e-4


def test_random_state_object_is_drawn_from(make_classifier, images):
    generator = np.random.RandomState(3)
    first, second = (
        make_classifier(random_state=generator).fit(*images).predict_proba(images[0])
        for _ in range(2)
    )
    again = make_classifier(random_state=np.random.RandomState(3)).fit(*images)
    assert (first != second).any()
    np.testing.assert_array_equal(again.predict_proba(images[0]), first)


def test_no_random_state_is_another_seed_in_each_fit(make_classifier, images):
    np.random.seed(0)
    first, second = (
        make_classifier(random_state=None).fit(*images).predict_proba(images[0]) for _ in range(2)
    )
    assert (first != second).any()


def test_result_does_not_depend_on_what_was_fitted_before(make_classifier, images):
    expected = make_classifier().fit(*images).predict_proba(images[0])
    make_classifier(random_state=7).fit(images[0][::2], images[1][::2])
    make_classifier().partial_fit(*images, classes=[0, 1, 2])
    clear_feature_cache()
    found = make_classifier().fit(*images).predict_proba(images[0])
    np.testing.assert_array_equal(found, expected)


# --- Global state --------------------------------------------------------------------------


def global_state():
    """Return all that a random draw of the caller could depend on."""
    tensorflow = context.context()
    return {
        "NumPy": repr(np.random.get_state(legacy=False)),
        "Python": random.getstate(),
        "TensorFlow's seed": tf.random.get_global_generator().state.numpy().tolist(),
        "TensorFlow's graph seed": tensorflow._seed,
        "TensorFlow's operation seeds": tensorflow._rng and tensorflow._rng.getstate(),
        "determinism": is_op_determinism_enabled(),
    }


@pytest.fixture
def seeded():
    """Set every global seed, so that a change of state can be seen."""
    random.seed(5)
    np.random.seed(5)
    tf.random.set_seed(5)


def test_calls_leave_the_global_random_state_as_it_was(seeded, make_classifier, images, parameters):
    # Units of its own, so that the head is built anew, which is where Keras would draw.
    units = (10 + list(FITS.values()).index(parameters),)
    classifier = make_classifier(hidden_units=units, **parameters)
    before = global_state()
    classifier.fit(*images)
    assert global_state() == before
    classifier.partial_fit(*images).predict(images[0])
    assert global_state() == before


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)], ids=str)
def test_seeds_are_drawn_without_the_global_random_state(
    seeded, make_classifier, images, random_state
):
    before = global_state()
    make_classifier(random_state=random_state).fit(*images)
    assert global_state() == before


def test_built_models_leave_the_global_random_state_as_it_was(seeded, make_classifier, images):
    classifier = make_classifier().fit(*images)
    before = global_state()
    assert classifier.model_ is not None
    assert classifier.head_ is not None
    assert global_state() == before


def test_transformers_leave_the_global_random_state_as_it_was(seeded, make_features, images):
    before = global_state()
    make_features(feature_cache=None).fit_transform(images[0])
    ImageNormalizer("standardize").fit_transform(images[0])
    assert global_state() == before


# --- Copies --------------------------------------------------------------------------------


def joblib_round_trip(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


def memory_mapped_round_trip(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib", mmap_mode="r")


COPIES = {
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "joblib": joblib_round_trip,
    "joblib, memory-mapped": memory_mapped_round_trip,
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
    "copy": lambda estimator, folder: copy.copy(estimator),
}


@pytest.fixture(params=COPIES.values(), ids=COPIES)
def copied(request, tmp_path):
    return lambda estimator: request.param(estimator, tmp_path)


@pytest.fixture(scope="module")
def fine_tuned(make_classifier, images):
    return make_classifier(**FITS["fine-tuning"]).fit(*images)


def test_copy_predicts_the_same(fine_tuned, new_images, copied):
    expected = fine_tuned.predict_proba(new_images[0])
    np.testing.assert_array_equal(copied(fine_tuned).predict_proba(new_images[0]), expected)


def test_copy_of_every_kind_of_fit_predicts_the_same(fitted, images):
    expected = fitted.predict_proba(images[0])
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(images[0]), expected)


def test_copy_of_an_unfitted_classifier_fits_the_same(make_classifier, images, copied):
    expected = make_classifier().fit(*images).predict_proba(images[0])
    found = copied(make_classifier()).fit(*images).predict_proba(images[0])
    np.testing.assert_array_equal(found, expected)


def test_copy_of_the_transformers_transforms_the_same(make_features, images, copied):
    for transformer in (make_features(), ImageNormalizer("standardize")):
        expected = transformer.fit_transform(images[0])
        np.testing.assert_array_equal(copied(transformer).transform(images[0]), expected)


def test_clone_is_unfitted_and_fits_the_same(make_classifier, images):
    classifier = make_classifier().fit(*images)
    cloned = clone(classifier)
    assert not hasattr(cloned, "classes_")
    np.testing.assert_array_equal(
        cloned.fit(*images).predict_proba(images[0]), classifier.predict_proba(images[0])
    )


@pytest.mark.parametrize("begin", ["fit", "partial_fit"])
def test_partial_fit_goes_on_after_a_copy_exactly_where_it_was(
    make_classifier, images, copied, begin
):
    X, y = images
    classifier = make_classifier(batch_size=8)
    if begin == "fit":
        classifier.fit(X, y)
    else:
        classifier.partial_fit(X, y, classes=[0, 1, 2])
    duplicate = copied(classifier)
    for _ in range(2):
        classifier.partial_fit(X, y)
        duplicate.partial_fit(X, y)
    assert duplicate.history_ == classifier.history_
    np.testing.assert_array_equal(duplicate.predict_proba(X), classifier.predict_proba(X))


def test_warm_start_goes_on_after_a_copy_exactly_where_it_was(make_classifier, images, copied):
    classifier = make_classifier(warm_start=True).fit(*images)
    duplicate = copied(classifier).fit(*images)
    assert duplicate.history_ == classifier.fit(*images).history_


def test_training_a_copy_leaves_the_original_as_it_was(make_classifier, images, copied):
    X, y = images
    classifier = make_classifier().fit(X, y)
    expected, history = classifier.predict_proba(X), copy.deepcopy(classifier.history_)
    copied(classifier).set_params(warm_start=True).fit(X, y).partial_fit(X[:9], y[:9])
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)
    assert classifier.history_ == history


def test_pickle_holds_arrays_and_nothing_of_keras(make_classifier, images):
    classifier = make_classifier().fit(*images)
    assert classifier.model_ is not None
    assert classifier.head_ is not None
    pickled = pickle.dumps(classifier)
    assert b"keras" not in pickled
    assert b"tensorflow" not in pickled


# --- Processes and threads -----------------------------------------------------------------


def test_pickle_says_the_same_in_another_process_and_goes_on_there(
    fine_tuned, images, new_images, tmp_path
):
    X, y = images
    classifier = copy.copy(fine_tuned)
    joblib.dump((classifier, X, y, new_images[0]), tmp_path / "before.joblib")
    code = (
        "import joblib, sys\n"
        "classifier, X, y, new = joblib.load(sys.argv[1])\n"
        "first = classifier.predict_proba(new)\n"
        "joblib.dump((first, classifier.partial_fit(X, y).predict_proba(new)), sys.argv[2])"
    )
    paths = [tmp_path / "before.joblib", tmp_path / "after.joblib"]
    subprocess.run([sys.executable, "-W", "error", "-c", code, *paths], check=True)
    first, later = joblib.load(paths[1])
    np.testing.assert_allclose(first, classifier.predict_proba(new_images[0]), atol=1e-6)
    expected = classifier.partial_fit(X, y).predict_proba(new_images[0])
    np.testing.assert_allclose(later, expected, atol=1e-6)


@pytest.mark.parametrize("engine", ["tensorflow", "auto"])
def test_workers_give_the_same(make_classifier, images, engine):
    classifier = make_classifier(engine=engine)
    options = {"cv": 2, "method": "predict_proba"}
    by_one = cross_val_predict(classifier, *images, n_jobs=1, **options)
    by_two = cross_val_predict(classifier, *images, n_jobs=2, **options)
    np.testing.assert_allclose(by_two, by_one, atol=1e-6)


@pytest.mark.parametrize("kind", ["head", "fine-tuning", "TensorFlow"])
def test_threads_that_fit_at_once_give_what_one_gives(make_classifier, images, kind):
    def fit(seed):
        return make_classifier(random_state=seed, **FITS[kind]).fit(*images)

    clear_feature_cache()
    with ThreadPoolExecutor(2) as pool:
        fitted = list(pool.map(fit, [0, 1]))
    for seed, classifier in enumerate(fitted):
        expected = fit(seed)
        np.testing.assert_allclose(
            classifier.predict_proba(images[0]), expected.predict_proba(images[0]), atol=1e-6
        )


def test_threads_that_predict_at_once_give_what_one_gives(make_classifier, images):
    classifier = make_classifier(feature_cache=None).fit(*images)
    batches = [make_images(30, image_shape=(16, 16, 3), random_state=seed)[0] for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(classifier.predict_proba, batches))
    for probabilities, batch in zip(found, batches, strict=True):
        np.testing.assert_array_equal(probabilities, classifier.predict_proba(batch))
