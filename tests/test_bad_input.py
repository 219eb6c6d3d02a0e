"""Every way in which data or a parameter can be wrong: a clear error, and nothing has changed.

And the odd arrays that are right.
"""

import copy
import os
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.sparse import csr_array

from skcifar import ImageNormalizer
from skcifar._keras import head_training
from skcifar._system.libraries import import_keras
from skcifar.datasets import make_images

X, y = make_images(n_samples=24, image_shape=(16, 16, 3), random_state=0)
ROWS = X.reshape(24, -1)
ONE_HOT = np.eye(3)[y]


class Batches:
    """Hands out batches, as `tf.data.Dataset` does."""

    def __iter__(self):
        return iter([(X[:12], y[:12]), (X[12:], y[12:])])


def with_pixel(value):
    images = X.astype(float)
    images[3, 2, 1, 0] = value
    return images


@dataclass
class Bad:
    """Arguments of `fit` that raise `error` with a message that matches `message`."""

    message: str
    X: object = field(default_factory=lambda: X)
    y: object = field(default_factory=lambda: y)
    arguments: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    error: type = ValueError


def bad_weights(message, weights, **options):
    return Bad(message, arguments={"sample_weight": weights}, **options)


def bad_validation(message, X_val=X, y_val=y, **arguments):
    return Bad(message, arguments={"X_val": X_val, "y_val": y_val, **arguments})


def bad_parameters(message, **parameters):
    return Bad(message, parameters=parameters)


BAD_IMAGES = {
    "NaN": Bad("Input X contains NaN", with_pixel(np.nan)),
    "infinity": Bad("Input X contains infinity", with_pixel(np.inf)),
    "minus infinity": Bad("Input X contains infinity", with_pixel(-np.inf)),
    "strings": Bad("not compatible with arrays of bytes/strings", X.astype(str)),
    "bytes": Bad("not compatible with arrays of bytes/strings", ROWS.astype("S3")),
    "words as objects": Bad(
        "could not convert string to float: 'cat'", np.full((24, 12), "cat", object)
    ),
    "None as objects": Bad("Input X contains NaN", np.full((24, 12), None)),
    "sparse": Bad("Sparse data was passed for X", csr_array(ROWS), error=TypeError),
    "complex": Bad("Complex data not supported", X.astype(complex)),
    "dates": Bad(r"X has dtype datetime64\[s\]; expected real numbers", X.astype("datetime64[s]")),
    "a path": Bad(r"X is one picture, a str\. Pass a list of pictures: \[X\]", "images.png"),
    "None": Bad("Expected 2D array, got scalar array", None),
    "1-D": Bad("Expected 2D array, got 1D array", X[:, 0, 0, 0]),
    "3-D": Bad(r"X has shape \(24, 16, 16\); .* pass X\[..., None\]", X[..., 0]),
    "one image": Bad(r"X has shape \(16, 16, 3\); .* pass X\[None\]", X[0], y[:1]),
    "5-D": Bad(r"X has shape \(1, 24, 16, 16, 3\); .* expects \(n_samples, height", X[None]),
    "2 channels": Bad(r"X has shape \(24, 16, 16, 2\); .* 1 or 3 channels", X[..., :2]),
    "4 channels": Bad(r"an alpha channel with X\[..., :3\]", X[..., [0, 1, 2, 0]]),
    "5 channels": Bad(r"X has shape \(24, 16, 16, 5\); .* 1 or 3", X[..., [0, 1, 2, 0, 1]]),
    "channels first": Bad(r"X.transpose\(0, 2, 3, 1\)", X.transpose(0, 3, 1, 2)),
    "no images": Bad(r"Found array with 0 sample\(s\)", X[:0], y[:0]),
    "no rows": Bad(r"Found array with 0 sample\(s\)", ROWS[:0], y[:0]),
    "no pixels": Bad("its images have no pixels", X[:, :0]),
    "no columns": Bad(r"Found array with 0 feature\(s\)", ROWS[:, :0]),
    "rows of no square": Bad(r"X has shape \(24, 767\); .* Pass image_shape=", ROWS[:, 1:]),
    "rows of grey images": Bad(r"pass image_shape=\(16, 16, 1\)", X[..., 0].reshape(24, -1)),
    "rows of another image_shape": Bad(
        r"image_shape=\(8, 8, 3\) needs rows of 192 numbers",
        ROWS,
        parameters={"image_shape": (8, 8, 3)},
    ),
    "images of another image_shape": Bad(
        r"images of shape \(16, 16, 3\), but image_shape is \(8, 8, 3\)",
        parameters={"image_shape": (8, 8, 3)},
    ),
    "list of different shapes": Bad("X holds images of different shapes", [X[0], X[1][:8]], y[:2]),
    "generator": Bad(
        r"X is a generator; expected one array.*np\.concatenate\(list\(X\)\)", (X for _ in "ab")
    ),
    "iterable of batches": Bad("X is a Batches; .*for images, _ in X", Batches()),
    "array of arrays": Bad(
        r"array of 2 arrays, of shapes \[\(8, 16, 3\), \(16, 16, 3\)\]",
        np.array([X[0], X[1][:8]], dtype=object),
        y[:2],
    ),
}
BAD_LABELS = {
    "y of one class": Bad(
        "y holds one class, 0; a classifier needs at least two", y=np.zeros(24, int)
    ),
    "y too short": Bad("inconsistent numbers of samples: [24, 23]".replace("[", r"\["), y=y[:-1]),
    "y one-hot": Bad(
        r"y should be a 1d array, got an array of shape \(24, 3\).*pass np.argmax\(y, axis=1\)",
        y=ONE_HOT,
    ),
    "y one-hot in lists": Bad(r"pass np.argmax\(y, axis=1\)", y=ONE_HOT.tolist()),
    "y continuous": Bad("Unknown label type: continuous", y=np.linspace(0, 1, 24)),
    "y with NaN": Bad("Input y contains NaN", y=np.where(y == 0, np.nan, y)),
    "y None": Bad("requires y to be passed, but the target y is None", y=None),
    "y of ints and strings": Bad("Unknown label type", y=np.array([1, "a"] * 12, dtype=object)),
    "y sparse": Bad("Sparse data was passed for y", y=csr_array(ONE_HOT), error=TypeError),
}
BAD_WEIGHTS = {
    "weights negative": bad_weights(
        "sample_weight holds negative weights, the least is -1", -np.ones(24)
    ),
    "weights NaN": bad_weights("Input sample_weight contains NaN", np.full(24, np.nan)),
    "weights infinite": bad_weights("Input sample_weight contains infinity", np.full(24, np.inf)),
    "weights zero": bad_weights("sample_weight is zero for every row", np.zeros(24)),
    "weights too short": bad_weights(r"inconsistent numbers of samples: \[24, 23\]", np.ones(23)),
    "weights 2-D": bad_weights(r"sample_weight has shape \(24, 1\)", np.ones((24, 1))),
    "weights words": bad_weights("sample_weight must hold one number per row", ["heavy"] * 24),
    "weights sparse": bad_weights(
        "Sparse data was passed for sample_weight", csr_array(np.ones((24, 1))), error=TypeError
    ),
}
BAD_VALIDATION = {
    "X_val alone": bad_validation("X_val and y_val belong together", y_val=None),
    "y_val alone": bad_validation("X_val and y_val belong together", X_val=None),
    "sample_weight_val alone": bad_validation(
        "sample_weight_val to both", X_val=None, y_val=None, sample_weight_val=np.ones(24)
    ),
    "y_val of unknown labels": bad_validation(r"y_val holds labels .*: \[3, 4\]", y_val=y + 2),
    "y_val of strings": bad_validation(
        "y_val holds labels that are not among", y_val=y.astype(str)
    ),
    "y_val continuous": bad_validation("y_val holds labels that are not among", y_val=y + 0.5),
    "y_val too short": bad_validation("In X_val, y_val: Found input variables", y_val=y[:-1]),
    "X_val of another shape": bad_validation(
        r"In X_val, y_val: X has images of shape \(8, 16, 3\)", X_val=X[:, :8]
    ),
    "X_val with NaN": bad_validation("In X_val, y_val: Input X", X_val=with_pixel(np.nan)),
    "sample_weight_val negative": bad_validation(
        "sample_weight_val holds negative", sample_weight_val=-np.ones(24)
    ),
}
BAD_COMBINATIONS = {
    "pixel_range left": bad_parameters(
        r"X holds pixels in \[\d+, 255\], outside pixel_range=\(0.0, 1.0\)", pixel_range=(0, 1)
    ),
    "class_weight of other classes": bad_parameters("not in class_weight", class_weight={7: 1}),
    "class_weight all zero": bad_parameters(
        "is zero for every row", class_weight={0: 0, 1: 0, 2: 0}
    ),
    "hold-out too small": bad_parameters(
        "validation_fraction=0.01 of 24 rows leaves no part with rows of every class",
        early_stopping=True,
        validation_fraction=0.01,
    ),
    "hold-out of a class with one row": Bad(
        "leaves no part with rows of every class",
        y=np.r_[9, y[1:]],
        parameters={"early_stopping": True},
    ),
    "weights not there": Bad(
        "weights='missing.weights.h5' is not a file",
        parameters={"weights": "missing.weights.h5"},
        error=FileNotFoundError,
    ),
    "callbacks that are none": Bad(
        "callbacks must hold instances of keras.callbacks.Callback. Got 'stop'",
        parameters={"callbacks": ["stop"]},
        error=TypeError,
    ),
}
OUT_OF_RANGE = {
    "weights": [3],
    "alpha": [0, -1, "half", np.nan],
    "input_size": [31, 96.0, "large", True],
    "image_shape": [(16, 16), (16, 16, 2), (0, 16, 3), 16],
    "pixel_range": [(1, 0), (0, np.inf), (0, 1, 2), "unit", 255],
    "feature_layers": ["first", None, ["last"]],
    "hidden_units": [0, 16.0, (0,), (16.0,), None],
    "dropout": [-0.1, 1.0, None],
    "optimizer": ["adamant", None],
    "learning_rate": [0, -1e-3, np.inf, "fast", True],
    "label_smoothing": [-0.1, 1],
    "weight_decay": [-1e-4, None],
    "batch_size": [0, 1.5, None, "all"],
    "epochs": [0, 2.0, True, None],
    "augmentation": ["rotate", True],
    "fine_tune_epochs": [-1, 1.5, None],
    "fine_tune_blocks": [-1, 18, "top"],
    "fine_tune_learning_rate": [0, None],
    "early_stopping": [1, None, "yes"],
    "validation_fraction": [0, 1.0, None],
    "n_iter_no_change": [0, None],
    "class_weight": ["auto", [1, 2, 3], {0: -1}, {0: "heavy"}, {0: np.nan}],
    "test_time_augmentation": [1, None, "translate"],
    "warm_start": [0, None],
    "feature_cache": [3],
    "engine": ["torch", None],
    "precision": ["float16", 32],
    "checkpoint_dir": [3, True],
    "callbacks": ["stop", 3],
    "random_state": [-1, 2**32, "seed", 0.5, np.random.default_rng(0)],
    "verbose": [-1, None, "loud"],
}
BAD = {
    **BAD_IMAGES,
    **BAD_LABELS,
    **BAD_WEIGHTS,
    **BAD_VALIDATION,
    **BAD_COMBINATIONS,
    **{
        f"{name}={value!r}".split(" at ")[0]: bad_parameters(
            f"The '{name}' parameter of MobileNetV2Classifier must be .*", **{name: value}
        )
        for name, values in OUT_OF_RANGE.items()
        for value in values
    },
}


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(head_training, "train_head", None)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_input_raises_before_training_and_changes_nothing(make_classifier, bad, no_training):
    classifier = make_classifier(**bad.parameters)
    before = dict(vars(classifier))
    with pytest.raises(bad.error, match=bad.message) as raised:
        classifier.fit(bad.X, bad.y, **bad.arguments)
    assert type(raised.value) is bad.error
    assert vars(classifier) == before


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_input_leaves_a_fitted_classifier_as_it_was(fitted, bad, no_training):
    classifier = copy.copy(fitted).set_params(**bad.parameters)
    before = dict(vars(classifier))
    with pytest.raises(bad.error, match=bad.message):
        classifier.fit(bad.X, bad.y, **bad.arguments)
    assert vars(classifier) == before


@pytest.fixture(scope="module")
def fitted(make_classifier):
    return make_classifier().fit(X, y)


def test_every_parameter_has_a_value_out_of_its_range(make_classifier):
    assert set(OUT_OF_RANGE) == set(make_classifier().get_params())


def test_there_are_forty_bad_inputs_and_more():
    assert len(BAD) > 100


BAD_NEW_IMAGES = {
    "images of another size": (X[:, :8], r"was fitted on images of shape \(16, 16, 3\)"),
    "grey images": (X[..., :1], r"was fitted on images of shape \(16, 16, 3\)"),
    "rows of another length": (ROWS[:, :192], "X has 192 features, but .* expecting 768"),
    "NaN": (with_pixel(np.nan), "Input X contains NaN"),
    "3-D": (X[..., 0], "expects .n_samples, height, width, channels"),
    "strings": (X.astype(str), "not compatible with arrays of bytes/strings"),
    "no images": (X[:0], r"Found array with 0 sample\(s\)"),
    "complex": (X.astype(complex), "Complex data not supported"),
}


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
@pytest.mark.parametrize("bad", BAD_NEW_IMAGES.values(), ids=BAD_NEW_IMAGES)
def test_bad_new_images_raise_and_change_nothing(fitted, method, bad):
    before = dict(vars(fitted))
    with pytest.raises(ValueError, match=bad[1]):
        getattr(fitted, method)(bad[0])
    assert vars(fitted) == before


BAD_PARTIAL_FITS = {
    "no classes": ({}, "classes must be passed on the first call to partial_fit"),
    "one class": ({"classes": [0]}, "classes holds one class, 0"),
    "continuous classes": ({"classes": [0.5, 1.5]}, "Unknown label type: continuous"),
    "2-D classes": ({"classes": [[0, 1], [2, 3]]}, "should be a 1d array"),
    "labels not in classes": ({"classes": [0, 1]}, r"y holds labels .*: \[2\]"),
    "negative weights": ({"classes": [0, 1, 2], "sample_weight": -np.ones(24)}, "holds negative"),
}


@pytest.mark.parametrize("bad", BAD_PARTIAL_FITS.values(), ids=BAD_PARTIAL_FITS)
def test_bad_partial_fit_raises_and_changes_nothing(make_classifier, bad, no_training):
    classifier = make_classifier()
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match=bad[1]):
        classifier.partial_fit(X, y, **bad[0])
    assert vars(classifier) == before


def test_later_partial_fit_with_other_classes_raises(make_classifier):
    classifier = make_classifier().partial_fit(X, y, classes=[0, 1, 2])
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2, 3\] is not what the first call"):
        classifier.partial_fit(X, y, classes=[0, 1, 2, 3])
    assert vars(classifier) == before


def test_partial_fit_cannot_balance_classes(make_classifier):
    classifier = make_classifier(class_weight="balanced")
    with pytest.raises(ValueError, match=r"needs all labels at once.* Pass a dict"):
        classifier.partial_fit(X, y, classes=[0, 1, 2])


def test_warm_start_with_other_classes_raises_and_changes_nothing(make_classifier):
    classifier = make_classifier(warm_start=True).fit(X, y)
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match=r"labels that are not among the classes .*: \[3, 4\]"):
        classifier.fit(X, y + 2)
    assert vars(classifier) == before


def test_warm_start_with_images_of_another_shape_raises(make_classifier):
    classifier = make_classifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"was fitted on images of shape \(16, 16, 3\)"):
        classifier.fit(X[:, :8], y)


def test_interrupted_fit_changes_nothing(make_classifier, monkeypatch):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    classifier = make_classifier().fit(X, y)
    before = dict(vars(classifier))
    monkeypatch.setattr(head_training, "train_head", interrupt)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X[::-1], y[::-1])
    assert vars(classifier) == before


@pytest.mark.parametrize("bad", BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_bad_images_raise_in_the_transformers_too(make_features, bad):
    shape = bad.parameters.get("image_shape")
    for transformer in (make_features(image_shape=shape), ImageNormalizer(image_shape=shape)):
        before = dict(vars(transformer))
        with pytest.raises(bad.error, match=bad.message):
            transformer.fit(bad.X)
        assert vars(transformer) == before


@pytest.mark.parametrize("backend", ["jax", "torch", "numpy"])
def test_keras_that_runs_on_another_backend_raises_what_to_set(monkeypatch, backend):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: backend)
    with pytest.raises(ValueError, match=f"Keras runs on '{backend}'; skcifar needs TensorFlow"):
        import_keras.__wrapped__()


def test_environment_that_asks_for_another_backend_raises_what_to_set():
    code = (
        "import skcifar; from skcifar.datasets import make_images\n"
        "skcifar.MobileNetV2Classifier(weights=None).fit(*make_images(6))"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stderr.strip().splitlines()[-1] == (
        "ValueError: Keras runs on 'jax'; skcifar needs TensorFlow. Set the environment "
        "variable KERAS_BACKEND=tensorflow before Keras is imported."
    )


def memory_mapped(images, folder):
    np.save(folder / "images.npy", images)
    return np.load(folder / "images.npy", mmap_mode="r")


def read_only(images, folder):
    images = images.copy()
    images.flags.writeable = False
    return images


def every_second(images, folder):
    return np.repeat(images, 2, axis=2)[:, :, ::2]


ODD_ARRAYS = {
    "uint16": lambda images, folder: images.astype(np.uint16),
    "uint64": lambda images, folder: images.astype(np.uint64),
    "int16": lambda images, folder: images.astype(np.int16),
    "int64": lambda images, folder: images.astype(np.int64),
    "float16": lambda images, folder: images.astype(np.float16),
    "float32": lambda images, folder: images.astype(np.float32),
    "longdouble": lambda images, folder: images.astype(np.longdouble),
    "big-endian ints": lambda images, folder: images.astype(">i4"),
    "big-endian floats": lambda images, folder: images.astype(">f8"),
    "numbers as objects": lambda images, folder: images.astype(object),
    "read-only": read_only,
    "memory-mapped": memory_mapped,
    "Fortran order": lambda images, folder: np.asfortranarray(images),
    "transposed view": lambda images, folder: (
        images.transpose(3, 0, 1, 2).copy().transpose(1, 2, 3, 0)
    ),
    "strided view": every_second,
    "reversed view": lambda images, folder: images[:, ::-1].copy()[:, ::-1],
    "list": lambda images, folder: images.tolist(),
    "list of arrays": lambda images, folder: list(images),
}


@pytest.mark.parametrize("make_odd", ODD_ARRAYS.values(), ids=ODD_ARRAYS)
def test_odd_arrays_of_the_same_pixels_give_the_same(make_classifier, fitted, make_odd, tmp_path):
    expected = fitted.predict_proba(X)
    odd = make_odd(X, tmp_path)
    found = make_classifier().fit(odd, y).predict_proba(odd)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(odd), expected, atol=1e-6)


@pytest.mark.parametrize("make_odd", ODD_ARRAYS.values(), ids=ODD_ARRAYS)
def test_odd_arrays_are_normalised_alike(make_odd, tmp_path):
    expected = ImageNormalizer("standardize").fit_transform(X)
    found = ImageNormalizer("standardize").fit_transform(make_odd(X, tmp_path))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_bool_images_are_black_and_white(make_classifier):
    black_and_white = X > 128
    found = make_classifier().fit(black_and_white, y).predict_proba(black_and_white)
    same = black_and_white * np.uint8(255)
    expected = make_classifier().fit(same, y).predict_proba(same)
    np.testing.assert_allclose(found, expected, atol=1e-4)  # rounding of another scale


def test_signed_bytes_have_no_usual_range(make_classifier):
    signed = (X.astype(np.int16) - 128).astype(np.int8)
    with pytest.warns(UserWarning, match=r"not a usual range; .* pass pixel_range=\(low, high\)"):
        classifier = make_classifier().fit(signed, y)
    assert classifier.pixel_range_ == (signed.min(), signed.max())
    classifier = make_classifier(pixel_range=(-128, 127)).fit(signed, y)
    np.testing.assert_array_equal(
        classifier.predict(signed), make_classifier().fit(X, y).predict(X)
    )


@pytest.mark.parametrize(
    "changed",
    [{"engine": "Tensorflow"}, {"precision": "fp16"}, {"test_time_augmentation": "flip"}],
)
def test_bad_value_after_the_fit_is_an_error_about_the_parameter(make_classifier, changed):
    classifier = make_classifier(epochs=1).fit(X, y).set_params(**changed)
    (name,) = changed
    with pytest.raises(ValueError, match=f"The '{name}' parameter of MobileNetV2Classifier must"):
        classifier.predict(X)
