from contextlib import ExitStack

import keras
import numpy as np
import pytest
import tensorflow as tf

from skcifar._keras import head_training
from skcifar._keras.faster_parts import FastDropout
from skcifar._keras.planned_model import make_optimizer
from skcifar._model.head import HeadSettings


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9])
def test_fast_dropout_drops_the_share_that_keras_does_and_keeps_the_mean(rate):
    ones = np.ones((400, 501), np.float32)
    kept = np.asarray(FastDropout(rate, seed=0)(ones, training=True))
    assert np.unique(kept) == pytest.approx([1.0] if rate == 0 else [0.0, 1 / (1 - rate)])
    assert kept.mean() == pytest.approx(1.0, abs=0.02)
    columns, rows = kept.mean(axis=0), kept.mean(axis=1)
    expected_spread = np.sqrt(rate / (1 - rate))
    assert columns.std() == pytest.approx(expected_spread / np.sqrt(400), rel=0.15)
    assert rows.std() == pytest.approx(expected_spread / np.sqrt(501), rel=0.15)


def test_fast_dropout_draws_by_the_state_of_its_generator():
    inputs = np.ones((8, 7), np.float32)
    layer = FastDropout(0.5, seed=0)
    masks = []
    for state in ([3, 0], [3, 0], [4, 0]):
        layer.seed_generator.state.assign(state)
        masks += [np.asarray(layer(inputs, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(masks[:2], masks[2:4])
    for other in (masks[1], masks[4]):
        assert (masks[0] != other).any()


def test_fast_dropout_leaves_all_as_it_is_outside_of_training():
    inputs = np.random.default_rng(0).random((4, 5), np.float32)
    np.testing.assert_array_equal(FastDropout(0.5)(inputs), inputs)
    assert isinstance(FastDropout(0.5), keras.layers.Dropout)


@pytest.mark.parametrize("name", ["adam", "sgd", "muon"])
def test_a_traced_step_registers_no_gradient(name):
    """TensorFlow's global registry would hold the whole graph of the step for good."""
    from tensorflow.python.framework import ops

    variable = keras.Variable(np.ones((3, 2), np.float32))
    optimizer = make_optimizer(name, 0.0)
    optimizer.build([variable])
    step = tf.function(lambda: optimizer.apply([tf.ones((3, 2))], [variable]))
    before = set(ops.gradient_registry._registry)
    step()
    assert set(ops.gradient_registry._registry) == before


@pytest.mark.skipif(not hasattr(keras.optimizers, "Muon"), reason="not in this Keras")
@pytest.mark.parametrize(("weight_decay", "kept"), [(0.0, 1.0), (0.1, 0.99)])
def test_muon_decays_all_kernels_by_the_weight_decay_that_is_given(weight_decay, kept):
    variables = [keras.Variable(np.ones(shape, np.float32)) for shape in ((3, 2), (3, 3, 4, 2))]
    optimizer = make_optimizer("muon", weight_decay)
    optimizer.build(variables)
    optimizer.learning_rate.assign(0.1)
    optimizer.apply([tf.zeros(v.shape) for v in variables], variables)
    for variable in variables:
        np.testing.assert_allclose(variable.numpy(), kept, rtol=1e-6)


def test_idle_heads_keep_to_their_bound_and_the_last_one_stays():
    borrowed = []
    for number in range(head_training._MAX_IDLE_MODELS + 2):
        settings = HeadSettings(4, (), 2, 0.0, "sgd", 0.0, number * 1e-3)
        with head_training._borrowed_model(settings) as model:
            borrowed.append((settings, model))
    idle = head_training._idle_models
    assert sum(map(len, idle.values())) == head_training._MAX_IDLE_MODELS
    settings, model = borrowed[-1]
    assert idle[settings] == [model]


def test_more_heads_of_one_setting_than_the_bound_are_not_all_dropped():
    settings = HeadSettings(5, (), 2, 0.0, "sgd", 0.0, 0.0)
    with ExitStack() as fits:
        for _ in range(head_training._MAX_IDLE_MODELS + 1):
            fits.enter_context(head_training._borrowed_model(settings))
    assert len(head_training._idle_models[settings]) == head_training._MAX_IDLE_MODELS


def test_fast_dropout_never_drops_all():
    ones = np.ones((1000, 2000), np.float32)
    kept = np.asarray(FastDropout(1 - 2**-20, seed=0)(ones, training=True))
    assert 0 < np.count_nonzero(kept) < 200  # 1 in 65,536
