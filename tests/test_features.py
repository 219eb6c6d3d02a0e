import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skcifar import ImageNormalizer, clear_feature_cache
from skcifar._extraction import engines


@pytest.mark.parametrize(
    "classifier",
    [LogisticRegression(), LinearSVC(), KNeighborsClassifier(), make_pipeline(PCA(5), LinearSVC())],
    ids=["LogisticRegression", "LinearSVC", "KNeighborsClassifier", "PCA"],
)
def test_classifiers_learn_from_the_features(make_features, images, new_images, classifier):
    pipeline = make_pipeline(make_features(), StandardScaler(), classifier).fit(*images)
    assert pipeline.score(*new_images) > 0.9


def test_features_are_those_of_the_keras_network(make_features, images):
    keras = pytest.importorskip("keras")
    transformer = make_features(engine="tensorflow", feature_cache=None, feature_layers="last")
    X = np.tile(images[0][:4], (1, 2, 2, 1))  # 32 x 32: nothing is resized
    found = transformer.fit_transform(X)
    network = keras.applications.MobileNetV2((32, 32, 3), 0.35, False, None, pooling="avg")
    network.set_weights(transformer._frozen.weights)
    expected = network.predict(X / 127.5 - 1, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("alpha", [0.35, 1.0, 1.3])
def test_number_of_features_is_that_of_the_last_convolution(make_features, images, alpha):
    X = images[0][:2]
    transformer = make_features(alpha=alpha, feature_layers="last").fit(X)
    n_features = 1280 if alpha <= 1 else int(1280 * alpha)
    assert transformer.transform(X).shape == (2, n_features)
    assert len(transformer.get_feature_names_out()) == n_features


def test_features_are_float32_whatever_comes_in(make_features, images):
    for dtype in (np.uint8, np.float64):
        assert make_features().fit_transform(images[0].astype(dtype)).dtype == np.float32


def test_feature_names_count_up(make_features, images):
    names = make_features(feature_layers="last").fit(images[0]).get_feature_names_out()
    assert names[:2].tolist() == ["mobilenetv2_0", "mobilenetv2_1"]
    assert names.dtype == object


def test_pandas_output_carries_the_feature_names(make_features, images):
    pytest.importorskip("pandas")
    transformer = make_features()
    expected = transformer.fit_transform(images[0])
    frame = transformer.set_output(transform="pandas").transform(images[0])
    assert frame.columns.tolist() == transformer.get_feature_names_out().tolist()
    np.testing.assert_array_equal(frame.to_numpy(), expected)


def test_frame_of_rows_keeps_its_index_and_its_names_are_held_against_later_ones(
    make_features, images
):
    pandas = pytest.importorskip("pandas")
    rows = images[0].reshape(len(images[0]), -1)
    frame = pandas.DataFrame(rows, columns=[f"pixel{i}" for i in range(rows.shape[1])])
    frame.index += 100
    transformer = make_features().set_output(transform="pandas").fit(frame)
    assert transformer.feature_names_in_[0] == "pixel0"
    assert transformer.transform(frame).index.tolist() == frame.index.tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(frame[frame.columns[::-1]])


def test_fit_and_transform_is_fit_transform(make_features, images):
    X = images[0]
    expected = make_features().fit(X).transform(X)
    np.testing.assert_array_equal(make_features().fit_transform(X), expected)


def test_fit_runs_the_network_over_nothing(make_features, images, monkeypatch):
    monkeypatch.setattr(engines, "run_network", None)
    make_features(feature_cache=None).fit(images[0])


def test_features_are_shared_with_the_classifier(
    make_features, make_classifier, images, monkeypatch
):
    clear_feature_cache()
    make_features().fit_transform(images[0])
    monkeypatch.setattr(engines, "run_network", None)
    make_classifier().fit(*images)


def test_explicit_pixel_range_is_what_auto_finds(make_features, images):
    X = images[0]
    expected = make_features().fit_transform(X)
    found = make_features(pixel_range=(0, 255)).fit_transform(X)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ["unit", "symmetric"])
def test_features_of_normalised_images_are_those_of_the_images(make_features, images, method):
    X = images[0]
    expected = make_features().fit_transform(X)
    found = make_pipeline(ImageNormalizer(method), make_features()).fit_transform(X)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_pixels_outside_the_fitted_range_warn(make_features, images):
    transformer = make_features().fit(images[0])
    with pytest.warns(UserWarning, match=r"fit was on pixels in \[0, 255\]"):
        transformer.transform(images[0].astype(float) * 2)


def test_new_images_need_no_labels_and_ignore_them(make_features, images):
    X, y = images
    np.testing.assert_array_equal(
        make_features().fit_transform(X), make_features().fit_transform(X, y)
    )
