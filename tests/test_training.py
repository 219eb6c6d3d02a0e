import threading

import keras
import numpy as np
import pytest
from scipy.special import softmax

from skcifar._keras.callbacks import BestWeights
from skcifar._keras.faster_parts import FusedAdam
from skcifar._keras.head_training import train_head
from skcifar._keras.planned_model import Phase, make_optimizer
from skcifar._keras.scikeras_head import fitted_head_estimator
from skcifar._model.head import Head, HeadSettings, Standardization
from skcifar._training.parameters import OPTIMIZERS
from skcifar._training.schedule import Schedule, initial_head_rng

N_ROWS, N_FEATURES, N_CLASSES = 90, 12, 3


def settings(**options):
    defaults = {
        "n_features": N_FEATURES,
        "hidden_units": (8,),
        "n_classes": N_CLASSES,
        "dropout": 0.3,
        "optimizer": "adam",
        "label_smoothing": 0.0,
        "weight_decay": 0.0,
    }
    return HeadSettings(**{**defaults, **options})


@pytest.fixture
def problem():
    """Standardised features, labels, weights and an untrained head."""
    rng = np.random.default_rng(0)
    labels = rng.integers(N_CLASSES, size=N_ROWS)
    centres = rng.normal(size=(N_CLASSES, N_FEATURES))
    features = (centres[labels] + rng.normal(size=(N_ROWS, N_FEATURES))).astype(np.float32)
    weights = np.ones(N_ROWS)
    standardization = Standardization.of(features, weights)
    head = Head.initial(standardization, (8,), N_CLASSES, initial_head_rng(0))
    return head, standardization.apply_in_place(features)[:, None], labels, weights


def schedule(**options):
    defaults = {"seed": 0, "batch_size": 16, "learning_rate": 1e-2, "first_epoch": 0, "n_epochs": 3}
    return Schedule(**{**defaults, **options})


def fit(problem, schedule=schedule(), settings=settings(), **options):  # noqa: B008 (immutable)
    head, features, labels, weights = problem
    return train_head(head, settings, features, Phase(labels, weights, schedule, **options))


def test_bfloat16_rounds_the_products_of_hidden_layers_alone(problem):
    (exact, _), (rounded, _) = (
        fit(problem, settings=settings(precision=precision, dropout=0.0))
        for precision in ("float32", "bfloat16")
    )
    for weight, other in zip(rounded.weights, exact.weights, strict=True):
        assert weight.dtype == np.float32
        assert 0 < np.abs(weight - other).max() < 0.05
    alone = settings(precision="bfloat16", hidden_units=())
    head = Head.initial(problem[0].standardization, (), N_CLASSES, initial_head_rng(0))
    (exact, _), (rounded, _) = (
        fit((head, *problem[1:]), settings=alone._replace(precision=precision))
        for precision in ("float32", "bfloat16")
    )
    for weight, other in zip(rounded.weights, exact.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_fit_trains_the_head_in_the_precision_asked_for(make_classifier, images, monkeypatch):
    exact = make_classifier().fit(*images)
    asked_for = []
    monkeypatch.setattr(
        "skcifar._training.fit.training_precision",
        lambda precision: asked_for.append(precision) or "bfloat16",
    )
    rounded = make_classifier().fit(*images)
    assert asked_for == ["float32"]
    assert not np.array_equal(rounded._head.weights[0], exact._head.weights[0])


@pytest.mark.parametrize("name", ["adam", "sgd", "adamw", "rmsprop"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_trains_as_a_plain_keras_loop_does(problem, name, weight_decay):
    head, features, labels, weights = problem
    plan_of = schedule(n_epochs=2)
    inputs = keras.Input((N_FEATURES,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    oracle = keras.Model(inputs, keras.layers.Dense(N_CLASSES)(hidden))
    oracle.set_weights(head.weights)
    optimizer = keras.optimizers.get({"class_name": name, "config": {"weight_decay": weight_decay}})
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    oracle.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for epoch in range(2):
        plan = plan_of.plan(epoch, weights)
        for rows, size, rate in zip(plan.rows, plan.sizes, plan.learning_rates, strict=True):
            optimizer.learning_rate = rate
            rows = rows[: int(size)]
            oracle.train_on_batch(features[rows, 0], labels[rows])
    trained, _ = fit(
        problem, plan_of, settings(dropout=0.0, optimizer=name, weight_decay=weight_decay)
    )
    for mine, keras_array in zip(trained.weights, oracle.get_weights(), strict=True):
        # The same arithmetic in another order.
        np.testing.assert_allclose(mine, keras_array, atol=2e-5)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_that_may_be_asked_for_trains(problem, name, weight_decay):
    if name == "muon" and not hasattr(keras.optimizers, "Muon"):
        pytest.skip("this Keras has no Muon; the next test holds what is said then")
    trained, history = fit(problem, settings=settings(optimizer=name, weight_decay=weight_decay))
    assert np.isfinite(history["loss"]).all()
    assert (trained.weights[0] != problem[0].weights[0]).any()


def test_an_optimizer_that_keras_lacks_is_refused_before_any_work(
    make_classifier, images, monkeypatch
):
    monkeypatch.delattr(keras.optimizers, "Muon", raising=False)
    with pytest.raises(ValueError, match=r"optimizer='muon' is not in Keras .* Update Keras"):
        make_classifier(optimizer="muon").fit(*images)


def test_default_optimizer_is_adam_with_fused_updates():
    assert isinstance(make_optimizer("adam", 0.0), FusedAdam)
    assert isinstance(make_optimizer("adam", 0.0), keras.optimizers.Adam)


def test_nothing_of_one_fit_is_left_in_the_next(problem):
    first, history = fit(problem)
    head, features, labels, weights = problem
    fit((head, features, (labels + 1) % N_CLASSES, weights), schedule(seed=5))
    again, history_again = fit(problem)
    assert history == history_again
    for a, b in zip(first.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_threads_that_fit_at_once_do_not_disturb_each_other(problem):
    seeds = range(4)
    expected = [fit(problem, schedule(seed=seed))[0].weights for seed in seeds]
    trained = [None] * len(seeds)

    def train(seed):
        trained[seed] = fit(problem, schedule(seed=seed))[0].weights

    threads = [threading.Thread(target=train, args=(seed,)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine, alone in zip(trained, expected, strict=True):
        for a, b in zip(mine, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def test_going_on_equals_not_having_stopped(problem):
    _, *data = problem
    constant = {"decay": False}
    whole, _ = fit(problem, schedule(n_epochs=4, **constant))
    half, _ = fit(problem, schedule(n_epochs=2, **constant))
    rest, _ = fit((half, *data), schedule(first_epoch=2, n_epochs=2, **constant))
    assert rest.n_epochs == 4
    for a, b in zip(whole.weights, rest.weights, strict=True):
        np.testing.assert_array_equal(a, b)


class CountBatches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.n_batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.n_batches += 1


def test_callbacks_that_listen_to_batches_hear_them_and_change_nothing(problem):
    counter = CountBatches()
    heard, _ = fit(problem, callbacks=(counter,))
    assert counter.n_batches == 3 * 6
    for a, b in zip(heard.weights, fit(problem)[0].weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_best_weights_are_those_of_the_epoch_with_the_least_validation_loss(problem):
    _, features, labels, weights = problem
    held_out = (
        features[:30, 0],
        (labels[:30] + 1) % N_CLASSES,
        weights[:30],
    )  # it can only get worse
    best = BestWeights(patience=2)
    plan_of = schedule(n_epochs=20, learning_rate=0.05)
    trained, history = fit(problem, plan_of, validation=held_out, best=best)
    losses = history["val_loss"]
    assert len(losses) == np.argmin(losses) + 1 + 2
    logits = trained.logits(
        held_out[0] * trained.standardization.scale + trained.standardization.mean
    )
    loss = -np.log(softmax(logits, axis=1)[np.arange(30), held_out[1]]).mean()
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_fitted_head_estimator_predicts_as_the_head_does(problem):
    head, _ = fit(problem)
    features = np.random.default_rng(1).normal(size=(7, N_FEATURES)).astype(np.float32)
    estimator = fitted_head_estimator(head, 0.3)
    np.testing.assert_allclose(
        estimator.predict_proba(features), softmax(head.logits(features), axis=1), atol=1e-6
    )
    np.testing.assert_array_equal(estimator.classes_, range(N_CLASSES))
