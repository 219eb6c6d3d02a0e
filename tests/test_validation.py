import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.class_weight import compute_sample_weight

from skcifar import ImageNormalizer
from skcifar._training.rows import split_hold_out
from skcifar._validation.images import ImageInputMixin, naming
from skcifar._validation.labels import (
    check_all_classes,
    check_class_weight,
    check_labels,
    check_weights,
    encode_labels,
    has_validation_data,
)
from skcifar._validation.pixel_range import resolve_pixel_range, warn_outside_range
from skcifar._validation.rollback import unchanged_on_error


class Viewer(ImageInputMixin, BaseEstimator):
    def __init__(self, image_shape=None):
        self.image_shape = image_shape

    def images(self, X, *, reset=True):
        return self._validate_images(X, reset=reset)


def pixels(dtype, low, high):
    return np.linspace(low, high, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3).astype(dtype)


# --- Images --------------------------------------------------------------------------------


def test_images_are_a_view_of_what_was_given():
    X = pixels(np.uint8, 0, 255)
    assert np.shares_memory(Viewer().images(X), X)


def test_images_keep_their_dtype():
    for dtype in (np.uint8, np.uint16, np.float16, np.float32, np.float64, bool):
        assert Viewer().images(pixels(dtype, 0, 1)).dtype == dtype


def test_rows_are_taken_for_square_colour_images():
    X = pixels(np.uint8, 0, 255)
    viewer = Viewer()
    np.testing.assert_array_equal(viewer.images(X.reshape(2, -1)), X)
    assert (viewer.image_shape_, viewer.n_features_in_) == ((4, 4, 3), 48)


@pytest.mark.parametrize("shape", [(4, 12, 1), (12, 4, 1), (2, 8, 3), [16, 1, 3]])
def test_rows_are_taken_for_images_of_the_stated_shape(shape):
    rows = pixels(np.uint8, 0, 255).reshape(2, -1)
    images = Viewer(image_shape=shape).images(rows)
    np.testing.assert_array_equal(images, rows.reshape(2, *shape))


@given(height=st.integers(1, 9), width=st.integers(1, 9), channels=st.sampled_from([1, 3]))
def test_images_of_any_shape_come_out_as_they_went_in(height, width, channels):
    X = np.arange(2 * height * width * channels, dtype=np.uint16)
    X = X.reshape(2, height, width, channels)
    viewer = Viewer()
    np.testing.assert_array_equal(viewer.images(X), X)
    assert viewer.n_features_in_ == height * width * channels
    np.testing.assert_array_equal(viewer.images(X.reshape(2, -1), reset=False), X)


@pytest.mark.parametrize("channels", [0, 2, 4, 5])
def test_images_have_one_or_three_channels(channels):
    with pytest.raises(ValueError, match=rf"shape \(2, 4, 4, {channels}\).* 1 or 3 channels"):
        Viewer().images(np.zeros((2, 4, 4, channels)))


def test_advice_fits_what_went_wrong():
    advice = {
        (5, 4, 4): r"pass X\[\.\.\., None\]",
        (5, 4, 3): r"pass X\[None\]",
        (5, 4, 4, 4): r"X\[\.\.\., :3\]",
        (5, 3, 6, 7): r"X\.transpose\(0, 2, 3, 1\)",
        (5, 16): r"pass image_shape=\(4, 4, 1\)",
        (5, 20): r"Pass image_shape=\(height, width, channels\)",
    }
    for shape, words in advice.items():
        with pytest.raises(ValueError, match=words):
            Viewer().images(np.zeros(shape))


# --- Range of the pixels -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "low", "high", "expected"),
    [
        (np.uint8, 3, 7, (0, 255)),
        (np.int64, 0, 255, (0, 255)),
        (np.int8, 0, 127, (0, 255)),
        (np.uint16, 0, 255, (0, 255)),
        (bool, 0, 1, (0, 1)),
        (np.float32, 0, 1, (0, 1)),
        (np.float16, 0.2, 0.4, (0, 1)),
        (np.uint16, 0, 2**14, (0, 65535)),
        (np.float64, -0.3, 1, (-1, 1)),
        (np.float64, 0, 255, (0, 255)),
        # Rounding.
        (np.float32, 0, 1.0000001, (0, 1)),
        (np.float32, -1e-7, 1, (0, 1)),
        (np.float64, -1.00001, 1.00001, (-1, 1)),
        (np.float64, -1, 256, (0, 255)),
        (np.int16, -1, 256, (0, 255)),
    ],
)
def test_usual_ranges_are_found(dtype, low, high, expected):
    assert resolve_pixel_range(pixels(dtype, low, high), "auto") == expected


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (np.float64, -2, 2.1),
        (np.float64, -2, 14),
        (np.float64, -300, 255),
        (np.float64, 0, 320),
        (np.int8, -128, 127),
        (np.int16, -1, 1),
        (np.uint32, 0, 70_000),
    ],
)
def test_any_other_range_is_that_of_the_data_with_a_warning(dtype, low, high):
    with pytest.warns(UserWarning, match=r"not a usual range.*pass pixel_range=\(low, high\)"):
        found = resolve_pixel_range(pixels(dtype, low, high), "auto")
    assert found == (low, high)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "words", "expected"),
    [
        # Bicubic resizing shoots over black and white.
        (np.float64, 0, 1.02, "a little outside [0, 1]", (0, 1)),
        (np.float64, -0.1, 1.1, "a little outside [0, 1]", (0, 1)),
        (np.float64, -1.1, 1, "a little outside [-1, 1]", (-1, 1)),
        (np.float64, -20, 270, "a little outside [0, 255]", (0, 255)),
        (np.int16, -20, 270, "a little outside [0, 255]", (0, 255)),
        # Digits of 0 to 16, and cameras of 12 bits.
        (np.float64, 0, 16, "a small part of [0, 255]", (0, 255)),
        (np.uint16, 0, 256, "a small part of [0, 65535]", (0, 65535)),
        (np.uint16, 0, 4095, "a small part of [0, 65535]", (0, 65535)),
        (np.float64, 0.3, 0.99, "which may be meant as [0, 1] or [-1, 1]", (0, 1)),
    ],
)
def test_guess_in_doubt_warns(dtype, low, high, words, expected):
    with pytest.warns(UserWarning, match=re.escape(words)):
        assert resolve_pixel_range(pixels(dtype, low, high), "auto") == expected


BRIGHT_BYTES = 128 + np.random.default_rng(0).integers(0, 128, (40, 16, 16, 3))
SYMMETRIC = {
    "normalizer": lambda X: ImageNormalizer("symmetric", pixel_range=(0, 255)).fit_transform(X),
    "keras": lambda X: (X / 127.5 - 1).astype(np.float32),
    "torch": lambda X: (X.astype(np.float32) / 255 - np.float32(0.5)) / np.float32(0.5),
    "float64": lambda X: X / 127.5 - 1,
    "16 bits": lambda X: (X * 257 / 32767.5 - 1).astype(np.float32),
}


@pytest.mark.parametrize("rows", [slice(None), slice(1), slice(7, 20)], ids=str)
@pytest.mark.parametrize("scaled", SYMMETRIC.values(), ids=SYMMETRIC)
def test_bright_bytes_in_the_symmetric_range_are_told_from_the_unit_range(scaled, rows):
    assert resolve_pixel_range(scaled(BRIGHT_BYTES[rows]), "auto") == (-1, 1)
    unit = (BRIGHT_BYTES[rows] / 255).astype(np.float32)
    assert resolve_pixel_range(unit, "auto") == (0, 1)


def test_bright_images_of_few_levels_are_in_doubt():
    two_colours = np.where(BRIGHT_BYTES < 200, 0.2, 1.0)
    with pytest.warns(UserWarning, match=re.escape("may be meant as [0, 1] or [-1, 1]")):
        assert resolve_pixel_range(two_colours, "auto") == (0, 1)


def test_range_of_one_value_has_a_width():
    with pytest.warns(UserWarning, match="not a usual range"):
        assert resolve_pixel_range(np.full((2, 4, 4, 3), -7), "auto") == (-7, -6)


def test_explicit_range_is_taken_as_floats():
    X = pixels(np.uint8, 10, 20)
    for given_range in [(10, 20), [0, 255], np.array([-5.0, 300.0])]:
        found = resolve_pixel_range(X, given_range)
        assert found == tuple(given_range)
        assert [type(bound) for bound in found] == [float, float]


@pytest.mark.parametrize("pixel_range", [(0, 9), (5, 20)])
def test_explicit_range_that_the_pixels_leave_raises(pixel_range):
    with pytest.raises(ValueError, match=r"X holds pixels in \[0, 20\], outside pixel_range="):
        resolve_pixel_range(pixels(np.uint8, 0, 20), pixel_range)


@pytest.mark.parametrize(("low", "high"), [(-3, 255), (0, 258)])
def test_pixels_more_than_one_percent_outside_warn(low, high):
    with pytest.warns(UserWarning, match=re.escape(f"pixels in [{low}, {high}], but the fit")):
        warn_outside_range(pixels(np.float64, low, high), (0.0, 255.0))


def test_pixels_less_than_one_percent_outside_do_not_warn():
    warn_outside_range(pixels(np.float64, -2.5, 257.5), (0.0, 255.0))
    assert resolve_pixel_range(pixels(np.float64, -2.5, 257.5), (0, 255)) == (0, 255)


@pytest.mark.parametrize("pixel_range", [(0, 1), (10**6, 10**6 + 1)])
def test_error_about_an_explicit_range_shows_digits_that_leave_it(pixel_range):
    X = pixels(np.float64, pixel_range[0], pixel_range[1] + 0.0101)
    with pytest.raises(ValueError, match="outside pixel_range=") as caught:
        resolve_pixel_range(X, pixel_range)
    shown = re.search(r"pixels in \[(.*), (.*)\], outside", str(caught.value))
    assert float(shown[2]) > pixel_range[1]


@pytest.mark.parametrize(
    ("images", "fitted"),
    [
        (BRIGHT_BYTES / 255, (0.0, 255.0)),
        (BRIGHT_BYTES / 255, (0.0, 65535.0)),
        (BRIGHT_BYTES / 127.5 - 1, (0.0, 255.0)),
        (pixels(np.float32, -1, 1), (0.0, 255.0)),
        (BRIGHT_BYTES > 128, (0.0, 255.0)),
        (BRIGHT_BYTES.astype(np.uint8), (0.0, 65535.0)),
        (BRIGHT_BYTES / 255, (-1.0, 1.0)),
        (BRIGHT_BYTES / 127.5 - 1, (0.0, 1.0)),
    ],
)
def test_pixels_of_another_scale_within_the_range_warn(images, fitted):
    with pytest.warns(UserWarning, match=r"X_val holds pixels in .*, but the fit was on"):
        warn_outside_range(images, fitted, name="X_val")


@pytest.mark.parametrize(
    ("images", "fitted"),
    [
        (np.zeros((2, 4, 4, 3)), (0.0, 255.0)),
        (np.ones((2, 4, 4, 3)), (0.0, 255.0)),
        (pixels(np.float32, 0, 3), (0.0, 255.0)),
        (pixels(np.uint16, 0, 255), (0.0, 65535.0)),
        (pixels(np.uint16, 0, 1), (0.0, 255.0)),
        (BRIGHT_BYTES / 127.5 - 1, (-1.0, 1.0)),
        (BRIGHT_BYTES / 255, (0.0, 1.0)),
        (pixels(np.float32, 0, 1), (-1.0, 1.0)),
    ],
)
def test_dark_or_bright_images_of_the_fitted_scale_do_not_warn(images, fitted):
    warn_outside_range(images, fitted)


# --- Labels --------------------------------------------------------------------------------


# Nine classes at most: more than ten, in 21 rows, scikit-learn takes for a regression.
@given(st.lists(st.integers(-4, 4), min_size=2).filter(lambda y: len(set(y)) > 1))
def test_labels_are_indices_into_the_sorted_classes(y):
    classes, labels = check_labels(np.array(y))
    assert classes.tolist() == sorted(set(y))
    assert classes[labels].tolist() == y
    assert encode_labels(y, classes).tolist() == labels.tolist()


def test_column_of_labels_warns():
    with pytest.warns(DataConversionWarning):
        assert encode_labels([["a"], ["b"]], np.array(["a", "b"])).tolist() == [0, 1]


@pytest.mark.parametrize("y", [["a", "c"], ["a", None], np.array(["a", 3], dtype=object)])
def test_labels_that_are_no_class_are_named(y):
    with pytest.raises(ValueError, match=r"y_val holds labels that are not among the classes"):
        encode_labels(y, np.array(["a", "b"]), name="y_val")


def test_all_classes_come_sorted_or_are_those_known():
    assert check_all_classes(["b", "a", "b"]).tolist() == ["a", "b"]
    known = np.array([1, 2])
    assert check_all_classes(None, known) is known
    assert check_all_classes([2, 1], known).tolist() == [1, 2]


# --- Weights -------------------------------------------------------------------------------


def test_no_weight_is_a_weight_of_one():
    assert check_weights(None, np.zeros((3, 1))).tolist() == [1, 1, 1]
    assert check_weights(2, np.zeros((3, 1))).tolist() == [2, 2, 2]


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3, 2: 0.5}, {1: 0}])
def test_class_weights_are_those_of_scikit_learn(class_weight):
    labels = np.array([0, 0, 0, 1, 2, 2])
    found = check_class_weight(class_weight, np.arange(3), labels, np.ones(6))
    np.testing.assert_allclose(found, compute_sample_weight(class_weight, labels))


def test_balanced_classes_have_the_same_sum_of_weights():
    labels = np.array([0, 0, 0, 2, 2])
    weights = np.array([1.0, 2.0, 3.0, 0.5, 0.1])
    balanced = check_class_weight("balanced", np.arange(3), labels, weights)
    np.testing.assert_allclose(np.bincount(labels, balanced)[[0, 2]], weights.sum() / 2)


def test_class_that_is_not_there_may_have_a_weight():
    found = check_class_weight({0: 2, 2: 5}, np.arange(3), np.array([0, 1]), np.ones(2))
    assert found.tolist() == [2, 1]


def test_validation_data_are_both_or_none():
    assert has_validation_data(1, 2, None)
    assert has_validation_data(1, 2, 3)
    assert not has_validation_data(None, None, None)
    for part in [(1, None, None), (None, 2, None), (None, None, 3), (1, None, 3)]:
        with pytest.raises(ValueError, match="X_val and y_val belong together"):
            has_validation_data(*part)


# --- Hold-out ------------------------------------------------------------------------------


@given(
    counts=st.lists(st.integers(10, 40), min_size=2, max_size=4),
    fraction=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 2**31 - 2),
)
def test_hold_out_is_a_stratified_part(counts, fraction, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    kept, held_out = split_hold_out(labels, fraction, seed)
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    shares = np.bincount(labels[held_out], minlength=len(counts)) / counts
    assert np.abs(shares - len(held_out) / len(labels)).max() <= 1 / min(counts)


# --- Errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_attributes_are_put_back_when_the_block_raises(error):
    viewer = Viewer()
    viewer.kept_ = before = [1]

    def fail():
        with unchanged_on_error(viewer):
            viewer.kept_ = [2]
            viewer.added_ = 3
            raise error

    with pytest.raises(error):
        fail()
    assert vars(viewer) == {"image_shape": None, "kept_": [1]}
    assert viewer.kept_ is before


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_error_begins_with_the_names_of_the_arguments(error):
    def fail():
        with naming("X_val, y_val"):
            raise error("too long")

    with pytest.raises(error, match=r"^In X_val, y_val: too long$"):
        fail()
