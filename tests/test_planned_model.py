import keras
import numpy as np
import pytest

from skcifar._keras.faster_parts import FastDropout


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
