import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcifar.plotting import GradCAMDisplay

keras = pytest.importorskip("keras")

CLASSES = np.array(["ant", "bee", "cat"])
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """Wraps a Keras model of three classes."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, X, y):
        self.classes_, self.model_, self.image_shape_ = CLASSES, self.model, X.shape[1:]
        return self

    def predict_proba(self, X):
        return self.model_.predict(X, verbose=0)


def fitted(model):
    return NetworkClassifier(model).fit(PIXELS, CLASSES[[0, 1, 2, 0, 1]])


def network():
    """Return a small convolutional network, nested as MobileNetV2 is, and its classifier."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="last_map")(x)
    backbone = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x), name="backbone")
    return backbone, keras.layers.Dense(3, activation="softmax", name="probabilities")


def plain_model(backbone, dense):
    inputs = keras.Input((12, 12, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    return keras.Model(inputs, dense(backbone(scaled, training=False)))


def mirrored_model(backbone, dense, *, mirrored_first):
    inputs = keras.Input((12, 12, 3))
    views = [inputs, inputs[:, :, ::-1]]
    scaled = [keras.layers.Rescaling(1 / 127.5, offset=-1)(view) for view in views]
    outputs = [dense(backbone(view, training=False)) for view in scaled[:: 1 - 2 * mirrored_first]]
    return keras.Model(inputs, keras.layers.Average()(outputs))


def maps(model, X=PIXELS, **keywords):
    return GradCAMDisplay.from_estimator(fitted(model), X, **keywords).heatmaps


def class_activation_maps(backbone, dense, X, column):
    """Return what Grad-CAM is for global average pooling and one dense layer (Zhou, CVPR 2016)."""
    to_map = keras.Model(backbone.inputs, backbone.get_layer("last_map").output)
    feature_maps = to_map.predict(X / 127.5 - 1, verbose=0)
    heat = np.maximum(feature_maps @ np.asarray(dense.kernel)[:, column], 0)
    return np.array(keras.ops.image.resize(heat[..., None], X.shape[1:3]))[..., 0]


@pytest.mark.parametrize("column", [0, 1, 2])
def test_heat_is_the_class_activation_map_where_both_exist(column):
    backbone, dense = network()
    heat = maps(plain_model(backbone, dense), target=CLASSES[column])
    expected = class_activation_maps(backbone, dense, PIXELS, column)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    # float32 sums in another order.
    np.testing.assert_allclose(heat, expected, atol=1e-4)


def test_the_predicted_class_is_explained_by_default():
    model = plain_model(*network())
    display = GradCAMDisplay.from_estimator(fitted(model), PIXELS, n_images=4)
    probabilities = model.predict(PIXELS[:4], verbose=0)
    np.testing.assert_array_equal(display.targets, CLASSES[probabilities.argmax(axis=1)])
    np.testing.assert_allclose(display.y_proba, probabilities.max(axis=1), rtol=1e-5)
    titles = [ax.get_title() for ax in display.axes_]
    expected = zip(display.targets, display.y_proba, strict=True)
    assert titles == [f"{name} {p:.2f}" for name, p in expected]


def test_image_and_heat_are_drawn():
    display = GradCAMDisplay.from_estimator(fitted(plain_model(*network())), PIXELS)
    for i, ax in enumerate(display.axes_):
        np.testing.assert_array_equal(ax.images[0].get_array(), PIXELS[i])
        np.testing.assert_array_equal(display.heat_images_[i].get_array(), display.heatmaps[i])
    assert display.heatmaps.min() >= 0
    assert display.heatmaps.max() == pytest.approx(1)


def test_each_image_may_have_a_class_of_interest():
    model = plain_model(*network())
    targets = CLASSES[[2, 1, 0, 2, 1]]
    display = GradCAMDisplay.from_estimator(
        fitted(model), PIXELS, target=targets, n_images=3, class_names=["Ant", "Bee", "Cat"]
    )
    assert [ax.get_title().split()[0] for ax in display.axes_] == ["Cat", "Bee", "Ant"]
    probabilities = model.predict(PIXELS[:3], verbose=0)
    np.testing.assert_allclose(display.y_proba, probabilities[[0, 1, 2], [2, 1, 0]], rtol=1e-5)


@pytest.mark.parametrize("mirrored_first", [False, True])
def test_the_map_of_the_mirror_image_is_turned_back(mirrored_first):
    parts = network()
    heat = maps(mirrored_model(*parts, mirrored_first=mirrored_first), target="bee")
    upright = class_activation_maps(*parts, PIXELS, 1)
    turned_back = class_activation_maps(*parts, PIXELS[:, :, ::-1], 1)[:, :, ::-1]
    expected = upright + turned_back
    expected /= expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(heat, expected, atol=1e-4)


def test_where_the_last_map_has_one_cell_the_one_before_is_read():
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, strides=3, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(4, 4, activation="relu")(x)
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    heat = maps(keras.Model(inputs, outputs))
    assert (np.ptp(heat, axis=(1, 2)) > 0).any()


def test_a_model_without_softmax_layer_is_read_at_its_probabilities():
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(3, 3, activation="relu")(inputs)
    scores = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, scores / (keras.ops.sum(scores, axis=1, keepdims=True) + 1e-6))
    assert np.isfinite(maps(model)).all()


def test_the_model_is_left_as_it_was():
    model = plain_model(*network())
    before = model.predict(PIXELS, verbose=0)
    maps(model)
    layers = [*model.layers, *model.get_layer("backbone").layers]
    assert not any("call" in vars(layer) for layer in layers)
    np.testing.assert_array_equal(model.predict(PIXELS, verbose=0), before)


def test_many_images_are_explained_in_batches():
    model, X = plain_model(*network()), np.concatenate([PIXELS] * 8)
    heat = maps(model, X, n_images=40)
    np.testing.assert_allclose(heat, np.concatenate([heat[:5]] * 8), atol=1e-5)


def test_rows_and_pipelines_are_explained():
    classifier = fitted(plain_model(*network()))
    expected = GradCAMDisplay.from_estimator(classifier, PIXELS[:, ::-1]).heatmaps
    rows = PIXELS[:, ::-1].reshape(5, -1)
    np.testing.assert_array_equal(
        GradCAMDisplay.from_estimator(classifier, rows).heatmaps, expected
    )
    pipeline = make_pipeline(FunctionTransformer(np.fliplr), classifier)
    display = GradCAMDisplay.from_estimator(pipeline, PIXELS)
    np.testing.assert_array_equal(display.heatmaps, expected)
    np.testing.assert_array_equal(display.images, PIXELS)


@pytest.mark.parametrize("test_time_augmentation", [False, True, "flip_translate"])
def test_the_classifier_of_this_library_is_explained(test_time_augmentation):
    from skcifar import MobileNetV2Classifier
    from skcifar.datasets import make_images

    X, y = make_images(12, random_state=0)
    classifier = MobileNetV2Classifier(
        weights=None,
        input_size=32,
        epochs=1,
        random_state=0,
        test_time_augmentation=test_time_augmentation,
    ).fit(X, y)
    display = GradCAMDisplay.from_estimator(classifier, X[:3], target=1)
    assert display.heatmaps.shape == (3, 32, 32)
    # The design allows 1e-3 between the model and predict_proba.
    np.testing.assert_allclose(display.y_proba, classifier.predict_proba(X[:3])[:, 1], atol=1e-3)


def test_heat_covers_a_picture_that_a_pipeline_shrinks():
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: X[:, ::2, ::2]), fitted(plain_model(*network()))
    )
    display = GradCAMDisplay.from_estimator(pipeline, PIXELS.repeat(2, axis=1).repeat(2, axis=2))
    assert display.heatmaps.shape == (5, 12, 12)
    picture, heat = display.axes_[0].images
    assert tuple(picture.get_extent()) == tuple(heat.get_extent()) == (-0.5, 23.5, 23.5, -0.5)
    assert display.axes_[0].get_xlim() == (-0.5, 23.5)


@pytest.mark.parametrize("shape", [(5, 24, 24, 3), (15, 12, 12, 1)])
def test_images_of_another_shape_are_refused(shape):
    classifier = fitted(plain_model(*network()))
    with pytest.raises(ValueError, match=r"images of shape \(12, 12, 3\)"):
        GradCAMDisplay.from_estimator(classifier, np.zeros(shape, np.uint8))


def test_titles_do_not_overlap(text_overlaps):
    display = GradCAMDisplay(PIXELS, np.zeros((5, 12, 12)), ["a class of a long name"] * 5).plot()
    assert not text_overlaps([ax.title for ax in display.axes_])


def test_given_axes_and_style_are_used():
    _, axes = plt.subplots(1, 5)
    display = GradCAMDisplay(PIXELS, np.zeros((5, 12, 12)), CLASSES[[0] * 5])
    display.plot(axes, heat_kw={"cmap": "viridis"})
    assert list(display.axes_) == list(axes)
    assert display.heat_images_[0].get_cmap().name == "viridis"


def test_wrong_input_is_an_error():
    classifier = fitted(plain_model(*network()))
    with pytest.raises(ValueError, match="target holds cow"):
        GradCAMDisplay.from_estimator(classifier, PIXELS, target="cow")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        GradCAMDisplay.from_estimator(classifier, PIXELS, target=["ant", "bee"])
    with pytest.raises(ValueError, match="n_images == 0"):
        GradCAMDisplay.from_estimator(classifier, PIXELS, n_images=0)
    with pytest.raises(NotFittedError):
        GradCAMDisplay.from_estimator(NetworkClassifier(), PIXELS)


def test_classifiers_without_convolution_are_an_error(color_classifier):
    color_classifier.fit(PIXELS, [0, 1, 0, 1, 0])
    with pytest.raises(ValueError, match="has no Keras model in model_"):
        GradCAMDisplay.from_estimator(color_classifier, PIXELS)
    inputs = keras.Input((12, 12, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(flat))
    with pytest.raises(ValueError, match="has no convolution"):
        maps(model)


def test_heat_of_moved_and_mirrored_branches_comes_to_lie_on_the_object():
    from skcifar.plotting._grad_cam_maps import _mirrored

    pixels = np.zeros((1, 32, 32, 3))
    pixels[:, 8:20, 18:28] = np.linspace(0.5, 1, 10)[:, None]
    moved = np.roll(pixels, -2, axis=2)
    views = [pixels, moved, pixels[:, :, ::-1], moved[:, :, ::-1]]
    calls = {"network": [(view, None) for view in views]}
    assert _mirrored(["network"], calls, pixels) == [False, False, True, True]
