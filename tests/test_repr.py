"""What estimators show in a notebook: parameters, state, and what they were fitted on."""

import os
import re
import subprocess
import sys

import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from skcifar import ImageNormalizer, MobileNetV2Features, load_pretrained, save

fitted_attributes_are_shown = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn shows the attributes of fitted estimators from 1.9 on",
)


@pytest.fixture(params=["classifier", "features", "normalizer"])
def estimator(request, make_classifier, make_features):
    makers = {
        "classifier": make_classifier,
        "features": make_features,
        "normalizer": ImageNormalizer,
    }
    return makers[request.param]()


def shown_attributes(html):
    """Return the text beside each fitted attribute."""
    text = re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.S))
    return dict(re.findall(r"\b(\w+_) (.*?)(?= \w+_ |$)", text))


def test_text_shows_the_parameters_that_are_not_defaults():
    assert repr(MobileNetV2Features(weights=None, input_size=32)) == (
        "MobileNetV2Features(input_size=32, weights=None)"
    )


def test_notebook_shows_every_parameter_and_whether_it_is_fitted(estimator, images):
    html = estimator._repr_html_()
    assert all(name in html for name in estimator.get_params())
    assert "Not fitted" in html
    assert "Not fitted" not in estimator.fit(*images)._repr_html_()


@fitted_attributes_are_shown
def test_notebook_shows_what_it_was_fitted_on(estimator, images):
    shown = shown_attributes(estimator.fit(*images)._repr_html_())
    assert "(16, 16, 3)" in shown["image_shape_"]
    assert "64" in shown["n_samples_seen_"]
    assert "(0.0, 255.0)" in shown["pixel_range_"]


@fitted_attributes_are_shown
def test_notebook_shows_what_the_steps_of_a_pipeline_were_fitted_on(images, make_classifier):
    html = make_pipeline(ImageNormalizer(), make_classifier()).fit(*images)._repr_html_()
    assert html.count("(16, 16, 3)") == 2
    assert "[0,1,2]" in shown_attributes(html)["classes_"]


def test_showing_builds_no_keras_model(images, make_classifier):
    classifier = make_classifier().fit(*images)
    html = classifier._repr_html_()
    assert classifier._models == {}
    assert "Functional" not in html
    assert "model_" not in dir(classifier)


def test_models_are_listed_once_they_are_built(images, make_classifier):
    classifier = make_classifier().fit(*images)
    assert classifier.model_ is classifier.model_
    assert "model_" in dir(classifier)
    assert "head_" not in dir(classifier)


def test_showing_a_loaded_classifier_imports_no_tensorflow(images, make_classifier, tmp_path):
    save(make_classifier().fit(*images), tmp_path / "classifier.skcifar")
    code = (
        "import sys, skcifar\n"
        f"skcifar.load({str(tmp_path / 'classifier.skcifar')!r})._repr_html_()\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


def test_images_seen_grow_with_further_batches_and_begin_anew_with_fit(images, make_classifier):
    X, y = images
    classifier = make_classifier().partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X[:10], y[:10])
    assert classifier.n_samples_seen_ == 74
    assert classifier.fit(X, y).n_samples_seen_ == 64


def test_images_held_out_or_without_weight_are_not_counted(images, make_classifier):
    X, y = images
    weights = [0.0] * 14 + [1.0] * 50
    assert make_classifier().fit(X, y, sample_weight=weights).n_samples_seen_ == 50
    stopping = make_classifier(early_stopping=True, validation_fraction=0.25)
    assert stopping.fit(X, y).n_samples_seen_ == 48


def test_pretrained_classifier_says_how_many_images_it_was_trained_on():
    assert load_pretrained("cifar10").n_samples_seen_ == 47_500
