import copy

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

from skcifar import MobileNetV2Classifier
from skcifar._extraction import engines
from skcifar._extraction.engines import check_training_precision
from skcifar._keras import fine_tuning
from skcifar._keras.planned_model import PlannedModel
from skcifar._training import inputs
from skcifar.datasets import make_images

SMALL = {"weights": None, "alpha": 0.35, "input_size": 32, "epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return make_images(n_samples=48, random_state=0)


@pytest.fixture(scope="module")
def frozen(data):
    """A classifier on the last convolution, which is trained without any block."""
    return MobileNetV2Classifier(**SMALL, feature_layers="last").fit(*data)


@pytest.fixture(scope="module")
def tuned(data):
    """A classifier whose top two blocks were trained for an epoch."""
    return MobileNetV2Classifier(**SMALL, fine_tune_epochs=1, fine_tune_blocks=2).fit(*data)


def weights_of(classifier):
    return classifier._frozen.weights


@pytest.mark.parametrize("blocks", [0, 2, "all"])
def test_only_the_unfrozen_top_changes(data, frozen, blocks):
    options = {"fine_tune_epochs": 1, "fine_tune_blocks": blocks}
    tuned = clone(frozen).set_params(**options).fit(*data)
    changed = [
        bool((a != b).any()) for a, b in zip(weights_of(frozen), weights_of(tuned), strict=True)
    ]
    # From the top: the last convolution is one unit of 5 arrays, a block 15.
    n_unfrozen = len(changed) if blocks == "all" else 5 + 15 * blocks
    assert not any(changed[: len(changed) - n_unfrozen])
    assert changed[len(changed) - n_unfrozen]
    assert tuned.n_iter_ == 4
    assert tuned.fine_tune_start_ == 3
    assert frozen.fine_tune_start_ is None


def test_model_and_predict_proba_agree_after_fine_tuning(data, tuned):
    X, _ = data
    classifier = copy.deepcopy(tuned).set_params(test_time_augmentation=True)
    np.testing.assert_allclose(
        classifier.model_(X.astype(np.float32)), classifier.predict_proba(X), atol=1e-3
    )


def test_engines_agree_on_a_network_that_was_tuned_in_bfloat16(data):
    try:
        check_training_precision("bfloat16")
    except ValueError:
        pytest.skip("this processor has no bfloat16")
    options = {"fine_tune_epochs": 2, "fine_tune_blocks": 2, "fine_tune_learning_rate": 1e-2}
    tuned = MobileNetV2Classifier(**SMALL, **options, engine="tensorflow", precision="bfloat16")
    tuned.fit(*data).set_params(precision="float32")
    probabilities = [
        tuned.set_params(engine=engine).predict_proba(data[0])
        for engine in ("tensorflow", "openvino")
    ]
    np.testing.assert_allclose(*probabilities, atol=1e-3)
    assert {array.dtype for array in weights_of(tuned)} == {np.dtype("float32")}


def test_fine_tuning_twice_gives_the_same(data):
    options = {**SMALL, "fine_tune_epochs": 2, "augmentation": "flip_translate"}
    first, again = (
        MobileNetV2Classifier(**options, fine_tune_blocks=1).fit(*data).predict_proba(data[0])
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_loss_does_not_jump_when_blocks_are_unfrozen(data):
    history = (
        MobileNetV2Classifier(**{**SMALL, "epochs": 20}, fine_tune_epochs=2, dropout=0.0)
        .fit(*data)
        .history_
    )
    assert history["loss"][20] < history["loss"][19] + 0.05


def test_network_runs_once_an_image_and_view(data, monkeypatch):
    run, counts = engines.run_network, {}

    def counting(frozen, images, *rest):
        key = (frozen.last, frozen.mirrored)
        counts[key] = counts.get(key, 0) + len(images)
        return run(frozen, images, *rest)

    monkeypatch.setattr(engines, "run_network", counting)
    options = {"fine_tune_epochs": 3, "fine_tune_blocks": 1, "augmentation": "flip"}
    classifier = MobileNetV2Classifier(**SMALL, **options, pixel_range=(0, 300)).fit(*data)
    assert counts == {(18, False): 48, (18, True): 48}
    # With features that are known, only the lower part.
    counts.clear()
    again = clone(classifier).fit(*data)
    assert counts == {(16, False): 48, (16, True): 48}
    for tuned, tuned_again in zip(classifier._frozen.weights, again._frozen.weights, strict=True):
        np.testing.assert_array_equal(tuned_again, tuned)


def test_maps_beyond_the_bound_are_kept_in_a_file_with_the_same_result(data, tuned, monkeypatch):
    monkeypatch.setattr(inputs, "_MEMORY_BOUND", 1)
    on_disk = clone(tuned).fit(*data)
    np.testing.assert_array_equal(on_disk.predict_proba(data[0]), tuned.predict_proba(data[0]))


def test_large_images_are_validated_a_few_at_a_time(data, monkeypatch):
    options = {"fine_tune_epochs": 1, "fine_tune_blocks": "all", "label_smoothing": 0.0}
    sizes = []
    validate = PlannedModel._validate
    monkeypatch.setattr(
        PlannedModel,
        "_validate",
        lambda self, *arguments: sizes.append(self._evaluation_batch) or validate(self, *arguments),
    )
    X, y = data
    monkeypatch.setattr(fine_tuning, "_EVALUATION_BYTES", 10 * X[0].size * 4)
    classifier = MobileNetV2Classifier(**SMALL, **options).fit(X, y, X_val=X[:25], y_val=y[:25])
    assert sizes[-1] == 10
    expected = log_loss(y[:25], classifier.predict_proba(X[:25]), labels=classifier.classes_)
    assert classifier.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-2)


def test_best_epoch_of_both_phases_is_restored(data):
    X, y = data
    rng = np.random.default_rng(0)
    X_val, y_val = X[:20], rng.permutation(y[:20])
    options = {"fine_tune_epochs": 4, "fine_tune_blocks": 2, "fine_tune_learning_rate": 1e-2}
    options |= {"early_stopping": True, "label_smoothing": 0.0}
    classifier = MobileNetV2Classifier(**SMALL, **options)
    classifier.fit(X, y, X_val=X_val, y_val=y_val)
    probabilities = classifier.predict_proba(X_val)
    loss = -np.log(probabilities[np.arange(20), np.searchsorted(classifier.classes_, y_val)]).mean()
    assert loss == pytest.approx(min(classifier.history_["val_loss"]), rel=1e-2)


def test_partial_fit_trains_the_head_of_a_tuned_network_and_no_more(data, tuned):
    classifier = copy.deepcopy(tuned)
    before = weights_of(classifier)
    classifier.partial_fit(*data)
    assert weights_of(classifier) is before


def test_batch_normalisation_keeps_its_statistics(tuned):
    moving = [
        variable
        for layer in tuned.model_.get_layer("mobilenetv2").layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]
    assert {float(np.unique(v.numpy())[0]) for v in moving} == {0.0, 1.0}


def test_the_step_of_fine_tuning_is_traced_once(data, monkeypatch):
    traced = []
    take_step = PlannedModel._take_step

    def counting(*arguments):
        traced.append(arguments)
        return take_step(*arguments)

    monkeypatch.setattr(PlannedModel, "_take_step", counting)
    X, y = data
    options = {**SMALL, "epochs": 1, "fine_tune_epochs": 2, "batch_size": len(X)}
    MobileNetV2Classifier(**options, hidden_units=(9,)).fit(X, y)
    assert len(traced) == 2  # that of the head, and that of fine-tuning
