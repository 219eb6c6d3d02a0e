import numpy as np
import pytest

from skcifar._training.schedule import Schedule, choose_batch_size, rectification


def make_schedule(**options):
    options = {"seed": 0, "batch_size": 4, "learning_rate": 0.1, "first_epoch": 0, **options}
    return Schedule(**{"n_epochs": 5, **options})


def test_every_row_stands_once_in_an_epoch_and_padding_weighs_nothing():
    plan = make_schedule().plan(0, np.ones(10))
    assert plan.rows.shape == plan.weights.shape == (3, 4)
    assert sorted(plan.rows[plan.weights > 0]) == list(range(10))
    assert plan.sizes.tolist() == [4, 4, 2]


def test_batches_are_no_larger_than_the_data():
    assert make_schedule(batch_size=1000).plan(0, np.ones(10)).rows.shape == (1, 10)


def test_weights_are_divided_by_their_mean():
    weights = np.array([1.0, 3.0, 2.0])
    plan = make_schedule().plan(0, weights)
    np.testing.assert_allclose(plan.weights[0], (weights / 2)[plan.rows[0]])


def test_an_epoch_derives_from_seed_and_number_alone():
    first, again = (make_schedule().plan(3, np.ones(20)) for _ in range(2))
    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.dropout_seed == again.dropout_seed
    for other in (make_schedule().plan(4, np.ones(20)), make_schedule(seed=1).plan(3, np.ones(20))):
        assert (first.rows != other.rows).any()
        assert first.dropout_seed != other.dropout_seed


def test_each_epoch_draws_one_view_of_each_image():
    plans = [make_schedule(n_views=3).plan(epoch, np.ones(8)) for epoch in range(30)]
    for plan in plans:
        assert sorted(plan.rows.ravel() // 3) == list(range(8))
    assert {int(row) % 3 for plan in plans for row in plan.rows.ravel()} == {0, 1, 2}


def test_cosine_decay_falls_from_the_peak_to_zero():
    schedule = make_schedule(n_epochs=4, batch_size=1)
    rates = np.concatenate([schedule.plan(epoch, np.ones(50)).learning_rates for epoch in range(4)])
    expected = 0.1 * (1 + np.cos(np.pi * np.arange(200) / 200)) / 2
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_decay_starts_at_the_first_epoch_of_the_phase():
    late = make_schedule(first_epoch=7).plan(7, np.ones(8)).learning_rates
    np.testing.assert_array_equal(late, make_schedule().plan(0, np.ones(8)).learning_rates)


def test_constant_rate():
    assert (
        make_schedule(decay=False).plan(4, np.ones(8)).learning_rates.tolist()
        == [pytest.approx(0.1)] * 2
    )


def test_rectification_is_that_of_radam():
    # Algorithm 2 of Liu et al. (2020), worked out with 30 digits.
    steps = np.array([1, 5, 100, 2_000, 10**6])
    expected = [0.0173115032, 0.0173115032, 0.2153354365, 0.8283900610, 1.0]
    np.testing.assert_allclose(rectification(steps), expected, rtol=1e-6)


def test_rectified_rates_are_held_back_and_never_over_the_peak():
    options = {"n_epochs": 10, "batch_size": 1, "first_epoch": 3}
    rectified, plain = (
        np.concatenate(
            [
                make_schedule(rectified=held_back, **options).plan(e, np.ones(50)).learning_rates
                for e in range(3, 13)
            ]
        )
        for held_back in (True, False)
    )
    np.testing.assert_allclose(rectified, plain * rectification(np.arange(1, 501)), rtol=1e-5)
    assert rectified.argmax() > 50


def test_averaged_weights_walk_at_the_peak_and_finish_below_it():
    schedule = make_schedule(n_epochs=12, batch_size=1, first_epoch=3, averaged=True)
    assert (schedule.first_averaged, schedule.finish, schedule.end) == (6, 13, 15)
    walk = [schedule.plan(epoch, np.ones(5)).learning_rates for epoch in range(3, 13)]
    np.testing.assert_allclose(walk, 0.1, rtol=1e-6)
    finish = [schedule.plan(epoch, np.ones(5)).learning_rates for epoch in range(13, 15)]
    expected = 0.1 / 3 * (1 + np.cos(np.pi * np.arange(10) / 10)) / 2
    np.testing.assert_allclose(np.concatenate(finish), expected, rtol=1e-5)


def test_an_epoch_alone_has_nothing_to_average():
    averaged, plain = (
        make_schedule(n_epochs=1, averaged=averaged).plan(0, np.ones(8)).learning_rates
        for averaged in (True, False)
    )
    np.testing.assert_array_equal(averaged, plain)


@pytest.mark.parametrize(
    ("n_images", "expected"),
    [(1, 4), (124, 4), (125, 8), (249, 8), (250, 16), (500, 32), (1_999, 32), (2_000, 64)],
)
def test_fewer_images_take_smaller_batches(n_images, expected):
    assert choose_batch_size("auto", n_images) == expected
    assert choose_batch_size(100, n_images) == 100
