"""Recipes are parameters that the classifier takes, and their figures stand once."""

import pytest
from sklearn.base import clone

from skcifar import MobileNetV2Classifier, recipes
from skcifar.datasets import make_images

NAMES = ("FAST", "BALANCED", "ACCURATE")


@pytest.mark.parametrize("name", NAMES)
def test_recipe_is_accepted_and_found_in_the_clone(name):
    recipe = getattr(recipes, name)
    found = clone(MobileNetV2Classifier(**recipe, random_state=0)).get_params()
    assert {parameter: found[parameter] for parameter in recipe} == recipe


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_recipe_fits(name):
    """At a size and for so few epochs that a test takes."""
    X, y = make_images(n_samples=30, random_state=0)
    small = {"weights": None, "input_size": 32, "epochs": 1, "fine_tune_epochs": 1}
    recipe = {**getattr(recipes, name), **small}
    classifier = MobileNetV2Classifier(**recipe, random_state=0).fit(X, y)
    assert classifier.fine_tune_start_ == 1
    assert classifier.predict(X).shape == y.shape
