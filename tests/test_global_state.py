"""What is set for all of Keras and TensorFlow changes no result."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer, export
from skcifar._keras import head_training

STATES = {
    "mixed_float16": lambda: keras.config.set_dtype_policy("mixed_float16"),
    "mixed_bfloat16": lambda: keras.config.set_dtype_policy("mixed_bfloat16"),
    "policy float64": lambda: keras.config.set_dtype_policy("float64"),
    "float64": lambda: keras.config.set_floatx("float64"),
    "float16": lambda: keras.config.set_floatx("float16"),
    "channels_first": lambda: keras.config.set_image_data_format("channels_first"),
    "eager": lambda: tf.config.run_functions_eagerly(True),
}
FITS = {
    "adam": {"fine_tune_epochs": 1, "fine_tune_blocks": 1},
    "sgd, without dropout": {"optimizer": "sgd", "dropout": 0.0},
    "nadam, with decay": {"optimizer": "nadam", "weight_decay": 0.01, "label_smoothing": 0.1},
}


@pytest.fixture(params=FITS.values(), ids=FITS)
def parameters(request):
    return {**request.param, "engine": "tensorflow", "feature_cache": None, "epochs": 2}


@pytest.fixture
def set_state():
    """Return a function that sets one of `STATES`, which ends with the test."""
    head_training._idle_models.clear()  # so that heads are built in that state
    yield lambda name: STATES[name]()
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def expected(make_classifier, images):
    """Return a function from parameters to probabilities of a fit where nothing is set."""
    known = {}

    def of(parameters):
        key = repr(parameters)
        if key not in known:
            known[key] = make_classifier(**parameters).fit(*images).predict_proba(images[0])
        return known[key]

    return of


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly")
@pytest.mark.parametrize("state", STATES)
def test_a_global_state_changes_no_fit(
    make_classifier, images, expected, set_state, parameters, state
):
    wanted = expected(parameters)
    head_training._idle_models.clear()
    set_state(state)
    found = make_classifier(**parameters).fit(*images).predict_proba(images[0])
    # On some processors a compiled graph fuses operations, which rounds otherwise than eager ones.
    np.testing.assert_allclose(found, wanted, rtol=1e-5 if state == "eager" else 0, atol=0)


@pytest.mark.parametrize("state", ["mixed_float16", "float64", "float16"])
def test_a_head_that_was_built_in_a_global_state_serves_later_fits(
    make_classifier, images, expected, set_state, state
):
    set_state(state)
    make_classifier(epochs=2).fit(*images)
    set_state_back = {"mixed_float16": keras.config.set_dtype_policy}
    set_state_back.get(state, keras.config.set_floatx)("float32")
    found = make_classifier(epochs=2).fit(*images).predict_proba(images[0])
    np.testing.assert_array_equal(found, expected({"epochs": 2}))


@pytest.mark.parametrize("state", [state for state in STATES if state != "eager"])
def test_keras_models_of_a_classifier_agree_with_it_in_every_global_state(
    make_classifier, make_features, images, set_state, state
):
    classifier = make_classifier().fit(*images)
    wanted = classifier.predict_proba(images[0])
    set_state(state)
    found = classifier.model_.predict(images[0].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    if state != "float16":  # in which Keras' own `predict` flattens features of the order of 1e-12
        features = make_features().fit_transform(images[0])
        np.testing.assert_allclose(classifier.head_.predict_proba(features), wanted, atol=1e-3)


def test_channels_first_changes_no_litert_export(
    make_classifier, images, set_state, tmp_path, monkeypatch
):
    steps = ImageNormalizer("standardize"), make_classifier(pixel_range=(-10, 10))
    pipeline = make_pipeline(*steps).fit(*images)
    converted = []

    def remember(model):
        converted.append(model)
        return SimpleNamespace(convert=lambda: b"")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_keras_model", remember)
    set_state("channels_first")
    export(pipeline, tmp_path / "model", format="litert")
    found = converted[0].predict(images[0].astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, pipeline.predict_proba(images[0]), atol=1e-3)


def test_a_fit_in_the_scope_of_a_strategy_is_refused(make_classifier, images):
    with (
        tf.distribute.MirroredStrategy(["CPU:0"]).scope(),
        pytest.raises(ValueError, match=r"Call it outside of `with strategy.scope\(\):`"),
    ):
        make_classifier().fit(*images)


def test_a_classifier_predicts_in_the_scope_of_a_strategy(make_classifier, images):
    classifier = make_classifier(engine="tensorflow", feature_cache=None).fit(*images)
    wanted = classifier.predict_proba(images[0])
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        found = classifier.predict_proba(images[0])
    np.testing.assert_allclose(found, wanted, atol=1e-6)
