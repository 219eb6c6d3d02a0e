import numpy as np
import pytest

from skcifar._model.head import Head, Standardization, variance_floor
from skcifar._training.schedule import initial_head_rng


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return rng.normal(5, [1e-12, 1, 1000], (200, 3)).astype(np.float32)


def test_standardised_columns_have_mean_zero_and_deviation_one(features):
    features = features[:, 1:]
    standardised = Standardization.of(features, np.ones(200)).apply_in_place(features.copy())
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standardised.std(axis=0), 1, rtol=1e-5)


def test_tiny_deviations_are_not_flattened():
    tiny = (np.random.default_rng(0).normal(size=(100, 4)) * 4e-12).astype(np.float32)
    standardised = Standardization.of(tiny, np.ones(100)).apply_in_place(tiny)
    np.testing.assert_allclose(standardised.std(axis=0), 1, rtol=1e-4)


def test_constant_column_is_divided_by_one():
    features = np.full((10, 1), 0.1, np.float32)
    standardization = Standardization.of(features, np.random.default_rng(0).random(10))
    assert standardization.scale.tolist() == [1.0]
    np.testing.assert_allclose(standardization.apply_in_place(features), 0, atol=1e-7)


def test_weight_of_two_is_the_row_given_twice(features):
    weights = np.ones(200)
    weights[:50] = 2
    twice = Standardization.of(np.concatenate([features, features[:50]]), np.ones(250))
    weighted = Standardization.of(features, weights)
    np.testing.assert_allclose(weighted.mean, twice.mean, rtol=1e-6)
    np.testing.assert_allclose(weighted.scale, twice.scale, rtol=1e-6)


@pytest.mark.parametrize("n_rows", [2, 5, 10])
def test_a_few_rows_make_no_tiny_scale_with_a_floor(n_rows):
    # Columns of deviation 1: of 1,000, one or another hardly varies in so few rows.
    features = np.random.default_rng(0).normal(size=(n_rows, 1000)).astype(np.float32)
    features[:, 0] = 3
    plain = Standardization.of(features, np.ones(n_rows))
    widened = Standardization.of(features, np.ones(n_rows), variance_floor(n_rows))
    assert plain.scale.min() < 0.31
    assert 0.37 < widened.scale.min() <= widened.scale[0]
    np.testing.assert_array_equal(widened.scale[plain.scale > 1], plain.scale[plain.scale > 1])


@pytest.mark.parametrize("magnitude", [1e-12, 1.0])
def test_one_row_is_scaled_by_its_magnitude_with_a_floor(magnitude):
    features = np.array([[0.0, 1, 2, 3]], np.float32) * np.float32(magnitude)
    scale = Standardization.of(features, np.ones(1), 0.25).scale
    np.testing.assert_allclose(scale, magnitude, rtol=1e-6)


def test_each_map_has_a_floor_of_its_own():
    magnitudes = np.repeat([1e-6, 1.0], 50)
    features = (np.random.default_rng(0).normal(size=(3, 100)) * magnitudes).astype(np.float32)
    scale = Standardization.of(features, np.ones(3), 0.5, widths=[50, 50]).scale / magnitudes
    assert (0.1 < scale).all()
    assert (scale < 3).all()


def test_a_row_of_zeros_is_divided_by_one_with_a_floor():
    assert Standardization.of(np.zeros((1, 2), np.float32), np.ones(1), 0.5).scale.tolist() == [
        1,
        1,
    ]


def test_there_is_no_floor_for_enough_rows():
    assert variance_floor(60) == variance_floor(1000) == 0
    floors = [variance_floor(n_rows) for n_rows in range(1, 61)]
    assert floors == sorted(floors, reverse=True)


@pytest.mark.parametrize("hidden_units", [(), (7,), (5, 4)])
def test_logits_of_raw_features_are_the_layers_on_standardised_ones(hidden_units):
    features = np.random.default_rng(1).normal(3, 2, (20, 6)).astype(np.float32)
    standardization = Standardization.of(features, np.ones(20))
    head = Head.initial(standardization, hidden_units, 3, initial_head_rng(0))
    x = standardization.apply_in_place(features.astype(np.float64).astype(np.float32).copy())
    for kernel, bias in zip(head.weights[:-2:2], head.weights[1:-2:2], strict=True):
        x = np.maximum(x @ kernel + bias, 0)
    expected = x @ head.weights[-2] + head.weights[-1]
    np.testing.assert_allclose(head.logits(features), expected, rtol=1e-4, atol=1e-5)
    assert head.hidden_units == hidden_units


@pytest.mark.parametrize("hidden_units", [(), (32,)])
def test_logits_of_a_row_depend_neither_on_its_place_nor_on_its_neighbours(hidden_units):
    features = np.random.default_rng(0).normal(3, 2, (50, 1280)).astype(np.float32)
    standardization = Standardization.of(features, np.ones(50))
    head = Head.initial(standardization, hidden_units, 3, initial_head_rng(0))
    logits = head.logits(features)
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(head.logits(features[::-1]), logits[::-1])
    one_by_one = [head.logits(features[row : row + 1]) for row in range(50)]
    np.testing.assert_array_equal(np.concatenate(one_by_one), logits)


def test_initial_head_derives_from_the_seed(features):
    standardization = Standardization.of(features, np.ones(200))
    first, again, other = (
        Head.initial(standardization, (4,), 2, initial_head_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.weights[0], again.weights[0])
    assert (first.weights[0] != other.weights[0]).any()
