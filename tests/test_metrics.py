from collections import Counter

import numpy as np
import pytest

from skcifar.metrics import most_confused


def test_pairs_are_ordered_and_the_largest_comes_first():
    y_true = ["cat", "cat", "dog", "dog", "dog", "ship"]
    y_pred = ["dog", "cat", "cat", "cat", "ship", "ship"]
    assert most_confused(y_true, y_pred) == [
        ("dog", "cat", 2),
        ("cat", "dog", 1),
        ("dog", "ship", 1),
    ]


def test_agrees_with_counting_by_hand():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(7, size=(2, 500))
    expected = Counter((t, p) for t, p in zip(y_true, y_pred, strict=True) if t != p)
    found = most_confused(y_true, y_pred)
    assert {(t, p): count for t, p, count in found} == expected
    assert found == sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def test_labels_stay_what_they_were():
    ((true, predicted, count),) = most_confused(np.array([3, 5]), np.array([5, 5]))
    assert (true, predicted, count) == (3, 5, 1)
    assert most_confused([True, False], [True, True]) == [(False, True, 1)]


def test_label_that_is_only_predicted_counts():
    assert most_confused(["cat"], ["dog"]) == [("cat", "dog", 1)]


@pytest.mark.parametrize("y", [["cat", "dog"], ["cat", "cat"]])
def test_nothing_confused_is_an_empty_list(y):
    assert most_confused(y, y) == []


def test_different_lengths_raise_what_scikit_learn_says():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        most_confused([0, 1], [0, 1, 1])
