import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcifar.plotting._reading import (
    fitted_attribute,
    name_classes,
    shorten,
    to_pictures,
    transform_before_last,
)


def test_importing_the_displays_imports_neither_matplotlib_nor_tensorflow():
    code = (
        "import sys, skcifar.plotting\n"
        "print([name for name in ('matplotlib', 'seaborn', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("labels", "class_names", "expected"),
    [
        ([2, 0], None, {0: "0", 2: "2"}),
        ([2, 0], ["a", "b", "c"], {0: "a", 2: "c"}),
        ([3, 1], ["a", "b"], {1: "a", 3: "b"}),
        ([True, False], ["no", "yes"], {False: "no", True: "yes"}),
        (["y", "x"], ["first", "second"], {"x": "first", "y": "second"}),
        (["dog", "cat"], ["dog", "cat", "ant"], {"cat": "cat", "dog": "dog"}),
        ([0, 1], {1: "one"}, {0: "0", 1: "one"}),
    ],
)
def test_classes_are_named_by_position_order_or_mapping(labels, class_names, expected):
    assert name_classes(labels, class_names=class_names) == expected


def test_numbers_that_are_names_name_by_position():
    names = sorted(map(str, range(12)))  # as of folders: "0", "1", "10", "11", "2", ...
    assert name_classes(range(12), class_names=names) == dict(enumerate(names))


def test_wrong_number_of_class_names_is_an_error():
    with pytest.raises(ValueError, match="2 names for 3 classes"):
        name_classes(["a", "b", "c"], class_names=["one", "two"])


def test_long_names_are_cut_in_the_middle():
    assert shorten("abcdefgh", 6) == "abc…gh"
    assert shorten("abcdef", 6) == "abcdef"


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.uint8, 0, 255), (np.uint16, 0, 65535), (float, 0, 1), (float, -1, 1), (float, -3, 7)],
)
def test_pictures_show_black_and_white_at_the_ends_of_any_range(dtype, low, high):
    images = np.full((2, 4, 4, 3), low, dtype=dtype)
    images[1] = high
    pictures = to_pictures(images)
    assert pictures.dtype == np.uint8
    assert (pictures[0] == 0).all()
    assert (pictures[1] == 255).all()


def test_many_float_images_are_scaled_alike():
    images = np.random.default_rng(0).random((600, 2, 2, 3))
    np.testing.assert_array_equal(to_pictures(images), np.round(255 * images))


def test_grey_images_have_three_equal_channels():
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    np.testing.assert_array_equal(to_pictures(images), np.repeat(images, 3, axis=-1))


def test_rows_are_square_rgb_images():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_pictures(images.reshape(2, -1)), images)


def test_rows_have_the_shape_that_the_estimator_was_fitted_on(color_classifier):
    images = np.random.default_rng(0).integers(0, 256, (4, 2, 6, 1), dtype=np.uint8)
    color_classifier.fit(images, [0, 1, 0, 1])
    pictures = to_pictures(images.reshape(4, -1), source=color_classifier)
    np.testing.assert_array_equal(pictures[..., :1], images)


def test_pictures_use_the_pixel_range_of_the_step_that_gets_them(color_classifier):
    images = np.full((2, 4, 4, 3), 0.5)
    color_classifier.fit(images, [0, 1])
    color_classifier.pixel_range_ = (0.0, 2.0)
    assert (to_pictures(images, source=color_classifier) == 64).all()
    behind_a_step = make_pipeline(FunctionTransformer(), color_classifier)
    assert (to_pictures(images, source=behind_a_step) == 128).all()


@pytest.mark.parametrize("shape", [(4, 4, 3), (2, 4, 4, 4), (2, 50)])
def test_what_is_no_batch_of_images_is_an_error(shape):
    with pytest.raises(ValueError, match="images has shape"):
        to_pictures(np.zeros(shape))


def test_pixels_that_are_not_finite_are_an_error():
    with pytest.raises(ValueError, match="contains NaN"):
        to_pictures(np.full((1, 4, 4, 3), np.nan))


def test_pipelines_and_searches_are_opened(color_classifier, colored_images):
    X, y = colored_images
    pipeline = make_pipeline(FunctionTransformer(np.fliplr), "passthrough", color_classifier)
    search = GridSearchCV(pipeline, {}, cv=2).fit(X, y)
    assert fitted_attribute(search, "image_shape_") == (8, 8, 3)
    assert fitted_attribute(search, "history_") is None
    np.testing.assert_array_equal(transform_before_last(search, X), np.fliplr(X))


def test_estimators_that_are_not_fitted_are_an_error(color_classifier):
    with pytest.raises(NotFittedError):
        fitted_attribute(color_classifier, "history_")
