import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcifar.plotting import FeatureMapDisplay


def clusters(n_classes, n_samples=300, spread=0.3):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % n_classes
    points = rng.normal(size=(n_classes, 2))[y] + spread * rng.normal(size=(n_samples, 2))
    return points, y


def test_pca_is_that_of_the_features(color_features, colored_images):
    X, y = colored_images
    display = FeatureMapDisplay.from_estimator(color_features.fit(X), X, y, random_state=0)
    expected = PCA(2, random_state=0).fit(color_features.transform(X))
    np.testing.assert_allclose(
        display.embedding, expected.transform(color_features.transform(X)), atol=1e-9
    )
    share = expected.explained_variance_ratio_[0]
    assert display.ax_.get_xlabel() == f"component 1 ({share:.0%} of variance)"
    offsets = display.ax_.collections[0].get_offsets()
    np.testing.assert_allclose(offsets, display.embedding)


def test_tsne_is_reproducible_and_takes_features_as_small_as_those_of_a_random_network(
    color_features, colored_images
):
    X, y = colored_images
    tiny = make_pipeline(color_features, FunctionTransformer(lambda rows: 1e-12 * rows)).fit(X)
    first, second = (
        FeatureMapDisplay.from_estimator(tiny, X, y, method="tsne", random_state=0)
        for _ in range(2)
    )
    assert first.ax_.get_xlabel() == "t-SNE 1"
    np.testing.assert_array_equal(first.embedding, second.embedding)
    centers = np.array([first.embedding[:-2][y[:-2] == i].mean(axis=0) for i in range(3)])
    nearest = np.linalg.norm(first.embedding[:-2, None] - centers, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, y[:-2])


def test_pipelines_of_transformers_are_drawn(color_features, colored_images):
    X, y = colored_images
    pipeline = make_pipeline(color_features, StandardScaler()).fit(X)
    display = FeatureMapDisplay.from_estimator(pipeline, X, y)
    assert display.embedding.shape == (30, 2)


def test_few_classes_have_a_legend_with_distinct_signs():
    points, y = clusters(10)
    display = FeatureMapDisplay(points, y, class_names={i: f"name {i}" for i in range(10)}).plot()
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [f"name {i}" for i in range(10)]
    signs = {(str(h.get_markerfacecolor()), str(h.get_marker())) for h in legend.legend_handles}
    assert len({color for color, _ in signs}) == 10
    assert len({marker for _, marker in signs}) == 10
    assert display.labels_ == []


def test_a_hundred_classes_are_named_in_the_map():
    points, y = clusters(100)
    display = FeatureMapDisplay(points, y).plot()
    assert [label.get_text() for label in display.labels_] == [str(i) for i in range(100)]
    assert display.ax_.get_legend() is None
    for label in display.labels_:
        median = np.median(points[y == int(label.get_text())], axis=0)
        np.testing.assert_allclose(label.xy, median)


@pytest.mark.parametrize("n_classes", [3, 10, 20, 100])
@pytest.mark.parametrize("size", [None, (5, 4)])
@pytest.mark.parametrize("spread", [0.1, 30.0])
def test_names_do_not_overlap(n_classes, size, spread, text_overlaps):
    points, y = clusters(n_classes, 1000, spread)
    ax = None if size is None else plt.subplots(figsize=size)[1]
    names = {i: f"long class name {i}" for i in range(n_classes)}
    display = FeatureMapDisplay(points, y, class_names=names).plot(ax)
    legend = display.ax_.get_legend()
    texts = display.labels_ if legend is None else legend.get_texts()
    assert len(texts) == n_classes
    assert not text_overlaps(texts)
    frame = display.ax_.get_window_extent()
    assert all(frame.x0 <= label.get_window_extent().x1 <= frame.x1 for label in display.labels_)


def test_classes_of_the_same_name_stay_apart():
    points, y = clusters(3)
    display = FeatureMapDisplay(points, y, class_names={0: "a", 1: "a", 2: "b"}).plot()
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["a", "a", "b"]


def test_given_axes_and_style_are_used():
    points, y = clusters(3)
    _, ax = plt.subplots()
    display = FeatureMapDisplay(points, y).plot(ax, scatter_kw={"s": 5})
    assert display.ax_ is ax
    assert set(ax.collections[0].get_sizes()) == {5}


def test_what_does_not_transform_is_an_error(color_classifier, colored_images):
    X, y = colored_images
    with pytest.raises(ValueError, match="ColorClassifier has no transform"):
        FeatureMapDisplay.from_estimator(color_classifier.fit(X, y), X, y)


def test_wrong_input_is_an_error(color_features, colored_images):
    X, y = colored_images
    with pytest.raises(NotFittedError):
        FeatureMapDisplay.from_estimator(color_features, X, y)
    with pytest.raises(ValueError, match="method is 'umap'"):
        FeatureMapDisplay.from_estimator(color_features.fit(X), X, y, method="umap")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        FeatureMapDisplay.from_estimator(color_features.fit(X), X, y[:-1])
